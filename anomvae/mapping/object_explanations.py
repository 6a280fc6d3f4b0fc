"""Explain the strongest objects of a scored scene: one more pass over the pixels around them.

Windows depend on the scene's file alone, and sums are float64 in their order, so explanations are
the same to the bit whatever tiles and workers scored the scene.  Memory follows the limits below,
not the scene.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..detector import Detector
from ..objects import Explain, Explanations, LeadingBand, ObjectExplanation, pixels_of
from ..objects.explanations import LEADING
from ..objects.surroundings import FARTHEST, annulus_of
from ..parallel import Progress, quiet
from ..pixels.tiling import Tile, Window, fitting_size, tile_at, tiles
from ..raster import OpenScene
from .flagging import report
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

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]
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


class Batch(NamedTuple):
    """Pixels of objects, to be explained at a time."""

    owners: Numbers
    """The object of each, from 0, (n,)."""
    examples: NDArray[np.float32]
    """What the detector takes, (n, ..., value)."""
    spectra: NDArray[np.float32]
    """Their bands, data units, (n, band)."""
    scores: NDArray[np.float32] | None
    """Their scores in the map, (n,); None where these are the sums of contributions."""


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
        newest = block[-1][tile.inner][..., : len(detector.bands)]
        around = annuli > 0
        sums.add_annuli(annuli[around].astype(np.int64) - 1, newest[around])
        only = _inside(tile, block.shape[:-1], objects > 0) & detector.view.where(block)
        inside = only[-1][tile.inner]
        return Batch(
            objects[inside].astype(np.int64) - 1,
            np.asarray(detector.view.split(block, only)[:]),
            newest[inside],
            None if detector.card.weighting is None else self.scores(keep)[inside],
        )


class ObjectSums:
    """Sums over the pixels of each object; axes (object, band)."""

    def __init__(self, detector: Detector, count: int) -> None:
        self._detector = detector
        shape = count, len(detector.bands)
        self._pixels, self._around = np.zeros(count), np.zeros(count)
        self._factors, self._terms = np.zeros(count), np.zeros((count, 3))
        self._bands, self._residuals = np.zeros(shape), np.zeros(shape)
        self._spectra, self._means, self._annuli = (np.zeros(shape) for _ in range(3))

    def add_annuli(self, owners: Numbers, spectra: NDArray[np.float32]) -> None:
        """Add pixels of annuli: their objects, and their bands, NaN = no data."""
        valid = np.isfinite(spectra).all(axis=-1)
        owners, spectra = owners[valid], spectra[valid]
        _add(self._around, owners, np.ones(len(owners)))
        _add(self._annuli, owners, spectra)

    def add(self, batch: Batch) -> None:
        """Add pixels of objects."""
        owners, detector = batch.owners, self._detector
        parts = detector.contributions(batch.examples)
        bands, residual, mean = map(
            _newest, (parts.bands, parts.residual, detector.reconstruct(batch.examples))
        )
        terms = [_newest(part).sum(-1, dtype=np.float64) for part in parts[:3]]
        alone = np.stack(terms, axis=-1)
        factor, sum_ = np.ones(len(owners)), alone.sum(axis=-1)
        if batch.scores is not None:
            np.divide(batch.scores, sum_, out=factor, where=sum_ > 0)
        _add(self._pixels, owners, np.ones(len(owners)))
        _add(self._factors, owners, factor)
        _add(self._terms, owners, factor[:, np.newaxis] * alone)
        _add(self._bands, owners, factor[:, np.newaxis] * bands)
        for sums, values in (
            (self._residuals, residual),
            (self._spectra, batch.spectra),
            (self._means, mean),
        ):
            _add(sums, owners, values)

    def explanation(self, number: int) -> ObjectExplanation:
        """Explain an object, all of whose pixels have been added."""
        pixels, around = max(1, self._pixels[number]), self._around[number]
        bands, total = self._detector.bands, self._terms[number].sum() or 1.0
        shares, residuals = self._bands[number] / total, self._residuals[number] / pixels
        leading = (
            LeadingBand(band.name, band.wavelength, float(residuals[at]), float(shares[at]))
            for at in np.argsort(-shares, kind="stable")[:LEADING]
            for band in [bands.items[at]]
        )
        weighted = self._detector.card.weighting is not None
        reconstruction, kl, linear = (self._terms[number] / total).tolist()
        return ObjectExplanation(
            leading=tuple(leading),
            share_reconstruction=reconstruction,
            share_kl=kl,
            share_linear=linear,
            local_contrast=float(self._factors[number] / pixels) if weighted else None,
            pixels=int(pixels),
            spectrum=tuple((self._spectra[number] / pixels).tolist()),
            reconstruction=tuple((self._means[number] / pixels).tolist()),
            annulus=tuple((self._annuli[number] / around).tolist()) if around else None,
        )


def _newest(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return those of the newest date, where examples are series."""
    return values if values.ndim == 2 else values[:, -1]


def _inside(tile: Tile, shape: tuple[int, ...], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask of the kept pixels as one of the newest date of a block."""
    only = np.zeros(shape, np.bool_)
    only[-1][tile.inner] = mask
    return only


def _joined(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Join batches: a detector pads each to the size of its own."""
    waiting: list[Batch] = []
    values = 0
    for batch in batches:
        waiting.append(batch)
        values += batch.examples.size
        if values >= BATCH_VALUES:
            yield _concatenated(waiting)
            waiting, values = [], 0
    if waiting:
        yield _concatenated(waiting)


def _concatenated(batches: list[Batch]) -> Batch:
    owners, examples, spectra, scores = zip(*batches, strict=True)
    all_scores = None if scores[0] is None else np.concatenate(scores)
    return Batch(*map(np.concatenate, (owners, examples, spectra)), all_scores)


def _add(sums: Floats, owners: Numbers, values: NDArray[np.floating]) -> None:
    """Add the values of pixels, (n, ...), to the sums of their objects, (object, ...)."""
    if not len(owners):
        return
    order = np.argsort(owners, kind="stable")
    owners = owners[order]
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    sums[owners[starts]] += np.add.reduceat(values[order].astype(np.float64), starts)
