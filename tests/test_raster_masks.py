"""Normal pixels of a scene: from a raster, or from polygons on its grid."""

import json
import sys

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.control import GroundControlPoint
from rasterio.warp import transform
from support.scene_files import UTM, in_folder, make

from anomvae.errors import RasterError
from anomvae.pixels.grid import IDENTITY
from anomvae.pixels.tiling import tiles
from anomvae.raster import Scene

ROWS, COLS = 20, 30
PIXELS = [(5, 5), (15, 5), (15, 10), (5, 10)]
"""A box in pixel coordinates (col, row): rows 5 to 9, columns 5 to 14."""
HOLE = [(7, 6), (9, 6), (9, 8), (7, 8)]


def scene(folder, **options):
    return make(folder / "scene.tif", np.ones((2, ROWS, COLS), "uint16"), **options)


def ring(corners, affine=IDENTITY, to=None):
    """Return pixel corners as a closed ring in map coordinates; `to` is a CRS."""
    a, b, c, d, e, f = tuple(affine)[:6]
    xs = [a * col + b * row + c for col, row in corners]
    ys = [d * col + e * row + f for col, row in corners]
    if to:
        xs, ys = transform(UTM["crs"], to, xs, ys)
    points = [list(point) for point in zip(xs, ys, strict=True)]
    return [*points, points[0]]


def geojson(path, *polygons, crs=None):
    """Write polygons, each a list of linear rings."""
    named = {"crs": {"type": "name", "properties": {"name": crs}}} if crs else {}
    path.write_text(json.dumps({"type": "MultiPolygon", "coordinates": polygons, **named}))
    return path


def normal(mask, raster, size=(ROWS, COLS)):
    """Read a mask tile by tile, axes (row, col)."""
    values = np.zeros((ROWS, COLS), bool)
    with Scene.of(raster, normal=mask).open() as opened:
        for tile in tiles((ROWS, COLS), size):
            values[tile.keep] = opened.normal(tile.keep)
    return values


def box(*, hole=False):
    expected = np.zeros((ROWS, COLS), bool)
    expected[5:10, 5:15] = True
    expected[6:8, 7:9] &= not hole
    return expected


def test_a_raster_is_normal_where_its_first_band_is_data_and_not_zero(tmp_path):
    values = np.ones((2, ROWS, COLS), "uint8")
    values[0, 0, 0], values[0, 1, 1], values[0, 2, 2] = 0, 9, 200
    values[1, 3, 3] = 0
    mask = make(tmp_path / "mask.tif", values, nodata=9)

    result = normal(mask, scene(tmp_path, **UTM), size=(7, 11))

    assert np.argwhere(~result).tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize(
    "shape", ["FeatureCollection", "Feature", "Polygon", "MultiPolygon", "GeometryCollection"]
)
def test_geojson_is_in_longitude_and_latitude(tmp_path, shape):
    polygon = {"type": "Polygon", "coordinates": [ring(PIXELS, UTM["transform"], "EPSG:4326")]}
    feature = {"type": "Feature", "properties": None, "geometry": polygon}
    point = {"type": "Point", "coordinates": [0, 0]}
    content = {
        "Polygon": polygon,
        "Feature": feature,
        "FeatureCollection": {"features": [feature, {"type": "Feature", "geometry": None}]},
        "MultiPolygon": {"coordinates": [polygon["coordinates"]]},
        "GeometryCollection": {"geometries": [point, polygon]},
    }[shape]
    (tmp_path / "normal.geojson").write_text(json.dumps({**content, "type": shape}))

    result = normal(tmp_path / "normal.geojson", scene(tmp_path, **UTM))

    np.testing.assert_array_equal(result, box())


@pytest.mark.parametrize(
    ("where", "crs"),
    [
        (UTM, "urn:ogc:def:crs:EPSG::32618"),
        (UTM, "EPSG:32618"),
        ({"transform": Affine.identity()}, None),
        ({"transform": Affine(2, 0, 7, 0, -2, 9)}, None),
        ({"transform": Affine(2, 1, 7, 1, 2, 9)}, None),
    ],
)
def test_the_older_member_crs_is_respected_and_without_one_the_transform(tmp_path, where, crs):
    mask = geojson(tmp_path / "normal.json", [ring(PIXELS, where["transform"])], crs=crs)

    np.testing.assert_array_equal(normal(mask, scene(tmp_path, **where)), box())


def test_holes_are_not_normal_and_polygons_add_up(tmp_path):
    corner = [(0, 0), (2, 0), (2, 2), (0, 2)]
    mask = geojson(tmp_path / "normal.geojson", [ring(PIXELS), ring(HOLE)], [ring(corner)])
    expected = box(hole=True)
    expected[:2, :2] = True

    np.testing.assert_array_equal(normal(mask, scene(tmp_path)), expected)


corner = st.tuples(st.floats(-10, 40, width=16), st.floats(-10, 30, width=16))


@in_folder
@given(
    corners=st.lists(corner, min_size=3, max_size=6),
    size=st.tuples(st.integers(1, 20), st.integers(1, 30)),
)
def test_a_mask_does_not_depend_on_tiles(tmp_path, corners, size):
    inside = [(0, 0), (1, 0), (1, 1)]  # one polygon always touches the scene
    mask = geojson(tmp_path / "normal.geojson", [ring(corners)], [ring(inside)])
    raster = scene(tmp_path)

    np.testing.assert_array_equal(normal(mask, raster, size), normal(mask, raster))


