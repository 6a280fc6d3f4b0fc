"""Maps and detectors against labels, with baselines beside them.

`evaluate` and `evaluate_detector` measure (`measure`), `compare` several maps (`comparing`): each
row (`row`) has metrics of pixels, intervals, metrics of objects (`found`) and of the 3D ROC.
`BASELINES` (`stats.baselines`) are fitted to the evaluated scene itself (`beside`).
"""

from ..stats.baselines import BASELINES
from .comparing import compare
from .comparison import Comparison
from .evaluation import Evaluation
from .measure import evaluate, evaluate_detector
from .options import EvaluateOptions

__all__ = [
    "BASELINES",
    "Comparison",
    "EvaluateOptions",
    "Evaluation",
    "compare",
    "evaluate",
    "evaluate_detector",
]
