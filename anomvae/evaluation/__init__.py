"""Maps and detectors against labels, with baselines beside them.

`evaluate` and `evaluate_detector` measure (`measure`); `BASELINES` (`stats.baselines`) are fitted
to the evaluated scene itself (`beside`).
"""

from ..stats.baselines import BASELINES
from .measure import Evaluation, evaluate, evaluate_detector

__all__ = ["BASELINES", "Evaluation", "evaluate", "evaluate_detector"]
