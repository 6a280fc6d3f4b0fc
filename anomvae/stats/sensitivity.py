"""The sensitivity of a detector to a scene: how much of a pixel an object must fill to be found.

Spectra of other materials are implanted in memory, at seeded places: the spectrum x of a pixel
becomes ``(1 - f) x + f m`` (the linear mixing model, Keshava & Mustard 2002), at fills f from 5 to
100 %.  A material m is a smooth curve between the 1 and 99 % quantiles of the scene's bands, so
that it has the scene's units and brightness, and a shape of its own.  One pixel is changed at a
time: its surroundings are those of the scene.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FILLS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
"""Shares of a pixel that are tried."""
WAVES = 4
"""Half waves over all bands in the curve of a material, at the most."""


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

    def to_json(self) -> dict[str, Any]:
        """Return it as a table of JSON, with the fills from which on 50 and 90 % are found."""
        fills = {f"fill_{percent}": self.fill_for(percent / 100) for percent in (50, 90)}
        return asdict(self) | fills

    def __str__(self) -> str:
        """Describe the fills from which on 50 and 90 % are found, in one clause."""
        fills = {percent: self.fill_for(percent / 100) for percent in (50, 90)}
        known = [f"{percent}% from {fill:.0%} fill on" for percent, fill in fills.items() if fill]
        return ", ".join(known) or f"{self.found[-1]:.0%} of whole pixels"


def draw_curve(bands: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a smooth curve over the bands, shape (band,), in [0, 1]."""
    waves = np.arange(1, WAVES + 1)
    phases, weights = rng.uniform(0, np.pi, WAVES), rng.normal(size=WAVES) / waves
    curve = np.cos(np.outer(np.linspace(0, np.pi, bands), waves) + phases) @ weights
    low, high = curve.min(), curve.max()
    unit = (curve - low) / (high - low) if high > low else np.full(bands, 0.5)
    level, height = rng.uniform(0, 1), rng.uniform(0.3, 1)
    return np.asarray(level * (1 - height) + height * unit)
