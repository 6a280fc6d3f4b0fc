"""Objects: connected anomalies, where they lie, and the file that tells of them."""

import json
from itertools import pairwise

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.features import rasterize
from scipy.ndimage import label
from support.rasters import write

from anomvae.errors import FileError, RasterError
from anomvae.objects import ScoredTile, objects_digest, read_objects, write_objects
from anomvae.objects.features import features
from anomvae.objects.georeferencing import georeferencer
from anomvae.objects.labelling import FRACTION, connected
from anomvae.objects.strips import Strip, strips_of
from anomvae.pixels.grid import Grid
from anomvae.pixels.tiling import tiles
from anomvae.raster import Georeference, RasterReader
from anomvae.raster.gdal import session

EIGHT = np.ones((3, 3))
UTM = {"crs": "EPSG:32633", "transform": Affine(10, 0, 5e5, 0, -10, 4e6)}
NOWHERE = {"crs": None, "transform": Affine.identity()}
RING = ["011", "101", "111"]
"""Its hole meets the outside at a corner."""
CROSS = ["00100", "01010", "10001", "01010", "00100"]
"""Eight pixels that touch at corners alone, around what is no hole of any of them."""
NESTED = ["11111", "10001", "10101", "10001", "11111"]
"""An object in the hole of another."""


def strips(flags, scores, rows):
    """Cut a scene in memory into strips of some rows."""
    around = np.pad(flags, ((1, 1), (0, 0)))
    for top in range(0, len(flags), rows):
        inner = scores[top : top + rows]
        yield Strip(top, around[top : top + len(inner) + 2], inner)


def told(flags, scores, rows, georeference=None):
    """Tell the objects of a scene in memory, in reading order of their highest pixels."""
    place = georeferencer(georeference or Georeference(Grid(flags.shape)))
    found = connected(strips(flags, scores, rows), flags.shape)
    texts = [text for some in found for text in features(some, place, flags.shape[1])]
    parsed = [json.loads('{"properties": {' + text) for text in texts]
    return sorted(parsed, key=_first)


def _first(one):
    return one["properties"]["peak_row"], one["properties"]["peak_col"]


def drawn(lines):
    return np.array([[pixel == "1" for pixel in line] for line in lines])


def pieces(flags, scores, size):
    """Cut a scene in memory into tiles."""
    keeps = [tile.keep for tile in tiles(flags.shape, size)]
    return [ScoredTile(keep, scores[keep], flags[keep]) for keep in keeps]


def lay(folder, flags, scores=None, size=(2, 3), **where):
    """Give what objects are written from: where to, what, where that lies, and how it was made."""
    flags = np.asarray(flags, bool)
    scores = np.ones(flags.shape, "float32") if scores is None else scores
    values = np.ones((1, *flags.shape), "uint8")
    scene = write(folder / "scene.tif", values, nodata=None, **(NOWHERE | where))
    with RasterReader(scene) as reader:
        lies = reader.georeference
    return folder / "objects.geojson", pieces(flags, scores, size), lies, {}


def one_object(folder, flags=((1,),), **where):
    """Write and read the objects of a scene that has one."""
    paths = lay(folder, flags, **where)
    write_objects(*paths)
    (only,) = read_objects(paths[0]).items
    return only


def burnt(geometry, shape):
    with session():
        return rasterize([geometry], out_shape=shape) == 1


def turns(ring):
    """Measure what a ring encloses, > 0 if counter-clockwise."""
    return sum(x * v - u * y for (x, y), (u, v) in pairwise(ring)) / 2


