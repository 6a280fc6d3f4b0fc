"""PRISMA L1, L2B, L2C and L2D: up to 239 bands from 400 to 2505 nm, 30 m, in one HDF-EOS5 file.

Sources: ASI, PRISMA Products Specification Document 2.3 (2020); prismaread 1.0 (Busetto & Ranghetti
2020), for the radiometry of L1 and the codes of errors; the EnMAP-Box (2024), for the corners of
L2D.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import PurePath

import numpy as np

from ...addresses import displayed, is_local
from ...errors import RasterError
from ...pixels.dates import date_of
from ..access import DEFAULT, Access
from ..array_dataset import ArrayDataset
from ..dataset import Dataset
from ..losses import DAMAGED
from ..mask_layers import MaskLayer
from ..mask_rules import Classes
from ..product_facts import ProductFacts
from .hdf5 import HDF5File, open_hdf5, reading
from .hdf5_layer import HDF5Layer
from .prisma_bands import prisma_bands
from .prisma_cube import Detector, PrismaCube
from .prisma_place import place_of
from .product import Product, ProductOptions

NAME = re.compile(r"(?P<stem>PRS_(?P<level>L1|L2B|L2C|L2D)_.+)\.(?P<end>he5|zip)", re.IGNORECASE)
UNITS = {
    "L1": "radiance, W/(m2 sr um)",
    "L2B": "radiance, W/(m2 sr um)",
    "L2C": "reflectance",
    "L2D": "reflectance",
}
SOURCES = ("HCO", "HRC")
"""Cubes of a product: those whose detectors lie on one another come first."""
GREEN = 560.0
"""nm"""
CLOUDS = Classes((1,), known=(0, 1, 10, 255))
"""Classes of ``Cloud_Mask``: clear, cloud, not classified, error."""


@dataclass(frozen=True)
class Prisma(Product):
    """A product of PRISMA."""

    @classmethod
    def recognise(cls, name: str, options: ProductOptions) -> Prisma | None:
        """Recognise a file by its name.

        Raises
        ------
        ConfigError
            When ``options`` choose what the product does not have.
        """
        if not is_local(name) or not NAME.fullmatch(os.path.basename(name)):
            return None
        options.require_default(name, "a product of PRISMA")
        return cls(name)

    @property
    def stem(self) -> str:
        """The name of the file without its end."""
        return PurePath(self.name).stem

    @property
    def paths(self) -> tuple[str, ...]:
        """The file."""
        return (self.name,)

    @property
    def date(self) -> date | None:
        """Day of the acquisition."""
        return date_of(self.stem)

    def absolute(self) -> Prisma:
        """Return the product with an absolute path."""
        return replace(self, name=os.path.abspath(self.name))

    @contextmanager
    def open(self, access: Access = DEFAULT) -> Iterator[Dataset]:
        """Open the cubes; the context closes them.

        Raises
        ------
        RasterError
            When the file is missing or damaged, or contradicts itself.
        """
        level = self._level()
        with open_hdf5(self.name) as file:
            with reading(file.name):
                dataset = self._dataset(file, level)
            yield dataset

    def _dataset(self, file: HDF5File, level: str) -> ArrayDataset:
        swath = _swath(file, level)
        # L2 stores 0 outside the scene, and where the atmospheric correction failed.  Radiance of
        # L1 is 0 in deep absorption bands, too, but not in green light.
        nodata = None if level == "L1" else 0.0
        cube = _cube(file, swath, light=None if nodata == 0 else GREEN)
        bands = prisma_bands(cube, nodata)
        where = place_of(file, swath, cube.shape, level)
        masks = self._masks(file, swath)
        unmasked = tuple(_unmasked(masks, cube))
        return ArrayDataset(
            file.name,
            where.grid,
            bands,
            cube,
            where,
            (self.name,),
            masks=masks,
            facts=ProductFacts(f"PRISMA {level}", self.date, UNITS[level], guessed=unmasked),
        )

    def _level(self) -> str:
        match = NAME.fullmatch(os.path.basename(self.name))
        if match is None or match["end"].lower() == "zip":
            raise RasterError(
                f"{displayed(self.name)} is an archive, in which HDF5 cannot be read. Unpack it, "
                f"and name the .he5 file."
            )
        return match["level"].upper()

    def _masks(self, file: HDF5File, swath: str) -> tuple[MaskLayer, ...]:
        """Return the mask of clouds, which only L1 has."""
        path = f"{swath}/Data Fields/Cloud_Mask"
        if file.find(path) is None:
            return ()
        return (MaskLayer(HDF5Layer(self.name, path), CLOUDS, "Cloud_Mask: cloud"),)


def _unmasked(masks: tuple[MaskLayer, ...], cube: PrismaCube) -> Iterator[str]:
    """Yield a sentence about each thing that is not masked."""
    if not masks:
        yield "no Cloud_Mask, so not masked: cloud"
    for detector in cube.detectors:
        if detector.errors is None:
            yield f"no matrix of errors, so not masked: errors of {detector.name}"


def _swath(file: HDF5File, level: str) -> str:
    swaths = [f"HDFEOS/SWATHS/PRS_{level}_{source}" for source in SOURCES]
    found = [swath for swath in swaths if file.find(f"{swath}/Data Fields/VNIR_Cube")]
    if not found:
        raise RasterError(
            f"{file.name} has no {swaths[0]}/Data Fields/VNIR_Cube, which every PRISMA {level} "
            f"has. {DAMAGED}"
        )
    return found[0]


def _cube(file: HDF5File, swath: str, light: float | None) -> PrismaCube:
    vnir, swir = (Detector.of(file, swath, name) for name in ("VNIR", "SWIR"))
    if vnir.cube.shape[::2] != swir.cube.shape[::2]:
        raise RasterError(
            f"{file.name} contradicts itself: VNIR has {vnir.cube.shape[::2]} rows and columns, "
            f"SWIR {swir.cube.shape[::2]}. {DAMAGED}"
        )
    if light is None:
        return PrismaCube((vnir, swir))
    distances = np.abs(np.subtract(vnir.wavelengths, light))
    return PrismaCube((vnir, swir), light=int(np.argmin(distances)) + 1)
