"""Chunks of HDF5 that windows need many times, decompressed once into a temporary file.

A chunk is decompressed as a whole, even for one pixel of it.  Files exist whose chunks span all
rows and columns of a band (NEON since 2022), so each window would decompress the whole cube.
"""

from __future__ import annotations

import logging
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import h5py

log = logging.getLogger(__name__)

CACHE = 100_000_000
"""Bytes of the chunks of an array that stay decompressed in memory."""
MOST = 20_000_000_000
"""Bytes of a temporary file."""

Span = tuple[range, ...]
"""Numbers of chunks along each axis."""


class Unpacking:
    """An array of HDF5 in chunks: as it is stored, or in a temporary file without compression.

    Once windows have decompressed as many bytes as the array has, all of it is unpacked.  So a few
    windows cost no more than their chunks, and many at most twice what is least.
    """

    def __init__(self, dataset: h5py.Dataset, title: str, stack: ExitStack) -> None:
        self._dataset, self._title, self._stack = dataset, title, stack
        self._last: Span = ()
        self._spent = 0
        # What the cache holds is decompressed once in any case.
        self._waits = bool(dataset.chunks) and dataset.nbytes > CACHE

    def source(self, parts: tuple[slice, ...]) -> h5py.Dataset:
        """Return the array to read a part of each axis from.

        Raises
        ------
        OSError, RuntimeError
            When the file is damaged.
        """
        if self._waits:
            self._spent += self._cost(parts)
            if self._spent > self._dataset.nbytes:
                self._waits = False
                self._dataset = self._unpacked()
        return self._dataset

    def _cost(self, parts: tuple[slice, ...]) -> int:
        """Return the bytes of the chunks of a part that the one before did not need."""
        chunks = self._dataset.chunks
        span = tuple(
            range(part.start // side, -(-part.stop // side))
            for part, side in zip(parts, chunks, strict=True)
        )
        size: int = math.prod(chunks) * self._dataset.dtype.itemsize
        new, last = _count(span), self._last
        if last and _count(last) * size <= CACHE:
            new -= _count(
                tuple(
                    range(max(a.start, b.start), max(a.start, b.start, min(a.stop, b.stop)))
                    for a, b in zip(span, last, strict=True)
                )
            )
        self._last = span
        return new * size

    def _unpacked(self) -> h5py.Dataset:
        """Copy the array into a temporary file, if there is room for it."""
        import h5py

        size, place = self._dataset.nbytes, tempfile.gettempdir()
        if size > min(MOST, shutil.disk_usage(place).free // 2):
            log.warning(
                "%s is read slowly: windows cross its chunks, and %s has no room for %.1f GB of "
                "them. Free it, or name a larger folder (TMPDIR).",
                *(self._title, place, size / 1e9),
            )
            return self._dataset
        log.info("%s: %.1f GB are unpacked once into %s", self._title, size / 1e9, place)
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        path = os.path.join(folder, "unpacked.h5")
        # Without a cache, parts of chunks are read from the file directly.
        file = self._stack.enter_context(h5py.File(path, "w", rdcc_nbytes=0))
        with suppress(OSError):  # Windows keeps an open file; elsewhere no crash leaves it behind
            os.unlink(path)
        chunks = self._dataset.chunks
        copy = file.create_dataset("all", self._dataset.shape, self._dataset.dtype, chunks=chunks)
        for part in _chunks(self._dataset.shape, chunks):
            copy[part] = self._dataset[part]
        return copy


def _count(span: Span) -> int:
    return math.prod(map(len, span))


def _chunks(shape: tuple[int, ...], sides: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    axes = (
        [slice(start, min(start + side, length)) for start in range(0, length, side)]
        for length, side in zip(shape, sides, strict=True)
    )
    return product(*axes)
