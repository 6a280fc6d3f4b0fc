"""Local-contrast weighting: local contrast of scores, and latent distance to the annulus.

Large structures are anomalous in a scene, but not among their neighbours; small objects are both.
So a score s of a pixel alone is multiplied by a factor f, given by its annulus
(`anomvae.pixels.annulus.Annulus`)::

    log f = n (log d - D) - c (mean(log(1 + s) + n (log d - D)) - L)

    d = 1 / (h + k (1 - q) (exp(-D) - h)),  h = mean(1 / (|z - z_other|^2 / V + e))

Means are those over the annulus.  n is the weight of the latent distance d: the harmonic mean of
the squared distances of codes z to the pixels of the annulus, in units of the codes' variance V.
d is small where any pixel of the annulus is similar, so that it separates roofs and shores, which
extend beyond the guard window, from aircraft and boats (a local form of the distance to the nearest
neighbours, Ramaswamy, Rastogi & Shim 2000).  c is the weight of the local contrast: the mean log
score of the annulus is subtracted, as local RX does.

D and L are the means of log d and of log(1 + s) + n (log d - D) over training pixels, whatever
their position.  They replace means over nothing.  q is the share of the annulus that has data.
What it lacks may hold pixels similar to this one, and h rests on a few most similar ones, so a
share k of what it lacks counts as the scene at large does.  Otherwise a pixel beside a hole would
seem alone.  f multiplies each term of the score, so that they still add up to it; it is then no
longer in nats.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .. import native
from ..pixels.annulus import Annulus
from ..pixels.views import Mask

NEAREST = 1e-3  # e: copies of a pixel are at distance 0
AT_LARGE = 0.1  # k: from .05 to .1 holes change the rate of flagged pixels least, on real scenes
STEEPEST = 20.0  # log f at which it is clipped, so that float32 scores do not overflow
CODES = 4096  # training codes that D and L are fitted to ...
OTHERS = 256  # ... and codes that they are compared with

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class LocalContrastWeighting:
    """The factor that multiplies a score by its surroundings."""

    annulus: Annulus
    """The surroundings."""
    local_contrast: float
    """Weight c of the local contrast; 0 = off."""
    latent_distance: float
    """Weight n of the latent distance; 0 = off."""
    variance: float = 1.0
    """V: the variances of the training codes, summed over the latent features."""
    distance: float = 0.0
    """D: mean log d of training pixels, compared with other training pixels."""
    level: float = 0.0
    """L: mean of log(1 + s) + n (log d - D) of training pixels."""

    @property
    def radius(self) -> int:
        """Receptive radius, pixels; contrast needs the latent distance of its neighbours, too."""
        return self.annulus.radius * ((self.local_contrast > 0) + (self.latent_distance > 0))

    def factor(self, score: Floats, code: Floats) -> Floats:
        """Return f for the pixels of a block, (time, row, col), above 0; NaN = no data.

        Takes the score of each pixel alone, (time, row, col), nats, and the code, the posterior
        means (time, row, col, latent); NaN = no data in both.
        """
        valid = np.isfinite(score)
        log_score = np.log1p(np.where(valid, score, 0.0).astype(np.float64))
        log_f = self._log_distance(code, valid) if self.latent_distance else np.zeros(score.shape)
        if self.local_contrast:
            around = self.annulus.means(log_score + log_f, valid)
            log_f = log_f - self.local_contrast * np.nan_to_num(around - self.level, nan=0.0)
        factor = np.exp(np.clip(log_f, -STEEPEST, STEEPEST)).astype(np.float32)
        factor[~valid] = np.nan
        return factor

    def _log_distance(self, code: Floats, valid: Mask) -> NDArray[np.float64]:
        """Return n (log d - D), (time, row, col)."""
        scaled = code / np.float32(np.sqrt(self.variance))
        near = np.stack(
            [_nearness(*date, self.annulus) for date in zip(scaled, valid, strict=True)]
        )
        count, common = self.annulus.sums(valid.astype(np.int64)), np.exp(-self.distance)
        near = np.where(near > 0, near / np.maximum(count, 1), common)
        near += AT_LARGE * (1 - count / self.annulus.pixels) * (common - near)
        return self.latent_distance * (-np.log(near) - self.distance)


def fit_local_contrast(
    weighting: LocalContrastWeighting, score: Floats, code: Floats, seed: int
) -> LocalContrastWeighting:
    """Fit V, D and L to training pixels: score (n,) of each alone, nats, and code (n, latent).

    The seed chooses which of many pixels are compared.
    """
    chosen = np.random.default_rng((seed, 3)).permutation(len(code))[:CODES]
    log_score, codes = np.log1p(score[chosen].astype(np.float64)), code[chosen].astype(np.float64)
    variance = float(codes.var(axis=0).sum()) or 1.0
    others = codes[:OTHERS]
    squares = np.square(codes).sum(axis=1)[:, None] + np.square(others).sum(axis=1)
    apart = np.maximum(squares - 2 * codes @ others.T, 0.0) / variance
    near = 1 / (apart + NEAREST)
    if len(codes) > 1:  # a pixel is not its own neighbour
        np.fill_diagonal(near, np.nan)
    log_distance = -np.log(np.nanmean(near, axis=1))
    distance = float(np.mean(log_distance))
    level = float(np.mean(log_score + weighting.latent_distance * (log_distance - distance)))
    return replace(weighting, variance=variance, distance=distance, level=level)


def _nearness(code: Floats, valid: Mask, annulus: Annulus) -> Floats:
    """Sum 1 / (|z - z_other|^2 + e) over the valid pixels of each annulus, (row, col).

    Scaled codes have axes (row, col, latent).
    """
    planes = np.moveaxis(np.where(valid[..., None], code, 0.0), -1, 0).astype(np.float32, order="C")
    sums = native.near if native.library() else near
    return sums(planes, valid.astype(np.float32), [*half_of(annulus)], NEAREST)


def near(code: Floats, valid: Floats, offsets: Sequence[tuple[int, int]], least: float) -> Floats:
    """Sum over neighbours by numpy: the same bits as those of `anomvae.native.near`, see there.

    Each sum adds the same terms in the same order wherever its pixel lies, so that tiles do not
    show.
    """
    sums = np.zeros(valid.shape, np.float32)
    for offset in offsets:
        here, there = zip(*map(_overlap, valid.shape, offset), strict=True)
        apart = np.full(valid[here].shape, least, np.float32)
        for plane in code:
            step = plane[here] - plane[there]
            apart += step * step
        nearness = valid[here] * valid[there] / apart
        sums[here] += nearness
        sums[there] += nearness
    return sums


def half_of(annulus: Annulus) -> Iterator[tuple[int, int]]:
    """Yield one of each two opposite offsets of an annulus, (row, col) from its middle."""
    radius, guard = annulus.radius, annulus.guard // 2
    for row in range(radius + 1):
        for col in range(-radius if row else 1, radius + 1):
            if max(row, abs(col)) > guard:
                yield row, col


def _overlap(length: int, step: int) -> tuple[slice, slice]:
    """Return the pixels along an axis that have a neighbour ``step`` away, and the neighbours."""
    count = max(0, length - abs(step))
    here, there = max(0, -step), max(0, step)
    return slice(here, here + count), slice(there, there + count)
