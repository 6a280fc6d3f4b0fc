"""The estimators' common part, an outlier detector by a score and a threshold, and RX as one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ..errors import ConfigError
from ..stats.rx import RX, fit_rx
from ..stats.scores import NormalScores
from ..stats.thresholds import Rule, ScoreSource, Threshold, parse_rule

Array = NDArray[np.float64]


def require_rows_rule(rule: Rule) -> Rule:
    """Return a rule that serves rows of pixels; raise ConfigError if it needs a scene."""
    if rule.source is ScoreSource.SCENE or rule.local:
        raise ConfigError(
            f"threshold = {rule} is chosen on a scene, and rows of pixels are none. Choose another "
            f"rule, such as quantile:0.001."
        )
    return rule


class ScoredOutliers(OutlierMixin, BaseEstimator, ABC):
    """An outlier detector by its anomaly score and threshold."""

    def score_samples(self, X: ArrayLike) -> Array:
        """Return the negative anomaly score, shape (n_pixels,): higher is more normal."""
        return -self.anomaly_score(X)

    def decision_function(self, X: ArrayLike) -> Array:
        """Return the distance to the threshold, shape (n_pixels,): negative for outliers."""
        scores = self.score_samples(X)
        return scores - self.offset_

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Return -1 for outliers and 1 for inliers, shape (n_pixels,)."""
        return np.where(self.decision_function(X) >= 0, 1, -1)

    @abstractmethod
    def anomaly_score(self, X: ArrayLike) -> Array:
        """Return the anomaly score, shape (n_pixels,): higher is worse."""

    def _rows(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return checked rows of a fitted estimator, shape (n_pixels, n_bands)."""
        check_is_fitted(self)
        return np.asarray(validate_data(self, X, reset=False, dtype=np.float32))


class RXDetector(ScoredOutliers):
    """Global RX: the squared Mahalanobis distance to the mean of the training pixels.

    Parameters
    ----------
    threshold : str, default "sigma:3"
        A rule of `anomvae.stats.thresholds`, fitted on the training pixels.

    Attributes
    ----------
    rx_ : RX
        Mean and whitening.
    threshold_ : Threshold
        A squared distance.
    offset_ : float
        Minus the threshold.

    References
    ----------
    Reed & Yu (1990), Adaptive multiple-band CFAR detection of an optical pattern with unknown
    spectral distribution.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(500, 6))
    >>> RXDetector().fit(X).predict(X[:1] + 9)
    array([-1])
    """

    def __init__(self, *, threshold: str = "sigma:3") -> None:
        self.threshold = threshold

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Fit mean and covariance to spectra, shape (n_pixels, n_bands); ``y`` is ignored.

        Raises ConfigError when the rule of the threshold is unknown.
        """
        rows = validate_data(self, X, dtype=np.float32, ensure_min_samples=2)
        self.rx_: RX = fit_rx([rows])
        scores = NormalScores.of(self.rx_.score(rows), held_out=False)
        rule = require_rows_rule(parse_rule(str(self.threshold)))
        self.threshold_: Threshold = rule.threshold(scores)
        self.offset_ = -self.threshold_.value
        return self

    def anomaly_score(self, X: ArrayLike) -> Array:
        """Return the squared Mahalanobis distance, shape (n_pixels,): higher is worse."""
        rows = self._rows(X)
        return self.rx_.score(rows)
