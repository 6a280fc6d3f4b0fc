"""The sensitivity of a detector to a scene: how much of a pixel an object must fill to be found.

Spectra of other materials are implanted in memory, at seeded places: the spectrum x of a pixel
becomes ``(1 - f) x + f m`` (the linear mixing model, Keshava & Mustard 2002), at fills f from 5 to
100 %.  A material m is a smooth curve between the 1 and 99 % quantiles of the scene's bands, so
that it has the scene's units and brightness, and a shape of its own.  Only one pixel is changed at
a time: its surroundings are those of the scene.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..parallel import Progress, quiet
from ..pixels.tiling import Window
from ..pixels.views import Block
from ..raster import OpenScene
from .tiles import Scorer

FILLS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
"""Shares of a pixel that are tried."""
PLACES = 100
TRIES = 20
"""Places that are drawn for each that is needed, because some have no data."""
WAVES = 4
"""Half waves over all bands in the curve of a material, at the most."""

Floats = NDArray[np.float64]
Flag = Callable[[NDArray[np.float32]], NDArray[np.bool_]]
"""Flags the scores of a window, axes (row, col)."""


@dataclass(frozen=True)
class Sensitivity:
    """Which share of implanted spectra a detector finds, by how much of a pixel they fill."""

    fills: tuple[float, ...]
    """Shares of a pixel, ascending, in (0, 1]."""
    found: tuple[float, ...]
    """Share of the places whose pixel is flagged at each fill, in [0, 1]."""
    places: int
    """Pixels into which spectra were implanted, one at a time."""

    def fill_for(self, share: float) -> float | None:
        """Return the fill from which on a share is found, between fills interpolated; None: none.

        Examples
        --------
        >>> Sensitivity((0.1, 0.5, 1.0), (0.0, 0.4, 1.0), 100).fill_for(0.7)
        0.75
        """
        fills, found = (0.0, *self.fills), (0.0, *self.found)
        if found[-1] < share:
            return None
        last = max(number for number, value in enumerate(found) if value < share)
        rise = (share - found[last]) / (found[last + 1] - found[last])
        return fills[last] + rise * (fills[last + 1] - fills[last])


def measure_sensitivity(  # noqa: PLR0913 - what is scored, how it is flagged, and where
    detector: Scorer,
    opened: OpenScene,
    sample: NDArray[np.float32],
    flag: Flag,
    flag_radius: int,
    seed: int = 0,
    progress: Progress = quiet,
) -> Sensitivity | None:
    """Implant spectra into a scene, and count those that are flagged; None without valid pixels.

    Parameters
    ----------
    detector : Detector
        Scores the scene.
    opened : OpenScene
        The scene, open with the detector's bands; it is not changed.
    sample : array, shape (n, band)
        Pixels of the scene, data units; NaN = no data.
    flag : callable
        Flags the scores of a window.
    flag_radius : int
        Receptive radius of a flag in scores, pixels.
    seed : int, default 0
        Decides places and materials.
    progress : Progress, optional
        Called for every place.
    """
    known = sample[np.isfinite(sample).all(axis=-1)].astype(np.float64)
    if not len(known):
        return None
    low, high = np.quantile(known, (0.01, 0.99), axis=0)
    rng = np.random.default_rng((seed, 4))
    radius, counts, places = detector.radius + flag_radius, np.zeros(len(FILLS)), 0
    for block, (row, col) in _places(opened, radius, rng):
        material = low + (high - low) * _curve(rng, len(low))
        for number, fill in enumerate(FILLS):
            scores = detector.score(_implanted(block, (row, col), material, fill)).total[-1]
            counts[number] += flag(scores)[row, col]
        places += 1
        progress("sensitivity", places, PLACES)
        if places == PLACES:
            break
    if not places:
        return None
    return Sensitivity(FILLS, tuple((counts / places).tolist()), places)


def _places(
    opened: OpenScene, radius: int, rng: np.random.Generator
) -> Iterator[tuple[Block, tuple[int, int]]]:
    """Yield windows around random pixels that have data, and where in them the pixel is."""
    shape = opened.grid.shape
    for _ in range(PLACES * TRIES):
        middle = int(rng.integers(shape[0])), int(rng.integers(shape[1]))
        block = opened.read(_around(middle, radius, shape))
        row, col = (at - max(0, at - radius) for at in middle)
        if np.isfinite(block[-1, row, col, : len(opened.bands)]).all():
            yield block, (row, col)


def _around(middle: tuple[int, int], radius: int, shape: tuple[int, int]) -> Window:
    rows, cols = (
        slice(max(0, at - radius), min(length, at + radius + 1))
        for at, length in zip(middle, shape, strict=True)
    )
    return rows, cols


def _curve(rng: np.random.Generator, bands: int) -> Floats:
    """Draw a smooth curve over the bands, from 0 to 1."""
    position = np.linspace(0, np.pi, bands)
    waves = np.arange(1, WAVES + 1)
    weights = rng.normal(size=WAVES) / waves
    curve = np.cos(np.outer(position, waves) + rng.uniform(0, np.pi, WAVES)) @ weights
    level, range_ = rng.uniform(0, 1), rng.uniform(0.3, 1)
    low, high = curve.min(), curve.max()
    unit = (curve - low) / (high - low) if high > low else np.full(bands, 0.5)
    return np.asarray(level * (1 - range_) + range_ * unit)


def _implanted(block: Block, at: tuple[int, int], material: Floats, fill: float) -> Block:
    changed = block.copy()
    pixel = changed[-1, at[0], at[1], : len(material)]
    pixel[:] = (1 - fill) * pixel + fill * material
    return changed
