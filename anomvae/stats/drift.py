"""How far the values of a scene lie from those of the training scenes: drift.

Reference values, of a band or of the score, are known by their quantiles at `LEVELS`.  These cut
the axis into bins that hold the shares q of the reference and p of the scene::

    PSI = sum over bins of (p - q) log(p / q)        population-stability index
    KS  = the difference of largest size of the shares up to a quantile, reference less scene

PSI is the symmetric Kullback-Leibler divergence of binned values (Siddiqi 2006, Credit Risk
Scorecards, chapter 9): below 0.1 little has changed, above 0.25 much has, by the rule of thumb of
that field.  KS is the distance of Kolmogorov and Smirnov (Massey 1951, J. Am. Stat. Assoc. 46) at
the levels, with a sign: above 0 the scene is higher.  Values shifted by d standard deviations have
a PSI of about d**2, and a KS of about 0.4 d.

Scenes of one site differ by light, air and season.  So training also measures how far each of its
scenes lies from the others (`UsualDrift`); twice the shift of the one that lies furthest is usual,
whatever the limits are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .scores import ScoreDistribution

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Levels of the quantiles that cut the bins; single pixels do not move them."""
LIMITS = 0.25, 0.3
"""Limits of PSI and KS."""
FACTOR = 2.0
"""Shifts of a scene that are usual, in shifts of the training scene that lies furthest away."""
SCARCE = 1e-3
"""Share below which that of a bin does not fall, so that an empty one has a finite logarithm."""
FEWEST_PIXELS = 500
"""Pixels below which drift is chance."""
COVERED = 0.5
"""Share of the pixels of a scene below which those with a score are other land than the whole."""
LEFT_OUT = 0.1
"""Share of the pixels, the highest scores, up to which flagged ones are left out: more are no
anomalies, but the scene."""

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Divergence:
    """How far one quantity of a scene lies from its reference."""

    name: str
    """A band, or ``scores``."""
    psi: float
    """Population-stability index."""
    ks: float
    """Kolmogorov-Smirnov distance; above 0 where the scene is higher."""
    usual_psi: float = 0.0
    """PSI of the training scene that lies furthest from the others; 0: unknown."""
    usual_ks: float = 0.0
    """Its KS, without sign, likewise."""

    @property
    def direction(self) -> str:
        """Whether it is higher or lower than in training."""
        return "higher" if self.ks > 0 else "lower"

    def limits(self, psi: float = LIMITS[0], ks: float = LIMITS[1]) -> tuple[float, float]:
        """Return the limits of PSI and KS, which are the given ones where no more is usual.

        Where nothing is known of that, as much as the limits of `LIMITS` is.
        """
        usual_psi, usual_ks = self.usual_psi or LIMITS[0], self.usual_ks or LIMITS[1]
        return max(psi, FACTOR**2 * usual_psi), max(ks, FACTOR * usual_ks)

    def level(self, psi: float = LIMITS[0], ks: float = LIMITS[1]) -> float:
        """Return the drift as a share of its limits, in shifts; above 1 it exceeds one of them."""
        psi, ks = self.limits(psi, ks)
        return max(math.sqrt(self.psi / psi), abs(self.ks) / ks)


@dataclass(frozen=True)
class Drift:
    """How far a scene lies from the training scenes, without its flagged and masked pixels."""

    scores: Divergence | None
    """That of the scores; None where the reference has none of their kind."""
    band: Divergence
    """That of the band that lies furthest, for its limit."""
    pixels: int
    """Pixels that it is measured from."""

    @property
    def parts(self) -> tuple[Divergence, ...]:
        """What there is of bands and scores."""
        return (self.band,) if self.scores is None else (self.band, self.scores)


@dataclass(frozen=True)
class UsualDrift:
    """The drift of the training scene that lies furthest from the others, per band and of scores.

    All 0 where there is one training scene.
    """

    bands: NDArray[np.float64]
    """PSI, then KS without sign: (2, band)."""
    scores: NDArray[np.float64]
    """The same of the scores, (2, 1)."""

    def with_scores(self, parts: Sequence[Floats], reference: ScoreDistribution) -> UsualDrift:
        """Return the same with that of scores, given those of each scene, each (n,)."""
        columns = [part[:, np.newaxis] for part in parts]
        return replace(self, scores=drift_among(columns, _edges(reference)))

    @property
    def tensors(self) -> dict[str, NDArray[np.float64]]:
        """The arrays of a model file."""
        return {"drift.bands": self.bands, "drift.scores": self.scores}


