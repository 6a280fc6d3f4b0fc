"""Values of a scene in the units of a detector: read as its files state, or as the data decide.

A bounded sample of each date is read once, from windows in fixed places, whatever the tiles,
threads or workers.
"""

from __future__ import annotations

import logging
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from ..pixels.tiling import spread_windows
from ..stats.radiometry import Conversion, Training, conversion_of
from .open_scene import OpenDate, OpenScene

log = logging.getLogger(__name__)

SIDE = 256
"""Side of a window that is sampled, pixels, at most."""
VALUES = 2_000_000
"""Values of a window, of all bands, and of the whole sample: at most."""


def in_units_of(training: Training, opened: OpenScene) -> OpenScene:
    """Return a scene with its values in the units of a detector.

    They stay as the files state unless the data show that these lack a scale or an offset
    (`stats.radiometry`); a warning reports it.
    """
    conversions = [_conversion(training, date) for date in opened.dates]
    for date, conversion in zip(opened.dates, conversions, strict=True):
        if conversion is not None:
            log.warning(
                "%s: %s, because the values agree with those in training only then, and the files "
                "do not state it. If this is wrong, give --radiometry as-stored.",
                *(date.name, conversion),
            )
    return opened.converted(conversions)


def _conversion(training: Training, date: OpenDate) -> Conversion | None:
    stored, facts = date.bands.storage, date.dataset.facts
    fixed = facts.unit != ""
    # Where a product fixes the unit, an offset alone can be missing: Sentinel-2 has changed it.
    if stored.states_offset or (fixed and "Sentinel-2" not in facts.kind):
        return None
    return conversion_of(_sample(date), stored, training, unit_known=fixed)


def _sample(date: OpenDate) -> NDArray[np.float32]:
    """Return pixels of a date, axes (pixel, band); NaN = no data."""
    bands = len(date.bands)
    windows = spread_windows(date.grid.shape, min(SIDE, max(8, isqrt(VALUES // bands))))
    most = max(1, VALUES // bands // len(windows))
    parts = []
    for window in windows:
        pixels = date.read(window).block[0, ..., :bands].reshape(-1, bands)
        pixels = pixels[np.isfinite(pixels).all(axis=-1)]
        parts.append(pixels[:: max(1, -(-len(pixels) // most))])
    return np.concatenate(parts)
