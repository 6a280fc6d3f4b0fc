import json
import sys

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.control import GroundControlPoint
from rasterio.warp import transform

from anomvae.errors import GridMismatch, RasterError
from anomvae.pixels.grid import IDENTITY, Grid
from anomvae.pixels.tiling import tiles
from anomvae.raster import RasterReader, open_normal, read_labels
from anomvae.raster.gdal import unwarned

ROWS, COLS = 20, 30
UTM = {"crs": "EPSG:32618", "transform": Affine(10, 0, 5e5, 0, -10, 4e6)}
PIXELS = [(5, 5), (15, 5), (15, 10), (5, 10)]
"""A box in pixel coordinates (col, row): rows 5 to 9, columns 5 to 14."""


def make(path, values, **options):
    values = np.asarray(values)
    count, height, width = values.shape
    options = {"driver": "GTiff", "dtype": values.dtype, **options}
    with (
        unwarned(),
        rasterio.open(path, "w", count=count, height=height, width=width, **options) as dataset,
    ):
        dataset.write(values)
    return path


def scene(folder, **options):
    return make(folder / "scene.tif", np.ones((2, ROWS, COLS), "uint16"), **options)


def ring(corners, affine=IDENTITY, to=None):
    """Place pixel corners on the map, as a closed ring; `to` is a CRS."""
    a, b, c, d, e, f = tuple(affine)[:6]
    xs = [a * col + b * row + c for col, row in corners]
    ys = [d * col + e * row + f for col, row in corners]
    if to:
        xs, ys = transform(UTM["crs"], to, xs, ys)
    points = [list(point) for point in zip(xs, ys, strict=True)]
    return [*points, points[0]]


def geojson(path, *polygons, crs=None):
    """Write polygons, each a list of rings."""
    features = [
        {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": rings}}
        for rings in polygons
    ]
    document = {"type": "FeatureCollection", "features": features}
    if crs:
        document["crs"] = {"type": "name", "properties": {"name": crs}}
    path.write_text(json.dumps(document))
    return path


def normal(mask, raster, size=(ROWS, COLS)):
    """Read a mask tile by tile, axes (row, col)."""
    found = np.zeros((ROWS, COLS), bool)
    with RasterReader(raster) as reader, open_normal(mask, reader) as opened:
        for tile in tiles(reader.shape, size):
            found[tile.keep] = opened.read(tile.keep)
    return found


def box():
    expected = np.zeros((ROWS, COLS), bool)
    expected[5:10, 5:15] = True
    return expected


# -- rasters --------------------------------------------------------------------------------------


def test_a_raster_is_normal_where_it_is_data_and_not_zero(tmp_path):
    values = np.ones((1, ROWS, COLS), "uint8")
    values[0, 0, 0], values[0, 1, 1], values[0, 2, 2] = 0, 9, 200
    mask = make(tmp_path / "mask.tif", values, nodata=9)

    found = normal(mask, scene(tmp_path, **UTM), size=(7, 11))

    assert np.argwhere(~found).tolist() == [[0, 0], [1, 1]]


def test_only_the_first_band_counts(tmp_path):
    values = np.stack([box(), ~box()]).astype("uint8")

    found = normal(make(tmp_path / "mask.tif", values), scene(tmp_path))

    np.testing.assert_array_equal(found, box())


def test_a_raster_on_another_grid_is_refused(tmp_path):
    mask = make(tmp_path / "mask.tif", np.ones((1, 5, 5), "uint8"))

    with pytest.raises(GridMismatch, match=r"mask\.tif has 5 x 5 pixels"):
        normal(mask, scene(tmp_path))


# -- polygons -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape", ["FeatureCollection", "Feature", "Polygon", "MultiPolygon", "GeometryCollection"]
)
def test_geojson_is_in_longitude_and_latitude(tmp_path, shape):
    polygon = {"type": "Polygon", "coordinates": [ring(PIXELS, UTM["transform"], "EPSG:4326")]}
    feature = {"type": "Feature", "properties": None, "geometry": polygon}
    point = {"type": "Point", "coordinates": [0, 0]}
    document = {
        "Polygon": polygon,
        "Feature": feature,
        "FeatureCollection": {
            "type": shape,
            "features": [feature, {"type": "Feature", "geometry": None}],
        },
        "MultiPolygon": {"type": shape, "coordinates": [polygon["coordinates"]]},
        "GeometryCollection": {"type": shape, "geometries": [point, polygon]},
    }[shape]
    (tmp_path / "normal.geojson").write_text(json.dumps(document))

    found = normal(tmp_path / "normal.geojson", scene(tmp_path, **UTM))

    np.testing.assert_array_equal(found, box())


