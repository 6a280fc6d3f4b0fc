from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomvae.errors import GridMismatch
from anomvae.pixels.grid import Grid

UTM = Grid((50, 80), (10.0, 0.0, 500_000.0, 0.0, -10.0, 4_000_000.0), "EPSG:32633")


def shifted(grid, x, y=0.0):
    a, b, c, d, e, f = grid.transform
    return replace(grid, transform=(a, b, c + x, d, e, f + y))


@given(x=st.floats(-0.9, 0.9), y=st.floats(-0.9, 0.9))
def test_less_than_a_tenth_of_a_pixel_apart_is_the_same_grid(x, y):
    UTM.require_same(shifted(UTM, x, y), "scene.tif", "labels.tif")


WIDER = replace(UTM, transform=(10.1, *UTM.transform[1:]))
"""Its pixel size adds up to a shift."""


@given(x=st.floats(1.1, 1e7), sign=st.sampled_from([-1, 1]))
def test_more_than_a_tenth_of_a_pixel_apart_anywhere_is_another_grid(x, sign):
    for other in (shifted(UTM, sign * x), WIDER):
        with pytest.raises(GridMismatch, match=r"labels\.tif lies elsewhere than s\.tif.*gdalwarp"):
            UTM.require_same(other, "s.tif", "labels.tif")


def test_another_shape_is_another_grid_even_where_nothing_is_located():
    with pytest.raises(GridMismatch, match=r"m\.png has 5 x 9 pixels, but s\.tif has 5 x 8"):
        Grid((5, 8)).require_same(Grid((5, 9)), "s.tif", "m.png")


@pytest.mark.parametrize(("ours", "theirs"), [(UTM, Grid(UTM.shape)), (Grid(UTM.shape), UTM)])
def test_a_grid_without_georeference_fits_any_other_of_its_shape(ours, theirs):
    ours.require_same(theirs, "scene.tif", "labels.png")


def test_a_coordinate_system_or_a_transform_locates_a_grid():
    assert not Grid((2, 2)).located
    assert Grid((2, 2), crs="EPSG:4326").located
    assert Grid((2, 2), UTM.transform).located


@pytest.mark.parametrize(
    ("transform", "area"),
    [
        ((10.0, 0.0, 0.0, 0.0, -10.0, 0.0), 100.0),
        ((0.0, 2.0, 0.0, 3.0, 0.0, 0.0), 6.0),
        ((3.0, -4.0, 0.0, 4.0, 3.0, 0.0), 25.0),
    ],
)
def test_the_area_of_a_pixel_does_not_depend_on_its_direction(transform, area):
    assert Grid((1, 1), transform).pixel_area == pytest.approx(area)


@pytest.mark.parametrize("wkt", ['X[ID["EPSG",{}]]', 'X[Y[ID["EPSG",1]],AUTHORITY["EPSG","{}"]]\n'])
def test_another_epsg_code_is_another_grid_but_no_code_fits(wkt):
    utm33, utm34 = (replace(UTM, crs=wkt.format(code)) for code in (32633, 32634))

    assert (utm33.epsg, UTM.epsg) == ("32633", "")
    with pytest.raises(GridMismatch, match=r"is in EPSG:32634, but s\.tif in EPSG:32633"):
        utm33.require_same(utm34, "s.tif", "labels.tif")
    utm33.require_same(UTM, "s.tif", "labels.tif")
