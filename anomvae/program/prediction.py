"""The dates before the newest one of a pixel, as a linear prediction of it and as features.

Examples are series (..., time, band) in scaled units, NaN = no data; a date that lacks data in any
band is missing.  The prediction p, the covariance S_K and the conditional means of missing dates
are those of the chronochrome (`anomvae.stats.chronochrome`), which is fitted to the examples before
training, K = the dates with data and A = all of them::

    context = [p, bands of all dates before, missing ones at their conditional means]
    x       = p + s (y - p) S_K^-1/2 S_A^1/2,   s^2 = (nu + n) / (nu + d / c)

Where dates are missing, or the dates before are unusual, the prediction is less certain, and an
innovation counts by what remains uncertain, so that scores are comparable.  x is nearly the newest
date y where neither is so.

p is the linear path of the decoder: its mean is p plus what it has learnt, so that training starts
from the chronochrome.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..stats.chronochrome import LIMIT, Chronochrome
from ..stats.elliptical import Tail
from .arithmetic import Arithmetic, Values
from .codes import Shapes, Weights
from .contexts import ContextNetwork
from .layers import Array, Layer
from .sizes import Sizes

KEPT_VALUES = 2**24
"""Values of all matrices of missing dates that are kept, 64 MiB."""


@dataclass(frozen=True, eq=False)
class NewestPrediction(ContextNetwork):
    """The newest date predicted by those before it; the equations are above."""

    predicts: ClassVar[bool] = True
    fitted: Chronochrome
    """The joint distribution of all dates, scaled units."""

    @classmethod
    def shapes(cls, sizes: Sizes) -> Shapes:
        """Return the shapes of its tensors in a model file."""
        dates, bands = sizes.dates, sizes.bands
        every = dates * bands
        arrays = {"mean": (dates, bands), "std": (dates, bands), "covariance": (every, every)}
        return {**arrays, "tail": (2,)}

    @classmethod
    def of(cls, weights: Weights, sizes: Sizes) -> NewestPrediction:
        """Read it from its tensors."""
        mean, std, covariance = (
            weights[name].astype(np.float64) for name in ("mean", "std", "covariance")
        )
        return cls(Chronochrome(mean, std, covariance, Tail(*weights["tail"].tolist())))

    @staticmethod
    def width_of(sizes: Sizes) -> int:
        """Return the bands of all dates."""
        return sizes.dates * sizes.bands

    @property
    def width(self) -> int:
        """Features of a context: the prediction, and the bands of the dates before."""
        return int(self.fitted.mean.size)

    @property
    def values(self) -> int:
        """Values of a series in the largest layer."""
        return self.width + self.fitted.bands

    def split(self, x: Values, a: Arithmetic) -> tuple[Values, Values]:
        """Split series (n, time, band): the newest date is to be reconstructed."""
        mean, std, limits = (a.constant(array) for array in self._constants)
        dates, bands = self.fitted.mean.shape
        series = x[:, -dates:]
        lacking = dates - series.shape[1]
        if lacking:
            gap = a.zeros((len(x), lacking, bands)) + np.nan
            series = a.names.concatenate([gap, series], 1)
        known = a.names.isfinite(series.sum(-1))
        z = a.names.where(known[..., None], (series - mean) / std, 0.0)
        z = a.names.clip(z, -limits, limits).reshape(len(x), -1)
        parts = self._mapped(z, known[:, :-1], a)
        before = (dates - 1) * bands
        innovation, predicted = parts[:, :bands], parts[:, bands : 2 * bands]
        filled, unusual = parts[:, 2 * bands : -before], parts[:, -before:]
        length = (unusual * unusual).sum(-1)[:, None]
        innovation = innovation / a.names.sqrt(1 + length)
        newest = (predicted + innovation) * std[-1] + mean[-1]
        scored = (known[:, -1] & known[:, :-1].any(-1))[:, None]
        context = a.join(predicted * std[-1] + mean[-1], filled)
        return a.names.where(scored, newest, 0.0), context

    def _mapped(self, z: Values, known: Values, a: Arithmetic) -> Values:
        """Map standardised series, each by the matrix of its known dates before the newest."""
        numbers = (known * a.constant(2 ** np.arange(known.shape[1]))).sum(-1)
        parts = None
        for number in a.names.unique(numbers).tolist():
            # Of all examples, as matrix products round an example by how many there are.
            values = a.dense(self._layer(number), z)
            some = (numbers == number)[:, None]
            parts = values if parts is None else a.names.where(some, values, parts)
        return parts

    @cached_property
    def _constants(self) -> tuple[Array, Array, Array]:
        """Mean and deviation of the bands of all dates, and how far these count, float32."""
        limits = np.full(self.fitted.mean.shape, LIMIT, np.float32)
        limits[-1] = np.inf
        mean, std = (np.asarray(x, np.float32) for x in (self.fitted.mean, self.fitted.std))
        return mean, std, limits

    @cached_property
    def _layers(self) -> dict[int, Layer]:
        return {}

    def _layer(self, number: int) -> Layer:
        """Return what maps [x, y], with 0 in gaps, to [x - p, p, conditional means of dates, w].

        x - p is yet to be divided by (1 + w'w)^1/2.
        """
        layer = self._layers.get(number)
        if layer is None:
            if len(self._layers) * self.fitted.covariance.size > KEPT_VALUES:
                self._layers.clear()
            known = (number >> np.arange(len(self.fitted.mean) - 1)) % 2 == 1
            layer = self._layers[number] = Layer.of(joint_matrix(self.fitted, known), None)
        return layer

    def empty(self) -> Array:
        """Return the mean of the newest date as its prediction, and means of those before."""
        empty = np.zeros(self.width, np.float32)
        empty[: self.fitted.bands] = self.fitted.mean[-1]
        return empty


def joint_matrix(fitted: Chronochrome, known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the matrix of the dates that are known, (value, value), from the right."""
    given, bands = fitted.given(known), fitted.bands
    if known.all():
        scale = np.eye(bands)
    else:
        certain = fitted.given(np.ones_like(known)).whitening
        scale = given.whitening @ np.linalg.inv(certain)
    scale = scale * np.sqrt(given.surer)
    parts = [-given.predicted @ scale, given.predicted, given.filled, given.unusual]
    before = np.concatenate(parts, axis=1)
    newest = np.zeros((bands, before.shape[1]))
    newest[:, :bands] = scale
    return np.concatenate([before, newest])
