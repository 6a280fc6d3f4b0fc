"""Objects: connected anomalies, where they lie, and the file that holds them."""

import json
from itertools import pairwise

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.features import rasterize
from scipy.ndimage import label

from anomvae.errors import FileError, RasterError
from anomvae.objects import (
    Listing,
    ScoredTile,
    objects_digest,
    read_objects,
    read_strongest_objects,
    write_objects,
)
from anomvae.objects.strips import strips_of
from anomvae.pixels.grid import Grid
from anomvae.pixels.tiling import tiles
from anomvae.raster import Georeference
from anomvae.raster.gdal import session

EIGHT = np.ones((3, 3))
UTM = {"crs": "EPSG:32633", "transform": Affine(10, 0, 5e5, 0, -10, 4e6)}
GEOSTATIONARY = {
    "crs": "+proj=geos +h=35785831 +sweep=y",
    "transform": Affine(3e5, 0, -5.6e6, 0, -3e5, 5.6e6),
}

EARLIER = (
    '{"type": "FeatureCollection", "anomvae": {"version": "0.1.0", "digest": "", "scene": "", '
    '"detector": "", "threshold": 2.0, "threshold_rule": "sigma:3", "min_area": 1, '
    '"coordinates": "column, row of the scene"}, "features": [\n'
    '{"type": "Feature", "id": 1, "properties": {"id": 1, "area_px": 1, "area_m2": null, '
    '"score_mean": 3.0, "score_max": 3.0, "peak_row": 0, "peak_col": 0, "centroid_x": 0.5, '
    '"centroid_y": 0.5}, "geometry": null},\n'
    '{"type": "Feature", "id": 2, "properties": {"id": 2, "area_px": 1, "area_m2": null, '
    '"score_mean": 5.5, "score_max": 5.5, "peak_row": 0, "peak_col": 2, "centroid_x": 2.5, '
    '"centroid_y": 0.5}, "geometry": null}\n'
    "]}\n"
)
"""An objects file of before ranks: in reading order."""

sides = st.integers(1, 25)


def scored_tiles(flags, scores, size):
    """Cut a scene in memory into tiles."""
    windows = [tile.keep for tile in tiles(flags.shape, size)]
    return [ScoredTile(window, scores[window], flags[window]) for window in windows]


def written(folder, flags, scores=None, *, size=(2, 3), crs="", transform=None, **listing):
    """Write the objects of a scene in memory; its threshold is 0."""
    flags = np.asarray(flags, bool)
    scores = np.ones(flags.shape, "float32") if scores is None else scores
    wkt = CRS.from_user_input(crs).to_wkt() if crs else ""
    where = Georeference(Grid(flags.shape, (transform or Affine.identity())[:6], wkt))
    path = folder / "objects.geojson"
    count = write_objects(
        path, scored_tiles(flags, scores, size), where, {}, Listing(0.0, **listing)
    )
    assert count == len(read_objects(path).items)
    return path


def features_of(*scene, **how):
    return json.loads(written(*scene, **how).read_text())["features"]


def one_object(folder, flags=((1,),), **where):
    """Write and read the only object of a scene."""
    (only,) = read_objects(written(folder, flags, **where)).items
    return only


def drawn(lines):
    return np.array([[pixel == "1" for pixel in line] for line in lines])


def covered(geometry, shape):
    """Return the pixels in a geometry."""
    with session():
        return rasterize([geometry], out_shape=shape) == 1


def enclosed(ring):
    """Return the area in a ring, > 0 if counter-clockwise."""
    return sum(x * v - u * y for (x, y), (u, v) in pairwise(ring)) / 2


