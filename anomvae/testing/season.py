"""A simulated season: scenes of a few places as monitoring receives them, day after day.

A place keeps its land; light, noise and clouds change from day to day.  One place changes for good
in the middle of the season.  Some files arrive damaged; of others a half arrives first, then the
whole.  Axes are those of `simulate`; equal arguments give equal seasons.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .materials import MATERIALS
from .simulate import Place, Sensor, Shape, SimulatedScene, draw_place, observe

Fault = Literal["none", "damaged", "half"]
Rng = np.random.Generator
SENSOR = Sensor(wedge=0.02, shadow=0.02)


@dataclass(frozen=True)
class Season:
    """The settings of a season."""

    scenes: int = 60
    """Scenes of all places together, which take turns."""
    before: int = 6
    """Cloudless scenes of each place before the season, to train on."""
    places: tuple[str, ...] = ("harbour", "fields", "island")
    """Names of the places."""
    shape: Shape = (48, 48)
    """Rows and columns of a scene, pixels."""
    sensor: Sensor = SENSOR
    """The sensor."""
    clouds: float = 0.15
    """Mean share of pixels under clouds, which have no data."""
    faults: float = 0.15
    """Share of scenes that arrive damaged, and share of those that arrive by halves."""
    changed: str = "harbour"
    """Name of the place that changes for good."""
    size: Shape = (5, 5)
    """Rows and columns of the change, pixels."""


@dataclass(frozen=True)
class Arrival:
    """A scene as it arrives."""

    number: int
    """From 0, in order of time."""
    place: str
    """Name of the place."""
    scene: SimulatedScene
    """The scene, with its labels."""
    fault: Fault
    """``damaged``: never readable; ``half``: first a half of the file, then the whole."""


def arrivals(season: Season, seed: int) -> Iterator[Arrival]:
    """Draw the scenes of a season, in order of time."""
    lands, days, chance = np.random.default_rng(seed).spawn(3)
    places = _places(season, lands)
    for number, day in enumerate(days.spawn(season.scenes)):
        name = season.places[number % len(season.places)]
        changed = name == season.changed and number >= season.scenes // 2
        # The first scene of each place has no fault, so that each has a result.
        fault = _fault(chance, season.faults) if number >= len(season.places) else "none"
        yield Arrival(number, name, _scene(places[name], day, season, changed=changed), fault)


def normal(season: Season, name: str, seed: int) -> list[SimulatedScene]:
    """Draw the scenes of a place before the season; their light differs from day to day."""
    lands, _, days = np.random.default_rng(seed).spawn(3)
    place = _places(season, lands)[name]
    return [observe(place, day, (), season.sensor) for day in days.spawn(season.before)]


def _places(season: Season, lands: Rng) -> dict[str, Place]:
    drawn = (draw_place(season.shape, rng) for rng in lands.spawn(len(season.places)))
    return dict(zip(season.places, drawn, strict=True))


def _fault(chance: Rng, share: float) -> Fault:
    drawn = chance.uniform()
    return "damaged" if drawn < share else "half" if drawn < 2 * share else "none"


def _scene(place: Place, day: Rng, season: Season, *, changed: bool) -> SimulatedScene:
    light, sky = day.spawn(2)
    scene = observe(place, light, (), season.sensor)
    if changed:
        scene = _changed(scene, season.size)
    block = np.where(_cloudy(sky, season)[..., None], np.nan, scene.block)
    return replace(scene, block=block.astype(np.float32))


def _changed(scene: SimulatedScene, size: Shape) -> SimulatedScene:
    """Add a roof, always at the same pixels."""
    block, fraction = scene.block.copy(), scene.fraction.copy()
    sides = zip(scene.fraction.shape, size, strict=True)
    rows, cols = (slice(side // 3, side // 3 + wide) for side, wide in sides)
    block[:, rows, cols] = MATERIALS["blue roof"].at(np.array(scene.wavelengths, float))
    fraction[rows, cols] = 1
    return replace(scene, block=block, fraction=fraction)


def _cloudy(sky: Rng, season: Season) -> NDArray[np.bool_]:
    """Draw clouds, (row, col); their cover differs from day to day."""
    from scipy import ndimage

    cover = min(0.9, sky.exponential(season.clouds)) if season.clouds else 0.0
    noise = ndimage.gaussian_filter(sky.normal(size=season.shape), 4)
    return np.asarray(noise > np.quantile(noise, 1 - cover))
