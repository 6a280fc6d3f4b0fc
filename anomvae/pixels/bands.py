"""What the bands of a raster are: names, wavelengths, radiometry; choosing and matching them.

The bands a detector was trained on are its radiometric contract: a scene is scored only when it has
the same bands, in the same units.  Wavelengths are in nanometres; band numbers start at 1.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..errors import BandMismatch, ConfigError, hint, listed

log = logging.getLogger(__name__)

WAVELENGTH_TOLERANCE = 0.01
"""Relative; sister satellites of one series differ by less (Sentinel-2A and -2B: 0.8 %)."""

NUMBER = r"(\d+\.?\d*|\.\d+)"
ROUNDING = 1e-6
"""Relative; scales and offsets are stored as float32 by some and as float64 by others."""

NANOMETRES = {"nm": 1.0, "um": 1000.0, "µm": 1000.0, "μm": 1000.0}  # micro sign and Greek mu


@dataclass(frozen=True)
class Band:
    """One band as its file tells it."""

    index: int
    """Number of the band in its file, from 1."""
    name: str
    """Its name; ``band_<index>`` where the file has none."""
    wavelength: float | None = None
    """Centre, nm."""
    scale: float = 1.0
    """Physical value = stored value * scale + offset."""
    offset: float = 0.0
    """See ``scale``."""
    nodata: float | None = None
    """Stored value that means no data."""


@dataclass(frozen=True)
class Bands:
    """The bands in use, in order, of a raster or of a detector."""

    items: tuple[Band, ...]
    """The bands in use."""
    source: int
    """How many data bands the file has, used or not."""
    named: bool
    """Whether the names are the file's own; otherwise they only number the bands."""

    def __len__(self) -> int:
        """Count the bands in use."""
        return len(self.items)

    def __iter__(self) -> Iterator[Band]:
        """Go through the bands in use, in order."""
        return iter(self.items)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(band.name for band in self.items)

    @property
    def indexes(self) -> list[int]:
        """Numbers in the file, in order, from 1."""
        return [band.index for band in self.items]

    def keep(self, wanted: list[Band]) -> Bands:
        """Use only ``wanted``."""
        return replace(self, items=tuple(wanted))

    def choose(self, text: str) -> Bands:
        """Choose bands as a user writes them.

        Parameters
        ----------
        text : str
            Comma-separated names (``B4,B8``), numbers (``3``), ranges of numbers (``3-7``) or of
            wavelengths (``450-900nm``, ``0.45-0.9um``).

        Returns
        -------
        Bands
            In the order given, each band once.

        Raises
        ------
        ConfigError
            If a part names no band.

        Examples
        --------
        >>> bands = unnamed_bands(5)
        >>> bands.choose("4,1-2").names
        ('band_4', 'band_1', 'band_2')
        """
        chosen: dict[int, Band] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            chosen |= {band.index: band for band in self._matching(part)}
        if not chosen:
            raise ConfigError(f"bands = {text!r} names no band. Known: {listed(self.names)}.")
        return self.keep(list(chosen.values()))

    def _matching(self, part: str) -> list[Band]:
        named = [band for band in self if band.name.casefold() == part.casefold()]
        found = named or self._in_wavelengths(part) or self._in_numbers(part)
        if not found:
            raise ConfigError(
                f"No band is {part!r} (a name, a number from 1 to {self.source}, a range of "
                f"numbers, or of wavelengths such as 450-900nm). {hint(part, self.names)}"
            )
        return found

    def _in_wavelengths(self, part: str) -> list[Band]:
        match = re.fullmatch(rf"{NUMBER}\s*-\s*{NUMBER}\s*(nm|um|µm|μm)", part)
        if match is None:
            return []
        low, high = (float(number) * NANOMETRES[match[3]] for number in match.groups()[:2])
        return [b for b in self if b.wavelength is not None and low <= b.wavelength <= high]

    def _in_numbers(self, part: str) -> list[Band]:
        match = re.fullmatch(r"(\d+)(?:\s*-\s*(\d+))?", part)
        if match is None:
            return []
        low, high = int(match[1]), int(match[2] or match[1])
        if high > self.source:
            return []  # a range that ends beyond the file is a mistake, not a wish
        return [band for band in self if low <= band.index <= high]

    def find_in(self, scene: Bands, name: str) -> Bands:
        """Find these bands, a detector's, among those of a scene.

        Names decide; where either side has none, the position does, and the counts must agree.

        Parameters
        ----------
        scene : Bands
            All data bands of the scene.
        name : str
            The scene's name, for messages.

        Returns
        -------
        Bands
            The scene's bands, in the order of these.

        Raises
        ------
        BandMismatch
            If a band is missing, or its wavelength, scale or offset differs.
        """
        found = (
            self._by_name(scene, name)
            if self.named and scene.named
            else self._by_position(scene, name)
        )
        for ours, theirs in zip(self, found, strict=True):
            _require_same_radiometry(ours, theirs, name)
        _warn_of_nodata(self, found, name)
        return scene.keep(found)

    def _by_name(self, scene: Bands, name: str) -> list[Band]:
        theirs = {band.name: band for band in scene}
        missing = [band for band in self.names if band not in theirs]
        if missing:
            raise BandMismatch(
                f"{name} has {len(scene)} bands ({listed(scene.names)}), but this detector was "
                f"trained on {len(self)} ({listed(self.names)}). It lacks {listed(missing)}: "
                f"give a scene of the same product, or train on scenes like this one."
            )
        return [theirs[band] for band in self.names]

    def _by_position(self, scene: Bands, name: str) -> list[Band]:
        theirs = {band.index: band for band in scene}
        if scene.source != self.source or any(index not in theirs for index in self.indexes):
            raise BandMismatch(
                f"{name} has {scene.source} bands, but this detector was trained on files of "
                f"{self.source}. Give a scene of the same product, name the bands on both sides, "
                f"or train on scenes like this one."
            )
        return [theirs[index] for index in self.indexes]


