"""The chronochrome: the newest date of a pixel, predicted by the dates before it.

Series of pixels have axes (n, time, band), oldest first, NaN = no data.  Let y be the standardised
bands of the newest date, x those of all dates before it, jointly normal with mean 0 and covariance
C, and K the dates before that have data in every band (Schaum & Stocker 1997; Theiler & Perkins
2006, "anomalous change detection")::

    prediction  p   = C_yK C_KK^-1 x_K
    innovation  y - p
    covariance  S_K = C_yy - C_yK C_KK^-1 C_Ky
    score           = (y - p)' S_K^-1 (y - p) (nu + n) / (nu + d / c),   d = x_K' C_KK^-1 x_K

So a date that is missing changes what is expected and how surely, and no value is made up: the
other bands of x have their conditional means C_xK C_KK^-1 x_K.  Nor is a pixel expected as surely
where the n values x_K are unusual: nu and c are of the distances d of the pixels
(`anomvae.stats.elliptical`).  Dates that covary with no other one count neither in n nor in d.

C is fitted to the scene that is scored, by expectation and maximisation over the gaps (Little &
Rubin 2002, section 11.2), without the pixels with the largest scores, so that changes among them
are not learnt (`anomvae.stats.rx.stream_trimmed_moments` does so for spectra).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..errors import NotEnoughPixels
from .blocks import Array, Spectra, of_valid
from .elliptical import NORMAL, Tail, fit_tail
from .rx import FLOOR, PIXELS_PER_BAND, symmetric_whitening

KEEP = 0.95
"""Share of the pixels that moments are taken of, as robust RX does."""
ROUNDS = 4
"""Rounds of moments and trimming of series without gaps."""
GAP_ROUNDS = 16
"""Rounds of series with gaps, whose covariance is approached step by step."""
RIDGE = 1e-3
"""Variance that is added to each standardised band before the newest date."""
FITTED = 0.1
"""Least mean variance of the standardised bands of a date that is fitted."""
LIMIT = 6.0
"""Standard deviations at which a band of a date before counts: a cloud there is to move the
prediction no further."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the dates before that have data predict of the newest one; standardised bands."""

    filled: Array
    """Maps x, with 0 where there are no data, to its conditional mean, (x, x), from the right."""
    predicted: Array
    """Maps the same to p, (x, band)."""
    covariance: Array
    """S_K, (band, band)."""
    unusual: Array
    """Maps x to w with w'w = d / (nu c), (x, x); 0 for a normal distribution."""
    surer: float
    """1 + n / nu; the score has it over 1 + w'w."""

    def score(self, x: Array, y: Array) -> Array:
        """Return the score of x (n, x) and y (n, band), (n,)."""
        u, w = (y - x @ self.predicted) @ self.whitening, x @ self.unusual
        certain = self.surer / (1 + np.einsum("ij,ij->i", w, w))
        return np.asarray(np.einsum("ij,ij->i", u, u) * certain)

    @cached_property
    def whitening(self) -> Array:
        """S_K^-1/2, symmetric, (band, band)."""
        variances, directions = np.linalg.eigh(self.covariance)
        least = max(variances[-1], 1.0) * len(variances) * np.finfo(np.float32).eps
        return symmetric_whitening(np.maximum(variances, least), directions)


