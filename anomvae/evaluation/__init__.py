"""Maps and detectors against labels, with baselines beside them.

`evaluate` and `evaluate_detector` measure (`measure`); `BASELINES` are fitted to the evaluated
scene itself (`baselines`).
"""

from .baselines import BASELINES
from .measure import Evaluation, evaluate, evaluate_detector

__all__ = ["BASELINES", "Evaluation", "evaluate", "evaluate_detector"]
