"""Explain the strongest objects of a scored scene: one more pass over the pixels around them.

Windows depend on the scene's file alone, and sums are float64 in their order, so explanations are
the same to the bit whatever tiles and workers scored the scene.  Memory follows the limits below,
not the scene.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..detector import Detector
from ..objects import Explain, ObjectExplanations, pixels_of, pixels_of_small
from ..objects.surroundings import FARTHEST, annulus_of
from ..parallel import Progress, ahead, quiet
from ..pixels.tiling import Tile, Window, fitting_size, tile_at, tiles
from ..pixels.views import Block, where_newest
from ..raster import OpenScene
from .flagging import report
from .object_sums import Batch, Numbers, ObjectSums
from .scorer import Scorer

log = logging.getLogger(__name__)

MOST_OBJECTS = 10_000
MOST_VALUES = 500_000
"""Objects times bands: 2,500 objects of 200 bands; their file takes 15 MB."""
MOST_PIXELS = 2**21
"""Pixels of all objects together."""
WINDOW_BYTES = 4 * 2**20
"""Of float32 in a window that is read: small, so that few pixels far from objects are read."""
BATCH_VALUES = 2**19
"""Values of the examples that are explained at a time."""

ReadFlags = Callable[[Window], NDArray[np.bool_]]
Explainer = Callable[[ReadFlags], Explain]
"""Makes what explains objects from what reads the flags of a window."""


def explainer_of(
    scorer: Scorer,
    opened: OpenScene,
    scores: Callable[[Window], NDArray[np.float32]],
    progress: Progress = quiet,
) -> Explainer | None:
    """Return what explains the objects of a scene by what has scored it; None: nothing does.

    Parameters
    ----------
    scorer : Scorer
        What scored the scene (`adapted_scorer`); only a detector explains.
    opened : OpenScene
        The scene.
    scores : callable
        Reads the scores of a window of the map.
    progress : Progress, optional
        Called for every window.
    """
    if not isinstance(scorer, Detector):
        return None
    return lambda flagged: ObjectExplainer(scorer, opened, scores, flagged, progress)


@dataclass(frozen=True)
class Members:
    """The pixels of the objects that are explained, in reading order."""

    places: Numbers
    """Number of each pixel in the scene, (n,)."""
    owners: Numbers
    """Its object, from 0, (n,)."""
    width: int
    """Columns of the scene."""

    def within(self, window: Window) -> NDArray[np.int32]:
        """Return the number of the object of each pixel of a window, from 1; 0 = none."""
        rows, cols = window
        first, last = np.searchsorted(
            self.places, [r * self.width for r in (rows.start, rows.stop)]
        )
        row, col = np.divmod(self.places[first:last], self.width)
        inside = (col >= cols.start) & (col < cols.stop)
        numbers = np.zeros((rows.stop - rows.start, cols.stop - cols.start), np.int32)
        at = row[inside] - rows.start, col[inside] - cols.start
        numbers[at] = self.owners[first:last][inside] + 1
        return numbers


@dataclass(frozen=True)
class ObjectExplainer:
    """Explains the objects of a scene."""

    detector: Detector
    """Adapted to the scene."""
    opened: OpenScene
    """The scene."""
    scores: Callable[[Window], NDArray[np.float32]]
    """Reads the scores of a window of its map."""
    flagged: ReadFlags
    """Reads which of its pixels are flagged."""
    progress: Progress = quiet
    """Called for every window."""

    def __call__(self, peaks: Numbers) -> ObjectExplanations:
        """Explain the objects at peaks, strongest first; as many as the limits allow.

        ``peaks`` has axes (object, coordinate): row, col.
        """
        bands = self.detector.bands
        members, count = self._members(peaks[: min(MOST_OBJECTS, MOST_VALUES // len(bands))])
        if count < len(peaks):
            text = "%s: the %d strongest of %d objects are explained"
            log.info(text, self.opened.name, count, len(peaks))
        sums = ObjectSums(self.detector, count)
        with closing(self._batches(members, sums)) as batches:
            for batch in _joined(batches):
                sums.add(batch)
        return ObjectExplanations(bands, count, map(sums.explanation, range(count)))

    def _members(self, peaks: Numbers) -> tuple[Members, int]:
        """Return the pixels of the first objects, and how many these are."""
        place, owner = pixels_of_small(self.flagged, peaks, self.opened.grid.shape)
        areas = np.bincount(owner, minlength=len(peaks))
        places, owners, total, count = [place], [owner], 0, len(peaks)
        for number, (row, col) in enumerate(peaks.tolist()):
            if not areas[number]:
                places.append(self._places(row, col))
                owners.append(np.full(len(places[-1]), number))
            total += areas[number] or len(places[-1])
            if total > MOST_PIXELS:
                count = number
                break
        place, owner = np.concatenate(places), np.concatenate(owners)
        order = np.argsort(place)
        order = order[owner[order] < count]
        return Members(place[order], owner[order], self.opened.grid.shape[1]), count

    def _places(self, row: int, col: int) -> Numbers:
        """Return the numbers of the pixels of the object at a peak."""
        shape = self.opened.grid.shape
        found = pixels_of(self.flagged, (row, col), shape)
        rows, cols = np.nonzero(found.mask)
        first_row, first_col = (part.start for part in found.window)
        return np.asarray((rows + first_row) * shape[1] + cols + first_col)

    def _batches(self, members: Members, sums: ObjectSums) -> Generator[Batch, None, None]:
        """Read the windows that hold objects; add up the annuli, and yield the pixels."""
        with closing(ahead(self._read, self._parts(members))) as parts:
            for part in parts:
                yield self._batch(part, sums)

    def _parts(self, members: Members) -> Iterator[tuple[Tile, NDArray[np.int32]]]:
        """Yield each window near objects, with the halo of annuli, and the objects that it reads.

        These are numbered from 1, 0 = none, axes (row, col).
        """
        shape, block = self.opened.grid.shape, self.opened.block_shape
        size = fitting_size(shape, block, self.opened.values_per_pixel, WINDOW_BYTES)
        for around in tiles(shape, size, FARTHEST):
            objects = members.within(around.read)
            if objects.any():
                yield around, objects
            report(self.progress, "explain", around.keep, shape)

    def _read(self, part: tuple[Tile, NDArray[np.int32]]) -> Neighbourhood:
        """Read a window, with the halo of the detector."""
        around, objects = part
        radius = self.detector.view.radius
        tile = tile_at(around.keep, self.opened.grid.shape, radius)
        return Neighbourhood(tile, around, objects, self.opened.read(tile.read))

    def _batch(self, part: Neighbourhood, sums: ObjectSums) -> Batch:
        detector, (tile, around, numbers, block) = self.detector, part
        annuli, objects = annulus_of(numbers)[around.inner], numbers[around.inner]
        annuli[self.flagged(tile.keep)] = 0
        spectra = block[-1][tile.inner][..., : len(detector.bands)]
        near = annuli > 0
        sums.add_annuli(annuli[near].astype(np.int64) - 1, spectra[near])
        only = where_newest(detector.view, block, tile.inner, objects > 0)
        inside = only[-1][tile.inner]
        return Batch(
            objects[inside].astype(np.int64) - 1,
            np.asarray(detector.view.split(block, only)[:]),
            spectra[inside],
            None if detector.card.weighting is None else self.scores(tile.keep)[inside],
        )


class Neighbourhood(NamedTuple):
    """A window of the scene, read."""

    tile: Tile
    """Its pixels, with the halo of the detector."""
    around: Tile
    """The same with the halo of annuli."""
    objects: NDArray[np.int32]
    """The number of the object of each pixel of ``around``, from 1; 0 = none."""
    block: Block
    """The pixels of ``tile``, axes (time, row, col, value)."""


def _joined(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Join batches: a detector pads each to the size of its own."""
    waiting: list[Batch] = []
    values = 0
    for batch in batches:
        waiting.append(batch)
        values += batch.examples.size
        if values >= BATCH_VALUES:
            yield Batch.joined(waiting)
            waiting, values = [], 0
    if waiting:
        yield Batch.joined(waiting)
