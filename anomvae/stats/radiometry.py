"""Whether a scene stores its values otherwise than a detector's training scenes, by the data.

A file often does not state how it stores reflectance: as such, in percent, or as counts of 1e-4;
and since baseline 04.00 the counts of Sentinel-2 hold 1000 more (ESA, Sentinel-2 Products
Specification, 14.9, 2022).  So few conversions are meaningful.  One of them is chosen where the
quantiles of the scene then agree with those that the detector keeps, and as they are they do not:

factor  as stored, the medians of almost all bands lie outside the whole training range, by a factor
        of more than 20 on which the bands agree; converted, they are within a factor of 5, and so
        are, within 20, the spreads
offset  at most 13 bands; no band has values below 0.07 (700 counts) where the offset is still in;
        converted, dark pixels (5 %) of four of five bands, and half of all quantiles up to 95 %,
        agree with those in training within 0.03 (300 counts), and they lie three times as near

Land, season and haze change bands, and dark and bright pixels, by different amounts, and leave dark
values in some band: they are not converted.  A veil that is equally bright in all bands, and
everywhere, such as of high thin clouds, looks like the offset; light and season may hide one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..pixels.storage import Storage
from .domain import BAND_LEVELS, COMPARED, MIDDLE, Domain

Floats = NDArray[np.floating]

AS_STORED, AUTO = "as-stored", "auto"
RADIOMETRIES = (AUTO, AS_STORED)
"""Whether the data may decide how values are stored, or what the files state holds."""

FEWEST_PIXELS = 300
"""Pixels below which nothing is decided."""
UNITS = {
    "values of 0 to 1": (1.0, 0.0, 2.0),
    "percent": (1e2, 2.0, 120.0),
    "counts of 0.0001": (1e4, 255.0, np.inf),
}
"""Units of reflectance: how many make 1, and between what the 99 % quantile of the brightest band
lies.  Numbers of 8 bits are none of them."""
OFFSETS = (0.1, 1000.0)
"""The offset of Sentinel-2 since baseline 04.00: of reflectance, and of counts."""
MOST_BANDS = 13
"""Bands of Sentinel-2, the only mission whose offset came with a baseline."""

UNLIKE, LIKE = 20.0, 5.0
"""Factor between medians that no other land explains, and one that other land may explain."""
SPREAD = 0.3
"""Deviation of the bands from a common factor, relative to its logarithm."""
OUTSIDE = 0.9
"""Share of the bands whose median lies outside the training range."""
BETTER = 3.0
"""How many times nearer to training the quantiles lie once they are converted."""
FLOOR = 0.7
"""Share of the offset below which no value lies where the offset is still in."""
NEAR = 0.3
"""Deviation of a quantile from that in training, relative to the offset."""
SHARE = 0.8
"""Share of the bands whose dark pixels (5 %) deviate no more."""
DARKEST, BRIGHTEST = 2, 8
"""The levels of the darkest and the brightest pixels, 1 and 99 %."""


@dataclass(frozen=True)
class Conversion:
    """Another way to read the numbers of a scene, and why."""

    storage: Storage
    """How its values are stored, instead of what its files state."""
    reason: str
    """What is converted, a clause."""

    def __str__(self) -> str:
        """Return the clause."""
        return self.reason


@dataclass(frozen=True)
class Training:
    """What a detector keeps of how its training scenes are stored, and of their values."""

    quantiles: Floats
    """Quantiles at `BAND_LEVELS`, (level, band), physical values."""
    storage: Storage
    """How they are stored."""

    @classmethod
    def of(cls, domain: Domain | None, storage: Storage) -> Training | None:
        """Return that of a detector; None before its threshold is fitted."""
        return None if domain is None else cls(domain.quantiles, storage)

    @classmethod
    def of_sample(cls, spectra: Floats, storage: Storage) -> Training | None:
        """Return that of a sample of a scene, (n, band); None for too few pixels."""
        quantiles = _quantiles(spectra)
        return None if quantiles is None else cls(quantiles, storage)


@dataclass(frozen=True)
class _Candidate:
    """Values as a conversion makes them."""

    quantiles: Floats
    conversion: Conversion


def conversion_of(
    spectra: Floats, stored: Storage, training: Training, *, unit_known: bool = False
) -> Conversion | None:
    """Decide by the data how a scene is stored; None: as its files state.

    What a scene states holds, but for an offset that it does not state beside a scale.

    Parameters
    ----------
    spectra : array, shape (n, band)
        A sample of the scene, as its files state its values; NaN = no data.
    stored : Storage
        How the scene is stored, as its files state.
    training : Training
        The detector's part; its bands are those of the scene.
    unit_known : bool
        Whether the product fixes the unit of the values.
    """
    both_state = stored.states_offset and not training.storage.states_nothing
    quantiles = None if both_state else _quantiles(spectra)
    if quantiles is None:
        return None
    scaled = None
    if training.storage.states_nothing or (stored.states_nothing and not unit_known):
        scaled = _scaled(quantiles, stored, training)
    if scaled is None and _unlike(quantiles, training.quantiles):
        return None
    start = scaled or _Candidate(quantiles, Conversion(stored, ""))
    shifted = _shifted(start, stored, training)
    chosen = shifted or scaled
    return None if chosen is None else chosen.conversion


def contradiction_of(spectra: Floats, training: Training) -> str | None:
    """Return why values cannot be in the units of training, a clause; None: they may be.

    They cannot where almost all medians lie outside the training range, by a factor that no land
    explains, and the values have the size of another unit.
    """
    quantiles = _quantiles(spectra)
    if quantiles is None or not _outside(quantiles, training.quantiles):
        return None
    here, there = _unit(quantiles), _unit(training.quantiles)
    factor = _factor(quantiles, training.quantiles)
    if here == there or factor is None or not _unlike(quantiles, training.quantiles):
        return None
    return f"its values are about {factor:.2g} times"


def _quantiles(spectra: Floats) -> Floats | None:
    known = spectra[np.isfinite(spectra).all(axis=-1)].astype(np.float64)
    if known.shape[-1] > 1:
        known = known[np.ptp(known, axis=-1) > 0]  # a fill that the file does not declare
    return None if len(known) < FEWEST_PIXELS else np.quantile(known, BAND_LEVELS, axis=0)


def _scaled(quantiles: Floats, stored: Storage, training: Training) -> _Candidate | None:
    """Return the values by the factor that makes them like those in training, if one does."""
    trained = training.quantiles
    if not (_outside(quantiles, trained) and _unlike(quantiles, trained)):
        return None
    like = [
        candidate
        for candidate in _candidates(quantiles, stored, training)
        if _is_like(candidate.quantiles, trained)
    ]
    return min(like, key=lambda one: _distance(one.quantiles, trained), default=None)


def _candidates(quantiles: Floats, stored: Storage, training: Training) -> Iterator[_Candidate]:
    here, there = _unit(quantiles), _unit(training.quantiles)
    if here and there and here != there and 1.0 in (UNITS[here][0], UNITS[there][0]):
        factor = UNITS[there][0] / UNITS[here][0]
        reason = f"values are multiplied by {factor:g} ({here} become {there})"
        conversion = Conversion(stored.then(factor, 0.0), reason)
        yield _Candidate(quantiles * factor, conversion)
    own = training.storage
    if stored.states_nothing and not own.states_nothing:
        values = quantiles * np.array(own.scale) + np.array(own.offset)
        yield _Candidate(values, Conversion(own, "scale and offset are those of training"))


def _unit(quantiles: Floats) -> str | None:
    """Return the unit in which values are reflectance, by their size; None: in none."""
    brightest = float(quantiles[BRIGHTEST].max())
    units = (name for name, (_, low, high) in UNITS.items() if low < brightest <= high)
    return next(units, None)


def _outside(quantiles: Floats, trained: Floats) -> bool:
    """Return whether the medians of almost all bands lie outside the training range."""
    middle = quantiles[MIDDLE]
    return bool(((middle < trained[0]) | (middle > trained[-1])).mean() >= OUTSIDE)


def _factor(quantiles: Floats, trained: Floats) -> float | None:
    """Return the factor between medians; None where half of the bands lack one."""
    logs = _log_ratios(quantiles, trained)
    return None if logs is None else float(np.exp(np.median(logs)))


def _unlike(quantiles: Floats, trained: Floats) -> bool:
    """Return whether the bands agree on a factor that no land explains."""
    logs = _log_ratios(quantiles, trained)
    if logs is None:
        return False
    factor = float(np.median(logs))
    deviation = float(np.median(np.abs(logs - factor)))
    return abs(factor) > np.log(UNLIKE) and deviation <= SPREAD * abs(factor)


def _is_like(quantiles: Floats, trained: Floats) -> bool:
    spreads = np.log(_spread(quantiles) / _spread(trained))
    if abs(np.median(spreads)) > np.log(UNLIKE):
        return False
    # An offset that is still in makes dark values several times too large.
    offsets = [0.0, *OFFSETS]
    ratios = [_log_ratios(quantiles - offset, trained) for offset in offsets]
    return any(one is not None and abs(np.median(one)) <= np.log(LIKE) for one in ratios)


def _log_ratios(quantiles: Floats, trained: Floats) -> Floats | None:
    """Return the logarithms of the ratios of medians, (band,); None where half lack one."""
    middle, expected = quantiles[MIDDLE], trained[MIDDLE]
    positive = (middle > 0) & (expected > 0)
    if positive.mean() <= 0.5:
        return None
    return np.asarray(np.log(middle[positive] / expected[positive]))


def _distance(quantiles: Floats, trained: Floats) -> float:
    """Return the median difference of quantiles, in spreads of a band in training."""
    return float(np.median(np.abs(quantiles - trained)[COMPARED] / _spread(trained)))


def _spread(quantiles: Floats) -> Floats:
    """Return the spread of each band, from 5 to 95 %, above 0."""
    levels = quantiles[COMPARED]
    return np.asarray(np.maximum(levels[-1] - levels[0], np.finfo(np.float32).tiny))


def _shifted(start: _Candidate, stored: Storage, training: Training) -> _Candidate | None:
    """Return the values without an offset that is still in them, or with that of training.

    What states an offset has none left in its values.
    """
    trained = training.quantiles
    if trained.shape[-1] > MOST_BANDS:
        return None
    for offset in OFFSETS:
        own = [] if stored.states_offset else [(-offset, start.quantiles)]
        theirs = [] if training.storage.states_offset else [(offset, trained)]
        for signed, floor in (*own, *theirs):
            values = start.quantiles + signed
            if _fits(start.quantiles, values, trained, offset) and _has_floor(floor, offset):
                storage = start.conversion.storage.then(1.0, signed)
                return _Candidate(values, Conversion(storage, _reason(start, signed)))
    return None


def _reason(start: _Candidate, signed: float) -> str:
    verb = "taken off" if signed < 0 else "added, as in training"
    offset = f"{abs(signed):g} is {verb} (the offset of Sentinel-2 since processing baseline 04.00)"
    return f"{start.conversion.reason}, and {offset}" if start.conversion.reason else offset


def _has_floor(quantiles: Floats, offset: float) -> bool:
    """Return whether no band has values as dark as they are without the offset."""
    return bool((quantiles[DARKEST] >= FLOOR * offset).all())


def _fits(before: Floats, after: Floats, trained: Floats, offset: float) -> bool:
    """Return whether an offset makes quantiles agree that differ by it."""
    levels = trained[COMPARED]
    was, residual = (np.abs(values[COMPARED] - levels) for values in (before, after))
    dark = (residual[0] <= NEAR * offset).mean() >= SHARE
    most = min(NEAR * offset, float(np.median(was)) / BETTER)
    return bool(dark and np.median(residual) <= most)
