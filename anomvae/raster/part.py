"""Which part of a raster to read, and into how many pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rasterio.enums import Resampling

from ..pixels.tiling import SamplingGrid, Window


@dataclass(frozen=True)
class Part:
    """A window of a raster, and the shape it is read into."""

    window: Window
    """Rows and columns of the raster, pixels."""
    shape: tuple[int, int]
    """Rows and columns of the result; fewer than the window's are drawn by nearest neighbour."""

    @property
    def where(self) -> dict[str, Any]:
        """Say it in the arguments of rasterio's readers that fill a given array."""
        window = tuple((part.start, part.stop) for part in self.window)
        return {"window": window, "resampling": Resampling.nearest}

    @property
    def layer(self) -> dict[str, Any]:
        """Say it in the arguments of rasterio's readers that make an array of one band."""
        return self.where | {"out_shape": self.shape}

    def __str__(self) -> str:
        """Name the rows, in the words of an error."""
        rows = self.window[0]
        return f"rows {rows.start} to {rows.stop - 1}"


def part_at(window: Window) -> Part:
    """Read a window pixel by pixel."""
    rows, cols = (part.stop - part.start for part in window)
    return Part(window, (rows, cols))


def whole(shape: tuple[int, int]) -> Part:
    """Read a whole grid pixel by pixel."""
    return part_at((slice(0, shape[0]), slice(0, shape[1])))


def reduced(shape: tuple[int, int], side: int) -> Part:
    """Read a whole grid into at most ``side`` pixels on its longer side."""
    return Part(whole(shape).window, SamplingGrid.fitting(shape, side).shape)