@dataclass(frozen=True)
class Chronochrome:
    """The joint distribution of the dates of a pixel."""

    mean: Array
    """Mean of each band of each date, (time, band)."""
    std: Array
    """Standard deviation of each band of each date, (time, band)."""
    covariance: Array
    """C of standardised bands, the ridge included, (time * band, time * band)."""
    tail: Tail = NORMAL
    """How unusual pixels are less certain."""
    _given: dict[bytes, Prediction] = field(default_factory=dict, repr=False, compare=False)

    @property
    def bands(self) -> int:
        """Bands of a date."""
        return int(self.mean.shape[1])

    def given(self, known: Mask) -> Prediction:
        """Return the prediction by those of the dates before that are ``known``, (time - 1,)."""
        key = known.tobytes()
        if key not in self._given:
            self._given[key] = self._prediction(known)
        return self._given[key]

    def _prediction(self, known: Mask) -> Prediction:
        bands = self.bands
        count = len(self.covariance) - bands
        used = np.repeat(known, bands)
        weights = _solved(self.covariance, np.append(used, np.zeros(bands, np.bool_)))
        joint = np.zeros((count, count + bands))
        joint[used] = weights
        joint[used, np.flatnonzero(used)] = 1.0
        rest = self.covariance[-bands:, -bands:] - (
            weights[:, -bands:].T @ self.covariance[:count][used][:, -bands:]
        )
        filled = joint[:, :count]
        unusual = filled @ self._past * np.sqrt(self.tail.wide / self.tail.scale)
        surer = 1 + self.tail.wide * bands * int((known & self._covarying).sum())
        return Prediction(filled, joint[:, count:], (rest + rest.T) / 2, unusual, surer)

    @cached_property
    def _covarying(self) -> Mask:
        """Which dates before the newest covary with another one, (time - 1,)."""
        blocks = self.covariance.reshape(len(self.mean), self.bands, len(self.mean), self.bands)
        linked = (blocks != 0).any(axis=(1, 3))
        return np.asarray(linked.sum(axis=1) > 1)[:-1]

    @cached_property
    def _past(self) -> Array:
        """C_xx^-1/2 of the dates before that covary, 0 elsewhere, (x, x).

        It whitens x with its conditional means, as their distance is that of the known values.
        """
        used = np.repeat(self._covarying, self.bands)
        past = np.zeros((len(used), len(used)))
        at = np.ix_(np.flatnonzero(used), np.flatnonzero(used))
        variances, directions = np.linalg.eigh(self.covariance[at])
        past[at] = symmetric_whitening(np.maximum(variances, RIDGE), directions)
        return past

    def with_tail(self, series: NDArray[np.floating]) -> Chronochrome:
        """Return the same with the tail of the dates before of series (n, time, band)."""
        x, _, known = self.standardised(series)
        distances = np.zeros(len(series))
        for pattern, rows in patterns(known):
            w = x[rows] @ self.given(pattern).filled @ self._past
            distances[rows] = np.einsum("ij,ij->i", w, w)
        counts = (known & self._covarying).sum(axis=1) * self.bands
        return replace(self, tail=fit_tail(distances, counts), _given={})

    @property
    def predicted_shares(self) -> Array:
        """Share of the variance of each date that the dates before it predict, (time - 1,).

        It is that of all bands together, from the second date on; NaN of a date that is not fitted.
        """
        shares = np.full(len(self.mean) - 1, np.nan)
        for number, first in enumerate(range(self.bands, len(self.covariance), self.bands)):
            upto = first + self.bands
            own = np.trace(self.covariance[first:upto, first:upto])
            if own > FITTED * self.bands:
                past = np.arange(upto) < first
                weights = _solved(self.covariance[:upto, :upto], past)[:, first:]
                shares[number] = np.sum(weights * self.covariance[:first, first:upto]) / own
        return shares

    def standardised(self, series: NDArray[np.floating]) -> tuple[Array, Array, Mask]:
        """Return x (n, x), y (n, band) and which dates before have data (n, time - 1)."""
        known = np.isfinite(series).all(axis=-1)
        z = (series - self.mean) / self.std
        before = np.where(known[:, :-1, np.newaxis], np.clip(z[:, :-1], -LIMIT, LIMIT), 0.0)
        return before.reshape(len(z), -1), z[:, -1], known[:, :-1]

    def score(self, series: NDArray[np.floating]) -> Array:
        """Return the score of series (n, time, band), (n,); NaN without data of the newest date."""
        x, y, known = self.standardised(series)
        scores = np.full(len(series), np.nan)
        for pattern, rows in patterns(known):
            # Of all rows, as matrix products round a row by how many there are.
            scores[rows] = self.given(pattern).score(x, y)[rows]
        scores[~known.any(axis=1)] = np.nan
        return scores


def patterns(known: Mask) -> Iterator[tuple[Mask, NDArray[np.intp]]]:
    """Yield each combination of dates with data, (time,), and the rows that have it."""
    found, number = np.unique(known, axis=0, return_inverse=True)
    for index, pattern in enumerate(found):
        yield pattern, np.flatnonzero(number.reshape(-1) == index)


@dataclass(frozen=True)
class NewestGivenBefore:
    """Scores the newest date of a block given the dates before it."""

    fitted: Chronochrome

    def score(self, block: Spectra) -> Array:
        """Return the score of each pixel of a block (time, row, col, band), axes (row, col).

        NaN where the newest date, or every date before it, has no data.
        """
        known = np.asarray(np.isfinite(block).all(axis=-1))
        series = np.moveaxis(block, 0, 2)
        return of_valid(self.fitted.score, series, known[-1] & known[:-1].any(axis=0))


