"""The domain of a detector: whether a scene looks like those that it was trained on.

A detector scores whatever has its bands.  Where a whole scene differs from the training scenes
(another processing baseline, another scaling, haze, another season), its scores measure that
difference instead of unusual pixels.  So a scene is compared with what the model keeps of its
training scenes:

prediction  of several dates: the newest is predicted much less than they are by each other
scale     bands are larger or smaller by one factor
shift     all quantiles of all bands differ by one number, such as the +1000 of Sentinel-2's
          processing baseline 04.00
range     pixels lie outside of the training range in most bands, or most pixels do in a band
scores    many scores lie above the 95 % quantile of those of normal pixels
flagged   many pixels are above the threshold
radiometry  the data decided how the values are stored (`radiometry`)
resolution  pixels are larger or smaller: other pixels are mixed in them

The first five are about the scene alone; the last one depends on the threshold, too.
Land differs between scenes, too.  So a shift or a scale counts only where bands and quantiles agree
about it: another landscape changes bright and dark pixels, and bands, by different amounts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ..errors import listed
from .drift import DriftReference, UsualDrift
from .scores import ScoreDistribution

BAND_LEVELS = (0.0, 0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1.0)
"""Levels of the band quantiles that a detector keeps of its training examples."""
COMPARED = slice(3, 8)
"""The levels from 5 to 95 %, which single pixels do not move."""
MIDDLE = 5
"""The level of the median."""
RESIZED = 1.45
"""Factor between sides of pixels that is another resolution.  Pixels in degrees are smaller by 1.41
at a latitude of 60 degrees than at the equator."""
FEWEST_PIXELS = 100
"""Pixels below which nothing is concluded from the bands."""
SCALED = 4.0
"""Factor between medians that no other land or light explains."""
SHIFTED = 0.1, 0.15
"""Shift, in spreads of a band (5 to 95 %), that makes the verdict doubtful, and no."""
AGREEMENT = 0.3
"""Largest deviation of bands and quantiles from a common shift or log factor, relative to it."""
DARK_AGREEMENT = 0.1
"""The same of the 5 % quantiles alone: other land changes dark pixels less than bright ones."""
MARGIN = 0.1
"""Share of the training range that is added to it at both ends."""
OUTSIDE = 0.1, 0.5
"""Share of the pixels outside of that range that makes the verdict doubtful, and no."""
HIGH = 0.2, 0.8
"""Share of the scores above the 95 % quantile of normal pixels, likewise."""
FLAGGED = 0.1, 0.5
"""Share of flagged pixels, likewise."""

PREDICTABLE = 0.5
"""Share of their variance that dates usually predict of each other, from which on it is compared:
where most is noise, there is nothing to compare."""
UNPREDICTED = 0.5
"""Part of that share below which a newest date is another state of the whole scene, such as haze, a
cover of clouds, or snow."""

Floats = NDArray[np.floating]


class InDomain(StrEnum):
    """Whether a scene looks like the training scenes."""

    YES = "yes"
    DOUBTFUL = "doubtful"
    NO = "no"


class DoubtKind(StrEnum):
    """What a doubt is about."""

    PREDICTION = "prediction"
    SCALE = "scale"
    SHIFT = "shift"
    RANGE = "range"
    SCORES = "scores"
    FLAGGED = "flagged"
    RADIOMETRY = "radiometry"
    RESOLUTION = "resolution"


@dataclass(frozen=True)
class Doubt:
    """A reason why a scene may not look like the training scenes."""

    kind: DoubtKind
    """What it is about."""
    severe: bool
    """Whether it suffices for the verdict no."""
    reason: str
    """A clause."""


@dataclass(frozen=True)
class SceneVerdict:
    """Whether a scene looks like the training scenes, and why not."""

    doubts: tuple[Doubt, ...] = ()
    """The reasons; there are none where it does."""

    @property
    def in_domain(self) -> InDomain:
        """The verdict: no where a doubt is severe."""
        if any(doubt.severe for doubt in self.doubts):
            return InDomain.NO
        return InDomain.DOUBTFUL if self.doubts else InDomain.YES

    @property
    def reasons(self) -> tuple[str, ...]:
        """The clauses of the doubts, the most severe first; empty where the verdict is yes."""
        ordered = sorted(self.doubts, key=lambda doubt: not doubt.severe)
        return tuple(doubt.reason for doubt in ordered)

    def with_flagged(self, flagged: float, expected: float) -> SceneVerdict:
        """Doubt another share of flagged pixels; the doubts about the scene alone stay.

        Parameters
        ----------
        flagged, expected : float
            The share of the scene's pixels that is flagged, and of normal pixels that its rule
            flags.
        """
        of_scene = (doubt for doubt in self.doubts if doubt.kind is not DoubtKind.FLAGGED)
        return SceneVerdict((*of_scene, *_of_flags(flagged, expected)))

    def __str__(self) -> str:
        """Write verdict and reasons in one line."""
        if not self.doubts:
            return "it looks like the training scenes"
        doubt = "is not" if self.in_domain is InDomain.NO else "may not be"
        return f"it {doubt} like the training scenes: {'; '.join(self.reasons)}"


@dataclass(frozen=True)
class Domain:
    """What a detector keeps of its training scenes."""

    bands: tuple[str, ...]
    """The names of the bands."""
    quantiles: Floats
    """Quantiles of the training examples at `BAND_LEVELS`, (level, band), data units."""
    scores: ScoreDistribution | None
    """The scores of normal pixels; None where those of scenes are of another kind."""
    pixel_area: float | None = None
    """Mean area of a pixel, m2; None: unknown."""
    nodata: float = 0.0
    """Share of the training pixels without data."""
    usual_drift: UsualDrift | None = None
    """How far the training scenes lie from each other; None: it was not measured."""
    predicted: tuple[float, ...] = ()
    """Share of the variance of each date but the oldest that those before it predict, see
    `anomvae.stats.chronochrome`; empty where the newest date is not predicted."""

    @property
    def drift_reference(self) -> DriftReference | None:
        """What drift is measured from; None where what is usual was not measured."""
        if self.usual_drift is None:
            return None
        quantiles = self.quantiles[COMPARED]
        return DriftReference(self.bands, quantiles, self.scores, self.usual_drift, self.nodata)

    def doubts_of_pixels(self, area: float | None) -> tuple[Doubt, ...]:
        """Doubt pixels of another size, given their mean area, m2; None: unknown."""
        if self.pixel_area is None or area is None:
            return ()
        here, there = math.sqrt(area), math.sqrt(self.pixel_area)
        if max(here, there) < RESIZED * min(here, there):
            return ()
        reason = (
            f"its pixels are {here:.3g} m wide, those of the training scenes {there:.3g} m (of a "
            f"product with several grids, --resolution chooses one)"
        )
        return (Doubt(DoubtKind.RESOLUTION, severe=False, reason=reason),)

    def verdict(self, spectra: Floats, scores: ScoreDistribution) -> SceneVerdict:
        """Compare a scene with the training scenes.

        Parameters
        ----------
        spectra : array, shape (n, band)
            A sample of the scene, data units; NaN = no data.
        scores : ScoreDistribution
            The scores of the scene.
        """
        known = spectra[np.isfinite(spectra).all(axis=-1)].astype(np.float64)
        doubts = tuple(_of_prediction(self.predicted))
        doubts += () if self.scores is None else tuple(_of_scores(scores, self.scores))
        if len(known) < FEWEST_PIXELS:
            return SceneVerdict(doubts)
        return SceneVerdict((*_of_bands(known, self.bands, self.quantiles), *doubts))


def _of_prediction(shares: tuple[float, ...]) -> Iterator[Doubt]:
    """Doubt a newest date that the dates before predict much less than they do each other."""
    newest, usual = shares[-1:], [share for share in shares[:-1] if not math.isnan(share)]
    if not usual:
        return
    middle = float(np.median(usual))
    if middle >= PREDICTABLE and newest[0] < UNPREDICTED * middle:
        reason = (
            f"the dates before it predict {newest[0]:.0%} of its variance, and {middle:.0%} of "
            f"each other's"
        )
        yield Doubt(DoubtKind.PREDICTION, severe=True, reason=reason)


def _of_bands(known: Floats, names: tuple[str, ...], trained: Floats) -> Iterator[Doubt]:
    """Yield a scale or a shift, which explain a range; else the range."""
    quantiles = np.quantile(known, BAND_LEVELS[COMPARED], axis=0)
    common = [*_scale(quantiles, trained[COMPARED]), *_shift(quantiles, trained[COMPARED])]
    yield from common[:1]
    if not common:
        yield from _range(known, names, trained)


def _scale(scene: Floats, trained: Floats) -> Iterator[Doubt]:
    middle = MIDDLE - COMPARED.start
    positive = (scene[middle] > 0) & (trained[middle] > 0)
    if positive.mean() < 0.5:
        return
    factor, deviation = _common(np.log(scene[middle][positive] / trained[middle][positive]))
    if abs(factor) > np.log(SCALED) and deviation <= AGREEMENT * abs(factor):
        yield Doubt(
            DoubtKind.SCALE,
            severe=True,
            reason=f"its values are about {np.exp(factor):.2g} times those in training: looks "
            f"like another scaling, such as reflectance of 0 to 1 against 0 to 10000",
        )


def _shift(scene: Floats, trained: Floats) -> Iterator[Doubt]:
    shift, dark_deviation = _common((scene - trained)[0])
    deviation = float(np.median(np.abs(scene - trained - shift)))
    agree = deviation <= AGREEMENT * abs(shift) and dark_deviation <= DARK_AGREEMENT * abs(shift)
    spread = float(np.median(trained[-1] - trained[0]))
    light, severe = SHIFTED
    if agree and abs(shift) > light * spread:
        direction = "higher" if shift > 0 else "lower"
        yield Doubt(
            DoubtKind.SHIFT,
            severe=abs(shift) > severe * spread,
            reason=f"all bands are {direction} by about {abs(shift):.3g}: looks like another "
            f"processing baseline, or an offset that is not applied",
        )


def _range(known: Floats, names: tuple[str, ...], trained: Floats) -> Iterator[Doubt]:
    low, high = trained[1], trained[-2]
    margin = MARGIN * (high - low)
    outside = (known < low - margin) | (known > high + margin)
    pixels = float((outside.mean(axis=-1) > 0.5).mean())
    light, severe = OUTSIDE
    if pixels > light:
        yield Doubt(
            DoubtKind.RANGE,
            severe=pixels > severe,
            reason=f"{pixels:.0%} of its pixels lie outside of the training range in most bands",
        )
        return
    odd = [name for name, share in zip(names, outside.mean(axis=0), strict=True) if share > severe]
    if odd:
        reason = f"most of its pixels lie outside of the training range in {listed(odd)}"
        yield Doubt(DoubtKind.RANGE, severe=False, reason=reason)


def _of_scores(scores: ScoreDistribution, normal: ScoreDistribution) -> Iterator[Doubt]:
    share = scores.exceeding(normal.quantile(0.95))
    light, severe = HIGH
    if share > light:
        reason = f"{share:.0%} of its scores lie above the 95 % quantile of normal pixels"
        yield Doubt(DoubtKind.SCORES, share > severe, reason)


def _of_flags(flagged: float, expected: float) -> Iterator[Doubt]:
    light, severe = (max(share, 3 * expected) for share in FLAGGED)
    if flagged > light:
        reason = f"{flagged:.0%} of its pixels are above the threshold"
        yield Doubt(DoubtKind.FLAGGED, flagged > severe, reason)


def _common(differences: Floats) -> tuple[float, float]:
    """Return the median, and the median deviation from it."""
    middle = float(np.median(differences))
    return middle, float(np.median(np.abs(differences - middle)))