@pytest.mark.parametrize("crs", ["urn:ogc:def:crs:EPSG::32618", "EPSG:32618"])
def test_the_older_member_crs_is_heeded(tmp_path, crs):
    mask = geojson(tmp_path / "normal.json", [ring(PIXELS, UTM["transform"])], crs=crs)

    found = normal(mask, scene(tmp_path, **UTM))

    np.testing.assert_array_equal(found, box())


@pytest.mark.parametrize(
    "affine", [Affine.identity(), Affine(2, 0, 7, 0, -2, 9), Affine(2, 1, 7, 1, 2, 9)]
)
def test_without_a_crs_coordinates_are_those_of_the_transform(tmp_path, affine):
    mask = geojson(tmp_path / "normal.geojson", [ring(PIXELS, affine)])

    found = normal(mask, scene(tmp_path, transform=affine))

    np.testing.assert_array_equal(found, box())


def test_holes_are_left_out_and_polygons_add_up(tmp_path):
    hole = [(7, 6), (9, 6), (9, 8), (7, 8)]
    corner = [(0, 0), (2, 0), (2, 2), (0, 2)]
    mask = geojson(tmp_path / "normal.geojson", [ring(PIXELS), ring(hole)], [ring(corner)])
    expected = box()
    expected[6:8, 7:9], expected[:2, :2] = False, True

    found = normal(mask, scene(tmp_path))

    np.testing.assert_array_equal(found, expected)


corner = st.tuples(st.floats(-10, 40, width=16), st.floats(-10, 30, width=16))


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    corners=st.lists(corner, min_size=3, max_size=6),
    size=st.tuples(st.integers(1, 20), st.integers(1, 30)),
)
def test_the_tiling_never_shows_in_a_mask(tmp_path, corners, size):
    inside = [(0, 0), (1, 0), (1, 1)]  # so that something always touches the scene
    mask = geojson(tmp_path / "normal.geojson", [ring(corners)], [ring(inside)])
    raster = scene(tmp_path)

    np.testing.assert_array_equal(normal(mask, raster, size), normal(mask, raster))


def refuse(mask, raster, match):
    with pytest.raises(RasterError, match=match) as error:
        normal(mask, raster)
    assert "\n" not in str(error.value)


def test_polygons_elsewhere_are_refused(tmp_path):
    mask = geojson(tmp_path / "normal.geojson", [ring([(1, 1), (2, 1), (2, 2)])])

    refuse(mask, scene(tmp_path, **UTM), r"No polygon of .*normal\.geojson touches .*scene\.tif")


def test_a_scene_located_by_points_alone_takes_no_polygons(tmp_path):
    gcps = [GroundControlPoint(r, c, 10 + c, 50 - r) for r in (0, ROWS) for c in (0, COLS)]
    mask = geojson(tmp_path / "normal.geojson", [ring(PIXELS)])

    refuse(mask, scene(tmp_path, gcps=gcps, crs="EPSG:4326"), "control points.*gdalwarp")


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        "{}",
        '{"type": "FeatureCollection"}',
        '{"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}',
        '{"type": "Polygon", "coordinates": [["a", "b", "c", "d"]]}',
        '{"type": "Polygon", "coordinates": 3}',
        '{"type": "Polygon", "coordinates": [[[0], [1], [2], [3]]]}',
        '{"type": "Polygon", "crs": {"type": "link"}, "coordinates": [[[0,0],[1,0],[1,1],[0,0]]]}',
    ],
)
def test_broken_geojson_is_told_in_one_line(tmp_path, text):
    (tmp_path / "normal.geojson").write_text(text)

    refuse(tmp_path / "normal.geojson", scene(tmp_path), "is not valid GeoJSON")


