"""Landsat Collection 2 Level-2 and Level-1: a folder or an archive of band files with an MTL.

Bands are scaled by the factors of the MTL (`landsat_mtl`).  Level-2: ``SR_B*`` are surface
reflectance, ``ST_B*`` surface temperature in kelvin.  Level-1: reflective bands are reflectance at
the top of the atmosphere, divided by the sine of the sun elevation at the scene centre; thermal
bands are radiance, W/(m2 sr um).  Source: Landsat 8-9 Collection 2 Level-2 Science Product Guide
(USGS LSDS-1619, 2024) and Landsat 8 Data Users Handbook (LSDS-1574, 2019), section 5.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import PurePath, PurePosixPath

from ...addresses import displayed
from ...errors import RasterError, listed
from ...pixels.dates import date_of
from ..access import DEFAULT, Access
from ..dataset import Dataset
from .files import ProductFiles
from .landsat_bands import SENSORS
from .landsat_mtl import CONTENTS, IMAGE, Mtl
from .landsat_scene import LandsatScene
from .product import Product, ProductOptions
from .stack import open_stack

ID = r"L[COTEM]0[45789]_L[12][A-Z]{2}_\d{6}_\d{8}_\d{8}_\d\d_(?:T1|T2|RT)"
FILE = re.compile(
    rf"(?:(?P<id>{ID})_)?MTL(?P<form>\.json|\.xml|\.txt)|(?P<band>{ID})_(?:S[RT]_B\d\d?|"
    rf"B\d\d?(?:_VCID_\d)?|QA_PIXEL|QA_RADSAT)\.TIF",
    re.IGNORECASE,
)
"""Metadata, a band or a mask; a file of another name, such as ``..._ST_ATRAN.TIF``, is a raster."""
FORMS = (".json", ".xml", ".txt")
"""Forms of the metadata file, the preferred first."""


@dataclass(frozen=True)
class Landsat(Product):
    """A Landsat product of Collection 2, 30 m."""

    files: ProductFiles
    """What lies in its folder or archive."""
    ids: tuple[str, ...]
    """Product identifiers in the names of its files; more than one is refused when it is opened."""
    metadata: tuple[str, ...]
    """Names of its metadata files, the preferred first."""

    @classmethod
    def recognise(cls, name: str, options: ProductOptions) -> Landsat | None:
        """Take a folder or archive with an MTL or Landsat bands, or one of its files.

        A folder with several products is none of them.
        """
        files = ProductFiles.near(name, FILE)
        own = files.name_of(name)
        wanted = "" if own is None else _id(FILE.fullmatch(PurePosixPath(own).name))
        if wanted:
            files = files.starting(wanted, "MTL.")
        found = files.matching(FILE)
        metadata = sorted(
            (n for n in found if found[n]["form"]), key=lambda n: (n != own, _form(n))
        )
        ids = {_id(match) for match in found.values()} - {""}
        if own is not None and not (metadata and own in found):
            return None  # a single band without metadata is a raster
        if not found or (files.archive is None and len(ids) > 1):
            return None
        options.require_default(name, "Landsat", 30)
        return cls(name, files, tuple(sorted(ids)), tuple(metadata))

    @property
    def stem(self) -> str:
        """The product identifier, or the name where the files carry none."""
        return self.ids[0] if self.ids else PurePath(self.name).stem

    @property
    def paths(self) -> tuple[str, ...]:
        """The archive, or the files of the product in its folder."""
        # Results may lie beside them: these are called <identifier>.anomaly.tif.
        return self.files.starting(*(f"{one}_" for one in self.ids), "MTL.").paths

    @property
    def date(self) -> date | None:
        """Day of the acquisition, by the names."""
        return date_of(self.stem) or date_of(self.name)

    def absolute(self) -> Landsat:
        """Return the product with absolute paths."""
        return replace(self, files=self.files.absolute())

    @contextmanager
    def open(self, access: Access = DEFAULT) -> Iterator[Dataset]:
        """Open the bands of the product as one; the context closes them.

        Raises
        ------
        RasterError
            When the metadata are missing or damaged, contradict the files, or a file cannot be
            read.
        """
        scene = self._scene()
        with open_stack(self.name, scene.bands(), access) as dataset:
            yield replace(dataset, masks=scene.masks(), facts=scene.facts(dataset.grid.shape))

    def _scene(self) -> LandsatScene:
        title = displayed(self.name)
        if len(self.ids) > 1:
            raise RasterError(
                f"{title} holds {len(self.ids)} Landsat products ({listed(self.ids, 3)}): give "
                f"the MTL file of one, or keep each in its own folder."
            )
        if not self.metadata:
            raise RasterError(
                f"{title} holds Landsat bands, but no metadata file (*_MTL.json, *_MTL.xml or "
                f"*_MTL.txt), which scales them. Fetch it into the same folder."
            )
        mtl = Mtl.read(self.files, self.metadata[0])
        found = mtl.text(CONTENTS, "LANDSAT_PRODUCT_ID")
        if self.ids and found.upper() != self.ids[0]:
            raise RasterError(
                f"{mtl.path} is of {found}, but lies with files of {self.ids[0]}. Fetch the "
                f"metadata file of that product."
            )
        spacecraft = mtl.text(IMAGE, "SPACECRAFT_ID")
        sensor = SENSORS.get(spacecraft.removeprefix("LANDSAT_"))
        if sensor is None:
            raise RasterError(
                f"{mtl.path} is of {spacecraft}; only Landsat 4, 5, 7, 8 and 9 with TM, ETM+ or "
                f"OLI are read. Convert other products to GeoTIFF."
            )
        parent = PurePosixPath(self.metadata[0]).parent
        folder = "" if parent.name == "" else f"{parent}/"
        return LandsatScene(self.files, mtl, sensor, folder)


def _id(match: re.Match[str] | None) -> str:
    return "" if match is None else (match["id"] or match["band"] or "").upper()


def _form(name: str) -> int:
    return FORMS.index(PurePosixPath(name).suffix.lower())
