"""Values of scenes in the units of a detector, or of each other: as files state, or data decide.

A bounded sample of each date is read once, from windows in fixed places, whatever the tiles,
threads or workers.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from math import isqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import BandMismatch
from ..pixels.bands import Bands
from ..pixels.storage import Storage
from ..pixels.tiling import Window, spread_windows
from ..stats.radiometry import AS_STORED, Conversion, Training, contradiction_of, conversion_of
from .open_scene import OpenDate, OpenScene
from .scene import Scene

log = logging.getLogger(__name__)

SIDE = 256
"""Side of a window that is sampled, pixels, at most."""
VALUES = 2_000_000
"""Values of a window, of all bands, and of the whole sample: at most."""


class Reference(NamedTuple):
    """Values whose units count."""

    training: Training
    """The values, of a detector's training scenes or of a date."""
    unit: str = ""
    """Their unit, as a product states it; empty: unknown."""
    name: str = ""
    """Name of what holds them, where values that cannot be in these units are refused; empty: a
    detector's, which scores them and doubts the result."""


def in_units_of(reference: Reference, opened: OpenScene) -> OpenScene:
    """Return a scene with its values in the units of a detector, or of another date.

    They stay as the files state unless the data show that these lack a scale or an offset
    (`stats.radiometry`); a warning reports it.  A scene that is read as it is stored stays so.

    Raises
    ------
    BandMismatch
        When the reference has a name, and values of the scene cannot be in its units.
    """
    if opened.scene.radiometry == AS_STORED:
        return opened
    conversions = [_conversion(reference, date) for date in opened.dates]
    those = f"of {reference.name}" if reference.name else "in training"
    for date, conversion in zip(opened.dates, conversions, strict=True):
        if conversion is not None:
            log.warning(
                "%s: %s, because the values agree with those %s only then, and the files do not "
                "state it. If this is wrong, give --radiometry as-stored.",
                *(date.name, conversion, those),
            )
    return opened.converted(conversions)


def in_common_units(
    scenes: Sequence[Scene], bands: Bands | None = None, training: Training | None = None
) -> tuple[list[Scene], Storage | None]:
    """Return scenes with values in the units of a detector, or of one of their dates.

    That date is the first whose files state how its values are stored, else the first.

    Parameters
    ----------
    scenes : sequence of Scene
        Closed.
    bands : Bands, optional
        Bands of a detector; None: those of each scene.
    training : Training, optional
        The detector's part; None: there is no detector yet.

    Returns
    -------
    scenes : list of Scene
        The same; those that the data decide about keep their conversions.
    storage : Storage or None
        How the date stores its values whose units count; None: no date's do.

    Raises
    ------
    BandMismatch
        When the values of a date cannot be in these units, under no conversion.
    """
    closed = list(scenes)
    as_stored = any(scene.radiometry == AS_STORED for scene in closed)
    if as_stored or (training is None and sum(len(scene.dates) for scene in closed) < 2):
        return closed, None
    if training is None:
        reference = _reference(closed, bands)
    else:
        reference = Reference(training, name="the training scenes")
    if reference is None:
        return closed, None
    for number, scene in enumerate(closed):
        with scene.open(bands) as opened:
            closed[number] = in_units_of(reference, opened).scene
    return closed, reference.training.storage if training is None else None


def _reference(scenes: Sequence[Scene], bands: Bands | None) -> Reference | None:
    """Return the first date that states how its values are stored, else the first."""
    first = None
    for scene in scenes:
        with scene.open(bands) as opened:
            for date in opened.dates:
                stored, unit = date.bands.storage, date.dataset.facts.unit
                states = bool(unit) or not stored.states_nothing
                if not states and first is not None:
                    continue
                sampled = Training.of_sample(_sample(date), stored)
                if sampled is None:  # clouds all over
                    continue
                found = Reference(sampled, unit, date.name)
                if states:
                    return found
                first = found
    return first


def _conversion(reference: Reference, date: OpenDate) -> Conversion | None:
    training, stored, facts = reference.training, date.bands.storage, date.dataset.facts
    _require_one_quantity(reference, date)
    if is_stated(reference, date):
        return None
    spectra = _sample(date)
    conversion = conversion_of(spectra, stored, training, unit_known=facts.unit != "")
    reason = contradiction_of(spectra, training) if reference.name and not conversion else None
    if reason is not None:
        raise BandMismatch(
            f"{date.name}: {reason} those of {reference.name}, and no usual scale or offset makes "
            f"them agree. Correct the scale and offset of the file (gdal_edit.py -scale -offset), "
            f"or give --radiometry as-stored if its values are right."
        )
    return conversion


def is_stated(reference: Reference, date: OpenDate) -> bool:
    """Return whether the files state how the values of a date are stored: no data decide it."""
    stored, facts = date.bands.storage, date.dataset.facts
    # Where a product fixes the unit, an offset alone can be missing: Sentinel-2 has changed it.
    states_all = stored.states_offset or (facts.unit and "Sentinel-2" not in facts.kind)
    return bool(states_all) and not reference.training.storage.states_nothing


def sampled_windows(date: OpenDate) -> list[Window]:
    """Return the windows of a date whose pixels decide how its values are stored."""
    side = min(SIDE, max(8, isqrt(VALUES // len(date.bands))))
    return spread_windows(date.grid.shape, side)


def _require_one_quantity(reference: Reference, date: OpenDate) -> None:
    """Refuse radiance beside reflectance; products spell the same unit differently."""
    ours, theirs = reference.unit, date.dataset.facts.unit
    if {_quantity(ours), _quantity(theirs)} == {"reflectance", "radiance"}:
        raise BandMismatch(
            f"{date.name} holds {theirs}, but {reference.name} holds {ours}. Give scenes of one "
            f"quantity."
        )


def _quantity(unit: str) -> str | None:
    """Return the quantity of a unit; radiance is one per solid angle (sr)."""
    if "reflectance" in unit.casefold():
        return "reflectance"
    return "radiance" if re.search(r"(?i)radiance|\bsr", unit) else None


def _sample(date: OpenDate) -> NDArray[np.float32]:
    """Return pixels of a date, axes (pixel, band); NaN = no data."""
    bands = len(date.bands)
    windows = sampled_windows(date)
    most = max(1, VALUES // bands // len(windows))
    parts = []
    for window in windows:
        pixels = date.read(window).block[0, ..., :bands].reshape(-1, bands)
        pixels = pixels[np.isfinite(pixels).all(axis=-1)]
        parts.append(pixels[:: max(1, -(-len(pixels) // most))])
    return np.concatenate(parts)
