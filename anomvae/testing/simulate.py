"""Simulated scenes of land, true to the physics of reflectance, with planted anomalies.

Axes are (row, col), then material or band; reflectance is 0 to 1, wavelengths are in nm::

    mixed[band]    = sum over materials of abundance * spectrum[band]
    observed[band] = mixed[band] * variety[band] * light[band] + noise[band]

A `Place` is land on any day; `observe` images it on one; `simulate` does both.  All places have
the same materials, so a model trained on one seed applies to others.  Equal arguments give equal
scenes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError

Floats = NDArray[np.float64]
Rng = np.random.Generator
Shape = tuple[int, int]
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
HYDROCARBON: Features = ((1210, 18, 0.04), (1730, 22, 0.14), (2310, 35, 0.18))
VAPOUR: Features = ((940, 30, -2), (1390, 60, -5), (1880, 60, -5))
LEAF: Features = ((1350, 90, -0.06), (2000, 200, -0.07))

BACKGROUND = {
    "crop": Spectrum(0.12, ((715, 14, 0.4), *LEAF), CHLOROPHYLL + LIQUID_WATER),
    "straw": Spectrum(0.08, ((610, 80, 0.2), (900, 150, 0.16)), ((670, 30, 0.1), *CELLULOSE)),
    "soil": Spectrum(0.05, ((590, 60, 0.1), (1100, 260, 0.22)), ((880, 60, 0.08), *CLAY)),
    "forest": Spectrum(0.06, ((720, 15, 0.25), *LEAF), CHLOROPHYLL + LIQUID_WATER),
    "asphalt": Spectrum(0.09, ((800, 300, 0.06),), ((2310, 40, 0.04),)),
    "concrete": Spectrum(0.2, ((560, 90, 0.12),), ((1930, 60, 0.1), (2340, 35, 0.1))),
    "water": Spectrum(0.055, ((590, 35, -0.03), (735, 25, -0.024)), ((440, 60, 0.35),)),
}
"""Materials of normal land; the first three fill fields."""
FOREIGN = {
    "red roof": Spectrum(0.05, ((595, 10, 0.42),), HYDROCARBON),
    "blue roof": Spectrum(0.34, ((515, 14, -0.28), (745, 18, 0.4)), HYDROCARBON),
    "plastic": Spectrum(0.48, ((430, 20, 0.1),), HYDROCARBON),
    "solar panel": Spectrum(0.04, ((1090, 18, 0.2),), HYDROCARBON[1:2]),  # silicon's band gap
}
"""Materials that normal land does not have."""
MATERIALS = BACKGROUND | FOREIGN
NOISE = Spectrum(1, (), ((400, 50, -2), *VAPOUR, (2500, 80, -2)))
"""Noise relative to a good band: more at the ends of the detector and where vapour absorbs."""
TONES = (430, 500, 580, 670, 780, 900, 1050, 1250, 1600, 1900, 2200)
"""Wavelengths around which the brightness of a material varies, so that fields differ."""


@dataclass(frozen=True)
class Anomaly:
    """One object to plant at a random position."""

    material: str
    """A name in `MATERIALS`."""
    shape: Shape = (1, 1)
    """Rows and columns, pixels."""
    fraction: float = 1.0
    """Share of each of its pixels that it fills, in (0, 1]; below 1 it is sub-pixel."""

    def __post_init__(self) -> None:
        """Refuse unknown materials and empty objects."""
        if self.material not in MATERIALS:
            raise ConfigError(f"No material is {self.material!r}. Known: {', '.join(MATERIALS)}.")
        if not 0 < self.fraction <= 1 or min(self.shape) < 1:
            raise ConfigError(f"{self} covers nothing: give sides >= 1 and a fraction in (0, 1].")


ANOMALIES = (
    *(Anomaly(name, side) for name in FOREIGN for side in ((2, 2), (3, 4))),
    *(Anomaly(name, fraction=tenths / 10) for name in FOREIGN for tenths in range(3, 8)),
)
"""Two objects of whole pixels and five sub-pixel ones of each foreign material."""


@dataclass(frozen=True)
class Place:
    """Land on any day; axes (row, col)."""

    abundances: Floats
    """Share of each material of `BACKGROUND`, on a third axis along which shares add up to 1."""
    tone: Floats
    """Log of the factor on reflectance around each wavelength of `TONES`, on a third axis."""
    relief: Floats
    """Height, in sides of a pixel."""


@dataclass(frozen=True)
class Sensor:
    """A sensor, and the conditions of its images."""

    wavelengths: tuple[float, ...] = (
        443, 490, 530, 560, 600, 665, 690, 705, 720, 740, 783, 842, 910, 945, 1035, 1205, 1260,
        1610, 1680, 1730, 2100, 2205, 2310, 2380,
    )  # fmt: skip
    """Band centres, nm; by default where materials differ and air is transparent."""
    noise: float = 0.002
    """Standard deviation in a good band, reflectance; weak bands have more."""
    dead: tuple[int, ...] = ()
    """Positions of bands, from 0, that are 0 at all pixels."""
    wedge: float = 0.05
    """Share of pixels without data, 0 to 0.5: a wedge at the left, the edge of the swath."""
    shadow: float = 0.05
    """Share of pixels in the shadow of clouds outside the scene."""


@dataclass(frozen=True)
class SimulatedScene:
    """A simulated scene, with its labels."""

    block: NDArray[np.float32]
    """Reflectance 0 to 1, axes (time, row, col, band) with one time; NaN = no data."""
    fraction: NDArray[np.float32]
    """Share of the pixel that an anomaly fills, (row, col); below 1 it is sub-pixel."""
    wavelengths: tuple[float, ...]
    """Band centres, nm."""

    @property
    def labels(self) -> NDArray[np.uint8]:
        """Labels (row, col): 1 where an anomaly was planted, else 0."""
        return (self.fraction > 0).astype(np.uint8)

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Pixels that have data, (row, col)."""
        return np.asarray(np.isfinite(self.block).all((0, 3)))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the bands, such as ``665 nm``."""
        return tuple(f"{nm:g} nm" for nm in self.wavelengths)


def simulate(
    shape: Shape, seed: int, *, anomalies: Sequence[Anomaly] = (), sensor: Sensor = Sensor()
) -> SimulatedScene:
    """Draw a place and image it once; without anomalies it is a scene to train on.

    ``shape`` is in pixels, at least 16 a side; ``seed`` is that of place and day.

    Raises
    ------
    ConfigError
        If ``shape`` is too small for the landscape, or for the anomalies 2 pixels apart.
    """
    land, day = np.random.default_rng(seed).spawn(2)
    return observe(draw_place(shape, land), day, anomalies, sensor)


def draw_place(shape: Shape, rng: Rng) -> Place:
    """Draw fields, woods, a town, a river, ponds, a road and hills."""
    if min(shape) < 16:
        raise ConfigError(f"shape = {shape} leaves no room for land: give 16 pixels or more.")
    relief, fields = 3 * _smooth(rng, shape, 12), _fields(rng, shape)
    tone = rng.normal(size=(fields.max() + 1, len(TONES)))[fields]
    tone += _smooth(rng, tone.shape, 4) + _smooth(rng, tone.shape, 0.4)  # drift, and scatter
    return Place(_cover(rng, fields, relief), 0.06 * tone, relief)


def observe(place: Place, rng: Rng, anomalies: Sequence[Anomaly], sensor: Sensor) -> SimulatedScene:
    """Image a place; ``rng`` draws the anomalies, shadows and noise of the day."""
    nm, (rows, cols) = np.array(sensor.wavelengths, float), place.relief.shape
    valid = np.arange(cols) >= np.linspace(2 * sensor.wedge * cols, 0, rows)[:, None]
    mixed = place.abundances @ [spectrum.at(nm) for spectrum in BACKGROUND.values()]
    fraction, free = np.zeros((rows, cols), np.float32), valid.copy()
    chance, weather, hiss = rng.spawn(3)  # anomalies change neither shadows nor noise
    for anomaly in anomalies:
        spot = _free_spot(chance, free, anomaly.shape)
        free[tuple(slice(max(0, side.start - 2), side.stop + 2) for side in spot)] = False
        fraction[spot] = anomaly.fraction
        mixed[spot] += anomaly.fraction * (MATERIALS[anomaly.material].at(nm) - mixed[spot])
    near = np.exp(-0.5 * ((nm / np.reshape(TONES, (-1, 1)) - 1) / 0.15) ** 2)
    observed = mixed * np.exp(place.tone @ near) * _light(weather, place.relief, sensor.shadow, nm)
    observed += hiss.normal(0, sensor.noise * NOISE.at(nm), observed.shape)
    observed[..., list(sensor.dead)] = 0
    block = np.where(valid[..., None], observed.clip(0, 1), np.nan).astype(np.float32)
    return SimulatedScene(block[None], fraction, sensor.wavelengths)


def _smooth(rng: Rng, shape: tuple[int, ...], radius: float) -> Floats:
    """Draw noise (row, col, ...) of mean 0 and deviation 1, smooth over ``radius`` pixels."""
    from scipy import ndimage

    noise = ndimage.gaussian_filter(rng.normal(size=shape), radius, axes=(0, 1))
    return np.asarray((noise - noise.mean((0, 1))) / noise.std((0, 1)))


def _axes(rng: Rng, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Return coordinates along two axes of a random direction through the middle, pixels."""
    row, col = np.indices(shape) - np.reshape(shape, (2, 1, 1)) / 2
    turned = (col + 1j * row) * np.exp(1j * rng.uniform(0, np.pi))
    return turned.real, turned.imag


