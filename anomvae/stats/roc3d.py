"""The measures of a three-dimensional ROC: detection, false alarms, and the threshold between them.

A ROC shows what a threshold trades, but not how far apart anomalous and normal scores lie.  Chang
(2021) adds the normalised threshold ``tau`` as a third axis.  With scores ``s`` of the measured
pixels::

    minmax:  t = (s - min s) / (max s - min s)
    log:     t = (log s - log min s) / (log max s - log min s)     scores above 0

    P_D(tau) = share of anomalous pixels with t >= tau,   P_F(tau) = share of normal ones

    AUC(D,F)    area under P_D against P_F, the area under the ROC
    AUC(D,tau)  area under P_D against tau = mean t of anomalous pixels
    AUC(F,tau)  area under P_F against tau = mean t of normal pixels
    TD = AUC(D,F) + AUC(D,tau)         BS  = AUC(D,F) - AUC(F,tau)
    TDBS = AUC(D,tau) - AUC(F,tau)     ODP = AUC(D,tau) + 1 - AUC(F,tau)
    OD = AUC(D,F) + TDBS               SNPR = AUC(D,tau) / AUC(F,tau)

The areas over ``tau`` are exact: the integral of ``P(t >= tau)`` from 0 to 1 is the mean of ``t``.
They depend on the scale of the scores, so they compare detectors only under one normalisation, and
a single extreme score moves all of them under ``minmax``.

C.-I. Chang, "An effective evaluation tool for hyperspectral target detection: 3D receiver operating
characteristic curve analysis", IEEE Transactions on Geoscience and Remote Sensing 59(6), 2021.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, hint
from .ranks import BinCounts, lowest_of_bins

NAN = float("nan")
NORMALISATIONS = ("minmax", "log")
POINTS = 400
"""Points of a curve over the threshold, at most."""

Rates = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TauCurve:
    """Shares of pixels at or above normalised thresholds."""

    tau: Rates
    """The threshold, ascending in [0, 1], shape (n,)."""
    detected: Rates
    """Share of the anomalous pixels, shape (n,)."""
    false_alarms: Rates
    """Share of the normal pixels, shape (n,)."""


@dataclass(frozen=True)
class Roc3D:
    """Areas under the three projections of a 3D ROC, and what Chang (2021) derives from them."""

    normalisation: str
    """How scores become ``tau``: ``minmax`` or ``log``."""
    lowest: float
    """The lowest measured score, at which tau is 0."""
    highest: float
    """The highest measured score, at which tau is 1."""
    auc_d_f: float = NAN
    """Area under the ROC."""
    auc_d_tau: float = NAN
    """Area under the detection rate against tau, in [0, 1]; higher is better."""
    auc_f_tau: float = NAN
    """Area under the false-alarm rate against tau, in [0, 1]; lower is better."""
    reason: str = ""
    """Why an area is NaN."""
    curve: TauCurve | None = field(default=None, repr=False, compare=False)
    """The rates against tau."""

    @property
    def td(self) -> float:
        """Target detectability, in [0, 2]."""
        return self.auc_d_f + self.auc_d_tau

    @property
    def bs(self) -> float:
        """Background suppressibility, in [-1, 1]."""
        return self.auc_d_f - self.auc_f_tau

    @property
    def tdbs(self) -> float:
        """Target detection in background, in [-1, 1]."""
        return self.auc_d_tau - self.auc_f_tau

    @property
    def od(self) -> float:
        """Overall detection, in [-1, 2]."""
        return self.auc_d_f + self.tdbs

    @property
    def odp(self) -> float:
        """Overall detection probability, in [0, 2]."""
        return self.auc_d_tau + 1 - self.auc_f_tau

    @property
    def snpr(self) -> float:
        """Signal-to-noise probability ratio; infinite without a false alarm above tau 0."""
        if self.auc_f_tau == 0:
            return math.inf if self.auc_d_tau > 0 else NAN
        return self.auc_d_tau / self.auc_f_tau

    def measures(self) -> dict[str, float]:
        """Return all nine measures by name, in the order of the formulas."""
        names = ("auc_d_f", "auc_d_tau", "auc_f_tau", "td", "bs", "tdbs", "od", "odp", "snpr")
        return {name: getattr(self, name) for name in names}


def require_normalisation(name: str) -> None:
    """Require that a normalisation is known; raise `ConfigError` if it is not."""
    if name not in NORMALISATIONS:
        raise ConfigError(
            f"There is no normalisation {name!r} of a 3D ROC. {hint(name, NORMALISATIONS)}"
        )


class TauSums:
    """Adds up the scores of a stream, of anomalous and of normal pixels."""

    def __init__(self, normalisation: str) -> None:
        """Begin."""
        self._name = normalisation
        self._sums = [0.0, 0.0]
        self._lowest, self._highest = math.inf, -math.inf

    def add(self, truth: NDArray[np.bool_], scores: NDArray[np.floating]) -> None:
        """Add pixels: which are anomalous, and their finite scores."""
        if not scores.size:
            return
        self._lowest = min(self._lowest, float(scores.min()))
        self._highest = max(self._highest, float(scores.max()))
        values = self._scaled(scores.astype(np.float64))
        anomalous = float(values[truth].sum())
        self._sums[0] += float(values.sum()) - anomalous
        self._sums[1] += anomalous

    def _scaled(self, scores: Rates) -> Rates:
        """Return scores on the axis of tau, which is not yet normalised."""
        if self._name != "log":
            return scores
        return np.log(scores, out=np.full(scores.shape, NAN), where=scores > 0)

    def measures(self, bins: BinCounts, roc_auc: float) -> Roc3D:
        """Return the areas; ``bins`` are counts of the same pixels."""
        reason = self._reason(bins)
        result = Roc3D(self._name, self._lowest, self._highest, roc_auc, reason=reason)
        if reason:
            return result
        low, high = (float(self._scaled(np.array([end]))[0]) for end in self._ends)
        normal, anomalous = (
            # Rounding of a sum may leave [0, 1].
            min(1.0, max(0.0, (total / count - low) / (high - low)))
            for total, count in zip(self._sums, (bins.normal, bins.anomalous), strict=True)
        )
        curve = self._curve(bins, low, high)
        return Roc3D(self._name, *self._ends, roc_auc, anomalous, normal, "", curve)

    @property
    def _ends(self) -> tuple[float, float]:
        return self._lowest, self._highest

    def _reason(self, bins: BinCounts) -> str:
        if bins.of_one_class:
            return "the labelled pixels are of one class"
        if self._name == "log" and self._lowest <= 0:
            return f"log needs scores above 0, and the lowest is {self._lowest:.4g}"
        return "" if self._lowest < self._highest else "all scores are equal"

    def _curve(self, bins: BinCounts, low: float, high: float) -> TauCurve:
        """Return the rates at the lower ends of bins, where counts give them exactly."""
        used = np.flatnonzero(bins.counts.sum(axis=0))
        edges = lowest_of_bins(bins.kind)[used].astype(np.float64)
        above = np.cumsum(bins.counts[:, used][:, ::-1], axis=1)[:, ::-1]
        rates = above / np.array([[bins.normal], [bins.anomalous]])
        edges[0] = self._lowest  # its bin may begin below it
        tau = (self._scaled(edges) - low) / (high - low)
        wanted = np.linspace(0, 1, POINTS)
        kept = np.unique(np.searchsorted(tau, wanted[wanted <= tau[-1]]))
        tau, rates = np.append(tau[kept], 1.0), np.hstack([rates[:, kept], np.zeros((2, 1))])
        return TauCurve(tau, rates[1], rates[0])
