"""Explain the strongest objects of a scored scene: one more pass over the pixels around them.

Windows depend on the scene's file alone, and sums are float64 in their order, so explanations are
the same to the bit whatever tiles and workers scored the scene.  Memory follows the limits below,
not the scene.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..detector import Detector
from ..objects import Explain, Explanations, pixels_of
from ..objects.surroundings import FARTHEST, annulus_of
from ..parallel import Progress, quiet
from ..pixels.tiling import Window, fitting_size, tile_at, tiles
from ..pixels.views import where_newest
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

    def __call__(self, peaks: Numbers) -> Explanations:
        """Explain the objects at peaks, strongest first; as many as the limits allow.

        ``peaks`` has axes (object, coordinate): row, col.
        """
        bands = self.detector.bands
        members, count = self._members(peaks[: min(MOST_OBJECTS, MOST_VALUES // len(bands))])
        if count < len(peaks):
            text = "%s: the %d strongest of %d objects are explained"
            log.info(text, self.opened.name, count, len(peaks))
        sums = ObjectSums(self.detector, count)
        for batch in _joined(self._batches(members, sums)):
            sums.add(batch)
        return Explanations(bands, count, map(sums.explanation, range(count)))

    def _members(self, peaks: Numbers) -> tuple[Members, int]:
        """Return the pixels of the first objects, and how many these are."""
        shape = self.opened.grid.shape
        places, owners, total = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
        for owner, (row, col) in enumerate(peaks.tolist()):
            found = pixels_of(self.flagged, (row, col), shape)
            total += found.area_px
            if total > MOST_PIXELS:
                break
            rows, cols = np.nonzero(found.mask)
            first_row, first_col = (part.start for part in found.window)
            places.append((rows + first_row) * shape[1] + cols + first_col)
            owners.append(np.full(len(rows), owner))
        place, owner_of = np.concatenate(places), np.concatenate(owners)
        order = np.argsort(place)
        return Members(place[order], owner_of[order], shape[1]), len(places) - 1

    def _batches(self, members: Members, sums: ObjectSums) -> Iterator[Batch]:
        """Read the windows that hold objects; add up the annuli, and yield the pixels."""
        shape = self.opened.grid.shape
        for keep in self._windows():
            around = tile_at(keep, shape, FARTHEST)
            objects = members.within(around.read)
            if objects.any():
                annuli = annulus_of(objects)[around.inner]
                annuli[self.flagged(keep)] = 0
                yield self._batch(keep, objects[around.inner], annuli, sums)
            report(self.progress, "explain", keep, shape)

    def _windows(self) -> Iterator[Window]:
        shape, block = self.opened.grid.shape, self.opened.block_shape
        size = fitting_size(shape, block, self.opened.values_per_pixel, WINDOW_BYTES)
        return (tile.keep for tile in tiles(shape, size))

    def _batch(
        self,
        keep: Window,
        objects: NDArray[np.int32],
        annuli: NDArray[np.int32],
        sums: ObjectSums,
    ) -> Batch:
        detector, shape = self.detector, self.opened.grid.shape
        tile = tile_at(keep, shape, detector.view.radius)
        block = self.opened.read(tile.read)
        spectra = block[-1][tile.inner][..., : len(detector.bands)]
        around = annuli > 0
        sums.add_annuli(annuli[around].astype(np.int64) - 1, spectra[around])
        only = where_newest(detector.view, block, tile.inner, objects > 0)
        inside = only[-1][tile.inner]
        return Batch(
            objects[inside].astype(np.int64) - 1,
            np.asarray(detector.view.split(block, only)[:]),
            spectra[inside],
            None if detector.card.weighting is None else self.scores(keep)[inside],
        )


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