def _fields(rng: Rng, shape: Shape) -> NDArray[np.intp]:
    """Return the numbers of fields of 11 x 23 pixels, in strips of a random direction."""
    along, across = _axes(rng, shape)
    strip = np.floor((across + 1.5 * _smooth(rng, shape, 8)) / 11).astype(int)
    strip -= strip.min()
    part = np.floor((along + rng.uniform(0, 23, strip.max() + 1)[strip]) / 23).astype(int)
    return np.asarray(strip * np.ptp(part) + strip + part - part.min())


def _cover(rng: Rng, fields: NDArray[np.intp], relief: Floats) -> Floats:
    """Return the abundances: crops in the fields, then woods, a town, water and a road."""
    from scipy import ndimage

    chosen = rng.choice(3, size=fields.max() + 1, p=(0.5, 0.25, 0.25))[fields]
    weight = np.exp(_smooth(rng, (*fields.shape, 3), 5) + 3.5 * np.eye(3)[chosen])
    land = weight / weight.sum(-1, keepdims=True) @ np.eye(3, len(BACKGROUND))
    town = _highest(_smooth(rng, fields.shape, 6), 0.07)
    layers = (
        ("forest", 0.95 * _highest(_smooth(rng, fields.shape, 7), 0.15)),
        ("asphalt", 0.6 * town),
        ("concrete", 0.9 * town * _highest(_smooth(rng, fields.shape, 0.8), 0.4)),
        ("water", np.maximum(_course(rng, fields.shape, 5, 6), _highest(-relief, 0.02))),
        ("asphalt", _course(rng, fields.shape, 1.2, 2)),
    )
    for name, share in layers:
        pure = np.array([name == other for other in BACKGROUND])
        land = land + share[..., None] * (pure - land)
    return np.asarray(ndimage.gaussian_filter(land, 0.5, axes=(0, 1)))  # the optics blur


