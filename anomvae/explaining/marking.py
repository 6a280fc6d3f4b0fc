"""Which pixels of a scene a picture marks: those above a threshold, labelled, or in objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..detector import Detector
from ..files import PathText
from ..mapping import Deliverables
from ..mapping.object_finding import object_in
from ..objects import read_strongest_objects
from ..pixels.flag_classes import ANOMALOUS
from ..pixels.tiling import Window
from ..raster import Scene, open_labels, open_raster

UNKNOWN = -1
"""The mark of a pixel that is left out."""
THRESHOLD_MARKS = ("below the threshold", "above the threshold")
MOST_OBJECTS = 5
"""Objects that have a mark of their own."""

Marks = Callable[[Window, NDArray[np.float32]], NDArray[np.int_]]
"""Marks the pixels of a window, given their scores, both (row, col)."""


class Marking(NamedTuple):
    """Which pixels are marked, and as what."""

    marks: Marks
    """0 is not marked, `UNKNOWN` left out."""
    names: tuple[str, ...] = THRESHOLD_MARKS
    """What each mark stands for, from 0."""


def above_threshold(detector: Detector) -> Marking:
    """Mark the pixels above the threshold of a detector; none where it has none."""
    threshold = detector.card.threshold
    value = np.inf if threshold is None else threshold.value
    return Marking(lambda _, scores: (scores > value).astype(int))


@contextmanager
def labelled(labels: PathText, scene: Scene) -> Iterator[Marking]:
    """Mark the pixels of a scene whose label is above 0; those without a label are left out.

    Raises
    ------
    RasterError
        When a file cannot be read.
    GridMismatch
        When the labels are on another grid.
    """
    with (
        scene.open() as opened,
        open_labels(labels, opened.grid, opened.name, scene.access) as file,
    ):

        def marks(window: Window, _: NDArray[np.float32]) -> NDArray[np.int_]:
            values = file.read_first(window)
            return np.where(np.isnan(values), UNKNOWN, values > 0)

        yield Marking(marks, ("labelled normal", "labelled anomalous"))


@contextmanager
def objects_of(folder: PathText, scene: Scene) -> Iterator[Marking]:
    """Mark the flagged pixels of a scene by the objects in a folder of its results.

    The strongest objects have a mark each, the others one together.

    Raises
    ------
    FileError, RasterError
        If the folder lacks results of the scene, or they cannot be read.
    GridMismatch
        If the results are those of a scene on another grid.
    """
    with scene.open() as opened:
        files = Deliverables(Path(folder), opened.stem)
        strongest = read_strongest_objects(files.objects, MOST_OBJECTS).items
        found = [object_in(folder, item.id, opened).pixels for item in strongest]
        others = len(found) + 1
        with open_raster(files.flags, access=scene.access) as flags:
            opened.grid.require_same(flags.grid, opened.name, flags.name)

            def marks(window: Window, _: NDArray[np.float32]) -> NDArray[np.int_]:
                result = np.where(flags.read_first(window) == ANOMALOUS, others, 0)
                for mark, pixels in enumerate(found, 1):
                    mine, theirs = overlap(window, pixels.window)
                    result[mine][pixels.mask[theirs]] = mark
                return result

            numbers = (f"object {item.id}" for item in strongest)
            yield Marking(marks, ("not flagged", *numbers, "other objects"))


def overlap(window: Window, other: Window) -> tuple[Window, Window]:
    """Return where two windows overlap: as a window of the first, and of the second."""
    rows, cols = (
        (max(a.start, b.start), max(a.start, b.start, min(a.stop, b.stop)))
        for a, b in zip(window, other, strict=True)
    )

    def within(outer: Window) -> Window:
        top, left = outer[0].start, outer[1].start
        return slice(rows[0] - top, rows[1] - top), slice(cols[0] - left, cols[1] - left)

    return within(window), within(other)
