"""Bands of Sentinel-2 (MSI), and how its products store reflectance.

Centres are the mean of Sentinel-2A and -2B, which differ by less than 1 %; widths and sides: ESA,
Sentinel-2 User Handbook (2015), table 1.
Stored numbers: ESA, Sentinel-2 Products Specification Document 15.0 (2023).
"""

from __future__ import annotations

from typing import NamedTuple

QUANTIFICATION = 10_000.0
"""Reflectance = (number + offset) / quantification."""
OFFSET = -1_000.0
"""Offset of every band of all products since `OFFSETS_SINCE`."""
OFFSETS_SINCE = 4.0
"""Processing baseline since which numbers have an offset."""
DEFAULT_SIDE = 20.0
"""Side of a pixel, metres, on which all bands are read by default."""


class MsiBand(NamedTuple):
    """A band of the instrument."""

    side: float
    """Side of a pixel of the detector, metres."""
    wavelength: float
    """Centre, nm."""
    fwhm: float
    """Width, nm."""


MSI = {
    "B01": MsiBand(60.0, 442.5, 20.0),
    "B02": MsiBand(10.0, 492.5, 65.0),
    "B03": MsiBand(10.0, 559.5, 35.0),
    "B04": MsiBand(10.0, 664.8, 30.0),
    "B05": MsiBand(20.0, 703.9, 15.0),
    "B06": MsiBand(20.0, 739.8, 15.0),
    "B07": MsiBand(20.0, 781.3, 20.0),
    "B08": MsiBand(10.0, 832.9, 115.0),
    "B8A": MsiBand(20.0, 864.4, 20.0),
    "B09": MsiBand(60.0, 944.1, 20.0),
    "B10": MsiBand(60.0, 1375.2, 30.0),
    "B11": MsiBand(20.0, 1612.1, 90.0),
    "B12": MsiBand(20.0, 2194.1, 180.0),
}
"""By their names, in the order of their numbers in the metadata."""
