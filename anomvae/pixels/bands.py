"""Bands of a raster: names, wavelengths, radiometry; how they are chosen and matched.

The bands of its training scenes are a detector's radiometric contract: a scene is scored only if it
has the same bands, in the same units.  Wavelengths are in nanometres; band numbers start at 1.
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
"""Relative; satellites of one series differ by less (Sentinel-2A and -2B: 0.8 %)."""

NUMBER = r"(\d+\.?\d*|\.\d+)"
ROUNDING = 1e-6
"""Relative; files store scales and offsets as float32 or as float64."""

NANOMETRES = {"nm": 1.0, "um": 1000.0, "µm": 1000.0, "μm": 1000.0}  # micro sign and Greek mu


@dataclass(frozen=True)
class Band:
    """One band, as its file describes it."""

    index: int
    """Number of the band in its file, from 1."""
    name: str
    """Name; ``band_<index>`` where the file has none."""
    wavelength: float | None = None
    """Centre, nm."""
    scale: float = 1.0
    """Physical value = stored value * scale + offset."""
    offset: float = 0.0
    """See ``scale``."""
    nodata: float | None = None
    """Stored value of pixels without data."""
    fwhm: float | None = None
    """Full width at half maximum of its response, nm."""
    bad: str = ""
    """Why it is bad and dropped unless it is named, such as ``bbl = 0``; empty: it is good."""


@dataclass(frozen=True)
class Bands:
    """The selected bands of a raster or of a detector, in order."""

    items: tuple[Band, ...]
    """The selected bands."""
    source: int
    """Number of data bands in the file, selected or not."""
    named: bool
    """Whether the file names its bands; otherwise the names only number them."""

    def __len__(self) -> int:
        """Return the number of selected bands."""
        return len(self.items)

    def __iter__(self) -> Iterator[Band]:
        """Iterate over the selected bands, in order."""
        return iter(self.items)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(band.name for band in self.items)

    @property
    def indexes(self) -> list[int]:
        """Numbers in the file, in order, from 1."""
        return [band.index for band in self.items]

    def keep(self, selected: list[Band]) -> Bands:
        """Return the bands of the same file with another selection."""
        return replace(self, items=tuple(selected))

    def with_nodata(self, value: float) -> Bands:
        """Return the bands with a nodata value where the file has none."""
        return self.keep([replace(b, nodata=value) if b.nodata is None else b for b in self])

    def choose(self, text: str) -> Bands:
        """Select bands by a text, as of ``--bands``: in its order, each band once.

        Parameters
        ----------
        text : str
            Comma-separated names (``B4,B8``), numbers (``3``), ranges of numbers (``3-7``) or of
            wavelengths (``450-900nm``, ``0.45-0.9um``).

        Raises
        ------
        ConfigError
            When a part names no band.

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
        matching = named or self._in_wavelengths(part) or self._in_numbers(part)
        if not matching:
            raise ConfigError(
                f"No band is {part!r} (a name, a number from 1 to {self.source}, a range of "
                f"numbers, or of wavelengths such as 450-900nm). {hint(part, self.names)}"
            )
        return matching

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
            return []  # a range beyond the file is a mistake
        return [band for band in self if low <= band.index <= high]

    def find_in(self, scene: Bands, name: str) -> Bands:
        """Find these bands, a detector's, among all data bands of a scene called ``name``.

        Bands are matched by name; without names on either side by position, and the numbers of
        bands must agree.  The result has the order of these bands.

        Raises
        ------
        BandMismatch
            When a band is missing, or its wavelength, scale or offset differs.
        """
        by_name = self.named and scene.named
        found = self._by_name(scene, name) if by_name else self._by_position(scene, name)
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
    """Name the bands of an array by their position, from 1."""
    items = tuple(Band(index, f"band_{index}") for index in range(1, count + 1))
    return Bands(items, source=count, named=False)


def _warn_of_nodata(ours: Bands, theirs: list[Band], name: str) -> None:
    """Warn where empty pixels may count as data; files without empty pixels need no nodata."""
    pairs = zip(ours, theirs, strict=True)
    unmarked = [b.name for a, b in pairs if a.nodata is not None and b.nodata is None]
    if unmarked:
        log.warning(
            "%s has no nodata value in %s, but the detector's scenes had. If its empty pixels hold "
            "a number, name it (--nodata, or gdal_edit.py -a_nodata) or give a --mask.",
            *(name, listed(unmarked)),
        )


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