def _highest(noise: Floats, share: float) -> Floats:
    """Return a cover, 0 to 1, of the ``share`` of pixels with the highest noise; soft borders."""
    return np.clip(8 * (noise - np.quantile(noise, 1 - share)), 0, 1)


def _course(rng: Rng, shape: tuple[int, ...], width: float, bend: float) -> Floats:
    """Return the cover, 0 to 1, of a line that winds through the scene; lengths in pixels."""
    along, across = _axes(rng, shape)
    phase, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.25, 0.25) * min(shape)
    distance = np.abs(across - offset - bend * np.sin(along / 14 + phase))
    return np.clip(width / 2 + 0.5 - distance, 0, 1)


def _free_spot(rng: Rng, free: NDArray[np.bool_], size: Shape) -> tuple[slice, slice]:
    """Choose a free window of ``size`` pixels."""
    blocked = np.pad(~free, ((0, size[0]), (0, size[1])), constant_values=True)
    corners = np.argwhere(~np.lib.stride_tricks.sliding_window_view(blocked, size).any((2, 3)))
    if not len(corners):
        raise ConfigError(f"An anomaly of {size} pixels finds no room: give a larger shape.")
    row, col = rng.choice(corners)
    return slice(row, row + size[0]), slice(col, col + size[1])


def _light(rng: Rng, relief: Floats, shadow: float, nm: Floats) -> Floats:
    """Return the light relative to that on level, open ground, (row, col, band)."""
    down, right = np.gradient(relief)
    sun = (1 + 0.6 * (down + right)) / np.sqrt(1 + down**2 + right**2)  # from the north-west
    sun = sun.clip(0.3, 1.7) * (1 - 0.8 * _highest(_smooth(rng, relief.shape, 6), shadow))
    sky = 0.25 * (450 / nm) ** 2  # air scatters blue light, so shadows are blue
    return np.asarray((1 - sky) * sun[..., None] + sky)
