"""Objects in order of rank: the highest score first, of equal ones the first in reading order.

No rank is known before the last object has ended, so the text of each object waits in a temporary
file, which grows to the size of the objects file.  Memory holds 36 bytes for each object that
waits, and about 75 while they are sorted.  With a limit only the objects that are among the
strongest so far are written and held.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..files import writing
from .labelling import ObjectTable, Table

PValues = Callable[[NDArray[np.float32]], NDArray[np.floating]]
"""Returns the p-value of each score, in [0, 1]."""

AT_ONCE = 64
"""Texts that are written or read at a time."""
PLACE = np.dtype(
    [
        ("peak", np.float32),  # the highest score
        ("first", np.int64),  # number of its first pixel in reading order
        ("peak_at", np.int64),  # number of the first pixel that has the highest score
        ("start", np.int64),  # of its text in the file, bytes
        ("size", np.int64),  # bytes
    ]
)


@dataclass(frozen=True)
class Listing:
    """Which objects a file lists, and what their scores are compared with."""

    threshold: float
    """Scores above it are anomalous; in the unit of the score."""
    p_values: PValues | None = None
    """None where the rule of the threshold has no p-values."""
    min_area: int = 1
    """Objects of fewer pixels are dropped."""
    top: int | None = None
    """Number of objects of the largest margin that are listed; None: all."""


class RankedTexts:
    """Texts of objects in a temporary file, to be read in order of rank."""

    def __init__(self, folder: Path, top: int | None = None) -> None:
        self._folder = folder
        self._top = top
        self._places = [np.empty(0, PLACE)]
        self._end = 0

    def __enter__(self) -> RankedTexts:
        """Open the file, which has no name in the folder."""
        self._file = tempfile.TemporaryFile(dir=self._folder)
        return self

    def __exit__(self, *_: object) -> None:
        """Close and thereby remove the file."""
        with suppress(OSError):  # of a full disk, where the rest of a text is written only now
            self._file.close()

    def add(self, table: ObjectTable, texts_of: Callable[[ObjectTable], Iterator[str]]) -> None:
        """Add objects and their texts; with a limit, only those among the strongest so far."""
        if self._top is not None:
            table = self._strongest(table, self._top)
        places, sizes, texts = _places_of(table), list[int](), texts_of(table)
        while contents := [text.encode() for text in islice(texts, AT_ONCE)]:
            with writing(self._folder):
                self._file.write(b"".join(contents))
            sizes += map(len, contents)
        places["size"] = sizes
        ends = self._end + np.cumsum(places["size"])
        places["start"] = ends - places["size"]
        self._end = int(ends[-1]) if len(ends) else self._end
        self._places.append(places)

    def peaks(self) -> NDArray[np.int64]:
        """Return the number of the peak of each object in the scene, in order of rank."""
        places = self._all()
        return np.asarray(places["peak_at"][_order(places)])

    def in_order(self) -> Iterator[str]:
        """Yield the texts in order of rank; no objects are added afterwards."""
        places = self._all()
        order = _order(places)
        for first in range(0, len(order), AT_ONCE):
            some = places[order[first : first + AT_ONCE]]
            with writing(self._folder):  # what was added may not be on disk yet
                texts = list(map(self._text, some["start"].tolist(), some["size"].tolist()))
            yield from texts

    def _text(self, start: int, size: int) -> str:
        self._file.seek(start)
        return self._file.read(size).decode()

    def _all(self) -> Table:
        self._places = [np.concatenate(self._places)]
        return self._places[0]

    def _strongest(self, table: ObjectTable, top: int) -> ObjectTable:
        """Return the objects among the strongest so far, and drop those that no longer are."""
        known = np.concatenate(self._places)
        both = np.concatenate([known, _places_of(table)])
        kept = np.zeros(len(both), np.bool_)
        kept[_order(both)[:top]] = True
        self._places = [known[kept[: len(known)]]]
        return table.only(kept[len(known) :])


def _places_of(table: ObjectTable) -> Table:
    places = np.zeros(len(table.objects), PLACE)
    for name in ("peak", "first", "peak_at"):
        places[name] = table.objects[name]
    return places


def _order(places: Table) -> NDArray[np.intp]:
    """Return the rows in order of rank."""
    return np.lexsort((places["first"], -places["peak"]))
