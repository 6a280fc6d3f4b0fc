"""Harmonized Landsat Sentinel-2 (HLS) 2.0: the band files of an L30 or S30 granule.

Surface reflectance is stored times 10 000, brightness temperature of L30 in degrees Celsius times
100, both with -9999 where there is no data.  There is no metadata file: the names decide.  Source:
NASA, HLS Product User Guide 2.0 (2023), tables 1, 5 to 9.  Wavelengths of L30 are those of OLI and
TIRS (`landsat_bands`), of S30 those of MSI (`sentinel2_bands`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import PurePosixPath

from ...addresses import displayed
from ...errors import RasterError, listed
from ...pixels.dates import date_of
from ..access import DEFAULT, Access
from ..dataset import Dataset
from ..mask_schemes import FMASK
from ..product_facts import ProductFacts
from .files import ProductFiles
from .landsat_bands import OLI, LandsatBand
from .product import Product, ProductOptions
from .raster import Raster
from .sentinel2_bands import MSI, MsiBand
from .stack import StackBand, open_stack

FILE = re.compile(
    r"(?P<granule>HLS\.(?P<kind>[LS]30)\.(?P<tile>T\d\d[A-Z]{3})\.\d{7}T\d{6}\.v(?P<version>2\.\d))"
    r"\.(?P<layer>B\d[\dA]|Fmask)\.tif",
    re.IGNORECASE,
)
"""A band or the mask."""
ANGLES = re.compile(r"HLS\..+\.[SV][ZA]A\.tif", re.IGNORECASE)
"""Angles of the sun and of the view (SZA, SAA, VZA, VAA), which are no data."""
FMASK_LAYER = "FMASK"
REFLECTANCE, TEMPERATURE = 1e-4, 1e-2
"""Scales of reflectance, and of brightness temperature in degrees Celsius."""
NODATA = -9999.0


@dataclass(frozen=True)
class Hls(Product):
    """A granule of HLS 2.0, 30 m."""

    files: ProductFiles
    """What lies in its folder or archive."""
    layers: tuple[tuple[str, str], ...]
    """Names of its files, and of the layer of each: ``B04``, ``FMASK``."""
    granules: tuple[str, ...]
    """Names of the granules; more than one is refused when it is opened."""

    @classmethod
    def recognise(cls, name: str, options: ProductOptions) -> Hls | None:
        """Take a folder or archive with bands of a granule, or one of its files.

        A folder with several granules is none of them.
        """
        files = ProductFiles.near(name, FILE)
        own = files.name_of(name)
        if own is not None:
            match = FILE.fullmatch(PurePosixPath(own).name)
            files = files.starting("?" if match is None else match["granule"].upper())
        found = files.matching(FILE)
        if not found or (files.archive is None and len(_granules(found)) > 1):
            return None
        options.require_default(name, "HLS", 30)
        layers = sorted(((one, match["layer"].upper()) for one, match in found.items()), key=_order)
        return cls(name, files, tuple(layers), _granules(found))

    @property
    def stem(self) -> str:
        """The name of the granule."""
        return self.granules[0]

    @property
    def paths(self) -> tuple[str, ...]:
        """The archive, or the files of the granule in its folder, those of angles, too."""
        own = self.files.starting(self.stem.upper())
        if own.archive is not None:
            return own.paths
        # Results may lie beside them: these are called <granule>.anomaly.tif.
        return tuple(own.path(name) for name in (*own.matching(FILE), *own.matching(ANGLES)))

    @property
    def date(self) -> date | None:
        """Day of the acquisition: the year and the day of the year in the name."""
        return date_of(self.stem)

    def absolute(self) -> Hls:
        """Return the product with absolute paths."""
        return replace(self, files=self.files.absolute())

    @contextmanager
    def open(self, access: Access = DEFAULT) -> Iterator[Dataset]:
        """Open the bands of the granule as one; the context closes them.

        Raises
        ------
        RasterError
            When the files are of several granules, or one cannot be read.
        """
        title = displayed(self.name)
        if len(self.granules) > 1:
            raise RasterError(
                f"{title} holds {len(self.granules)} granules of HLS ({listed(self.granules, 3)}): "
                f"give one file of a granule, or keep each in its own folder."
            )
        bands = [self._band(*one) for one in self.layers if one[1] != FMASK_LAYER]
        if not bands:
            raise RasterError(f"{title} holds no bands of {self.stem}. Fetch its B*.tif files.")
        masks = tuple(
            FMASK.layer(Raster(self.files.path(name)))
            for name, layer in self.layers
            if layer == FMASK_LAYER
        )
        with open_stack(self.name, bands, access) as dataset:
            yield replace(dataset, masks=masks, facts=self._facts(bool(masks)))

    @property
    def _kind(self) -> str:
        return self.stem.split(".")[1].upper()

    @property
    def _thermal(self) -> set[str]:
        """Names of the bands of temperature."""
        return {"B10", "B11"} if self._kind == "L30" else set()

    def _band(self, name: str, layer: str) -> StackBand:
        if self._kind == "S30":
            band: MsiBand | LandsatBand | None = MSI.get(layer)
        else:
            band = OLI.get(layer.removeprefix("B").lstrip("0"))
        return StackBand(
            layer,
            self.files.path(name),
            wavelength=None if band is None else band.wavelength,
            fwhm=None if band is None else band.fwhm,
            scale=TEMPERATURE if layer in self._thermal else REFLECTANCE,
            offset=0.0,
            nodata=NODATA,
        )

    def _facts(self, masked: bool) -> ProductFacts:
        thermal = self._thermal & {layer for _, layer in self.layers}
        return ProductFacts(
            kind=f"HLS {self._kind} {self.stem[-4:]}",
            date=self.date,
            unit="reflectance, B10 and B11 in degrees Celsius" if thermal else "reflectance",
            details=(("tile", self.stem.split(".")[2].upper()),),
            guessed=() if masked else (FMASK.lacking,),
        )


def _order(layer: tuple[str, str]) -> str:
    """Sort bands by their numbers, B8A behind B08."""
    return layer[1].replace("B8A", "B08A")


def _granules(found: Mapping[str, re.Match[str]]) -> tuple[str, ...]:
    return tuple(sorted({match["granule"] for match in found.values()}))
