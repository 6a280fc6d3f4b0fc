"""A season in which much happens at one site, as a monitor of changes meets it.

Land is imaged every few days.  Crops grow and ripen, earlier in one field than in another; light,
noise and clouds differ from day to day.  On this background:

lasting     an object is built and stays
vanishing   another object is there on one date alone
stray       masks miss some of the small clouds of a date, and their shadows
hazy        a veil covers the scene
shifted     the grid has another origin, by a few pixels or a part of one
offset      from a date on, all values are higher: another processing baseline

`archive` is the time before, for training; `season` is what arrives.  Both follow a `Course`: the
land, and what happens on it.  Axes are those of `simulate`; equal arguments give equal seasons.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from .materials import BACKGROUND, FOREIGN, Floats
from .simulate import (
    Place,
    Rng,
    Sensor,
    Shape,
    SimulatedScene,
    draw_place,
    free_spot,
    observe,
    smooth,
)
from .sky import broken_clouds, daylight, hazy, with_small_clouds

Spot = tuple[slice, slice]
"""Rows and columns of an object."""
MARGIN = 5
"""Land around the site, pixels, which a shifted grid sees."""
CLEARANCE = 4
"""Least distance of the objects from each other and from the border, pixels."""
FIELDS = "crop", "straw", "soil"
"""Land on which objects are built: where buildings stand, a model of single dates may know land as
unusual before, and another building changes nothing."""
LEAF_OFF = 15
"""Day of the year on which vegetation covers least."""
LEAF = 0.3, 0.9
"""Share of a pixel of crops that is green in winter and in summer; the rest is soil."""
LAG = 6.0
"""Standard deviation of the day on which the crops of a field grow, days."""
SHIFTS = (0.5, 1.0, 3.0)
"""Shifts of a grid, pixels: half a pixel, and origins that another cutter chose."""
STRAY = 0.015
"""Share of pixels under small clouds that masks miss, and in shadow, on a date that has them."""
SENSOR = Sensor(
    wavelengths=(490, 560, 665, 705, 783, 842, 1610, 2205), noise=0.002, wedge=0.0, shadow=0.0
)
"""The bands of a satellite for land; in orbit it has twice the noise of one in an aircraft."""


@dataclass(frozen=True)
class EventfulSeason:
    """The settings of a season."""

    scenes: int = 30
    """Scenes, ``every`` days from ``start`` on."""
    archive: int = 61
    """Scenes before, for training: a year of them."""
    start: date = date(2025, 4, 1)
    """The date of the first scene."""
    every: int = 6
    """Days between two scenes."""
    shape: Shape = (48, 48)
    """Rows and columns of a scene, pixels."""
    sensor: Sensor = SENSOR
    """The sensor."""
    size: Shape = (5, 6)
    """Rows and columns of the lasting and the vanishing object, pixels."""
    lasting: int = 12
    """Number of the first scene with the lasting object."""
    offset_from: int = 24
    """Number of the first scene with an offset."""
    offset: float = 0.2
    """What is added to all values: that of Landsat's Collection 2, where it is not taken away."""
    hazy: int = 4
    """Hazy scenes."""
    shifted: int = 5
    """Scenes on a shifted grid."""
    clouds: float = 0.1
    """Mean share of pixels under clouds, which have no data."""
    stray: int = 4
    """Scenes with small clouds and shadows that no mask hides."""


@dataclass(frozen=True)
class Acquisition:
    """A scene of the season."""

    number: int
    """From 0, in order of time; those of the archive are below 0."""
    date: date
    """The date."""
    scene: SimulatedScene
    """The scene; its labels are the objects."""
    shift: tuple[float, float] = (0.0, 0.0)
    """Rows and columns by which its grid lies further down and right, pixels."""
    hazy: bool = False
    """Whether a veil covers it."""
    offset: bool = False
    """Whether its values are higher."""


@dataclass(frozen=True)
class Course:
    """What happens in a season; equal for equal arguments of `course`."""

    season: EventfulSeason
    """The settings."""
    seed: int
    """The seed."""
    place: Place
    """Land in summer, with a margin."""
    lag: Floats
    """Days by which crops grow later, (row, col), with the margin."""
    materials: tuple[str, str]
    """Materials of the lasting and of the vanishing object."""
    spots: tuple[Spot, Spot]
    """Rows and columns of the lasting and of the vanishing object, with the margin."""
    vanishing: int
    """Number of the scene with the vanishing object."""
    hazy: frozenset[int]
    """Numbers of hazy scenes."""
    stray: frozenset[int]
    """Numbers of scenes with small clouds that no mask hides."""
    shifts: dict[int, tuple[float, float]]
    """Shifts of scenes by their number, see `Acquisition`."""