@dataclass(frozen=True)
class DriftReference:
    """What a detector keeps of its training scenes, to measure drift from."""

    bands: tuple[str, ...]
    """The names of the bands."""
    quantiles: Floats
    """Their quantiles at `LEVELS`, (level, band), data units."""
    scores: ScoreDistribution | None
    """The scores of normal pixels; None where those of scenes are of another kind."""
    usual: UsualDrift
    """Drift among the training scenes."""
    nodata: float = 0.0
    """Share of the training pixels without data."""

    def drift(
        self, spectra: Floats, scores: Floats, *, threshold: float, covered: float
    ) -> Drift | None:
        """Return the drift of a scene; None where too little of it has data.

        Parameters
        ----------
        spectra : array, shape (n, band)
            A sample of its pixels, data units; NaN = no data.
        scores : array, shape (n,)
            Their scores; NaN = no data.
        threshold : float
            Pixels with higher scores are flagged, and left out.
        covered : float
            The share of its pixels that have a score.
        """
        known = np.isfinite(scores) & np.isfinite(spectra).all(axis=-1)
        if known.sum() < FEWEST_PIXELS or covered < COVERED * (1 - self.nodata):
            return None
        most = max(threshold, float(np.quantile(scores[known], 1 - LEFT_OUT)))
        kept = known & (scores <= most)
        bands = divergences(spectra[kept], self.quantiles, self.bands, self.usual.bands)
        of_scores = None
        if self.scores is not None and self.scores.values[0] <= most:
            column, edges = scores[kept][:, np.newaxis], _edges(self.scores.up_to(most))
            (of_scores,) = divergences(column, edges, ("scores",), self.usual.scores)
        return Drift(of_scores, max(bands, key=Divergence.level), int(kept.sum()))


def read_drift(data: Any) -> Drift | None:  # noqa: ANN401 - JSON
    """Return a drift, given as JSON of its fields.

    Raises
    ------
    TypeError, ValueError, KeyError
        If these are not its fields.
    """
    if data is None:
        return None
    scores = None if data["scores"] is None else _divergence(**data["scores"])
    return Drift(scores, _divergence(**data["band"]), int(data["pixels"]))


def usual_drift(scenes: Sequence[Floats], quantiles: Floats) -> UsualDrift:
    """Measure how far training scenes lie from each other.

    Parameters
    ----------
    scenes : sequence of array, each (n, band)
        Complete training pixels of each scene, data units.
    quantiles : array, shape (level, band)
        Those of all at `LEVELS`.
    """
    return UsualDrift(drift_among(scenes, quantiles), np.zeros((2, 1)))


def divergences(
    values: Floats, edges: Floats, names: Sequence[str], usual: Floats
) -> list[Divergence]:
    """Return how far each column of values, (n, column), lies from its quantiles (level, column).

    ``usual`` is PSI and KS of training scenes, (2, column).
    """
    expected = np.repeat(np.array(LEVELS)[:, np.newaxis], len(names), axis=1)
    psi, ks = _compared(shares_up_to(values, edges), expected)
    rows = zip(names, psi.tolist(), ks.tolist(), *usual.tolist(), strict=True)
    return [Divergence(*row) for row in rows]


def drift_among(scenes: Sequence[Floats], edges: Floats) -> NDArray[np.float64]:
    """Return the largest PSI and KS of a scene from the others: (2, column).

    ``scenes`` are the values of each, (n, column); ``edges`` the quantiles of all.
    """
    scenes = [scene for scene in scenes if len(scene) >= FEWEST_PIXELS]
    largest = np.zeros((2, edges.shape[1]))
    if len(scenes) < 2:
        return largest
    counts = np.array([len(scene) for scene in scenes], float)[:, np.newaxis, np.newaxis]
    below = counts * np.stack([shares_up_to(scene, edges) for scene in scenes])
    others = (below.sum(0) - below) / (counts.sum(0) - counts)
    for share, other in zip(below / counts, others, strict=True):
        psi, ks = _compared(share, other)
        largest = np.maximum(largest, np.stack([psi, np.abs(ks)]))
    return largest


def shares_up_to(values: Floats, edges: Floats) -> NDArray[np.float64]:
    """Return the shares of values (n, column) up to quantiles (level, column) of a reference.

    Where values equal a quantile, any share from those below it to those up to it agrees: the one
    nearest to the level is returned, so that whole numbers do not drift from themselves.
    """
    shares = np.empty(edges.shape)
    for column, cuts in enumerate(edges.T):
        ordered = np.sort(values[:, column].astype(np.float64))
        low, high = (np.searchsorted(ordered, cuts, side) for side in ("left", "right"))
        shares[:, column] = np.clip(LEVELS, low / len(ordered), high / len(ordered))
    return shares


def _divergence(name: str, **numbers: float) -> Divergence:
    return Divergence(str(name), **{key: float(number) for key, number in numbers.items()})


def _compared(scene: Floats, reference: Floats) -> tuple[Floats, Floats]:
    """Return PSI and KS of shares up to quantiles, each (level, column)."""
    p, q = (
        np.maximum(np.diff(shares, axis=0, prepend=0.0, append=1.0), SCARCE)
        for shares in (scene, reference)
    )
    psi = ((p - q) * np.log(p / q)).sum(0)
    difference = reference - scene
    largest = np.abs(difference).argmax(0)[np.newaxis]
    return psi, np.take_along_axis(difference, largest, 0)[0]


def _edges(scores: ScoreDistribution) -> Floats:
    """Return the quantiles of scores at `LEVELS`, (level, 1)."""
    return np.array([[scores.quantile(level)] for level in LEVELS])