def fit_chronochrome(series: NDArray[np.floating], keep: float = KEEP) -> Chronochrome:
    """Fit the joint distribution to a sample of the pixels of a scene, (n, time, band).

    Pixels without the newest date, or without any before it, do not count.  A date with data in
    few pixels, and the oldest ones where pixels are few, are not fitted: they predict nothing.

    Raises
    ------
    NotEnoughPixels
        If no pixel has data at the newest date and at one before it.
    """
    known = np.isfinite(series).all(axis=-1)
    dates, bands = series.shape[1:]
    known[:, :-1] &= _fitted_dates(known, bands)
    rows = known[:, -1] & known[:, :-1].any(axis=1)
    if not rows.any():
        raise NotEnoughPixels(
            "no pixel has data at the newest date and at one before it, so that there is nothing "
            "to compare. Give other dates, or check masks and nodata values."
        )
    known, values = known[rows], np.asarray(series[rows], np.float64)
    mean, std = _standard(values, known)
    z = np.where(known[..., np.newaxis], (values - mean) / std, 0.0)
    z[:, :-1] = np.clip(z[:, :-1], -LIMIT, LIMIT)
    z = z.reshape(len(z), -1)
    present = np.repeat(known, bands, axis=1)
    ridge = np.append(np.full((dates - 1) * bands, RIDGE), np.full(bands, FLOOR))
    centre, fitted = np.zeros(dates * bands), Chronochrome(mean, std, np.eye(dates * bands))
    kept = np.ones(len(z), np.bool_)
    for _ in range(ROUNDS if known.all() else GAP_ROUNDS):
        shifted = np.where(present, z - centre, 0.0)
        step, covariance = _moments(shifted[kept], known[kept], fitted)
        centre = centre + step
        fitted = Chronochrome(
            mean + std * centre.reshape(dates, bands), std, covariance + np.diag(ridge)
        )
        scores = _scores(fitted, values, known)
        kept = scores <= np.quantile(scores, keep)
    return fitted.with_tail(np.where(known[..., np.newaxis], values, np.nan))


def _scores(fitted: Chronochrome, values: Array, known: Mask) -> Array:
    scores = np.empty(len(values))
    for pattern, rows in patterns(known[:, :-1]):
        x, y, _ = fitted.standardised(np.where(known[rows, :, np.newaxis], values[rows], np.nan))
        scores[rows] = fitted.given(pattern).score(x, y)
    return scores


def _fitted_dates(known: Mask, bands: int) -> Mask:
    """Return which dates before the newest have pixels enough to be fitted, (time - 1,).

    The newest are preferred; the fullest one is always among them.
    """
    with_newest = known[:, :-1][known[:, -1]]
    count = with_newest.sum(axis=0)
    enough = count >= PIXELS_PER_BAND * bands * 2
    rank = np.cumsum(enough[::-1])[::-1]
    fitted = enough & (PIXELS_PER_BAND * bands * (rank + 1) <= len(with_newest))
    if not fitted.any():
        fitted[count.argmax()] = True
    return np.asarray(fitted)


def _standard(series: Array, known: Mask) -> tuple[Array, Array]:
    """Return mean and standard deviation of each band of each date, (time, band)."""
    count = np.maximum(known.sum(axis=0), 1)[:, np.newaxis]
    values = np.where(known[..., np.newaxis], series, 0.0)
    mean = values.sum(axis=0) / count
    square = np.where(known[..., np.newaxis], series - mean, 0.0) ** 2
    std = np.sqrt(square.sum(axis=0) / count)
    return mean, np.where(std > 0, std, 1.0)


def _moments(z: Array, known: Mask, last: Chronochrome) -> tuple[Array, Array]:
    """Return mean and covariance of series (n, time * band) with 0 in gaps, given the last ones."""
    filled, spread = np.empty_like(z), np.zeros_like(last.covariance)
    for pattern, rows in patterns(known):
        used = np.repeat(pattern, last.bands)
        filled[rows] = z[rows]
        if used.all():
            continue
        weights = _solved(last.covariance, used)[:, ~used]
        gaps = np.flatnonzero(~used)
        filled[np.ix_(rows, gaps)] = z[np.ix_(rows, np.flatnonzero(used))] @ weights
        rest = last.covariance[np.ix_(gaps, gaps)]
        rest = rest - weights.T @ last.covariance[np.ix_(np.flatnonzero(used), gaps)]
        spread[np.ix_(gaps, gaps)] += len(rows) * rest
    centre = filled.mean(axis=0)
    deviations = filled - centre
    covariance = (deviations.T @ deviations + spread) / len(z)
    return np.asarray(centre), np.asarray(covariance)


def _solved(covariance: Array, known: Mask) -> Array:
    """Return what predicts all values by the known ones, (known, value), from the right."""
    own = covariance[np.ix_(known, known)]
    ridge = 1e-9 * max(float(np.trace(own)) / max(len(own), 1), 1e-9)
    return np.asarray(np.linalg.solve(own + ridge * np.eye(len(own)), covariance[known]))
