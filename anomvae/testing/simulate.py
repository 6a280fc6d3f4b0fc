"""Simulated scenes of land, true to the physics of reflectance, with planted anomalies.

Axes are (row, col), then material or band; reflectance is 0 to 1, wavelengths are in nm::

    mixed[band]    = sum over materials of abundance * spectrum[band]
    matter[band]   = mixed[band] * exp(-sum over tones of depth * absorbance[band])
    observed[band] = matter[band] * light[band] + noise[band]

As on real land, nothing is Gaussian: depths are skewed, slopes of roofs and trees make the light
uneven, roofs and a quarry are rare but normal, the optics mix pixels along borders, and noise grows
with the signal, has heavy tails and stripes.  A `Place` is land on any day; `observe` images it on
one; `simulate` does both.  All places have the same materials, so a model trained on one seed
applies to others.  Equal arguments give equal scenes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .materials import (
    BACKGROUND,
    COVERED,
    FOREIGN,
    MATERIALS,
    NOISE,
    ROOFS,
    ROUGHNESS,
    TONES,
    VARIETY,
    Floats,
)

Rng = np.random.Generator
Shape = tuple[int, int]


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
    *(Anomaly(name, fraction=tenths / 10) for name in FOREIGN for tenths in range(5, 10)),
)
"""Two objects of whole pixels and five sub-pixel ones of each foreign material."""


@dataclass(frozen=True)
class Place:
    """Land on any day; axes (row, col)."""

    abundances: Floats
    """Share of each material of `BACKGROUND`, on a third axis along which shares add up to 1."""
    depths: Floats
    """Absorption around each wavelength of `TONES` beyond the usual, nepers, on a third axis."""
    relief: Floats
    """Height of ground, trees and buildings, in sides of a pixel."""
    objects: tuple[tuple[str, Floats], ...] = ()
    """What was built since: a name in `MATERIALS`, and the share of each pixel that it fills."""


@dataclass(frozen=True)
class Sensor:
    """A sensor, and the conditions of its images."""

    wavelengths: tuple[float, ...] = (
        443, 490, 530, 560, 600, 665, 690, 705, 720, 740, 783, 842, 910, 945, 1035, 1205, 1260,
        1610, 1680, 1730, 2100, 2205, 2310, 2380,
    )  # fmt: skip
    """Band centres, nm; by default where materials differ and air is transparent."""
    noise: float = 0.001
    """Noise in a good band where reflectance is 0.2; weak bands and bright pixels have more."""
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
    """Draw fields, woods, a town, estates, farms, a quarry, a river, ponds, a road and hills."""
    if min(shape) < 16:
        raise ConfigError(f"shape = {shape} leaves no room for land: give 16 pixels or more.")
    hills, fields = 3 * smooth(rng, shape, 12), _fields(rng, shape)
    ripeness = rng.normal(size=(fields.max() + 1, len(TONES)))[fields]
    drift, scatter = (smooth(rng, ripeness.shape, radius) for radius in (4, 0.7))
    skewed = np.exp(0.4 * ripeness + 0.4 * drift + 0.15 * scatter) - 1
    abundances = _cover(rng, fields, hills)
    variety, rough = (abundances @ list(trait.values()) for trait in (VARIETY, ROUGHNESS))
    return Place(abundances, variety[..., None] * skewed, hills + rough * smooth(rng, shape, 0.7))


def observe(place: Place, rng: Rng, anomalies: Sequence[Anomaly], sensor: Sensor) -> SimulatedScene:
    """Image a place; ``rng`` draws the anomalies, on open land, shadows and noise of the day."""
    nm, (rows, cols) = np.array(sensor.wavelengths, float), place.relief.shape
    valid = np.arange(cols) >= np.linspace(2 * sensor.wedge * cols, 0, rows)[:, None]
    mixed = place.abundances @ [spectrum.at(nm) for spectrum in BACKGROUND.values()]
    fraction, free = np.zeros((rows, cols), np.float32), valid & open_land(place)
    for name, share in place.objects:
        mixed += share[..., None] * (MATERIALS[name].at(nm) - mixed)
        fraction = np.maximum(fraction, share, dtype=np.float32)
    chance, weather, hiss = rng.spawn(3)  # anomalies change neither shadows nor noise
    for anomaly in anomalies:
        spot = free_spot(chance, free, anomaly.shape)
        free[tuple(slice(max(0, side.start - 2), side.stop + 2) for side in spot)] = False
        fraction[spot] = anomaly.fraction
        mixed[spot] += anomaly.fraction * (MATERIALS[anomaly.material].at(nm) - mixed[spot])
    absorbance = np.exp(-0.5 * ((nm / np.reshape(TONES, (-1, 1)) - 1) / 0.15) ** 2)
    matter = mixed * np.exp(-place.depths @ absorbance)
    observed = matter * _light(weather, place.relief, sensor.shadow, nm)
    observed += _noise(hiss, observed, sensor.noise * NOISE.at(nm))
    observed[..., list(sensor.dead)] = 0
    block = np.where(valid[..., None], observed.clip(0, 1), np.nan).astype(np.float32)
    return SimulatedScene(block[None], fraction, sensor.wavelengths)


def open_land(place: Place) -> NDArray[np.bool_]:
    """Return which pixels, (row, col), are neither woods nor water, and so may carry anomalies."""
    return np.asarray(place.abundances @ [name in COVERED for name in BACKGROUND] < 0.3)


def smooth(rng: Rng, shape: tuple[int, ...], radius: float) -> Floats:
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
    strip = np.floor((across + 1.5 * smooth(rng, shape, 8)) / 11).astype(int)
    strip -= strip.min()
    part = np.floor((along + rng.uniform(0, 23, strip.max() + 1)[strip]) / 23).astype(int)
    return np.asarray(strip * np.ptp(part) + strip + part - part.min())


def _cover(rng: Rng, fields: NDArray[np.intp], hills: Floats) -> Floats:
    """Return the abundances: crops in the fields, then all that lies on or between them."""
    from scipy import ndimage

    chosen = rng.choice(3, size=fields.max() + 1, p=(0.5, 0.25, 0.25))[fields]
    weight = np.exp(smooth(rng, (*fields.shape, 3), 5) + 3.5 * np.eye(3)[chosen])
    land = weight / weight.sum(-1, keepdims=True) @ np.eye(3, len(BACKGROUND))
    town = highest(smooth(rng, fields.shape, 6), 0.07)
    layers = (
        ("forest", 0.95 * highest(smooth(rng, fields.shape, 7), 0.15)),
        ("asphalt", 0.6 * town),
        ("concrete", 0.9 * town * highest(smooth(rng, fields.shape, 0.8), 0.4)),
        ("water", np.maximum(_course(rng, fields.shape, 5, 6), highest(-hills, 0.02))),
        ("asphalt", _course(rng, fields.shape, 1.2, 2)),
        ("gravel", highest(smooth(rng, fields.shape, 3), 0.004)),
    )
    for name, share in layers:
        pure = np.array([name == other for other in BACKGROUND])
        land = land + share[..., None] * (pure - land)
    built = _build(rng, land)
    return np.asarray(ndimage.gaussian_filter(built, 0.6, axes=(0, 1)))  # the optics blur


def _build(rng: Rng, land: Floats) -> Floats:
    """Return land with buildings: a few farms, and estates; each roof is a mixture of its own."""
    shape, roofs = land.shape[:2], np.array([name in ROOFS for name in BACKGROUND])
    chance = highest(smooth(rng, shape, 4), 0.08) + 0.005
    chance *= 1 - land @ [name in COVERED for name in BACKGROUND]
    spots = rng.choice(chance.size, chance.size // 140, p=(chance / chance.sum()).ravel())
    built = land.copy()
    for row, col in zip(*np.unravel_index(spots, shape), strict=True):
        rows, cols = rng.integers(1, 4, 2, endpoint=True)
        built[row : row + rows, col : col + cols] = 0
        built[row : row + rows, col : col + cols, roofs] = rng.dirichlet(np.full(len(ROOFS), 0.5))
    return built


def highest(noise: Floats, share: float) -> Floats:
    """Return a cover, 0 to 1, of the ``share`` of pixels with the highest noise; soft borders."""
    return np.clip(8 * (noise - np.quantile(noise, 1 - share)), 0, 1)


def _course(rng: Rng, shape: tuple[int, ...], width: float, bend: float) -> Floats:
    """Return the cover, 0 to 1, of a line that winds through the scene; lengths in pixels."""
    along, across = _axes(rng, shape)
    phase, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.25, 0.25) * min(shape)
    distance = np.abs(across - offset - bend * np.sin(along / 14 + phase))
    return np.clip(width / 2 + 0.5 - distance, 0, 1)


def free_spot(rng: Rng, free: NDArray[np.bool_], size: Shape) -> tuple[slice, slice]:
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
    sun = sun.clip(0.3, 1.7) * (1 - 0.8 * highest(smooth(rng, relief.shape, 6), shadow))
    sky = 0.25 * (450 / nm) ** 2  # air scatters blue light, so shadows are blue
    return np.asarray((1 - sky) * sun[..., None] + sky)


def _noise(rng: Rng, signal: Floats, level: Floats) -> Floats:
    """Draw noise (row, col, band): of photons, with heavy tails, and stripes along columns."""
    photons = np.sqrt(0.1 + 0.9 * signal.clip(0) / 0.2)
    spread = np.sqrt(8 / 6)  # of Student's t with 8 degrees of freedom
    stripes = 0.3 * rng.normal(size=signal.shape[1:])
    return np.asarray(level * (photons * rng.standard_t(8, signal.shape) / spread + stripes))