def course(season: EventfulSeason, seed: int) -> Course:
    """Draw the land, and what happens on it.

    Raises
    ------
    ConfigError
        If the objects find no room.
    """
    land, crops, chance = np.random.default_rng(seed).spawn(3)
    shape = tuple(side + 2 * MARGIN for side in season.shape)
    place = draw_place((shape[0], shape[1]), land)
    numbers = chance.permutation(np.arange(1, season.offset_from))  # the first scene is plain
    hazy, stray, shifted, vanishing = np.split(
        numbers, np.cumsum([season.hazy, season.stray, season.shifted])
    )
    first, second = chance.choice(list(FOREIGN), 2)
    steps = chance.choice(SHIFTS, (season.shifted, 2)) * chance.choice((-1, 1), (season.shifted, 2))
    return Course(
        season=season,
        seed=seed,
        place=place,
        lag=LAG * smooth(crops, place.relief.shape, 6),
        materials=(str(first), str(second)),
        spots=_spots(chance, place, season.size),
        vanishing=int(vanishing[0]),
        hazy=frozenset(hazy.tolist()),
        stray=frozenset(stray.tolist()),
        shifts=dict(zip(shifted.tolist(), map(tuple, steps.tolist()), strict=True)),
    )


def archive(drawn: Course) -> list[Acquisition]:
    """Draw the scenes before the season: without clouds, objects, haze, shift and offset."""
    return [_acquired(drawn, number) for number in range(-drawn.season.archive, 0)]


def season(drawn: Course) -> Iterator[Acquisition]:
    """Draw the scenes of the season, in order of time."""
    return (_acquired(drawn, number) for number in range(drawn.season.scenes))


def greenness(day: date, lag: Floats) -> Floats:
    """Return the share of crops that is green, given the days by which they grow later."""
    phase = 2 * np.pi * (day.timetuple().tm_yday - LEAF_OFF - lag) / 365
    low, high = LEAF
    return np.asarray(low + (high - low) * (0.5 - 0.5 * np.cos(phase)))


def _spots(rng: Rng, place: Place, size: Shape) -> tuple[Spot, Spot]:
    """Choose where the objects are: on fields, apart, and in view of every grid."""
    free, inner = np.zeros(place.relief.shape, bool), slice(MARGIN + CLEARANCE, -MARGIN - CLEARANCE)
    fields = place.abundances @ [name in FIELDS for name in BACKGROUND] > 0.9
    free[inner, inner] = fields[inner, inner]
    first = free_spot(rng, free, size)
    free[tuple(slice(side.start - CLEARANCE, side.stop + CLEARANCE) for side in first)] = False
    return first, free_spot(rng, free, size)


def _acquired(drawn: Course, number: int) -> Acquisition:
    """Image the land of a day as its grid, its sky and its processing show it."""
    settings, shift = drawn.season, drawn.shifts.get(number, (0.0, 0.0))
    rng = np.random.default_rng([drawn.seed, number + settings.archive])
    day = settings.start + timedelta(days=number * settings.every)
    offset = settings.offset if number >= settings.offset_from else 0.0
    place = _window(_grown(drawn, number, day), shift)
    light, sky = rng.spawn(2)
    shadow = STRAY if number in drawn.stray else settings.sensor.shadow
    scene = observe(place, light, (), replace(settings.sensor, shadow=shadow))
    block = _under_sky(drawn, number, scene, sky) + offset
    return Acquisition(
        number=number,
        date=day,
        scene=replace(scene, block=block[None].clip(0).astype(np.float32)),
        shift=shift,
        hazy=number in drawn.hazy,
        offset=offset > 0,
    )


def _under_sky(drawn: Course, number: int, scene: SimulatedScene, rng: Rng) -> Floats:
    """Return the block (row, col, band) under light, haze and clouds of the day."""
    air, haze, puffs, clouds = rng.spawn(4)
    nm = np.array(scene.wavelengths, float)
    block = daylight(air, scene.block[0].astype(float), nm)
    if number in drawn.hazy:
        block = hazy(haze, block, nm)
    if number in drawn.stray:
        block = with_small_clouds(puffs, block, STRAY)
    if number >= 0:
        block[broken_clouds(clouds, block.shape[:2], drawn.season.clouds)] = np.nan
    return block


def _grown(drawn: Course, number: int, day: date) -> Place:
    """Return the land of a day: its crops as green as they are, and its objects."""
    land, names = drawn.place.abundances.copy(), list(BACKGROUND)
    crop, soil = names.index("crop"), names.index("soil")
    green = greenness(day, drawn.lag) * land[..., crop]
    land[..., soil] += land[..., crop] - green
    land[..., crop] = green
    there = (number >= drawn.season.lasting, number == drawn.vanishing)
    objects = [
        (material, _cover(spot, drawn.place))
        for material, spot, is_there in zip(drawn.materials, drawn.spots, there, strict=True)
        if is_there
    ]
    return replace(drawn.place, abundances=land, objects=tuple(objects))


def _cover(spot: Spot, place: Place) -> Floats:
    cover = np.zeros_like(place.relief)
    cover[spot] = 1
    return cover


def _window(place: Place, shift: tuple[float, float]) -> Place:
    """Return the land of a grid that lies ``shift`` pixels further down and right."""
    return Place(
        abundances=_moved(place.abundances, shift),
        depths=_moved(place.depths, shift),
        relief=_moved(place.relief, shift),
        objects=tuple((name, _moved(cover, shift)) for name, cover in place.objects),
    )


def _moved(land: Floats, shift: tuple[float, float]) -> Floats:
    """Return the inner part of (row, col, ...) from ``shift`` on, between pixels linearly."""
    from scipy import ndimage

    back = (-shift[0], -shift[1], *(0,) * (land.ndim - 2))
    inner = slice(MARGIN, -MARGIN)
    return np.asarray(ndimage.shift(land, back, order=1, mode="nearest")[inner, inner])