@st.composite
def scenes(draw):
    shape = draw(st.tuples(st.integers(1, 24), st.integers(1, 24)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    flags = rng.random(shape) < draw(st.sampled_from([0.05, 0.3, 0.5, 0.65, 0.9, 1.0]))
    return flags, rng.exponential(5, shape).astype("float32")


@settings(deadline=None)
@given(scene=scenes(), rows=st.integers(1, 25))
def test_objects_are_the_8_connected_groups_of_flagged_pixels(scene, rows):
    flags, scores = scene
    numbers, count = label(flags, EIGHT)

    objects = told(flags, scores, rows)

    covered = np.zeros(flags.shape, int)
    for one in objects:
        pixels = burnt(one["geometry"], flags.shape)
        covered += pixels
        assert (numbers[pixels][0] == numbers).sum() == pixels.sum()
    assert len(objects) == count
    assert np.array_equal(covered, flags)


@settings(deadline=None)
@given(scene=scenes(), rows=st.integers(1, 25))
def test_figures_are_those_of_the_object_s_pixels(scene, rows):
    flags, scores = scene

    for one in told(flags, scores, rows):
        pixels = burnt(one["geometry"], flags.shape)
        down, right = np.nonzero(pixels)
        figures, inside = one["properties"], scores[pixels]
        assert figures["area_px"] == pixels.sum()
        assert figures["area_m2"] is None
        mean = inside.mean(dtype=float)
        assert figures["score_mean"] == pytest.approx(mean, rel=1e-6, abs=1 / FRACTION)
        assert np.float32(figures["score_max"]) == inside.max()
        assert scores[figures["peak_row"], figures["peak_col"]] == inside.max()
        assert figures["centroid_x"] == pytest.approx(right.mean() + 0.5)
        assert figures["centroid_y"] == pytest.approx(down.mean() + 0.5)
        assert one["bbox"] == [right.min(), down.min(), right.max() + 1, down.max() + 1]


@settings(deadline=None)
@given(scene=scenes(), rows=st.integers(1, 25))
def test_where_the_strips_were_never_shows(scene, rows):
    flags, scores = scene

    assert told(flags, scores, rows) == told(flags, scores, len(flags))


@settings(deadline=None)
@given(scene=scenes())
def test_outlines_are_valid(scene):
    flags, scores = scene

    for one in told(flags, scores, 7):
        for outline, *holes in one["geometry"]["coordinates"]:
            for ring in (outline, *holes):
                assert ring[0] == ring[-1]
                assert (
                    len({tuple(point) for point in ring}) == len(ring) - 1
                )  # touches itself nowhere
            assert turns(outline) > 0
            assert all(turns(hole) < 0 for hole in holes)
            part = burnt({"type": "Polygon", "coordinates": [outline, *holes]}, flags.shape)
            assert label(part)[1] == 1
            assert part.sum() == sum(map(turns, (outline, *holes)))


@pytest.mark.parametrize(
    ("lines", "rings"), [(RING, [[2]]), (CROSS, [[1] * 8]), (NESTED, [[2], [1]])]
)
def test_holes_and_corners(lines, rings):
    flags = drawn(lines)

    objects = told(flags, np.ones(flags.shape, "float32"), 2)

    assert [[len(p) for p in one["geometry"]["coordinates"]] for one in objects] == rings


def test_the_first_of_equally_high_pixels_is_the_peak():
    flags = drawn(["0111", "1100"])

    (one,) = told(flags, np.full(flags.shape, 3, "float32"), 1)

    assert (one["properties"]["peak_row"], one["properties"]["peak_col"]) == (0, 1)


def test_ids_follow_the_first_pixels_in_reading_order(tmp_path):
    flags = drawn(["00100", "10101", "10100", "10001"])  # the first object ends after the third
    paths = lay(tmp_path, flags)

    count = write_objects(*paths)

    items = read_objects(paths[0]).items
    assert [one.id for one in items] == [1, 2, 3, 4]
    assert [one.box[:2] for one in items] == [(2, 0), (0, 1), (4, 1), (4, 3)]
    assert count == 4


def test_small_objects_are_left_out(tmp_path):
    paths = lay(tmp_path, drawn(["11001", "00000", "11100"]))

    count = write_objects(*paths, min_area=2)

    found = read_objects(paths[0])
    assert [one.area_px for one in found.items] == [2, 3]
    assert [one.id for one in found.items] == [1, 2]
    assert (found.provenance.min_area, count) == (2, 2)


def test_a_scene_without_anomalies_has_a_file_without_features(tmp_path):
    paths = lay(tmp_path, np.zeros((4, 5)))

    assert write_objects(*paths) == 0

    assert json.loads(paths[0].read_text())["features"] == []


def test_a_scene_of_many_tiles_is_looked_at_as_one(tmp_path):
    rng = np.random.default_rng(0)
    flags, scores = rng.random((1500, 1100)) < 0.2, rng.random((1500, 1100)).astype("float32")
    paths = lay(tmp_path, flags, scores, size=(256, 256))

    count = write_objects(*paths, min_area=20)

    sizes = np.bincount(label(flags, EIGHT)[0].ravel())[1:]
    assert count == (sizes >= 20).sum()
    assert sum(one.area_px for one in read_objects(paths[0]).items) == sizes[sizes >= 20].sum()


@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    size=st.tuples(st.integers(1, 41), st.integers(1, 41)),
    pixels=st.integers(1, 900),
)
def test_strips_are_the_scene_with_a_row_around_each(shape, size, pixels):
    rng = np.random.default_rng(0)
    flags, scores = rng.random(shape) < 0.5, rng.random(shape).astype("float32")

    cut = list(strips_of(pieces(flags, scores, size), shape[1], pixels))

    around = np.pad(flags, ((1, 1), (0, 0)))
    tops = np.cumsum([0, *(len(one.scores) for one in cut)])
    assert [one.top for one in cut] == tops[:-1].tolist()
    assert all(0 < one.scores.size <= max(pixels, shape[1]) for one in cut)
    assert np.array_equal(np.concatenate([one.scores for one in cut]), scores)
    for one in cut:
        assert np.array_equal(one.flagged, around[one.top : one.top + len(one.scores) + 2])


def test_a_folder_that_is_missing_is_told(tmp_path):
    _, *scene = lay(tmp_path, [[1]])

    with pytest.raises(RasterError, match="cannot be written"):
        write_objects(tmp_path / "missing" / "objects.geojson", *scene)


@pytest.mark.parametrize(
    ("crs", "transform", "area", "within"),
    [
        # a degree by a degree at the equator, and at 60 degrees north: Snyder 1987, equation 3-12
        ("EPSG:4326", Affine(1, 0, 20, 0, -1, 1), 12_308.46e6, 1e-5),
        ("EPSG:4326", Affine(1, 0, 20, 0, -1, 61), 6_124.0e6, 1e-3),
        ("EPSG:32633", Affine(10, 0, 5e5, 0, -10, 4e6), 100, 2e-3),
        ("EPSG:32633", Affine(10, 0, 5e5, 0, 10, 4e6), 100, 2e-3),  # rows go north
        ("EPSG:32633", Affine(7, 7, 5e5, 7, -7, 4e6), 98, 2e-3),  # turned
        ("EPSG:3857", Affine(10, 0, 0, 0, -10, 8_399_738), 25, 6e-3),  # 60 degrees north
        ("EPSG:2264", Affine(100, 0, 2e6, 0, -100, 6e5), 929.03, 1e-3),  # US survey feet
        ("EPSG:6933", Affine(1000, 0, 0, 0, -1000, 5e6), 1e6, 1e-6),  # equal-area
    ],
)
def test_areas_are_those_on_the_ellipsoid(tmp_path, crs, transform, area, within):
    found = one_object(tmp_path, crs=crs, transform=transform)

    assert found.area_m2 == pytest.approx(area, rel=within)
    assert found.area_px == 1


def test_the_earth_has_its_area(tmp_path):
    where = {"crs": "EPSG:4326", "transform": Affine(10, 0, -180, 0, -10, 90)}

    found = one_object(tmp_path, np.ones((18, 36)), **where)

    assert found.area_m2 == pytest.approx(5.100_656_217e14, rel=1e-9)


def test_a_hole_is_no_area(tmp_path):
    ring = np.ones((3, 3))
    ring[1, 1] = 0

    found = one_object(tmp_path, ring, crs="EPSG:6933", transform=Affine(10, 0, 0, 0, -10, 5e6))

    assert found.area_m2 == pytest.approx(800, rel=1e-6)


@pytest.mark.parametrize(("down", "lat"), [(-10, 36.14458), (10, 36.14485)])
def test_places_are_longitude_and_latitude_and_outlines_counter_clockwise(tmp_path, down, lat):
    where = UTM | {"transform": Affine(10, 0, 5e5, 0, down, 4e6)}

    found = one_object(tmp_path, [[0, 0, 0], [0, 1, 0]], **where)

    west, south, east, north = found.box
    assert west < found.centroid[0] < east
    assert south < found.centroid[1] < north
    assert found.centroid == pytest.approx((15.00017, lat), abs=1e-5)
    assert turns(found.polygons[0][0]) > 0


def test_longitudes_run_on_across_the_180th_meridian(tmp_path):
    where = {"crs": "EPSG:32601", "transform": Affine(1000, 0, 159_021, 0, -1000, 1e3)}

    found = one_object(tmp_path, np.ones((1, 16)), **where)

    assert found.box[0] < -180 < found.box[2]
    assert found.box[2] - found.box[0] < 0.2
    assert found.area_m2 == pytest.approx(16e6, rel=5e-3)


def test_longitudes_from_0_to_360_become_those_of_geojson(tmp_path):
    found = one_object(tmp_path, crs="EPSG:4326", transform=Affine(1, 0, 190, 0, -1, 1))

    assert found.box == (-170, 0, -169, 1)
    assert found.centroid == (-169.5, 0.5)


def test_an_object_most_of_the_way_around_the_earth_keeps_its_area(tmp_path):
    where = {"crs": "EPSG:6933", "transform": Affine(347_000, 0, -17_350_000, 0, -1e5, 1e5)}

    found = one_object(tmp_path, np.ones((1, 98)), **where)

    assert found.area_m2 == pytest.approx(98 * 347_000 * 1e5, rel=1e-6)


@pytest.mark.parametrize(
    ("crs", "transform", "why"),
    [
        (
            "+proj=geos +h=35785831 +sweep=y",
            Affine(3e5, 0, -5.6e6, 0, -3e5, 5.6e6),
            "off the Earth",
        ),
        ("EPSG:3413", Affine(1e5, 0, -5e4, 0, -1e5, 5e4), "around the pole"),
    ],
)
def test_what_has_no_outline_in_degrees_has_no_geometry(tmp_path, crs, transform, why):
    paths = lay(tmp_path, [[1, 0, 0]], crs=crs, transform=transform)

    write_objects(*paths)

    (feature,) = json.loads(paths[0].read_text())["features"]
    (found,) = read_objects(paths[0]).items
    assert feature["geometry"] is None, why
    assert (found.area_px, found.area_m2, found.centroid, found.box) == (1, None, None, None)
    assert found.polygons == ()


def test_one_object_off_the_earth_does_not_spoil_the_others(tmp_path):
    flags = np.zeros((37, 37))
    flags[0, 0] = flags[18, 18] = 1
    where = {
        "crs": "+proj=geos +h=35785831 +sweep=y",
        "transform": Affine(3e5, 0, -5.6e6, 0, -3e5, 5.6e6),
    }
    paths = lay(tmp_path, flags, **where)

    write_objects(*paths)

    lost, found = read_objects(paths[0]).items
    assert lost.box is None
    assert found.centroid == pytest.approx((-0.45, 0.45), abs=0.01)


@pytest.mark.parametrize(
    "where",
    [
        NOWHERE,
        {"crs": None, "transform": Affine(10, 0, 5e5, 0, -10, 4e6)},
        {"crs": 'LOCAL_CS["site",UNIT["metre",1]]', "transform": Affine(10, 0, 0, 0, -10, 0)},
        {"crs": "IAU_2015:30110", "transform": Affine(10, 0, 0, 0, -10, 0)},  # the Moon
    ],
)
def test_what_says_no_place_on_earth_keeps_pixel_coordinates_and_says_so(tmp_path, where):
    paths = lay(tmp_path, [[0, 0, 0], [0, 1, 1]], **where)

    write_objects(*paths)

    data = json.loads(paths[0].read_text())
    (found,) = read_objects(paths[0]).items
    assert "pixels" in data["anomvae"]["coordinates"]
    assert found.box == (1, 1, 3, 2)
    assert found.centroid == (2, 1.5)
    assert found.area_m2 is None


def test_gdal_reads_the_file(tmp_path):
    pyogrio = pytest.importorskip("pyogrio")
    paths = lay(tmp_path, drawn(["1100", "0001"]), **UTM)
    write_objects(*paths)

    facts, fids, geometries, columns = pyogrio.raw.read(paths[0], return_fids=True)

    table = dict(zip(facts["fields"], columns, strict=True))
    assert facts["crs"] == "EPSG:4326"
    assert facts["geometry_type"] == "MultiPolygon"
    assert (len(geometries), table["id"].tolist(), table["area_px"].tolist()) == (2, [1, 2], [2, 1])
    assert fids.tolist() == [1, 2]


def test_nothing_in_the_file_is_called_what_the_standard_forbids(tmp_path):
    paths = lay(tmp_path, [[1]], **UTM)
    write_objects(*paths)

    data = json.loads(paths[0].read_text())

    assert data.keys() == {"type", "anomvae", "features"}
    assert data["features"][0].keys() == {"type", "id", "bbox", "geometry", "properties"}


def test_the_same_maps_give_the_same_bytes(tmp_path):
    paths = lay(tmp_path, np.random.default_rng(0).random((50, 60)) < 0.4, **UTM)
    write_objects(*paths)
    first = paths[0].read_bytes()

    write_objects(*paths)

    assert paths[0].read_bytes() == first


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"type": "FeatureCollection", "features": []}', '{"anomvae": {}}', "\xff"],
)
def test_another_file_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "other.geojson"
    path.write_text(text, encoding="latin-1")

    with pytest.raises(FileError, match=r"other\.geojson is no file of objects") as error:
        read_objects(path)

    assert "\n" not in str(error.value)
    assert error.value.exit_code == 3
    assert objects_digest(path) is None


def test_a_file_that_is_missing_is_told(tmp_path):
    with pytest.raises(FileError, match="does not exist"):
        read_objects(tmp_path / "nothing.geojson")

    assert objects_digest(tmp_path / "nothing.geojson") is None
