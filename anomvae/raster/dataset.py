"""What an open product gives: values as float32, NaN where a value is no data.

Arrays have axes (row, col, band).  A `Dataset` reads from a raster of GDAL (`raster_dataset`) or
from arrays (`array_dataset`): whatever it reads from, one rule of validity holds for all.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..identity import FileIdentity, identify_content
from ..pixels.bands import Bands
from ..pixels.grid import Grid
from ..pixels.stored_block import StoredBlock
from ..pixels.tiling import Window, whole
from .gdal import reporting
from .georeference import Georeference
from .losses import DAMAGED, without_losses
from .product_facts import ProductFacts

if TYPE_CHECKING:
    from .mask_layers import MaskLayer


@dataclass(frozen=True)
class Dataset(ABC):
    """An open product: one date, on one grid."""

    name: str
    """The name that the user gave, without secrets; messages use it."""
    grid: Grid
    """Shape, transform and coordinate reference system."""
    bands: Bands
    """All data bands; a product may describe them better than its files."""
    nodata: tuple[float, ...] = field(default=(), kw_only=True)
    """Stored values that are no data in any band, beyond those that the files declare."""
    masks: tuple[MaskLayer, ...] = field(default=(), kw_only=True)
    """The masks that the product carries: of clouds, shadows, snow."""
    facts: ProductFacts = field(default=ProductFacts(), kw_only=True)
    """What was recognised, and what was guessed."""

    @property
    @abstractmethod
    def georeference(self) -> Georeference:
        """What locates the pixels."""

    @property
    @abstractmethod
    def sources(self) -> list[str]:
        """Every file that the pixels come from, each once, without side-cars."""

    @property
    @abstractmethod
    def header(self) -> tuple[object, ...]:
        """What is read beside the pixels and decides about them; its text repeats."""

    @property
    @abstractmethod
    def block_shape(self) -> tuple[int, int]:
        """Rows and columns of the blocks in which the pixels are stored."""

    @property
    @abstractmethod
    def block_bytes(self) -> int:
        """Bytes of one row of blocks of all data bands, as they are stored but decompressed."""

    @property
    @abstractmethod
    def keeps_block(self) -> bool:
        """Whether a row of blocks stays decompressed, whatever the size of GDAL's cache."""

    def splits_blocks(self, size: tuple[int, int]) -> bool:
        """Whether windows of ``size``, side by side, may hold parts of blocks that GDAL caches."""
        return True

    @property
    @abstractmethod
    def types(self) -> tuple[str, ...]:
        """Types in which the data bands are stored, each once."""

    @property
    @abstractmethod
    def hides(self) -> tuple[str, ...]:
        """A description of each mask inside the files that hides pixels."""

    @abstractmethod
    def read(self, bands: Bands, window: Window) -> NDArray[np.float32]:
        """Read bands of a window, axes (row, col, band); NaN = no data.

        Raises
        ------
        RasterError
            When a file is damaged there.
        """

    def read_numbers(self, bands: Bands, window: Window) -> StoredBlock | None:
        """Read bands of a window as numbers of the file, axes (time, row, col, band).

        Their values are those of `read`, and errors, too; None where it has to convert them.
        """
        return None

    @abstractmethod
    def log_decisions(self) -> None:
        """Log what is decided about the files, each in one line."""

    @property
    def files(self) -> tuple[FileIdentity, ...]:
        """Identities of the files that the pixels come from, and what is read from them."""
        with self.describing():
            sources = self.sources
            facts, rest = repr(self.georeference.facts), (*self.header, self.types)
            header = ", ".join([facts, self.bands.digested, *map(repr, rest)])
        digest = hashlib.sha256(f"({header})".encode()).hexdigest()[:16]
        if not sources:  # it lies in memory
            return (FileIdentity(self.name, header=digest),)
        first, *others = identify_content(sources)
        return (replace(first, header=digest), *others)

    def describing(self) -> AbstractContextManager[None]:
        """Read what the files state about the pixels; a failure becomes a `RasterError`."""
        return describing(self.name)

    def first(self) -> Bands:
        """Return the first data band alone, as masks and labels need it."""
        return self.bands.keep([self.bands.items[0]])

    def read_first(self, window: Window | None = None) -> NDArray[np.float32]:
        """Read the first data band, by default whole, axes (row, col); NaN = no data."""
        return self.read(self.first(), window or whole(self.grid.shape))[..., 0]


@contextmanager
def describing(name: str) -> Iterator[None]:
    """Read what the file called ``name`` states about itself: GDAL reads some of it only now."""
    with reporting(f"{name} cannot be described", DAMAGED), without_losses(name):
        yield
