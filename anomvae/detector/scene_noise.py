"""The noise of a scene: estimated on a sample of its pixels, before the scene is scored.

The sample lies on a grid and is kept in the order of the scene, so the noise has the same bits
whatever the file blocks, tiles, threads or workers.  The scene is read once, tile by tile.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import NotFinite
from ..parallel.isolation import isolated
from ..pixels.tiling import SamplingGrid, Tile
from ..pixels.views import Mask
from ..stats.noise import fit_scene_noise
from ..stats.rx import PIXELS_PER_BAND
from ..training.scenes import OpenScene, reading_tiles
from .batches import Array
from .detector import Detector

log = logging.getLogger(__name__)

PIXELS = 50_000
"""Pixels of a sample."""
VALUES = 5_000_000
"""Residuals of a sample, of all bands and dates: 25,000 pixels of 200 bands."""


@isolated()
def adapted_to(detector: Detector, opened: OpenScene) -> Detector:
    """Return the detector with the noise of a scene, if its score has one (``noise = scene``).

    Where too few pixels have data, the detector keeps the learnt noise, and a warning reports it.
    The result differs in its noise model alone.

    Raises
    ------
    NotFinite
        When a pixel that has data gets a residual that is no number: the model is at fault.
    """
    if detector.card.noise != "scene":
        return detector
    whitened, bands = _sampled(detector, opened), len(detector.bands)
    if len(whitened) < PIXELS_PER_BAND * bands:
        log.warning(
            "%s: %d pixels with data are too few for the noise of %d bands; the learnt noise stays",
            opened.names[-1],
            len(whitened),
            bands,
        )
        return detector
    if not np.isfinite(whitened).all():
        raise NotFinite(
            f"The residuals of {opened.names[-1]} are not finite: the weights of this detector are "
            f"far too large. Train it again."
        )
    noise = fit_scene_noise(whitened, detector.noise)
    return replace(detector, card=replace(detector.card, noise="covariance"), noise=noise)


def _sampled(detector: Detector, opened: OpenScene) -> Array:
    """Return the whitened residuals of a sample of the normal pixels of a scene, (n, band)."""
    most = min(PIXELS, VALUES // (len(detector.bands) * len(opened.names)))
    grid = SamplingGrid.of_pixels(opened.grid.shape, most)
    places, parts = [np.empty(0, np.int64)], [np.empty((0, len(detector.bands)), np.float32)]
    for tile in reading_tiles(opened, detector.view.radius):
        sampled = _sampled_in(grid, tile, opened)
        if sampled.any():
            place, whitened = _residuals(detector, opened, tile, sampled)
            places.append(place)
            parts.append(whitened)
    order = np.argsort(np.concatenate(places), kind="stable")
    return np.concatenate(parts)[order]


def _sampled_in(grid: SamplingGrid, tile: Tile, opened: OpenScene) -> Mask:
    """Return which pixels of a tile with its halo are in the sample, and normal, (row, col)."""
    rows, cols = (part.stop - part.start for part in tile.read)
    sampled = np.zeros((rows, cols), np.bool_)
    sampled[tile.inner] = grid.mask(tile.keep) & opened.normal(tile.keep)
    return sampled


def _residuals(
    detector: Detector, opened: OpenScene, tile: Tile, sampled: Mask
) -> tuple[NDArray[np.int64], Array]:
    """Return the place of each residual in the scene, (n,), and the residuals, (n, band)."""
    view, block = detector.view, opened.read(tile.read)
    where = view.where(block) & sampled
    examples = view.split(block, where)
    whitened, known = detector.whitened_residuals(examples), view.known(examples[:])
    numbers = np.arange(known.size, dtype=np.float32).reshape(known.shape)
    order = np.moveaxis(view.join(numbers, where), 0, -1)[np.moveaxis(where, 0, -1)].astype(int)
    rows, cols, _ = np.nonzero(np.moveaxis(where, 0, -1))
    place = (rows + tile.read[0].start) * opened.grid.shape[1] + cols + tile.read[1].start
    return place, whitened.reshape(-1, whitened.shape[-1])[order]
