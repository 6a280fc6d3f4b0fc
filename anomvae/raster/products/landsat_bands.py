"""Bands of Landsat 4 to 9: wavelengths, and the bits of QA_RADSAT that mark saturation.

Band limits of OLI and TIRS: Landsat 8 and Landsat 9 Data Users Handbooks (USGS LSDS-1574, 2019;
LSDS-2082, 2022), table 2-1; of ETM+: Landsat 7 Data Users Handbook (LSDS-1927, 2019), table 2-1;
of TM: band designations of USGS.  Bits: Landsat Collection 2 Level-2 Science Product Guides
(LSDS-1619, 2024; LSDS-1618, 2021).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LandsatBand:
    """One band of a sensor."""

    low: float
    """Lower limit, nm."""
    high: float
    """Upper limit, nm."""
    saturation: int | None = None
    """Bit of QA_RADSAT; None: none marks it."""

    @property
    def wavelength(self) -> float:
        """Centre, nm."""
        return (self.low + self.high) / 2

    @property
    def fwhm(self) -> float:
        """Width, nm."""
        return self.high - self.low


Sensor = dict[str, LandsatBand]
"""The 30 m bands of a sensor by their numbers, as in ``FILE_NAME_BAND_<number>``; the panchromatic
band is not among them."""

OLI: Sensor = {
    "1": LandsatBand(435, 451, 0),
    "2": LandsatBand(452, 512, 1),
    "3": LandsatBand(533, 590, 2),
    "4": LandsatBand(636, 673, 3),
    "5": LandsatBand(851, 879, 4),
    "6": LandsatBand(1566, 1651, 5),
    "7": LandsatBand(2107, 2294, 6),
    "9": LandsatBand(1363, 1384, 8),
    "10": LandsatBand(10600, 11190),
    "11": LandsatBand(11500, 12510),
}
ETM: Sensor = {
    "1": LandsatBand(441, 514, 0),
    "2": LandsatBand(519, 601, 1),
    "3": LandsatBand(631, 692, 2),
    "4": LandsatBand(772, 898, 3),
    "5": LandsatBand(1547, 1748, 4),
    "6": LandsatBand(10310, 12360, 5),
    "6_VCID_1": LandsatBand(10310, 12360, 5),
    "6_VCID_2": LandsatBand(10310, 12360, 8),
    "7": LandsatBand(2065, 2346, 6),
}
TM: Sensor = {
    "1": LandsatBand(450, 520, 0),
    "2": LandsatBand(520, 600, 1),
    "3": LandsatBand(630, 690, 2),
    "4": LandsatBand(760, 900, 3),
    "5": LandsatBand(1550, 1750, 4),
    "6": LandsatBand(10400, 12500, 5),
    "7": LandsatBand(2080, 2350, 6),
}

SENSORS = {"4": TM, "5": TM, "7": ETM, "8": OLI, "9": OLI}
"""Sensor of each mission."""
