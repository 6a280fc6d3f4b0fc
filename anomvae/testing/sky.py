"""What lies between land and sensor: haze, clouds, and the light of the day.

Reflectance of land under a veil of optical depth ``tau`` at 550 nm, for light that passes it twice
(single layer; Liou 2002, An Introduction to Atmospheric Radiation, chapter 8)::

    tau(nm)      = tau * (550 / nm) ** 1.3          Angstrom's exponent of haze
    transmission = exp(-tau(nm))
    observed     = land * transmission + BRIGHT_AIR * (1 - transmission)

Axes are those of `simulate`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .materials import Floats
from .simulate import Rng, Shape, highest, smooth

BRIGHT_AIR = 0.35
"""Reflectance of a deep layer of haze; a thick cloud's is twice as much."""
CLOUD = 0.6
"""Reflectance of the middle of a small cloud, in all bands."""
RADII = 4.0, 1.2
"""Radii over which large and small clouds are smooth, pixels."""
EXPONENT = 1.3
"""Of Angstrom, for haze of the continents."""
HAZE = 0.7, 1.2
"""Optical depth of haze: distant hills fade, but land is still visible."""
CLEAR = 0.02
"""Standard deviation of the optical depth that a correction of clear air leaves or takes away."""
GAIN = 0.03
"""Standard deviation of the log brightness of corrected scenes, from day to day."""


def daylight(rng: Rng, land: Floats, nm: Floats) -> Floats:
    """Return land (row, col, band) as a corrected scene of a clear day shows it."""
    gain, depth = np.exp(GAIN * rng.normal()), CLEAR * abs(rng.normal())
    return np.asarray(gain * veiled(land, np.full(land.shape[:2], depth), nm))


def hazy(rng: Rng, land: Floats, nm: Floats) -> Floats:
    """Return land (row, col, band) under haze, which is thinner in places."""
    depth = rng.uniform(*HAZE) * np.exp(0.25 * smooth(rng, land.shape[:2], 8))
    return veiled(land, depth, nm)


def veiled(land: Floats, depth: Floats, nm: Floats) -> Floats:
    """Return land (row, col, band) under a veil of an optical depth (row, col) at 550 nm."""
    transmission = np.exp(-depth[..., None] * (550 / nm) ** EXPONENT)
    return np.asarray(land * transmission + BRIGHT_AIR * (1 - transmission))


def broken_clouds(rng: Rng, shape: Shape, mean: float) -> NDArray[np.bool_]:
    """Draw clouds, (row, col), large ones and small ones; ``mean`` is their mean share of days."""
    covers = (min(0.9, rng.exponential(0.8 * mean)), rng.exponential(0.2 * mean))
    drawn = (smooth(rng, shape, radius) for radius in RADII)
    large, small = (
        noise > np.quantile(noise, 1 - cover) for noise, cover in zip(drawn, covers, strict=True)
    )
    return np.asarray(large | small)


def with_small_clouds(rng: Rng, land: Floats, share: float) -> Floats:
    """Return land (row, col, band) beneath small clouds that cover about a share of it."""
    cover = highest(smooth(rng, land.shape[:2], 1.8), share)[..., None]
    return np.asarray(land + cover * (CLOUD - land))
