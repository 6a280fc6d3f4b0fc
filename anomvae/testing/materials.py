"""Reflectance of materials: what normal land is made of, and what it does not have.

A spectrum is a function of wavelength, nm; reflectance is 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Features = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class Spectrum:
    """A function of wavelength: steps, multiplied by absorption dips."""

    base: float
    """Value at the blue end, before absorption."""
    edges: Features = ()
    """Smooth steps: (centre nm, width nm, rise)."""
    dips: Features = ()
    """Absorptions: (centre nm, standard deviation nm, absorbed share; below 0 a peak)."""

    def at(self, nm: Floats) -> Floats:
        """Return the values at the wavelengths ``nm``, (band,)."""
        level = np.full_like(nm, self.base)
        for centre, width, rise in self.edges:
            level += rise / (1 + np.exp((centre - nm) / width))
        for centre, width, depth in self.dips:
            level *= 1 - depth * np.exp(-0.5 * ((nm - centre) / width) ** 2)
        return level


# A chemical bond absorbs at the same wavelengths in all materials.
CHLOROPHYLL: Features = ((450, 45, 0.6), (670, 38, 0.64))  # between them is the green peak
LIQUID_WATER: Features = ((970, 30, 0.06), (1200, 45, 0.14), (1450, 55, 0.6), (1940, 75, 0.72))
CELLULOSE: Features = ((1730, 40, 0.05), (2100, 50, 0.14), (2310, 40, 0.12))
CLAY: Features = ((1415, 30, 0.1), (1915, 40, 0.15), (2205, 25, 0.14))
CARBONATE: Features = ((1930, 60, 0.1), (2340, 35, 0.1))
HYDROCARBON: Features = ((1210, 18, 0.04), (1730, 22, 0.14), (2310, 35, 0.18))
VAPOUR: Features = ((940, 30, -2), (1390, 60, -5), (1880, 60, -5))
LEAF: Features = ((1350, 90, -0.06), (2000, 200, -0.07))

COMMON = {
    "crop": Spectrum(0.12, ((715, 14, 0.4), *LEAF), CHLOROPHYLL + LIQUID_WATER),
    "straw": Spectrum(0.08, ((610, 80, 0.2), (900, 150, 0.16)), ((670, 30, 0.1), *CELLULOSE)),
    "soil": Spectrum(0.05, ((590, 60, 0.1), (1100, 260, 0.22)), ((880, 60, 0.08), *CLAY)),
    "forest": Spectrum(0.06, ((720, 15, 0.25), *LEAF), CHLOROPHYLL + LIQUID_WATER),
    "asphalt": Spectrum(0.09, ((800, 300, 0.06),), HYDROCARBON),
    "concrete": Spectrum(0.2, ((560, 90, 0.12),), CARBONATE),
    "gravel": Spectrum(0.3, ((520, 60, 0.15),), CARBONATE),
    "water": Spectrum(0.055, ((590, 35, -0.03), (735, 25, -0.024)), ((440, 60, 0.35),)),
}
"""Materials that cover most of normal land; the first three fill fields."""
ROOFS = {
    "clay tiles": Spectrum(0.06, ((585, 22, 0.26), (1000, 250, 0.1)), ((880, 60, 0.1), *CLAY)),
    "slate": Spectrum(0.14, ((520, 40, -0.05), (760, 60, 0.08)), HYDROCARBON[1:]),
    "metal": Spectrum(0.5, ((420, 15, 0.15), (1500, 400, -0.15)), HYDROCARBON),
    "bitumen": Spectrum(0.04, ((1050, 150, 0.08),), HYDROCARBON),
    "greenhouse": Spectrum(0.25, ((715, 14, 0.2), (1350, 90, -0.1)), CHLOROPHYLL[1:] + HYDROCARBON),
}
"""Materials of the few buildings of normal land."""
BACKGROUND = COMMON | ROOFS
"""Materials of normal land."""
FOREIGN = {
    "red roof": Spectrum(0.06, ((595, 14, 0.42),), HYDROCARBON),
    "blue roof": Spectrum(0.32, ((515, 20, -0.24), (745, 25, 0.35)), HYDROCARBON),
    "plastic": Spectrum(0.48, ((430, 20, 0.1),), HYDROCARBON),
    "solar panel": Spectrum(0.04, ((1090, 40, 0.2),), HYDROCARBON[1:2]),  # silicon's band gap
}
"""Materials that normal land does not have."""
MATERIALS = BACKGROUND | FOREIGN

COVERED = ("forest", "water")
"""Materials of normal land that carry neither buildings nor anomalies."""
TONES = (430, 500, 580, 670, 780, 900, 1050, 1250, 1600, 1900, 2200)
"""Wavelengths around which pigments, moisture and minerals absorb more or less, nm."""
VARIETY = dict.fromkeys(COMMON, 0.03) | dict.fromkeys(ROOFS, 0.2)
"""Spread of these absorptions within a material, nepers."""
ROUGHNESS = dict.fromkeys(COMMON, 0.05) | {"forest": 0.5, "water": 0.0} | dict.fromkeys(ROOFS, 0.9)
"""Height of what stands on the ground, sides of a pixel: trees and roofs make slopes and shade."""
NOISE = Spectrum(1, (), ((400, 50, -2), *VAPOUR, (2500, 80, -2)))
"""Noise relative to a good band: more at the ends of the detector and where vapour absorbs."""
