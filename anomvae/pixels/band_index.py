"""The bands of a scene, found by wavelength, else by name."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from .band import Band
from .band_names import canonical, is_number, name_of

WAVELENGTH_TOLERANCE = 0.01
"""Relative; satellites of one series differ by less (Sentinel-2A and -2B: 0.8 %)."""
SAME_PLACE = 1e-6
"""Relative distance up to which two bands lie at one wavelength."""


@dataclass(frozen=True)
class BandIndex:
    """Bands by name and by wavelength."""

    exact: dict[str, list[Band]]
    """Bands by their names, case-folded."""
    spelt: dict[str, list[Band]]
    """Bands by their canonical names."""
    located: list[tuple[float, Band]]
    """Bands that have wavelengths, ascending."""

    @classmethod
    def of(cls, bands: Sequence[Band]) -> BandIndex:
        """Index bands."""
        exact: dict[str, list[Band]] = {}
        spelt: dict[str, list[Band]] = {}
        for band in bands:
            exact.setdefault(band.name.casefold(), []).append(band)
            spelt.setdefault(name_of(band), []).append(band)
        located = [(band.wavelength, band) for band in bands if band.wavelength is not None]
        return cls(exact, spelt, sorted(located, key=lambda pair: pair[0]))

    def find(self, band: Band) -> list[Band]:
        """Return the band that is one of another file; several: they cannot be distinguished."""
        return self._at_wavelength(band) or self._of_name(band)

    def _at_wavelength(self, band: Band) -> list[Band]:
        if band.wavelength is None:
            return []
        reach = max(WAVELENGTH_TOLERANCE * band.wavelength, (band.fwhm or 0.0) / 2)
        low = bisect_left(self.located, band.wavelength - reach, key=lambda pair: pair[0])
        high = bisect_right(self.located, band.wavelength + reach, key=lambda pair: pair[0])
        near = [
            (abs(place - band.wavelength), place, other)
            for place, other in self.located[low:high]
            if _same_band(band, other, abs(place - band.wavelength))
        ]
        if not near:
            return []
        _, nearest, _ = min(near, key=lambda one: one[:2])
        margin = SAME_PLACE * band.wavelength
        return _preferred(band, [o for _, place, o in near if abs(place - nearest) <= margin])

    def _of_name(self, band: Band) -> list[Band]:
        name = name_of(band)
        named = self.exact.get(band.name.casefold()) or (self.spelt.get(name, []) if name else [])
        free = [b for b in named if band.wavelength is None or b.wavelength is None]
        return _preferred(band, free)


def _same_band(band: Band, other: Band, distance: float) -> bool:
    """Return whether bands at a distance, nm, are the same."""
    assert band.wavelength is not None
    if distance <= WAVELENGTH_TOLERANCE * band.wavelength:
        return True
    # Broad bands overlap: Sentinel-2's B8 holds B8A, but is another band.
    names = name_of(band), name_of(other)
    numbered = not all(names) or is_number(band.name) or is_number(other.name)
    widths = [one.fwhm for one in (band, other) if one.fwhm is not None]
    return distance <= min(widths) / 2 and (numbered or names[0] == names[1])


def _preferred(band: Band, candidates: list[Band]) -> list[Band]:
    """Prefer good bands, then those of the same name: as it is written, else in any spelling."""
    good = [other for other in candidates if not other.bad] or candidates
    for name in (str.casefold, canonical):
        same = [other for other in good if name(other.name) == name(band.name)]
        if len(same) == 1:
            return same
    return good
