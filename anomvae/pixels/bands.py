"""Bands of a raster or of a detector: names, wavelengths, how values are stored.

The bands of its training scenes are part of a detector's contract: a scene is scored only if it
has the same bands.  Wavelengths are in nanometres; band numbers start at 1.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..errors import ConfigError, listed
from ..notebooks import short
from .band import Band
from .band_matching import Side, matched
from .band_names import common_band
from .band_selection import selected
from .storage import Storage

__all__ = ["Band", "Bands", "unnamed_bands"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bands:
    """The selected bands of a raster or of a detector, in order."""

    items: tuple[Band, ...]
    """The selected bands."""
    source: int
    """Number of data bands in the file, selected or not."""
    named: bool
    """Whether the file names its bands; otherwise the names only number them."""
    unclear: bool = False
    """Whether the file names some bands, but not all, or several alike; then ``named`` is false."""

    def __repr__(self) -> str:
        """Return one line, whatever their number."""
        return f"Bands({self.summary})"

    @property
    def summary(self) -> str:
        """Their number and the range of their wavelengths, or the first and the last name.

        Examples
        --------
        >>> unnamed_bands(5).summary, unnamed_bands(1).summary
        ('5 bands band_1 ... band_5', '1 band band_1')
        """
        count = f"{len(self)} band{'s' if len(self) != 1 else ''}"
        known = [band.wavelength for band in self if band.wavelength is not None]
        if self.items and len(known) == len(self):
            return f"{count} {min(known):.0f}-{max(known):.0f} nm"
        ends = dict.fromkeys(short(band.name) for band in (*self.items[:1], *self.items[-1:]))
        return " ".join([count, " ... ".join(ends)]).strip()

    @property
    def digested(self) -> str:
        """All that is known of them, as a text that digests are made of."""
        fields = ("items", "source", "named", "unclear")
        return f"Bands({', '.join(f'{name}={getattr(self, name)!r}' for name in fields)})"

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

    @property
    def bad(self) -> tuple[Band, ...]:
        """The bands that are bad, in order."""
        return tuple(band for band in self.items if band.bad)

    @property
    def good(self) -> Bands:
        """The bands that are not bad.

        Raises
        ------
        ConfigError
            When every band is bad.
        """
        good = [band for band in self if not band.bad]
        if not good:
            reasons = listed(list(dict.fromkeys(band.bad for band in self)))
            raise ConfigError(
                f"All {len(self)} bands are bad ({reasons}). Name those to use by --bands."
            )
        return self.keep(good)

    def common(self, name: str) -> Band | None:
        """Return the band of a common name such as ``red``; None: there is none, or none is known.

        Examples
        --------
        >>> unnamed_bands(3).common("red") is None
        True
        """
        return common_band(self.items, name)

    def keep(self, selected: list[Band]) -> Bands:
        """Return the bands of the same file with another selection."""
        return replace(self, items=tuple(selected))

    def with_nodata(self, value: float) -> Bands:
        """Return the bands with a nodata value where the file has none."""
        return self.keep([replace(b, nodata=value) if b.nodata is None else b for b in self])

    @property
    def storage(self) -> Storage:
        """How the values are stored, as the files state."""
        return Storage(
            tuple(band.scale for band in self.items), tuple(band.offset for band in self.items)
        )

    def stored_as(self, storage: Storage) -> Bands:
        """Return the bands with values that are stored otherwise."""
        pairs = zip(self.items, storage.scale, storage.offset, strict=True)
        return self.keep([replace(band, scale=scale, offset=at) for band, scale, at in pairs])

    def choose(self, text: str) -> Bands:
        """Select bands by a text, as of ``--bands``: in its order, each band once.

        Parameters
        ----------
        text : str
            In the syntax of `band_selection.selected`.

        Raises
        ------
        ConfigError
            When a part names no band.

        Examples
        --------
        >>> bands = unnamed_bands(5)
        >>> bands.choose("4,1-2").names
        ('band_4', 'band_1', 'band_2')
        >>> bands.choose("-2-4").names
        ('band_1', 'band_5')
        """
        return self.keep(selected(self.items, text))

    def find_in(self, scene: Bands, name: str) -> Bands:
        """Find these bands, a detector's, among all data bands of a scene called ``name``.

        The result has the order of these bands, and what the scene states about them.

        Raises
        ------
        BandMismatch
            When a band is missing, or what the scene states contradicts itself.
        """
        found = matched(self._side, scene._side, name)
        _warn_of_nodata(self, found, name)
        return scene.keep(found)

    @property
    def _side(self) -> Side:
        return Side(self.items, self.source, self.named, self.unclear)


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
