"""Numbers of a scene that no map holds, kept on disk: ranks and decisions need all of them.

They are scores, NaN = no data, or which pixels are masked; axes are (row, col).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..files import ended, writing
from ..pixels.tiling import Window, shape_of

MEMORY_BYTES = 8 * 2**20
"""The numbers of a small scene are kept in memory, those of a larger one in a temporary file."""

Number = TypeVar("Number", np.float32, np.float64, np.bool_, np.int8, np.int32)


class StoredScores(Generic[Number]):
    """Scores of a whole grid, written and read by window; `stored` makes them."""

    def __init__(self, file: IO[bytes], cols: int, kind: type[Number], folder: Path) -> None:
        self._file, self._cols, self._folder = file, cols, folder
        self._kind: np.dtype[Number] = np.dtype(kind)

    def write(self, window: Window, scores: NDArray[Any]) -> None:
        """Store the scores of a window.

        Raises
        ------
        NotWritten
            If the folder of the temporary file is full.
        """
        with writing(self._folder):
            for line, _ in zip(scores.astype(self._kind), self._lines(window), strict=True):
                self._file.write(line.tobytes())
            self._file.flush()

    def read(self, window: Window) -> NDArray[Number]:
        """Return the scores of a window, all of which has been written."""
        cols = shape_of(window)[1]
        data = b"".join(self._file.read(cols * self._kind.itemsize) for _ in self._lines(window))
        return np.frombuffer(data, self._kind).reshape(-1, cols)

    def _lines(self, window: Window) -> Iterator[int]:
        """Go to the beginning of each row of a window."""
        rows, cols = window
        for row in range(rows.start, rows.stop):
            yield self._file.seek((row * self._cols + cols.start) * self._kind.itemsize)


@contextmanager
def stored(
    shape: tuple[int, int], kind: type[Number], folder: Path | None = None
) -> Iterator[StoredScores[Number]]:
    """Store numbers of a grid, rows and columns, for as long as the context is open.

    The temporary file of many is in ``folder``, by default that of the system (``TMPDIR``).
    """
    place = Path(tempfile.gettempdir()) if folder is None else folder
    with ended(tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES, dir=str(place))) as file:
        yield StoredScores(file, shape[1], kind, place)
