"""Maps and detectors against labels, with baselines beside them.

`evaluate` and `evaluate_detector` measure (`measure`); `BASELINES` (`stats.baselines`) are fitted
to the evaluated scene itself (`beside`).
"""

from ..stats.baselines import BASELINES
from .evaluation import Evaluation
from .measure import evaluate, evaluate_detector
from .options import EvaluateOptions

__all__ = ["BASELINES", "EvaluateOptions", "Evaluation", "evaluate", "evaluate_detector"]
