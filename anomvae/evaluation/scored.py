"""Scored windows: labels beside scores, kept on disk, because ranks need all pixels of a scene."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..files import writing
from ..pixels.tiling import Window
from ..stats.ranks import Pairs

MEMORY_BYTES = 64 * 2**20
"""Windows of a small scene are kept in memory, those of a larger one in a temporary file."""


class ScoredWindow(NamedTuple):
    """Labels and scores of a window, axes (row, col); NaN = unknown, or no data."""

    window: Window
    labels: NDArray[np.floating]
    scores: NDArray[np.floating]

    def known(self) -> ScoredWindow:
        """Return the window with labels only where there is a score."""
        labels = np.where(np.isfinite(self.scores), self.labels, np.nan)
        return self._replace(labels=labels)


Stream = Callable[[], Iterable[ScoredWindow]]
"""Starts to read the windows of a scene; each call gives the same ones."""


def pairs_of(stream: Stream) -> Pairs:
    """Return a stream of labels and scores without their windows."""
    return lambda: ((one.labels, one.scores) for one in stream())


@contextmanager
def stored(windows: Iterable[ScoredWindow]) -> Iterator[Stream]:
    """Store windows for as long as the context is open, to read them several times.

    Raises
    ------
    NotWritten
        When the folder of temporary files (``TMPDIR``) is full.
    """
    with tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES) as file:
        places = []
        for one in windows:
            with writing(Path(tempfile.gettempdir())):
                np.lib.format.write_array(file, one.labels, allow_pickle=False)
                np.lib.format.write_array(file, one.scores, allow_pickle=False)
            places.append(one.window)

        def stream() -> Iterator[ScoredWindow]:
            file.seek(0)
            for window in places:
                labels, scores = (
                    np.lib.format.read_array(file, allow_pickle=False) for _ in range(2)
                )
                yield ScoredWindow(window, labels, scores)

        yield stream
