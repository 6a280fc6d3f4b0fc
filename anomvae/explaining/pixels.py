"""One pixel of a scene, as a detector takes it, and the spectra of many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..detector import Detector
from ..errors import ConfigError, NotEnoughPixels
from ..pixels.tiling import SamplingGrid, tile_at
from ..pixels.views import where_newest
from ..raster import OpenScene
from ..training.scenes import reading_tiles


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
    only = where_newest(detector.view, block, tile.inner)
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


def sample_spectra(opened: OpenScene, count: int) -> NDArray[np.float32]:
    """Read the spectra of about so many pixels of the newest date, evenly over the scene.

    Returns
    -------
    array of float32, shape (n, band)
        Data units, of the pixels that have data in all bands.

    Raises
    ------
    NotEnoughPixels
        When none of them has.
    """
    grid, bands = SamplingGrid.of_pixels(opened.grid.shape, count), len(opened.bands)
    parts = []
    for tile in reading_tiles(opened, 0):
        _, (rows, cols) = grid.part(tile.keep)
        if rows.size and cols.size:
            parts.append(opened.read(tile.keep)[-1][np.ix_(rows, cols)][..., :bands])
    spectra = np.concatenate([part.reshape(-1, bands) for part in parts])
    complete = np.isfinite(spectra).all(axis=-1)
    if not complete.any():
        raise NotEnoughPixels(
            f"None of {len(spectra)} pixels of {opened.name} has data in all bands. Give a scene "
            f"with data."
        )
    return np.asarray(spectra[complete])
