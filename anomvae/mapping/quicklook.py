"""The quick look: images of scene, score and flags, which `drawing` paints side by side.

They are collected from the windows of a scene.  A pixel of an image stands for a cell of
pixels of the scene: the scene panel has the cell's middle pixel, the score panel its largest score,
and a cell with a flagged pixel is flagged, so that small anomalies stay visible.  Without the
scene, as for a map, there are two panels.  Below are a scale bar, north and the corners, where the
map lies on Earth.  Images have at most `SIDE` pixels a side, or `LONG_SIDE`; axes (row,
col[, band]).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..objects import read_strongest_objects
from ..pixels.bands import Bands
from ..pixels.picture_bands import picture_bands
from ..pixels.stored_block import StoredBlock
from ..pixels.tiling import SamplingGrid, Tile, Window
from ..pixels.views import Block
from ..stats.thresholds import Threshold
from .location import Location

SIDE = 512
LONG_SIDE, LONG_SHAPE = 1000, 3
"""Of a scene so many times as long as wide or high."""
MARKED = 20
"""Objects that are numbered at most."""

Array = NDArray[np.float32]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class QuickLookSpec:
    """Pixels and bands of a scene that a quick look contains."""

    grid: SamplingGrid
    """Pixels of the quick look in the scene."""
    bands: list[int]
    """Bands for red, green and blue, positions from 0; none: the scene is not shown."""
    caption: str = ""
    """Which bands these are, for people."""
    location: Location | None = None
    """Where it lies; None: not known."""

    @classmethod
    def of(
        cls,
        shape: tuple[int, int],
        bands: Bands | None = None,
        declared: Sequence[int] = (),
        location: Location | None = None,
    ) -> QuickLookSpec:
        """Choose pixels and bands for a scene; without ``bands`` it is not shown.

        ``declared`` is as for `picture_bands`.
        """
        long = max(shape) >= LONG_SHAPE * min(shape)
        grid = SamplingGrid.fitting(shape, LONG_SIDE if long else SIDE)
        if bands is None:
            return cls(grid, [], location=location)
        picture = picture_bands(bands, declared)
        return cls(grid, list(picture.positions), picture.caption, location)

    def preview(self, tile: Tile, block: Block | StoredBlock) -> Array:
        """Sample the newest date of a tile, axes (row, col, band)."""
        _, (rows, cols) = self.grid.part(tile.keep)
        return np.asarray(block[-1][tile.inner][rows[:, np.newaxis], cols])[..., self.bands]


class QuickLook:
    """The images of a quick look, filled tile by tile."""

    def __init__(self, spec: QuickLookSpec) -> None:
        """Begin with images of no data."""
        self.spec, self.grid = spec, spec.grid
        self.image = np.full((*spec.grid.shape, len(spec.bands)), np.nan, np.float32)
        """The scene, data units."""
        self.scores = np.full(spec.grid.shape, np.nan, np.float32)
        """The largest score of each cell; NaN where no pixel has one."""
        self.flags = np.zeros(spec.grid.shape, np.bool_)
        """Whether a pixel of each cell is flagged."""

    def add_preview(self, keep: Window, preview: Array) -> None:
        """Add the scene's pixels of a window, as `QuickLookSpec.preview` samples them."""
        self.image[self.grid.part(keep)[0]] = preview

    def add_scores(self, keep: Window, scores: Array, flags: NDArray[np.bool_]) -> None:
        """Add the scores and flags of a window, axes (row, col)."""
        self.grid.pool(self.scores, keep, scores, np.fmax)
        self.grid.pool(self.flags, keep, flags, np.maximum)


@dataclass(frozen=True)
class ObjectMark:
    """An object that a quick look numbers."""

    number: int
    """Its id."""
    peak: tuple[int, int]
    """Row and column of its highest score in the scene."""


def marks_of(objects: Path, count: int = MARKED) -> tuple[ObjectMark, ...]:
    """Read the marks of the strongest objects of a file."""
    items = read_strongest_objects(objects, count).items
    return tuple(ObjectMark(item.id, item.peak) for item in items)


def drawn(
    title: str, quicklook: QuickLook, threshold: Threshold, objects: Path | None = None
) -> bytes | None:
    """Draw a quick look as `drawing.draw` does; None, and a warning, if that fails.

    The strongest of the ``objects``, a file, are numbered.

    Drawing depends on fonts and libraries outside anomvae: maps do not wait for them.
    """
    try:
        from .drawing import draw

        marks = () if objects is None else marks_of(objects)
        return draw(title, quicklook, threshold, marks)
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        log.warning(
            "%s: the quick look cannot be drawn (%s); the other files are complete", title, reason
        )
        return None
