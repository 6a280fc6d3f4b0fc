"""How much a pixel stands out from its surroundings: local contrast and novelty of its code.

Large structures are unusual in a scene, but not where they are; small objects are unusual in both.
So a score s, made of each pixel alone, is multiplied by a factor f that the ring around the pixel
gives (`anomvae.stats.context.Annulus`)::

    log f = n (log d - D) - c (mean_ring(log(1 + s) + n (log d - D)) - L)

    d = 1 / mean_ring(1 / (|z - z_ring|^2 / V + e))

n is the weight of the novelty d: the harmonic mean of the squared distances, in code space, to the
pixels of the ring, in units of the codes' variance V.  It is small as soon as something in the ring
looks alike, so that it tells roofs and shores, which go on beyond the guard window, from aircraft
and boats (a local form of the distance to the nearest neighbours, Ramaswamy, Rastogi & Shim 2000).
c is the weight of the contrast: what is usual for the ring is taken away, as local RX does.

D and L are what log d and the rest are among training pixels in general, whatever their place.
They stand in where fewer than a quarter of the ring is known.  f multiplies reconstruction and KL
term alike, so that both still add up to the score; but a score is no longer in nats.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..pixels.annulus import Annulus
from ..pixels.views import Mask

NEAREST = 1e-3  # e: copies of a pixel are at no distance
STEEPEST = 20.0  # log f beyond which float32 scores could overflow
CODES = 4096  # training codes that D and L are fitted to ...
OTHERS = 256  # ... and those that they are compared with

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class LocalContrastWeighting:
    """The factor that surroundings give a score."""

    annulus: Annulus
    """Which surroundings."""
    local_contrast: float
    """Weight c of the contrast; 0 = off."""
    latent_distance: float
    """Weight n of the novelty; 0 = off."""
    variance: float = 1.0
    """V: the variances of the training codes, summed over the latent features."""
    distance: float = 0.0
    """D: mean log d of a training pixel among training pixels anywhere."""
    level: float = 0.0
    """L: the same of log(1 + s) + n (log d - D)."""

    @property
    def radius(self) -> int:
        """How far the factor looks sideways, pixels: the novelty of the ring's pixels counts."""
        return self.annulus.radius * ((self.local_contrast > 0) + (self.latent_distance > 0))

    def factor(self, score: Floats, code: Floats) -> Floats:
        """Give f for the pixels of a block.

        Parameters
        ----------
        score : array, shape (time, row, col)
            Score of each pixel alone, nats; NaN = no data.
        code : array, shape (time, row, col, latent)
            Posterior means; NaN = no data.

        Returns
        -------
        array, shape (time, row, col)
            Positive; NaN = no data.
        """
        known = np.isfinite(score)
        told = np.log1p(np.where(known, score, 0.0).astype(np.float64))
        steep = self._log_distance(code, known) if self.latent_distance else np.zeros(score.shape)
        if self.local_contrast:
            usual, seen = self.annulus.means(told + steep, known)
            steep = steep - self.local_contrast * np.where(seen, usual - self.level, 0.0)
        factor = np.exp(np.clip(steep, -STEEPEST, STEEPEST)).astype(np.float32)
        factor[~known] = np.nan
        return factor

    def _log_distance(self, code: Floats, known: Mask) -> NDArray[np.float64]:
        """Give n (log d - D), (time, row, col)."""
        scaled = code / np.float32(np.sqrt(self.variance))
        near = np.stack(
            [_nearness(*date, self.annulus) for date in zip(scaled, known, strict=True)]
        )
        count = self.annulus.sums(known.astype(np.int64))
        seen = self.annulus.enough(count) & (near > 0)
        distance = -np.log(np.where(seen, near, 1.0) / np.maximum(count, 1))
        return self.latent_distance * np.where(seen, distance - self.distance, 0.0)


def fit_local_contrast(
    wanted: LocalContrastWeighting, score: Floats, code: Floats, seed: int
) -> LocalContrastWeighting:
    """Find V, D and L among training pixels, whatever their place.

    Parameters
    ----------
    wanted : Prominence
        Ring and weights.
    score : array, shape (n,)
        Score of each pixel alone, nats.
    code : array, shape (n, latent)
        Posterior means.
    seed : int
        Decides which of many pixels are compared.
    """
    chosen = np.random.default_rng((seed, 3)).permutation(len(code))[:CODES]
    told, codes = np.log1p(score[chosen].astype(np.float64)), code[chosen].astype(np.float64)
    variance = float(codes.var(axis=0).sum()) or 1.0
    others = codes[:OTHERS]
    squares = np.square(codes).sum(axis=1)[:, None] + np.square(others).sum(axis=1)
    apart = np.maximum(squares - 2 * codes @ others.T, 0.0) / variance
    near = 1 / (apart + NEAREST)
    if len(codes) > 1:  # a pixel is not among those around it
        np.fill_diagonal(near, np.nan)
    log_distance = -np.log(np.nanmean(near, axis=1))
    distance = float(np.mean(log_distance))
    level = float(np.mean(told + wanted.latent_distance * (log_distance - distance)))
    return replace(wanted, variance=variance, distance=distance, level=level)


def _nearness(code: Floats, known: Mask, annulus: Annulus) -> Floats:
    """Sum 1 / (|z - z_ring|^2 + e) over the known pixels of each ring.

    Scaled codes have axes (row, col, latent).  Each number is made by the same operations in the
    same order wherever its pixel lies, so that tiles do not show.
    """
    planes = np.moveaxis(np.where(known[..., None], code, 0.0), -1, 0).astype(np.float32, order="C")
    weights = known.astype(np.float32)
    near = np.zeros(known.shape, np.float32)
    for place in _half(annulus):
        here, there = zip(*map(_overlap, known.shape, place), strict=True)
        apart = np.full(weights[here].shape, NEAREST, np.float32)
        for plane in planes:
            step = plane[here] - plane[there]
            apart += step * step
        nearness = weights[here] * weights[there] / apart
        near[here] += nearness
        near[there] += nearness
    return near


def _half(annulus: Annulus) -> Iterator[tuple[int, int]]:
    """Give one of each two opposite places of a ring, (row, col) from its middle."""
    radius, guard = annulus.radius, annulus.guard // 2
    for row in range(radius + 1):
        for col in range(-radius if row else 1, radius + 1):
            if max(row, abs(col)) > guard:
                yield row, col


def _overlap(length: int, step: int) -> tuple[slice, slice]:
    """Give the places along an axis that have a neighbour ``step`` away, and these neighbours."""
    count = max(0, length - abs(step))
    here, there = max(0, -step), max(0, step)
    return slice(here, here + count), slice(there, there + count)
