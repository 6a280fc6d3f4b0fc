"""The bands of a detector, found among those of a scene.

Bands are matched by wavelength where both sides have wavelengths, else by name, whatever its
spelling, or by common name; by position only where a side describes no band.  What contradicts
itself is refused: a name at another wavelength, a name or a place that several bands share.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..errors import BandMismatch, listed
from .band import Band
from .band_index import BandIndex
from .band_names import COMMON, SENSORS, common_band, is_number, name_of

log = logging.getLogger(__name__)

ADVICE = "Give a scene of the same sensor, or train on scenes like this one."


class Side(NamedTuple):
    """The bands of a detector or of a scene."""

    bands: Sequence[Band]
    source: int
    """Number of data bands in the file, selected or not."""
    named: bool
    """Whether the file names its bands, each differently."""
    unclear: bool
    """Whether some names are missing or equal."""

    @property
    def names(self) -> list[str]:
        """Names, in order."""
        return [band.name for band in self.bands]

    @property
    def located(self) -> bool:
        """Whether a band has a wavelength."""
        return any(band.wavelength is not None for band in self.bands)

    @property
    def described(self) -> bool:
        """Whether wavelengths, or names that do not only number them, describe the bands."""
        return self.located or not all(is_number(band.name) for band in self.bands)


def matched(ours: Side, theirs: Side, name: str) -> list[Band]:
    """Find the bands of a detector among those of a scene called ``name``, in their order.

    Raises
    ------
    BandMismatch
        When a band is missing, or names and wavelengths contradict each other.
    """
    if not _comparable(ours, theirs, name):
        return _by_position(ours, theirs, name)
    index = BandIndex.of(theirs.bands)
    found = {band.index: _only(band, index.find(band), name) for band in ours.bands}
    if None in found.values():
        bridges = _by_common_name(ours.bands, theirs.bands) | _by_sensor(ours.bands, theirs.bands)
        found = {number: band or bridges.get(number) for number, band in found.items()}
    pairs = [(band, other) for band in ours.bands if (other := found[band.index]) is not None]
    _require_all(ours, theirs, [band for band, _ in pairs], name)
    _require_each_once(pairs, name)
    _require_same_names(pairs, name)
    return [other for _, other in pairs]


def _comparable(ours: Side, theirs: Side, name: str) -> bool:
    """Return whether bands are matched by what describes them; otherwise they are by position."""
    if (ours.located and theirs.located) or (ours.named and theirs.named):
        return True
    if ours.named and theirs.unclear:
        raise BandMismatch(
            f"{name}: names of its bands are missing or equal, so they cannot be matched with "
            f"those of this detector ({listed(ours.names)}). Give each band its name, or train on "
            f"scenes like this one."
        )
    if ours.described and theirs.described:
        return True  # names on one side, wavelengths on the other
    if ours.described or theirs.described:
        log.warning(
            "%s: bands are matched by position, because only the %s has names or wavelengths",
            *(name, "detector" if ours.described else "scene"),
        )
    return False


def _only(band: Band, candidates: Sequence[Band], name: str) -> Band | None:
    if len(candidates) > 1:
        raise BandMismatch(
            f"{name}: {listed([f'{c.name} (number {c.index})' for c in candidates])} may each be "
            f"band {band.name} of this detector. Correct the names or wavelengths of the scene."
        )
    return candidates[0] if candidates else None


def _by_common_name(ours: Sequence[Band], theirs: Sequence[Band]) -> dict[int, Band]:
    """Return bands of the scene that share a common name, by the numbers of the detector's."""
    found: dict[int, tuple[float, Band]] = {}
    for name in (*COMMON, "pan"):
        one, other = common_band(ours, name), common_band(theirs, name)
        if one is not None and other is not None and None in (one.wavelength, other.wavelength):
            # A band lies in several ranges: that of the nearest centre counts.
            located = one.wavelength or other.wavelength or 0.0
            distance = abs(located - COMMON[name].centre) if name in COMMON else 0.0
            if one.index not in found or distance < found[one.index][0]:
                found[one.index] = distance, other
    return {number: band for number, (_, band) in found.items()}


