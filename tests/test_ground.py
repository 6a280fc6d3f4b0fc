"""How long pixels are on the ground, and where true north is in a picture."""

import math

import pytest
from affine import Affine

from anomvae.pixels.grid import Grid
from anomvae.raster import Georeference, ground_of
from anomvae.raster.crs import named_crs, text_of


def where(crs, transform, shape=(100, 200)):
    return Georeference(Grid(shape, tuple(transform)[:6], text_of(named_crs(crs)) if crs else ""))


def turned(degrees, pixel=10.0, x=5e5, y=4.5e6):
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return Affine(pixel * cosine, pixel * sine, x, pixel * sine, -pixel * cosine, y)


@pytest.mark.parametrize(
    ("crs", "transform", "col", "row"),
    [
        ("EPSG:32633", turned(0), 10, 10),
        ("EPSG:32633", turned(30), 10, 10),
        ("EPSG:2230", Affine(10, 0, 6.2e6, 0, -10, 1.8e6), 3.048, 3.048),  # US survey feet
        ("EPSG:4326", Affine(1e-3, 0, 10, 0, -1e-3, 60.05), 55.8, 111.41),
        ("EPSG:3857", Affine(20, 0, 1e6, 0, -20, 8.4e6), 10.03, 10.03),  # 60 N: half the length
        ("EPSG:4326", Affine(1e-3, 0, 179.9, 0, -1e-3, 0.05), 111.32, 110.57),
        ("EPSG:3413", Affine(1000, 0, -1e5, 0, -1000, 5e4), 1030, 1030),  # the pole
    ],
)
def test_pixels_are_as_long_as_on_the_ellipsoid(crs, transform, col, row):
    ground = ground_of(where(crs, transform))

    assert ground.col == pytest.approx(col, rel=0.01)
    assert ground.row == pytest.approx(row, rel=0.01)


@pytest.mark.parametrize("degrees", [0, 25, 90, -140])
def test_north_turns_with_the_grid(degrees):
    ground = ground_of(where("EPSG:32633", turned(degrees)))

    # At the central meridian of a zone grid north is true north.
    assert ground.bearing_of_north(1.0) == pytest.approx(degrees, abs=0.1)


def test_north_is_that_of_the_meridian_and_not_of_the_grid():
    ground = ground_of(where("EPSG:32633", turned(0, x=8e5, y=6.65e6)))
    convergence = math.degrees(math.atan(math.tan(math.radians(5.38)) * math.sin(math.radians(60))))

    assert ground.bearing_of_north(1.0) == pytest.approx(-convergence, abs=0.15)


def test_a_grid_whose_first_row_is_in_the_south_has_north_below():
    ground = ground_of(where("EPSG:4326", Affine(1e-3, 0, 10, 0, 1e-3, 50)))

    assert abs(ground.bearing_of_north(ground.aspect)) == pytest.approx(180, abs=0.01)


@pytest.mark.parametrize(
    ("crs", "transform"),
    [(None, Affine.identity()), ("EPSG:32633", Affine.identity()), (None, turned(0))],
)
def test_a_raster_without_a_place_on_earth_has_no_ground(crs, transform):
    assert ground_of(where(crs, transform)) is None


def test_at_a_pole_there_is_no_north_but_a_length():
    ground = ground_of(where("EPSG:3413", Affine(100, 0, -1e4, 0, -100, 5e3)))

    assert ground.north is None
    assert ground.bearing_of_north(1.0) is None
    assert ground.col == pytest.approx(103, rel=0.01)
