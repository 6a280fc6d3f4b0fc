"""A two-dimensional array of a file of HDF5 as a product of one band, such as a mask in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePath

from ...addresses import displayed
from ...errors import RasterError
from ...pixels.bands import unnamed_bands
from ...pixels.grid import Grid
from ..access import DEFAULT, Access
from ..array_dataset import ArrayDataset
from ..dataset import Dataset
from ..georeference import Georeference
from ..losses import DAMAGED
from .hdf5 import open_hdf5
from .product import Product
from .variables import StoredCube


@dataclass(frozen=True)
class HDF5Layer(Product):
    """An array with the axes (row, col) in a file of HDF5."""

    variable: str
    """Its path in the file."""

    @property
    def stem(self) -> str:
        """The stem of the file, and the name of the array."""
        return f"{PurePath(self.name).stem}_{self.variable.rpartition('/')[2]}"

    @property
    def paths(self) -> tuple[str, ...]:
        """The file."""
        return (self.name,)

    def absolute(self) -> HDF5Layer:
        """Return the layer with an absolute path."""
        return replace(self, name=os.path.abspath(self.name))

    @contextmanager
    def open(self, access: Access = DEFAULT) -> Iterator[Dataset]:
        """Open the array; the context closes it."""
        with open_hdf5(self.name) as file:
            variable = file.variable(self.variable)
            if len(variable.shape) != 2:
                raise RasterError(
                    f"{file.name}: {self.variable} has the axes {variable.shape}, not (row, col). "
                    f"{DAMAGED}"
                )
            stored = StoredCube(variable, rows=0, cols=1)
            grid = Grid(stored.shape)
            title = f"{displayed(self.name)}:{self.variable}"
            yield ArrayDataset(
                title, grid, unnamed_bands(1), stored, Georeference(grid), (self.name,)
            )
