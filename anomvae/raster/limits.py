"""Limits of what is opened, checked from the header before any pixel is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from rasterio.io import DatasetReader

from ..errors import RasterError


@dataclass(frozen=True)
class Limits:
    """The largest raster that is opened; what is ordinary lies well below."""

    bands: int = 5_000
    """Bands of a raster; imaging spectrometers have 200 to 450."""
    side: int = 1_000_000
    """Rows, or columns: whole rows of tiles are held in memory."""
    pixels: int = 20_000_000_000
    """Rows times columns; a raster of 100,000 x 100,000 pixels has half of it."""
    block_bytes: int = 600_000_000
    """A stored block (tile, strip) in memory: GDAL decompresses a block whole, and all bands of one
    if the file is interleaved by pixel."""
    document_bytes: int = 32_000_000
    """The XML of a VRT; one of 12 bands and 5,000 sources has 25 MB."""
    sources: int = 250_000
    """Sources of a VRT, counted as often as a band names them, and those of VRTs inside it."""


DEFAULT_LIMITS = Limits()


def require_within(dataset: DatasetReader, name: str, limits: Limits | None) -> None:
    """Raise `RasterError` if a raster exceeds a limit; None: there are none."""
    if limits is None:
        return
    rows, cols = dataset.shape
    require_at_most(name, "bands", dataset.count, limits.bands)
    require_at_most(name, "rows or columns", max(rows, cols), limits.side)
    require_at_most(name, "pixels", rows * cols, limits.pixels)
    largest = max(_block_bytes(dataset), default=0)
    require_at_most(name, "bytes in a block", largest, limits.block_bytes)


def require_at_most(name: str, what: str, found: int, most: int) -> None:
    """Raise `RasterError` if a count exceeds its limit."""
    if found > most:
        raise RasterError(
            f"{name} has {found} {what}, at most {most} are opened: the file seems damaged, or "
            f"made to exhaust the memory. If it is what you expect, lift the limits "
            f"(--no-limits; no_limits = true of a site; anomvae.Access(limits=None) in Python)."
        )


def _block_bytes(dataset: DatasetReader) -> Iterator[int]:
    """Yield the bytes of a stored block of each band."""
    interleaved = dataset.tags(ns="IMAGE_STRUCTURE").get("INTERLEAVE") == "PIXEL"
    for (rows, cols), kind in set(zip(dataset.block_shapes, dataset.dtypes, strict=True)):
        # numpy lacks GDAL's complex integers.
        size = 4 if kind == "complex_int16" else np.dtype(kind).itemsize
        yield rows * cols * size * (dataset.count if interleaved else 1)