@st.composite
def scenes(draw):
    shape = draw(st.tuples(st.integers(1, 24), st.integers(1, 24)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    flags = rng.random(shape) < draw(st.sampled_from([0.05, 0.3, 0.5, 0.65, 0.9, 1.0]))
    scores = rng.exponential(5, shape).astype("float32")
    return flags, np.ceil(scores) if draw(st.booleans()) else scores  # whole numbers: ties


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Return a folder for the examples of property tests."""
    return tmp_path_factory.mktemp("objects")


@given(scene=scenes(), size=st.tuples(sides, sides))
def test_objects_are_the_8_connected_groups_by_highest_score_then_in_reading_order(
    shared, scene, size
):
    flags, scores = scene
    numbers, count = label(flags, EIGHT)
    groups = range(1, count + 1)
    order = [(-scores[numbers == group].max(), np.argmax(numbers == group)) for group in groups]
    expected = [group for _, group in sorted(zip(order, groups, strict=True))]

    features = features_of(shared, flags, scores, size=size)

    ranks = list(range(1, count + 1))
    assert [feature["id"] for feature in features] == ranks
    assert [feature["properties"]["rank"] for feature in features] == ranks
    for feature, group in zip(features, expected, strict=True):
        assert feature["properties"]["id"] == feature["id"]
        assert np.array_equal(covered(feature["geometry"], flags.shape), numbers == group)


@given(
    scene=scenes(),
    size=st.tuples(sides, sides),
    min_area=st.integers(1, 3),
    top=st.none() | st.integers(1, 9),
)
def test_tiles_of_any_size_give_the_same_bytes(shared, scene, size, min_area, top):
    listing = {"min_area": min_area, "top": top}
    whole = written(shared, *scene, size=(25, 25), **listing).read_bytes()

    assert written(shared, *scene, size=size, **listing).read_bytes() == whole


@given(scene=scenes(), top=st.integers(1, 9), min_area=st.integers(1, 3))
def test_top_lists_the_first_of_all_objects(shared, scene, top, min_area):
    every = read_objects(written(shared, *scene, min_area=min_area))

    some = read_objects(written(shared, *scene, min_area=min_area, top=top))

    assert some.items == every.items[:top]
    assert (some.provenance.top, every.provenance.top) == (top, None)


@given(scene=scenes(), threshold=st.floats(0, 0.05))
def test_margins_and_p_values_are_those_of_the_highest_scores(shared, scene, threshold):
    flags, scores = scene
    flags = flags & (scores > np.float32(threshold))
    where, path = Georeference(Grid(flags.shape)), shared / "margins.geojson"
    listing = Listing(threshold, p_values=lambda peaks: np.exp(-peaks.astype(float)))

    write_objects(path, scored_tiles(flags, scores, (4, 9)), where, {}, listing)

    items = read_objects(path).items
    for one in items:
        assert one.margin == pytest.approx(one.score_max - threshold, rel=1e-6)
        assert one.p == pytest.approx(np.exp(-one.score_max), rel=1e-6)
    margins = [one.margin for one in items]
    assert margins == sorted(margins, reverse=True)
    assert all(margin > 0 for margin in margins)


def test_objects_just_above_a_threshold_that_is_no_float32_have_a_margin_above_0(tmp_path):
    threshold = 0.1 + 1e-9
    score = np.nextafter(np.float32(threshold), np.float32(1))
    path, scores = tmp_path / "objects.geojson", np.full((1, 1), score)

    write_objects(
        path,
        scored_tiles(scores > 0, scores, (1, 1)),
        Georeference(Grid((1, 1))),
        {},
        Listing(threshold),
    )

    assert 0 < read_objects(path).items[0].margin < 1e-7


def test_a_threshold_without_p_values_leaves_them_empty(tmp_path):
    (feature,) = features_of(tmp_path, [[1]])

    assert (feature["properties"]["p"], one_object(tmp_path).p) == (None, None)


@given(scene=scenes(), size=st.tuples(sides, sides))
def test_properties_are_those_of_the_object_s_pixels(shared, scene, size):
    flags, scores = scene

    for feature in features_of(shared, flags, scores, size=size):
        pixels = covered(feature["geometry"], flags.shape)
        rows, cols = np.nonzero(pixels)
        values, inside = feature["properties"], scores[pixels]
        assert values["area_px"] == pixels.sum()
        assert values["area_m2"] is None
        mean = inside.mean(dtype=float)
        assert values["score_mean"] == pytest.approx(mean, rel=1e-6, abs=2**-24)
        assert np.float32(values["score_max"]) == inside.max()
        assert scores[values["peak_row"], values["peak_col"]] == inside.max()
        assert values["centroid_x"] == pytest.approx(cols.mean() + 0.5)
        assert values["centroid_y"] == pytest.approx(rows.mean() + 0.5)
        assert feature["bbox"] == [cols.min(), rows.min(), cols.max() + 1, rows.max() + 1]


@given(scene=scenes())
def test_outlines_are_valid(shared, scene):
    flags, scores = scene

    for feature in features_of(shared, flags, scores, size=(7, 24)):
        for rings in feature["geometry"]["coordinates"]:
            for ring in rings:
                assert ring[0] == ring[-1]
                assert len(set(map(tuple, ring))) == len(ring) - 1  # does not touch itself
            areas = list(map(enclosed, rings))
            assert areas[0] > 0
            assert all(area < 0 for area in areas[1:])
            part = covered({"type": "Polygon", "coordinates": rings}, flags.shape)
            assert label(part)[1] == 1
            assert part.sum() == sum(areas)


def test_the_first_of_equally_high_pixels_is_the_peak(tmp_path):
    assert one_object(tmp_path, drawn(["0111", "1100"]), size=(1, 4)).peak == (0, 1)


def test_an_object_that_spans_the_scene_keeps_those_that_end_before_it_in_order(tmp_path):
    flags = np.zeros((60, 41), bool)
    flags[::2, ::2] = True  # single pixels
    flags[:, 20] = flags[59] = True  # one object from the first row to the last

    items = read_objects(written(tmp_path, flags, size=(3, 41))).items

    firsts = [(one.box[1], one.box[0]) for one in items if one.area_px == 1]
    assert len(items) > 500
    assert firsts == sorted(firsts)
    assert [one.id for one in items] == list(range(1, len(items) + 1))
    assert [one.id for one in items if one.area_px > 1] == [11]


def test_objects_of_fewer_pixels_than_min_area_are_dropped(tmp_path):
    path = written(tmp_path, drawn(["11001", "00000", "11100"]), min_area=2)

    objects = read_objects(path)
    assert [(one.id, one.area_px) for one in objects.items] == [(1, 2), (2, 3)]
    assert objects.provenance.min_area == 2


def test_a_scene_of_many_strips_and_tiles_is_labelled_as_one(tmp_path):
    rng = np.random.default_rng(0)
    flags, scores = rng.random((1500, 1100)) < 0.2, rng.random((1500, 1100)).astype("float32")

    items = read_objects(written(tmp_path, flags, scores, size=(256, 256), min_area=20)).items

    sizes = np.bincount(label(flags, EIGHT)[0].ravel())[1:]
    assert sorted(one.area_px for one in items) == sorted(sizes[sizes >= 20])


@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    size=st.tuples(st.integers(1, 41), st.integers(1, 41)),
    pixels=st.integers(1, 900),
)
def test_strips_are_the_scene_with_a_row_around_each(shape, size, pixels):
    rng = np.random.default_rng(0)
    flags, scores = rng.random(shape) < 0.5, rng.random(shape).astype("float32")

    cut = list(strips_of(scored_tiles(flags, scores, size), shape[1], pixels))

    around = np.pad(flags, ((1, 1), (0, 0)))
    tops = np.cumsum([0, *(len(strip.scores) for strip in cut)])
    assert [strip.top for strip in cut] == tops[:-1].tolist()
    assert all(0 < strip.scores.size <= max(pixels, shape[1]) for strip in cut)
    assert np.array_equal(np.concatenate([strip.scores for strip in cut]), scores)
    for strip in cut:
        rows = around[strip.top : strip.top + len(strip.scores) + 2]
        assert np.array_equal(strip.flagged, rows)


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(RasterError, match="cannot be written"):
        written(tmp_path / "missing", [[1]])


AROUND = Affine(347_000, 0, -17_350_000, 0, -1e5, 1e5)
"""In EPSG:6933, equal-area: 98 columns go most of the way around the Earth."""


@pytest.mark.parametrize(
    ("crs", "transform", "flags", "area", "within"),
    [
        # a degree by a degree at the equator, and at 60 degrees north: Snyder 1987, equation 3-12
        (4326, Affine(1, 0, 20, 0, -1, 1), [[1]], 12_308.46e6, 1e-5),
        (4326, Affine(1, 0, 20, 0, -1, 61), [[1]], 6_124.0e6, 1e-3),
        (4326, Affine(10, 0, -180, 0, -10, 90), np.ones((18, 36)), 5.100_656_217e14, 1e-9),  # whole
        (32633, Affine(10, 0, 5e5, 0, -10, 4e6), [[1]], 100, 2e-3),
        (32633, Affine(10, 0, 5e5, 0, 10, 4e6), [[1]], 100, 2e-3),  # rows go north
        (32633, Affine(7, 7, 5e5, 7, -7, 4e6), [[1]], 98, 2e-3),  # turned
        (3857, Affine(10, 0, 0, 0, -10, 8_399_738), [[1]], 25, 6e-3),  # 60 degrees north
        (2264, Affine(100, 0, 2e6, 0, -100, 6e5), [[1]], 929.03, 1e-3),  # US survey feet
        (6933, Affine(1000, 0, 0, 0, -1000, 5e6), [[1]], 1e6, 1e-6),  # equal-area
        (6933, Affine(10, 0, 0, 0, -10, 5e6), drawn(["111", "101", "111"]), 800, 1e-6),  # a hole
        (6933, AROUND, np.ones((1, 98)), 98 * 347_000 * 1e5, 1e-6),
    ],
)
def test_areas_are_those_on_the_ellipsoid(tmp_path, crs, transform, flags, area, within):
    only = one_object(tmp_path, flags, crs=f"EPSG:{crs}", transform=transform)

    assert only.area_m2 == pytest.approx(area, rel=within)
    assert only.area_px == np.sum(flags)


@pytest.mark.parametrize(("down", "lat"), [(-10, 36.14458), (10, 36.14485)])
def test_coordinates_are_longitude_and_latitude_and_outlines_counter_clockwise(tmp_path, down, lat):
    where = UTM | {"transform": Affine(10, 0, 5e5, 0, down, 4e6)}

    only = one_object(tmp_path, [[0, 0, 0], [0, 1, 0]], **where)

    west, south, east, north = only.box
    assert west < only.centroid[0] < east
    assert south < only.centroid[1] < north
    assert only.centroid == pytest.approx((15.00017, lat), abs=1e-5)
    assert enclosed(only.polygons[0][0]) > 0


def test_longitudes_continue_across_the_180th_meridian(tmp_path):
    where = {"crs": "EPSG:32601", "transform": Affine(1000, 0, 159_021, 0, -1000, 1e3)}

    only = one_object(tmp_path, np.ones((1, 16)), **where)

    assert only.box[0] < -180 < only.box[2]
    assert only.box[2] - only.box[0] < 0.2
    assert only.area_m2 == pytest.approx(16e6, rel=5e-3)


def test_longitudes_from_0_to_360_become_those_of_geojson(tmp_path):
    only = one_object(tmp_path, crs="EPSG:4326", transform=Affine(1, 0, 190, 0, -1, 1))

    assert only.box == (-170, 0, -169, 1)
    assert only.centroid == (-169.5, 0.5)


@pytest.mark.parametrize(
    ("where", "why"),
    [
        (GEOSTATIONARY, "off the Earth"),
        ({"crs": "EPSG:3413", "transform": Affine(1e5, 0, -5e4, 0, -1e5, 5e4)}, "around the pole"),
    ],
)
def test_an_object_without_an_outline_in_degrees_has_no_geometry(tmp_path, where, why):
    only = one_object(tmp_path, [[1, 0, 0]], **where)

    assert (only.polygons, only.box, only.centroid) == ((), None, None), why
    assert (only.area_px, only.area_m2) == (1, None)


def test_one_object_off_the_earth_does_not_spoil_the_others(tmp_path):
    flags = np.zeros((37, 37))
    flags[0, 0] = flags[18, 18] = 1

    off, on = read_objects(written(tmp_path, flags, **GEOSTATIONARY)).items

    assert off.box is None
    assert on.centroid == pytest.approx((-0.45, 0.45), abs=0.01)


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"transform": Affine(10, 0, 5e5, 0, -10, 4e6)},
        {"crs": 'LOCAL_CS["site",UNIT["metre",1]]', "transform": Affine(10, 0, 0, 0, -10, 0)},
        {"crs": "IAU_2015:30110", "transform": Affine(10, 0, 0, 0, -10, 0)},  # the Moon
    ],
)
def test_a_scene_without_a_location_on_earth_keeps_pixel_coordinates(tmp_path, where):
    objects = read_objects(written(tmp_path, [[0, 0, 0], [0, 1, 1]], **where))

    (only,) = objects.items
    assert "pixels" in objects.provenance.coordinates
    assert (only.box, only.centroid, only.area_m2) == ((1, 1, 3, 2), (2, 1.5), None)


def test_gdal_reads_the_file(tmp_path):
    pyogrio = pytest.importorskip("pyogrio")
    path = written(tmp_path, drawn(["1100", "0001"]), **UTM)

    facts, fids, geometries, columns = pyogrio.raw.read(path, return_fids=True)

    table = dict(zip(facts["fields"], columns, strict=True))
    assert facts["crs"] == "EPSG:4326"
    assert facts["geometry_type"] == "MultiPolygon"
    assert (len(geometries), table["id"].tolist(), table["area_px"].tolist()) == (2, [1, 2], [2, 1])
    assert fids.tolist() == [1, 2]


def test_the_file_has_no_members_that_the_standard_forbids(tmp_path):
    data = json.loads(written(tmp_path, [[1]], **UTM).read_text())

    assert data.keys() == {"type", "anomvae", "features"}
    assert data["features"][0].keys() == {"type", "id", "bbox", "geometry", "properties"}


def test_a_file_of_an_earlier_version_is_read_without_ranks(tmp_path):
    path = tmp_path / "scene.objects.geojson"
    path.write_text(EARLIER)

    objects = read_objects(path)
    (strongest,) = read_strongest_objects(path, 1).items

    assert [(one.id, one.score_max) for one in objects.items] == [(1, 3.0), (2, 5.5)]
    assert {(one.rank, one.margin, one.p) for one in objects.items} == {(None, None, None)}
    assert (strongest.id, strongest.peak) == (2, (0, 2))
    assert objects.provenance.top is None


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


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "nothing.geojson"

    with pytest.raises(FileError, match="does not exist"):
        read_objects(path)
    assert objects_digest(path) is None
