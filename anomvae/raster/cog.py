"""Lay a cloud-optimised GeoTIFF out of blocks that are compressed already.

All directories come first, that of the raster before those of its overviews, the largest first.
Then come the blocks, those of the smallest overview first, each level band by band and row by row:
a viewer reads the beginning of the file, and what it shows at first follows.  The ghost area
between header and directories declares the order, and that each block lies between its size, 4
bytes, and a copy of its last 4 bytes (https://gdal.org/en/stable/drivers/raster/cog.html).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .tiff import (
    LENGTH,
    LONG,
    LONG8,
    OF_OVERVIEWS,
    SUBFILE,
    TILE_OFFSETS,
    TILE_SIZES,
    WIDTH,
    Directory,
    directory_bytes,
    unsigned,
)

_LAYOUT = (
    b"LAYOUT=IFDS_BEFORE_DATA\nBLOCK_ORDER=ROW_MAJOR\nBLOCK_LEADER=SIZE_AS_UINT4\n"
    b"BLOCK_TRAILER=LAST_4_BYTES_REPEATED\nKNOWN_INCOMPATIBLE_EDITION=NO\n "
)
GHOST = b"GDAL_STRUCTURAL_METADATA_SIZE=%06d bytes\n%s" % (len(_LAYOUT), _LAYOUT)
AROUND = 4
"""Bytes before a block, and behind it."""
CLASSIC_BYTES = 2**32
"""A classic TIFF is smaller."""


@dataclass(frozen=True, eq=False)
class BlocksOnDisk:
    """The blocks of a level in a temporary file, listed band by band, each row by row."""

    path: Path
    """The file."""
    shape: tuple[int, int]
    """Rows and columns of the level."""
    offsets: NDArray[np.int64]
    """Where each block begins."""
    sizes: NDArray[np.int64]
    """Bytes of each block."""


class _Plan(NamedTuple):
    header: bytes
    """All that comes before the blocks."""
    end: int
    """Bytes of the file."""


def lay_out(path: Path, tags: Directory, levels: Sequence[BlocksOnDisk]) -> None:
    """Write a COG.

    Parameters
    ----------
    path : path
        The file to make.
    tags : Directory
        Tags of the raster; those of its blocks are replaced.
    levels : sequence of BlocksOnDisk
        The raster, and its overviews, the largest first.

    Raises
    ------
    OSError
        If the disk is full.
    """
    plan = _planned(tags, levels, big=False)
    if plan.end >= CLASSIC_BYTES:
        plan = _planned(tags, levels, big=True)
    with path.open("wb") as out:
        out.write(plan.header)
        for level in reversed(levels):
            with level.path.open("rb") as blocks:
                for offset, size in zip(level.offsets.tolist(), level.sizes.tolist(), strict=True):
                    blocks.seek(offset)
                    block = blocks.read(size)
                    out.write(struct.pack("<I", size))
                    out.write(block)
                    out.write(block[-AROUND:])


def _planned(tags: Directory, levels: Sequence[BlocksOnDisk], *, big: bool) -> _Plan:
    """Place everything: directories keep their length whatever the offsets in them."""
    magic = struct.pack("<2sHHH", b"II", 43, 8, 0) if big else struct.pack("<2sH", b"II", 42)
    word = struct.Struct("<Q" if big else "<I")
    first = len(magic) + word.size + len(GHOST)
    first += first % 2
    begin = (magic + word.pack(first) + GHOST).ljust(first, b"\0")
    length = sum(
        map(len, _directories(tags, levels, first, [level.offsets for level in levels], big))
    )
    places, end = [], first + length
    for level in reversed(levels):
        ends = end + np.cumsum(level.sizes + 2 * AROUND)
        places.append(ends - level.sizes - AROUND)
        end = int(ends[-1])
    if end >= CLASSIC_BYTES and not big:
        return _Plan(b"", end)  # its offsets do not hold
    return _Plan(begin + b"".join(_directories(tags, levels, first, places[::-1], big)), end)


def _directories(
    tags: Directory,
    levels: Sequence[BlocksOnDisk],
    start: int,
    places: Sequence[NDArray[np.int64]],
    big: bool,
) -> list[bytes]:
    written: list[bytes] = []
    for number, (level, offsets) in enumerate(zip(levels, places, strict=True)):
        own = dict(tags) if number == 0 else _of_overview(tags, level)
        own[TILE_OFFSETS] = unsigned(LONG8 if big else LONG, offsets)
        own[TILE_SIZES] = unsigned(LONG, level.sizes)
        written.append(directory_bytes(own, start, big=big, last=number == len(levels) - 1))
        start += len(written[-1])
    return written


def _of_overview(tags: Directory, level: BlocksOnDisk) -> Directory:
    kept = {tag: entry for tag, entry in tags.items() if tag in OF_OVERVIEWS}
    size = {LENGTH: unsigned(LONG, level.shape[0]), WIDTH: unsigned(LONG, level.shape[1])}
    return kept | size | {SUBFILE: unsigned(LONG, 1)}  # 1: a smaller version of another image