def _by_sensor(ours: Sequence[Band], theirs: Sequence[Band]) -> dict[int, Band]:
    """Return the bands that sensors give the common names which the other side uses.

    Those of the sensors count whose bands the scene holds, if they agree.
    """
    own, other = ([name_of(band) for band in side] for side in (ours, theirs))
    by_name = dict(zip(other, theirs, strict=True))
    answers = {
        tuple(names.get(name, "") for name in own)
        for sensor in SENSORS
        for names in (sensor, {common: name for name, common in sensor.items()})
        if all(_may_be(by_name.get(names.get(name, "-")), name, names) for name in own)
    }
    if len(answers) != 1:
        return {}
    return {band.index: by_name[name] for band, name in zip(ours, answers.pop(), strict=True)}


def _may_be(band: Band | None, name: str, names: Mapping[str, str]) -> bool:
    """Return whether a band lies where the common name has it that a name of a sensor means."""
    common = COMMON.get(name) or COMMON.get(names.get(name, ""))
    if band is None or band.wavelength is None or common is None:
        return band is not None
    return common.low <= band.wavelength <= common.high


def _require_all(ours: Side, theirs: Side, found: Sequence[Band], name: str) -> None:
    numbers = {band.index for band in found}
    missing = [band for band in ours.bands if band.index not in numbers]
    if not missing:
        return
    elsewhere: Mapping[str, Band] = {name_of(band): band for band in theirs.bands}
    for band in missing:
        other = elsewhere.get(name_of(band))
        if other is not None and other.wavelength is not None and band.wavelength is not None:
            raise BandMismatch(
                f"{name}: band {other.name} lies at {other.wavelength:g} nm, but this detector was "
                f"trained with it at {band.wavelength:g} nm. {ADVICE}"
            )
    raise BandMismatch(
        f"{name} has {len(theirs.bands)} bands ({listed(theirs.names)}), but this detector was "
        f"trained on {len(ours.bands)} ({listed(ours.names)}). It lacks "
        f"{listed([band.name for band in missing])}: give a scene of the same product, or train on "
        f"scenes like this one."
    )


def _require_each_once(pairs: Sequence[tuple[Band, Band]], name: str) -> None:
    first: dict[int, Band] = {}
    for band, other in pairs:
        twin = first.setdefault(other.index, band)
        if twin is not band:
            raise BandMismatch(
                f"{name}: band {other.name} is the nearest to both {twin.name} and {band.name} of "
                f"this detector. {ADVICE}"
            )


def _require_same_names(pairs: Sequence[tuple[Band, Band]], name: str) -> None:
    """Refuse bands that lie where another band of the detector has their name."""
    known = {name_of(band): band for band, _ in pairs if not is_number(band.name)}
    for band, other in pairs:
        own = known.get(name_of(other), band)
        same = name_of(band) == name_of(other)  # as may be the canonical names of several bands
        if own is not band and not same and name_of(other) and not is_number(other.name):
            raise BandMismatch(
                f"{name}: band {other.name} lies where this detector has {band.name} "
                f"({other.wavelength or 0:g} nm), not {own.name} ({own.wavelength or 0:g} nm). "
                f"Correct the names or the wavelengths of the scene."
            )


def _by_position(ours: Side, theirs: Side, name: str) -> list[Band]:
    bands = {band.index: band for band in theirs.bands}
    indexes = [band.index for band in ours.bands]
    if theirs.source != ours.source or any(index not in bands for index in indexes):
        raise BandMismatch(
            f"{name} has {theirs.source} bands, but this detector was trained on files of "
            f"{ours.source}. Give a scene of the same product, name the bands on both sides, "
            f"or train on scenes like this one."
        )
    return [bands[index] for index in indexes]
