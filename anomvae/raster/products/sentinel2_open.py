"""Opens a Sentinel-2 product: its bands as one stack, its masks, and what was guessed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from rasterio.io import DatasetReader

from ...errors import GridMismatch, RasterError, listed
from ..access import Access
from ..dataset import Dataset
from ..mask_layers import MaskLayer
from ..mask_rules import Classes
from ..mask_schemes import SCL
from ..opening import open_handle
from ..product_facts import ProductFacts
from .files import ProductFiles
from .raster import Raster
from .sentinel2_bands import MSI
from .sentinel2_images import Image, Images
from .sentinel2_metadata import Metadata, TilePlace, read_metadata, read_place, unknown_metadata
from .stack import StackBand, open_stack

NODATA, SATURATED = 0.0, 65_535.0
"""Stored numbers that are no measurement."""
L2A_BANDS = tuple(band for band in MSI if band != "B10")
"""The cirrus band shows no ground, and has no surface reflectance."""
CLASSI = re.compile(r"(?i)MSK_CLASSI_B00\.(?:jp2|tiff?)")
"""Mask of clouds since baseline 04.00: an image of three bands, 60 m."""
CLASSI_BANDS = {1: "opaque cloud", 2: "cirrus", 3: "snow or ice"}
CLOUDS = re.compile(r"(?i).*MSK_CLOUDS_.*\.gml")
"""Mask of clouds before, as polygons."""
TILE = re.compile(r"(?i)MTD_TL\.xml|S2[A-D]_OPER_MTD_L1C_TL_.*\.xml")


@dataclass(frozen=True)
class Sentinel2Files:
    """The files of one product, and what they state."""

    name: str
    """The name that the user gave; messages use it."""
    files: ProductFiles
    """All files."""
    images: Images
    """The images, of one tile."""
    metadata: Metadata
    """What the metadata state."""
    side: float
    """Side of a pixel of the grid, metres."""

    @property
    def level(self) -> str:
        """Level, as the metadata state, or the names of the images."""
        return self.metadata.level or self.images.levels[0]

    @property
    def chosen(self) -> tuple[Image, ...]:
        """An image of each band at hand."""
        found = (self.images.best(band, self.side) for band in self.images.bands)
        return tuple(image for image in found if image is not None)

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the bands of the level that no image shows."""
        bands = L2A_BANDS if self.level == "L2A" else tuple(MSI)
        return tuple(band for band in bands if band not in self.images.bands)

    @property
    def stack(self) -> tuple[StackBand, ...]:
        """The bands."""
        metadata, quantification = self.metadata, self.metadata.quantification
        return tuple(
            StackBand(
                image.band,
                self.files.path(image.name),
                wavelength=metadata.bands[image.band].wavelength,
                fwhm=metadata.bands[image.band].fwhm,
                scale=1 / quantification,
                offset=(metadata.bands[image.band].offset or 0.0) / quantification,
                nodata=NODATA,
            )
            for image in self.chosen
        )

    @property
    def masks(self) -> tuple[MaskLayer, ...]:
        """The scene classification, else the mask of clouds."""
        scl = self.images.best("SCL", self.side)
        if scl is not None:
            return (SCL.layer(Raster(self.files.path(scl.name))),)
        return tuple(
            MaskLayer(Raster(self.files.path(name)), Classes((1,)), f"MSK_CLASSI: {title}", band)
            for name in self._beside(CLASSI)
            for band, title in CLASSI_BANDS.items()
        )

    @property
    def place(self) -> TilePlace | None:
        """Where the tile lies, as its metadata state; None: not at hand."""
        names = self._beside(TILE)
        return read_place(self.files, names[0]) if names else None

    @property
    def facts(self) -> ProductFacts:
        """What is recognised, and what is guessed."""
        tile = ("tile", self.images.items[0].tile)
        return ProductFacts(
            f"Sentinel-2 {self.level}",
            unit="reflectance",
            details=(*self.metadata.details, tile),
            guessed=self._guessed,
        )

    @property
    def _guessed(self) -> tuple[str, ...]:
        guessed = [f"no image of {listed(self.missing)}"] if self.missing else []
        if not self.metadata.level:
            guessed.append(
                "No metadata lie beside the bands: reflectance is taken as stored number / "
                "10000, without the offset of -1000 that products since baseline 04.00 have"
            )
        elif any(band.offset is None for band in self.metadata.bands.values()):
            guessed.append(
                f"The metadata, of baseline {self.metadata.baseline}, lack offsets, but products "
                f"since baseline 04.00 have -1000: none is applied"
            )
        guessed += [
            f"{image.band} is read from its image of {image.side:g} m, for a finer one is missing"
            for image in self.chosen
            if image.side > max(self.side, MSI[image.band].side)
        ]
        if not self.masks:
            guessed.append(self._unmasked)
        return tuple(guessed)

    @property
    def _unmasked(self) -> str:
        """Why no cloud is hidden."""
        if self._beside(CLOUDS):
            return (
                "The mask of clouds is a file of polygons (baseline before 04.00), which is not "
                "read: no cloud is hidden"
            )
        mask = "scene classification (SCL)" if self.level == "L2A" else "mask (MSK_CLASSI_B00)"
        return f"It has no {mask}: no cloud is hidden"

    def _beside(self, pattern: re.Pattern[str]) -> tuple[str, ...]:
        """Return files that match, of the granule that holds the images."""
        granule = re.match(r"(?:.*/)?GRANULE/[^/]+/", self.images.names[0])
        start = granule[0] if granule else ""
        names = self.files.matching(pattern)
        return tuple(name for name in names if name.startswith(start))


