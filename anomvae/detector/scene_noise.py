"""The noise of a scene: estimated on a sample of its pixels, before the scene is scored.

The sample lies on a grid and is kept in the order of the scene, so the noise has the same bits
whatever the file blocks, tiles, threads or workers.  The scene is read once, tile by tile.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

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


class SampledResiduals(NamedTuple):
    """Residuals of the pixels of a sample in a tile."""

    place: NDArray[np.int64]
    """Number of each pixel in the scene, (n,)."""
    whitened: Array
    """Whitened by the learnt noise, (n, band)."""


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
    if not has_scene_noise(detector):
        return detector
    tiles = reading_tiles(opened, detector.view.radius)
    parts = (sampled_residuals(detector, opened, tile) for tile in tiles)
    return with_noise_of(detector, parts, opened.names[-1])


def has_scene_noise(detector: Detector) -> bool:
    """Return whether the noise of the score is estimated on each scene."""
    return detector.card.noise == "scene"


@isolated()
def sampled_residuals(detector: Detector, opened: OpenScene, tile: Tile) -> SampledResiduals:
    """Return the residuals of the normal pixels of a tile that are in the sample of the scene.

    The tile is read with a halo of the radius of the detector's view.
    """
    most = min(PIXELS, VALUES // (len(detector.bands) * len(opened.names)))
    grid = SamplingGrid.of_pixels(opened.grid.shape, most)
    sampled = _sampled_in(grid, tile, opened)
    if not sampled.any():
        none = np.empty((0, len(detector.bands)), np.float32)
        return SampledResiduals(np.empty(0, np.int64), none)
    return _residuals(detector, opened, tile, sampled)


def with_noise_of(detector: Detector, parts: Iterable[SampledResiduals], name: str) -> Detector:
    """Return the detector with the noise of the scene that ``parts`` of its sample are of.

    ``name`` is that of the scene in messages; the order of the parts does not matter.
    """
    whitened, bands = _in_order(parts), len(detector.bands)
    if len(whitened) < PIXELS_PER_BAND * bands:
        log.warning(
            "%s: %d pixels with data are too few for the noise of %d bands; the learnt noise stays",
            name,
            len(whitened),
            bands,
        )
        return detector
    if not np.isfinite(whitened).all():
        raise NotFinite(
            f"The residuals of {name} are not finite: the weights of this detector are far too "
            f"large. Train it again."
        )
    noise = fit_scene_noise(whitened, detector.noise)
    return replace(detector, card=replace(detector.card, noise="covariance"), noise=noise)


def _in_order(parts: Iterable[SampledResiduals]) -> Array:
    """Return the residuals of a sample, (n, band), in the order of the scene."""
    places, whitened = zip(*parts, strict=True)
    return np.concatenate(whitened)[np.argsort(np.concatenate(places), kind="stable")]


def _sampled_in(grid: SamplingGrid, tile: Tile, opened: OpenScene) -> Mask:
    """Return which pixels of a tile with its halo are in the sample, and normal, (row, col)."""
    rows, cols = (part.stop - part.start for part in tile.read)
    sampled = np.zeros((rows, cols), np.bool_)
    sampled[tile.inner] = grid.mask(tile.keep) & opened.normal(tile.keep)
    return sampled


def _residuals(
    detector: Detector, opened: OpenScene, tile: Tile, sampled: Mask
) -> SampledResiduals:
    """Return the residuals of the sampled pixels of a tile with its halo."""
    view, block = detector.view, opened.read(tile.read)
    where = view.where(block) & sampled
    examples = view.split(block, where)
    whitened, known = detector.whitened_residuals(examples), view.known(examples[:])
    numbers = np.arange(known.size, dtype=np.float32).reshape(known.shape)
    order = np.moveaxis(view.join(numbers, where), 0, -1)[np.moveaxis(where, 0, -1)].astype(int)
    rows, cols, _ = np.nonzero(np.moveaxis(where, 0, -1))
    place = (rows + tile.read[0].start) * opened.grid.shape[1] + cols + tile.read[1].start
    return SampledResiduals(place, whitened.reshape(-1, whitened.shape[-1])[order])
