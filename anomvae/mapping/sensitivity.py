"""Measure the sensitivity of a detector to an open scene (`anomvae.stats.sensitivity`)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..parallel import Progress
from ..pixels.tiling import Tile, tile_at
from ..pixels.views import Block
from ..raster import OpenScene
from ..stats.sensitivity import FILLS, Sensitivity, draw_curve
from .flagging import Decision

if TYPE_CHECKING:
    from .scorer import Scorer

PLACES = 100
MOST = 2
"""Times as many places that are tried at the most, because some are flagged already."""
TRIES = 20
"""Places that are drawn for each that is needed, because some have no data."""
SEED = 0, 4
"""Seed of places and materials, the same for every scene, so that figures of scenes and models
compare; and the number of this stream of random numbers."""


def measure_sensitivity(
    detector: Scorer,
    opened: OpenScene,
    spectra: NDArray[np.float32],
    decision: Decision,
    *,
    progress: Progress,
) -> Sensitivity | None:
    """Implant spectra into a scene, and count those that are flagged.

    None where no pixel is valid and not flagged already.

    Parameters
    ----------
    detector : Scorer
        What scores the scene (`adapted_scorer`).
    opened : OpenScene
        The scene, open with the detector's bands; it is not changed.
    spectra : array, shape (n, band)
        A sample of the scene, data units; NaN = no data.
    decision : Decision
        Flags the scores.
    progress : Progress
        Called for every place.
    """
    known = spectra[np.isfinite(spectra).all(axis=-1)].astype(np.float64)
    if not len(known):
        return None
    low, high = np.quantile(known, (0.01, 0.99), axis=0)
    rng = np.random.default_rng(SEED)

    def flagged(tile: Tile, block: Block) -> bool:
        return bool(decision.flags(tile, detector.score(block)[0][-1]).item())

    found: list[list[bool]] = []
    places = _places(opened, detector.radius + decision.radius, rng)
    for tile, block in islice(places, MOST * PLACES):
        material = low + (high - low) * draw_curve(len(low), rng)
        if not flagged(tile, block):  # an anomaly without an implant says nothing
            found.append([flagged(tile, _implanted(block, tile, material, f)) for f in FILLS])
            progress("sensitivity", len(found), PLACES)
        if len(found) == PLACES:
            break
    return Sensitivity(FILLS, tuple(np.mean(found, axis=0).tolist()), len(found)) if found else None


def _places(
    opened: OpenScene, radius: int, rng: np.random.Generator
) -> Iterator[tuple[Tile, Block]]:
    """Yield random pixels that have data, as tiles with a halo."""
    shape = opened.grid.shape
    for _ in range(PLACES * TRIES):
        row, col = (int(rng.integers(side)) for side in shape)
        tile = tile_at((slice(row, row + 1), slice(col, col + 1)), shape, radius)
        block = opened.read(tile.read)
        if np.isfinite(block[-1][tile.inner][..., : len(opened.bands)]).all():
            yield tile, block


def _implanted(block: Block, tile: Tile, material: NDArray[np.float64], fill: float) -> Block:
    changed = block.copy()
    pixel = changed[-1][tile.inner][..., : len(material)]
    pixel[:] = (1 - fill) * pixel + fill * material
    return changed
