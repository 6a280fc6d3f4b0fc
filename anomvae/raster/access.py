"""What may be opened: GDAL's drivers, and limits.

GDAL recognises a file by its content, whatever its name, and some of its 150 drivers fetch
addresses that a file names, or read any file of the system as pixels.  So a file is opened only by
drivers of formats that hold their pixels themselves, or in a file of the same name beside it.
Others are for the user to allow, by name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import rasterio

from ..addresses import displayed
from ..errors import ConfigError, hint
from .limits import DEFAULT_LIMITS, Limits

VRT = "VRT"
ALLOW = "--allow-driver NAME; allow_drivers of a site; anomvae.Access(drivers=...) in Python"
"""How a driver is allowed, for messages."""
TRUST = f"If you trust the file, allow the driver VRT ({ALLOW.replace('NAME', VRT)})."

DRIVERS = (
    *("GTiff", "COG", "SNAP_TIFF"),
    *("ENVI", "EHdr", "HFA", "RRASTER", "SAGA", "RST", "LAN"),
    *("JP2OpenJPEG", "JP2KAK", "JP2ECW", "JP2MrSID", "JPEG", "JPEGXL", "PNG", "GIF", "BIGGIF"),
    *("BMP", "WEBP", "PNM", "NITF", "GRIB", "Zarr", "GPKG"),
    *("AAIGrid", "GRASSASCIIGrid", "GSAG", "GSBG", "GS7BG", "XYZ", "PCRaster", "RMF"),
    *("SRTMHGT", "DTED", "USGSDEM", "Terragen", "BYN", "NTv2", "GTX"),
    # Its sources must lie in its folder, and are checked in the same way (`opening`).
    VRT,
)
"""Drivers that open files by default; the wheel of rasterio lacks some.  Not listed are formats of
which a file names addresses or other files at will: WMS, WCS, STACTA, GTI, ISIS3, PDS, DIMAP, SAFE,
SENTINEL2 (its XML; not its JPEG 2000 files), MRF, ERS, ILWIS, PCIDSK, PDF and more."""


LINKING = ("netCDF", "HDF5", "HDF5Image", "HDF4", "HDF4Image", "BAG", "KEA")
"""Drivers of formats that hold most imaging spectroscopy, but may also link to other local files,
which GDAL does not report.  They open only files with a name of these
formats."""
LINKING_NAME = re.compile(
    r".*\.(nc4?|cdf|grd|h[45]|hdf[45]?|he[45]|bag|kea)|(netcdf|hdf5|hdf4_\w+|bag):.*", re.IGNORECASE
)
"""Names of files and subdatasets of these formats."""


@dataclass(frozen=True)
class Access:
    """What may be opened for a scene, its masks and its covariates."""

    drivers: tuple[str, ...] = ()
    """Names of GDAL's drivers that open files in addition to `DRIVERS`; ``VRT`` allows any source
    of a VRT."""
    limits: Limits | None = DEFAULT_LIMITS
    """The largest raster that is opened; None: any."""

    @classmethod
    def of(cls, drivers: Sequence[str] = (), *, unlimited: bool = False) -> Access:
        """Check the names of drivers that a user gives, in any case.

        Raises
        ------
        ConfigError
            When GDAL has no such driver.

        Examples
        --------
        >>> Access.of(["sentinel2"]).drivers
        ('SENTINEL2',)
        """
        with rasterio.Env() as environment:
            known = {name.casefold(): name for name in environment.drivers()}
        for name in drivers:
            if name.casefold() not in known:
                raise ConfigError(
                    f"GDAL has no driver {name!r} here. {hint(name, sorted(known.values()))}"
                )
        named = tuple(known[name.casefold()] for name in drivers)
        return cls(named, None if unlimited else DEFAULT_LIMITS)

    def allowed(self, name: str) -> tuple[str, ...]:
        """Return the drivers that open a file of a name."""
        linking = LINKING if LINKING_NAME.fullmatch(displayed(name)) else ()
        return (*DRIVERS, *linking, *self.drivers)

    @property
    def any_source(self) -> bool:
        """Whether a VRT may have any source."""
        return VRT in self.drivers


DEFAULT = Access()
UNLIMITED = Access(limits=None)
"""For files that anomvae wrote itself."""