def unnamed_bands(count: int) -> Bands:
    """Call the columns of an array by their position, from 1."""
    items = tuple(Band(index, f"band_{index}") for index in range(1, count + 1))
    return Bands(items, source=count, named=False)


def _warn_of_nodata(ours: Bands, found: list[Band], name: str) -> None:
    """Say when empty pixels would be taken for data; files without any need no nodata value."""
    unmarked = [b.name for a, b in zip(ours, found, strict=True) if _marks(a) and not _marks(b)]
    if unmarked:
        log.warning(
            "%s has no nodata value in %s, but the detector's scenes had. If its empty pixels hold "
            "a number, name it (gdal_edit.py -a_nodata) or give a --mask.",
            *(name, listed(unmarked)),
        )


def _marks(band: Band) -> bool:
    return band.nodata is not None


def _require_same_radiometry(ours: Band, theirs: Band, name: str) -> None:
    same_scale = math.isclose(theirs.scale, ours.scale, rel_tol=ROUNDING)
    if not same_scale or not math.isclose(theirs.offset, ours.offset, rel_tol=ROUNDING):
        raise BandMismatch(
            f"{name}: band {theirs.name} has scale {theirs.scale:g} and offset "
            f"{theirs.offset:g}, but this detector was trained with {ours.scale:g} and "
            f"{ours.offset:g}. Correct them in the scene (gdal_edit.py -scale -offset), or train "
            f"on scenes like this one."
        )
    if ours.wavelength is None or theirs.wavelength is None:
        return
    if abs(ours.wavelength - theirs.wavelength) > WAVELENGTH_TOLERANCE * ours.wavelength:
        raise BandMismatch(
            f"{name}: band {theirs.name} lies at {theirs.wavelength:g} nm, but this detector was "
            f"trained with it at {ours.wavelength:g} nm. Give a scene of the same sensor, or train "
            f"on scenes like this one."
        )
