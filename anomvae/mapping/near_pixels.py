"""Pixels near what may be anomalous, kept while a scene is scored: they are explained afterwards.

Decoding a file costs more than all else of an explanation.  So what an explanation needs waits in a
temporary file: the values of pixels near scores above the threshold of the detector, and of those
at the sides of tiles, because what lies beyond is in another tile.  Whatever is not there is read
from the scene once more: of thresholds that the scene chooses, and where very many pixels are near.
"""

from __future__ import annotations

import tempfile
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..files import ended, writing
from ..objects.surroundings import FARTHEST
from ..pixels.stored_block import StoredBlock
from ..pixels.tiling import Tile, Window, common, shape_of, within
from ..pixels.views import Block, Mask

MOST_BYTES = 2**30
"""Of the temporary file."""
MOST_SHARE = 0.5
"""Of the pixels of a tile: where more are near, none are kept, to save memory and disk."""


class NearPixels(NamedTuple):
    """Pixels of a tile that are kept."""

    where: Mask
    """Which of its kept pixels they are, axes (row, col)."""
    values: NDArray[np.float32]
    """Their values, axes (pixel, time, value); NaN = no data."""


@dataclass(frozen=True)
class Nearness:
    """Which pixels of a tile are kept."""

    threshold: float
    """Those near scores above it, and those near the sides of the tile."""
    reach: int
    """How near, pixels: the larger of rows and columns."""

    @classmethod
    def of(cls, threshold: float, radius: int) -> Nearness:
        """Keep what explains the objects of a threshold by examples of a receptive radius."""
        return cls(threshold, max(FARTHEST, radius))

    def pixels(
        self, tile: Tile, block: Block | StoredBlock, scores: NDArray[np.float32]
    ) -> NearPixels | None:
        """Return the pixels of a tile that are kept, given the scores of its kept pixels."""
        where, reach = widened(scores > self.threshold, self.reach), self.reach
        for rows in (where, where.T):
            rows[:reach] = rows[max(0, len(rows) - reach) :] = True
        if np.count_nonzero(where) > MOST_SHARE * where.size:
            return None
        return NearPixels(where, pixels_at(block[(slice(None), *tile.inner)], where))


def pixels_at(block: Block | StoredBlock, where: Mask) -> NDArray[np.float32]:
    """Return the values of pixels of a block, axes (pixel, time, value); ``where``: (row, col)."""
    return np.moveaxis(np.asarray(block[:, where]), 0, 1)


def widened(mask: Mask, reach: int) -> Mask:
    """Return which pixels lie within ``reach`` of those of a mask; the larger of rows and columns.

    Examples
    --------
    >>> widened(np.array([[True, False, False, False]]), 2)
    array([[ True,  True,  True, False]])
    """
    for _ in range(2):
        wide = mask.copy("K")
        for step in range(1, min(reach, len(mask) - 1) + 1):
            wide[step:] |= mask[:-step]
            wide[:-step] |= mask[step:]
        mask = wide.T
    return mask


class _KeptTile(NamedTuple):
    keep: Window
    start: int
    """Where the file has it."""


class NearStore:
    """Near pixels of the tiles of a scene; `near_store` makes one."""

    def __init__(self, file: IO[bytes], folder: Path) -> None:
        self._file, self._folder = file, folder
        self._tiles: list[_KeptTile] = []
        self._end = 0
        self._shape = (0, 0)

    def add(self, keep: Window, pixels: NearPixels) -> None:
        """Keep the pixels of the next tile, until the file is full.

        Raises
        ------
        NotWritten
            If the folder of the file is full.
        """
        if self._end + pixels.values.nbytes > MOST_BYTES:
            return
        self._tiles.append(_KeptTile(keep, self._end))
        self._shape = pixels.values.shape[1:]
        with writing(self._folder):
            for content in (np.packbits(pixels.where), np.ascontiguousarray(pixels.values)):
                self._end += self._file.write(content.data)
            self._file.flush()  # here, where an error has the name of the folder

    def read(self, window: Window, needed: Mask) -> NDArray[np.float32] | None:
        """Return the values of pixels of a window, axes (pixel, time, value).

        None where any of those ``needed``, axes (row, col), is not kept, and where nothing is.
        """
        if not self._tiles:
            return None
        numbers = np.cumsum(needed, dtype=np.int32).reshape(needed.shape)  # from 1 on
        values = np.empty((int(numbers[-1, -1]), *self._shape), np.float32)
        found = 0
        first = bisect_right(self._tiles, window[0].start, key=lambda tile: tile.keep[0].stop)
        last = bisect_left(self._tiles, window[0].stop, key=lambda tile: tile.keep[0].start)
        for tile in self._tiles[first:last]:  # in order of their rows
            both = common(tile.keep, window)
            if all(part.start < part.stop for part in both):
                inside = within(both, window)
                where, kept = self._part(tile, both)
                wanted = needed[inside]
                values[numbers[inside][where & wanted] - 1] = kept[wanted[where]]
                found += int(np.count_nonzero(where & wanted))
        return values if found == len(values) else None

    def _part(self, tile: _KeptTile, part: Window) -> tuple[Mask, NDArray[np.float32]]:
        """Return the pixels in a part of a tile, and their values."""
        shape, (rows, cols) = shape_of(tile.keep), within(part, tile.keep)
        size = -(-shape[0] * shape[1] // 8)
        self._file.seek(tile.start)
        bits = np.frombuffer(self._file.read(size), np.uint8)
        where = np.unpackbits(bits, count=shape[0] * shape[1]).view(np.bool_).reshape(shape)
        before, inside = (int(np.count_nonzero(where[: rows.start])), where[rows])
        bytes_each = 4 * self._shape[0] * self._shape[1]
        self._file.seek(tile.start + size + before * bytes_each)
        content = self._file.read(int(np.count_nonzero(inside)) * bytes_each)
        values = np.frombuffer(content, np.float32).reshape(-1, *self._shape)
        if shape_of(part)[1] < shape[1]:
            chosen = np.zeros_like(inside)
            chosen[:, cols] = inside[:, cols]
            values = values[chosen[inside]]
        return inside[:, cols], values


@contextmanager
def near_store(folder: Path) -> Iterator[NearStore]:
    """Keep pixels in a temporary file of a folder for as long as the context is open."""
    with ended(tempfile.TemporaryFile(dir=folder)) as file:
        yield NearStore(file, folder)
