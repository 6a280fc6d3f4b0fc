"""Warn of a fill that no file declares as no data, found in a sample of the pixels of a scene.

The sample lies on a grid, so it does not depend on the tiles, and has a bounded size.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import listed
from ..pixels.bands import Bands
from ..pixels.stored_block import StoredBlock
from ..pixels.tiling import SamplingGrid, Tile
from ..pixels.views import Block, Mask
from .fills import Fill, find_fills

log = logging.getLogger(__name__)

PIXELS = 25_000
"""Pixels of a sample."""
VALUES = 1_000_000
"""Values of a sample, of all bands and dates."""
ROUNDING = 2**-22
"""Relative error of a physical value of float32 and of what it is computed from."""

Spectra = NDArray[np.float32]
"""Values of some pixels, axes (pixel, band), NaN = no data."""


@dataclass
class FillWatch:
    """Collects a sample of a scene tile by tile, and warns of the fills in it."""

    name: str
    """The scene."""
    bands: Bands
    """Its bands in use, the first values of a pixel."""
    grid: SamplingGrid
    """The pixels of the sample."""
    parts: list[Spectra] = field(default_factory=list)
    """The sample so far."""

    @classmethod
    def of(cls, name: str, bands: Bands, shape: tuple[int, int], dates: int) -> FillWatch:
        """Watch a scene of a ``shape``, rows and columns."""
        pixels = min(PIXELS, VALUES // (len(bands) * dates))
        return cls(name, bands, SamplingGrid.of_pixels(shape, pixels))

    def sample(self, tile: Tile, block: Block | StoredBlock, wanted: Mask | None = None) -> Spectra:
        """Return the sample of a tile with its halo; axes (time, row, col[, value])."""
        inner = (slice(None), *tile.inner)
        _, (rows, cols) = self.grid.part(tile.keep)
        spectra = np.asarray(block[inner][:, rows[:, np.newaxis], cols])[..., : len(self.bands)]
        if wanted is None:
            return spectra.reshape(-1, len(self.bands))
        return np.asarray(spectra[wanted[inner][:, rows[:, np.newaxis], cols]])

    def of_layer(self, tile: Tile, layer: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a layer (row, col) of the kept pixels of a tile at the pixels of the sample."""
        _, (rows, cols) = self.grid.part(tile.keep)
        return layer[rows[:, np.newaxis], cols].ravel()

    def add(self, sample: Spectra) -> None:
        """Add the sample of a tile."""
        self.parts.append(sample)

    def finish(self) -> None:
        """Warn of the fills in the sample."""
        sample = np.concatenate(self.parts) if self.parts else np.empty((0, len(self.bands)))
        fills = find_fills(_stored(sample, self.bands))
        for fill in fills:
            log.warning("%s: %s", self.name, self._described(fill, fills))

    def _described(self, fill: Fill, fills: Sequence[Fill]) -> str:
        names = [self.bands.names[position] for position in fill.bands]
        where = (
            f"all {len(self.bands)} bands" if len(names) == len(self.bands) > 1 else listed(names)
        )
        effect = (
            "" if fill.variance is None else f" and make {_percent(fill.variance)} of its variance"
        )
        values = ",".join(dict.fromkeys(number(each.value) for each in fills))
        return (
            f"{_percent(fill.share)} of the pixels hold exactly {number(fill.value)} in {where}"
            f"{effect}, far from all other values. If they have no data, the detector must not "
            f"learn or score them: give --nodata {values}."
        )


def number(value: float) -> str:
    """Return the shortest text that equals a number of float32.

    Examples
    --------
    >>> number(-9999.0), number(-3.4e37), number(float(np.float32(-9999.9)))
    ('-9999', '-3.4e+37', '-9999.9')
    """
    return next(
        text
        for text in (f"{value:.{digits}g}" for digits in range(6, 18))
        if np.float32(text) == np.float32(value)
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _stored(sample: NDArray[np.floating], bands: Bands) -> NDArray[np.float64]:
    """Return the numbers as they are stored, which ``--nodata`` names."""
    scale, offset = (np.array([getattr(b, name) for b in bands]) for name in ("scale", "offset"))
    if (scale == 1).all() and (offset == 0).all():
        return np.asarray(sample, np.float64)
    scale = np.where(scale == 0, 1.0, scale)
    stored = (sample - offset) / scale
    error = ROUNDING * np.maximum(np.abs(sample), np.abs(offset)) / np.abs(scale)
    whole = stored.round()
    return np.asarray(np.where(np.abs(stored - whole) <= error, whole, stored) + 0.0)  # no -0
