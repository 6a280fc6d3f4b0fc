"""One pixel of a scene, as a detector takes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..detector import Detector
from ..errors import ConfigError
from ..pixels.tiling import tile_at
from ..raster import OpenScene


@dataclass(frozen=True, eq=False)
class PickedPixel:
    """A pixel of the newest date of a scene."""

    row: int
    """From 0, from the top."""
    col: int
    """From 0, from the left."""
    spectrum: NDArray[np.float32]
    """Its bands, (band,), data units."""
    example: NDArray[np.float32]
    """What `Detector.encode` and its like take, (1, ..., value): bands, then features of a context;
    for a family that compares dates (1, time, band), for patches (1, side, side, band)."""
    scores: NDArray[np.float32]
    """Score and terms as the map holds them, in the order of `Detector.layers`, (layer,)."""


def pick(detector: Detector, opened: OpenScene, row: int, col: int) -> PickedPixel:
    """Read a pixel with the neighbours that its score depends on.

    Parameters
    ----------
    detector : Detector
        Adapted to the scene (`open_for`).
    opened : OpenScene
        The scene, open with the bands of the detector.
    row, col : int
        From 0, from the top left corner.

    Raises
    ------
    ConfigError
        When the pixel lies outside the scene, or has no score there: no data, masked, or, for a
        family that compares dates, no date before.
    """
    rows, cols = opened.grid.shape
    if not (0 <= row < rows and 0 <= col < cols):
        raise ConfigError(
            f"Pixel {row},{col} lies outside {opened.name}, which has rows 0 to {rows - 1} and "
            f"columns 0 to {cols - 1}. Give a row and a column inside."
        )
    keep = slice(row, row + 1), slice(col, col + 1)
    tile = tile_at(keep, opened.grid.shape, detector.radius)
    block = opened.read(tile.read)
    inner = tuple(part.start for part in tile.inner)
    only = np.zeros(block.shape[:-1], np.bool_)
    only[(-1, *inner)] = True
    only &= detector.view.where(block)
    if not only.any():
        raise ConfigError(
            f"Pixel {row},{col} of {opened.name} has no score: it has no data, or is masked. "
            f"Give a pixel with data."
        )
    return PickedPixel(
        row,
        col,
        block[(-1, *inner)][: len(detector.bands)],
        np.asarray(detector.view.split(block, only)[:]),
        np.stack([layer[(-1, *inner)] for layer in detector.score(block)]),
    )