def refuse(mask, raster, match):
    with pytest.raises(RasterError, match=match) as error:
        normal(mask, raster)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("edge", "inside", "pixels"),
    [
        ((-15, 0), (-14, 0), 5),
        ((25, 0), (24, 0), 5),
        ((0, -10), (0, -9), 10),
        ((0, 15), (0, 14), 10),
    ],
)
def test_polygons_must_share_an_area_with_the_scene(tmp_path, edge, inside, pixels):
    def moved(shift):
        corners = [(col + shift[0], row + shift[1]) for col, row in PIXELS]
        return geojson(tmp_path / "normal.json", [ring(corners)])

    assert normal(moved(inside), scene(tmp_path)).sum() == pixels
    refuse(moved(edge), scene(tmp_path), r"No polygon of .*normal\.json touches .*scene\.tif")


def test_a_scene_located_by_points_alone_takes_no_polygons(tmp_path):
    gcps = [GroundControlPoint(r, c, 10 + c, 50 - r) for r in (0, ROWS) for c in (0, COLS)]
    mask = geojson(tmp_path / "normal.geojson", [ring(PIXELS)])

    refuse(mask, scene(tmp_path, gcps=gcps, crs="EPSG:4326"), "control points.*gdalwarp")


BROKEN, WITHOUT = "is not valid GeoJSON", "holds no polygon"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", BROKEN),
        ("[]", BROKEN),
        ("{}", BROKEN),
        ('{"type": "FeatureCollection"}', BROKEN),
        ('{"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}', BROKEN),
        ('{"type": "Polygon", "coordinates": [["a", "b", "c", "d"]]}', BROKEN),
        ('{"type": "Polygon", "coordinates": 3}', BROKEN),
        ('{"type": "Polygon", "coordinates": [[[0], [1], [2], [3]]]}', BROKEN),
        ('{"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [0, 0]]]}', BROKEN),
        ('{"type":"Polygon","crs":{"a":1},"coordinates":[[[0,0],[1,0],[1,1],[0,0]]]}', BROKEN),
        ('{"type": "Point", "coordinates": [1, 2]}', WITHOUT),
        ('{"type": "FeatureCollection", "features": []}', WITHOUT),
    ],
)
def test_geojson_that_is_broken_or_without_polygons_is_refused_in_one_line(tmp_path, text, message):
    (tmp_path / "normal.geojson").write_text(text)

    refuse(tmp_path / "normal.geojson", scene(tmp_path), message)


@pytest.mark.parametrize(
    ("corners", "crs", "message"),
    [
        ([(1, 1), (2, 1), (2, 2)], None, "No polygon of"),
        (PIXELS, "nonsense", "cannot be projected"),
        ([(0, 500), (1, 500), (1, 501)], "EPSG:4258", "cannot be projected|is not defined"),
        ([(0, 500), (1, 500), (1, 501)], None, "no longitude and latitude, such as 0, 500"),
    ],
    ids=["elsewhere", "unknown system", "outside the projection", "metres without a system"],
)
def test_polygons_that_cannot_be_located_on_the_scene_are_refused(tmp_path, corners, crs, message):
    mask = geojson(tmp_path / "normal.geojson", [ring(corners)], crs=crs)

    refuse(mask, scene(tmp_path, **UTM), message)


def test_other_formats_without_pyogrio_name_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyogrio", None)
    (tmp_path / "normal.gpkg").write_bytes(b"")

    refuse(tmp_path / "normal.gpkg", scene(tmp_path), r'pip install "anomvae\[vector\]"')


@pytest.mark.parametrize("suffix", ["gpkg", "shp"])
def test_other_formats_are_read_by_pyogrio(tmp_path, suffix):
    raw = pytest.importorskip("pyogrio.raw")
    rings = [ring(PIXELS, UTM["transform"]), ring(HOLE, UTM["transform"])]
    geojson(tmp_path / "normal.geojson", rings, crs="EPSG:32618")
    metadata, _, geometries, _ = raw.read(tmp_path / "normal.geojson", columns=[])
    raw.write(
        tmp_path / f"normal.{suffix}", geometries, field_data=[np.array([1])], fields=["id"],
        geometry_type=metadata["geometry_type"], crs=metadata["crs"],
    )  # fmt: skip

    result = normal(tmp_path / f"normal.{suffix}", scene(tmp_path, **UTM))

    np.testing.assert_array_equal(result, box(hole=True))


def test_a_vector_file_that_cannot_be_read_is_refused_in_one_line(tmp_path):
    pytest.importorskip("pyogrio")
    (tmp_path / "normal.gpkg").write_text("hello")

    refuse(tmp_path / "normal.gpkg", scene(tmp_path), r"normal\.gpkg cannot be read")
    refuse(tmp_path / "none.gpkg", scene(tmp_path), r"none\.gpkg does not exist")
    refuse(tmp_path / "none.geojson", scene(tmp_path), r"none\.geojson does not exist")