@contextmanager
def open_sentinel2(
    name: str,
    files: ProductFiles,
    images: Images,
    document: str | None,
    resolution: float | None,
    access: Access,
) -> Iterator[Dataset]:
    """Open the bands of a product as one dataset; the context closes it.

    ``document`` is the name of the metadata file, ``resolution`` the side of a pixel, metres.

    Raises
    ------
    RasterError
        When images are missing, of several tiles, or damaged, or contradict the metadata.
    ConfigError
        When no image has the resolution.
    GridMismatch
        When the images do not cover the same ground.
    """
    metadata = unknown_metadata() if document is None else read_metadata(files, document)
    images.require_one_tile(name)
    product = Sentinel2Files(name, files, images, metadata, images.side(resolution))
    _require_grids(product, access)
    with open_stack(name, product.stack, access, resolution=product.side) as dataset:
        yield replace(dataset, nodata=(SATURATED,), masks=product.masks, facts=product.facts)


def _require_grids(product: Sentinel2Files, access: Access) -> None:
    """Require that the images lie where, and have the pixels that, names and metadata state."""
    scl, place = product.images.best("SCL", product.side), product.place
    images = [*product.chosen, *([scl] if scl else [])]
    corners = []
    for image in images:
        path = product.files.path(image.name)
        with closing(open_handle(path, access=access)) as handle:
            corners.append((handle.transform.c, handle.transform.f))
            if handle.crs:
                _require_grid(image, handle, place)
    _require_one_corner(product.name, images, corners)


def _require_grid(image: Image, handle: DatasetReader, place: TilePlace | None) -> None:
    last, side = PurePosixPath(image.name).name, handle.transform.a
    if abs(side - image.side) > 0.01 * image.side:
        raise RasterError(
            f"{last} has pixels of {side:g} m, but by its name they have {image.side:g} m. Fetch "
            f"the product again."
        )
    code = handle.crs.to_epsg()
    if place is not None and code is not None and code != place.epsg:
        raise RasterError(
            f"{last} lies in EPSG:{code}, but the metadata of its tile state EPSG:{place.epsg}. "
            f"Fetch the product again."
        )


def _require_one_corner(
    name: str, images: Sequence[Image], corners: Sequence[tuple[float, float]]
) -> None:
    first = corners[0]
    for image, corner in zip(images, corners, strict=True):
        if max(abs(a - b) for a, b in zip(corner, first, strict=True)) > image.side / 2:
            raise GridMismatch(
                f"{name}: {PurePosixPath(image.name).name} begins at {corner}, but "
                f"{PurePosixPath(images[0].name).name} at {first}: they do not cover the same "
                f"ground. Fetch the product again."
            )
