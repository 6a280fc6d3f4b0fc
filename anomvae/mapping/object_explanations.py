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
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..detector import Detector
from ..objects import Explain, ObjectExplanations, pixels_of, pixels_of_small
from ..objects.surroundings import FARTHEST, annulus_of
from ..parallel import Progress, ahead, quiet
from ..pixels.tiling import Tile, Window, fitting_size, shape_of, tile_at, tiles
from ..pixels.views import Mask, View, where_newest
from ..raster import OpenScene
from .flagging import report
from .near_pixels import Nearness, NearStore, pixels_at, widened
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

Value = TypeVar("Value", np.bool_, np.int32, np.float32)
ReadFlags = Callable[[Window], NDArray[np.bool_]]
Explainer = Callable[[ReadFlags], Explain]
"""Makes what explains objects from what reads the flags of a window."""


def explainer_of(
    scorer: Scorer,
    opened: OpenScene,
    scores: Callable[[Window], NDArray[np.float32]],
    near: NearStore,
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
    near : NearStore
        Pixels that were kept meanwhile (`nearness_of`).
    progress : Progress, optional
        Called for every window.
    """
    if not isinstance(scorer, Detector):
        return None
    return lambda flagged: ObjectExplainer(scorer, opened, scores, near, flagged, progress)


def nearness_of(scorer: Scorer) -> Nearness | None:
    """Return which pixels of a scene are kept to explain its objects; None: none are explained."""
    if not isinstance(scorer, Detector):
        return None
    return Nearness.of(scorer.threshold.value, scorer.view.radius)


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
    near: NearStore
    """Its pixels that were kept."""
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
        return sums.explanations()

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
            for inside, owners, spectra in parts:
                sums.add_annuli(owners, spectra)
                yield inside

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
        """Read the pixels of objects and of their annuli in a window."""
        around, objects = part
        objects, annuli = objects[around.inner], annulus_of(objects)[around.inner]
        annuli[self.flagged(around.keep)] = 0
        detector, weighted = self.detector, self.detector.card.weighting is not None
        tile = tile_at(around.keep, self.opened.grid.shape, detector.view.radius)
        needed = widened(_placed(tile, objects > 0), detector.view.radius)
        needed |= _placed(tile, annuli > 0)
        values = self._values(tile.read, needed)
        owners, near = (_placed(tile, plane)[needed] for plane in (objects, annuli))
        spectra = values[:, -1, : len(detector.bands)]
        # Where examples are pixels alone, they may lie in a row.
        frame = needed if detector.view.radius else np.ones((1, len(values)), np.bool_)
        examples, known = _examples(detector.view, values, frame, owners > 0)
        scores = _placed(tile, self.scores(tile.keep))[needed] if weighted else None
        inside = Batch(
            owners[known].astype(np.int64) - 1,
            examples,
            spectra[known],
            None if scores is None else scores[known],
        )
        return Neighbourhood(inside, near[near > 0].astype(np.int64) - 1, spectra[near > 0])

    def _values(self, window: Window, needed: Mask) -> NDArray[np.float32]:
        """Return the values of pixels of a window, (pixel, time, value)."""
        kept = self.near.read(window, needed)
        return pixels_at(self.opened.read(window), needed) if kept is None else kept


class Neighbourhood(NamedTuple):
    """Pixels of a window that explain objects."""

    inside: Batch
    """Those of the objects."""
    owners: Numbers
    """The object, from 0, of each pixel of an annulus, (n,)."""
    annuli: NDArray[np.float32]
    """Their bands, (n, band)."""


def _placed(tile: Tile, plane: NDArray[Value]) -> NDArray[Value]:
    """Return a plane of the kept pixels of a tile, (row, col), with zeros around them."""
    placed = np.zeros(shape_of(tile.read), plane.dtype)
    placed[tile.inner] = plane
    return placed


def _examples(
    view: View, values: NDArray[np.float32], frame: Mask, chosen: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the examples at those pixels that are chosen and can be scored, and which these are.

    ``values`` are those of the pixels of a frame, axes (row, col); the others have no data.
    """
    block = np.full((values.shape[1], *frame.shape, values.shape[2]), np.nan, np.float32)
    block[:, frame] = np.moveaxis(values, 1, 0)
    wanted = np.zeros(frame.shape, np.bool_)
    wanted[frame] = chosen
    where = where_newest(view, block, (slice(None), slice(None)), wanted)
    return np.asarray(view.split(block, where)[:]), where[-1][frame]


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