@pytest.mark.parametrize(
    "text",
    ['{"type": "Point", "coordinates": [1, 2]}', '{"type": "FeatureCollection", "features": []}'],
)
def test_a_file_without_polygons_is_refused(tmp_path, text):
    (tmp_path / "normal.geojson").write_text(text)

    refuse(tmp_path / "normal.geojson", scene(tmp_path), "holds no polygon")


def test_an_unknown_crs_is_told_in_one_line(tmp_path):
    mask = geojson(tmp_path / "normal.geojson", [ring(PIXELS)], crs="nonsense")

    refuse(mask, scene(tmp_path, **UTM), "cannot be projected")


def test_coordinates_out_of_reach_of_the_projection_are_refused(tmp_path):
    mask = geojson(tmp_path / "normal.geojson", [ring([(0, 500), (1, 500), (1, 501)])])

    refuse(mask, scene(tmp_path, **UTM), "cannot be projected|does not reach")


@pytest.mark.parametrize("name", ["none.geojson", "none.gpkg", "none.tif"])
def test_a_missing_file_is_said_to_be_missing(tmp_path, name):
    refuse(tmp_path / name, scene(tmp_path), "does not exist")


def test_other_formats_without_pyogrio_say_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyogrio", None)
    (tmp_path / "normal.gpkg").write_bytes(b"")

    refuse(tmp_path / "normal.gpkg", scene(tmp_path), r'pip install "anomvae\[vector\]"')


@pytest.mark.parametrize("ending", ["gpkg", "shp"])
def test_other_formats_are_read_by_pyogrio(tmp_path, ending):
    raw = pytest.importorskip("pyogrio.raw")
    hole = [(7, 6), (9, 6), (9, 8), (7, 8)]
    rings = [ring(PIXELS, UTM["transform"]), ring(hole, UTM["transform"])]
    geojson(tmp_path / "normal.geojson", rings, crs="EPSG:32618")
    facts, _, geometries, _ = raw.read(tmp_path / "normal.geojson", columns=[])
    raw.write(
        tmp_path / f"normal.{ending}", geometries, field_data=[np.array([1])], fields=["id"],
        geometry_type=facts["geometry_type"], crs=facts["crs"],
    )  # fmt: skip
    expected = box()
    expected[6:8, 7:9] = False

    found = normal(tmp_path / f"normal.{ending}", scene(tmp_path, **UTM))

    np.testing.assert_array_equal(found, expected)


def test_a_damaged_vector_file_is_told_in_one_line(tmp_path):
    pytest.importorskip("pyogrio")
    (tmp_path / "normal.gpkg").write_text("hello")

    refuse(tmp_path / "normal.gpkg", scene(tmp_path), r"normal\.gpkg cannot be read")


# -- labels ---------------------------------------------------------------------------------------


def test_labels_are_the_first_band_with_nan_where_it_is_no_data(tmp_path):
    path = make(tmp_path / "labels.tif", np.uint8([[[0, 1, 255]]]), nodata=255)

    labels = read_labels(path, Grid((1, 3)), "scene.tif")

    assert labels.dtype == np.float32
    np.testing.assert_array_equal(labels, [[0, 1, np.nan]])


def test_labels_on_another_grid_are_refused(tmp_path):
    path = make(tmp_path / "labels.tif", np.uint8([[[0, 1]]]))

    with pytest.raises(
        GridMismatch, match=r"labels\.tif has 1 x 2 pixels, but scene\.tif has 1 x 3"
    ):
        read_labels(path, Grid((1, 3)), "scene.tif")
