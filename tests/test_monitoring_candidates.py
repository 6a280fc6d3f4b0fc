"""The candidates of a scene: which flagged pixels the rules of its site leave."""

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.warp import transform
from scipy.ndimage import label
from support.passes import placed_at, scored, site_of, write_polygons
from support.rasters import bands_of
from support.scene_files import in_folder

from anomvae.errors import ConfigError, FileError
from anomvae.monitoring.decisions.candidates import find_candidates

SHAPE = (16, 20)
SMALL, LARGE = (slice(1, 3), slice(1, 3)), (slice(8, 12), slice(10, 15))
"""Objects of 4 and of 20 pixels; (9, 12) lies in the second."""


def two_objects():
    flags = np.zeros(SHAPE, np.uint8)
    flags[SMALL] = flags[LARGE] = 1
    flags[0], flags[:, 19] = 254, 255
    return flags


def found_in(folder, flags, *, area=None, where=None, **rule):
    """Find the candidates of a scene; return them and their map."""
    one = scored(folder, "s0", flags, **(where or {}))
    candidates = find_candidates(site_of(folder, alert=rule, area=area or {}), one.files)
    return candidates, bands_of(candidates.path)[0]


def ring_of(rows, cols):
    """Return the outline of pixels in longitude and latitude."""
    left, right, top, bottom = cols.start, cols.stop, rows.start, rows.stop
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    xs, ys = zip(*((5e5 + 10 * col, 5e6 - 10 * row) for col, row in corners), strict=True)
    return [list(pair) for pair in zip(*transform("EPSG:32633", "EPSG:4326", xs, ys), strict=True)]


@settings(in_folder, max_examples=6)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.sampled_from([None, 0.05, 0.3]))
def test_candidates_are_the_pixels_of_large_objects_or_all(tmp_path_factory, seed, area, share):
    rng, kinds = np.random.default_rng(seed), np.array([0, 1, 254, 255], np.uint8)
    flags = rng.choice(kinds, SHAPE, p=[0.6, 0.2, 0.1, 0.1])

    found, values = found_in(
        tmp_path_factory.mktemp("site"), flags, min_area_px=area, min_share=share
    )

    labels, count = label(flags == 1, np.ones((3, 3)))
    large = [number for number in range(1, count + 1) if (labels == number).sum() >= area]
    flagged = (flags == 1).sum() / np.isin(flags, (0, 1)).sum()
    every = share is not None and flagged >= share
    expected = np.where((flags == 1) & ~np.isin(labels, large) & (not every), 2, flags)
    assert np.array_equal(values, expected)
    assert (found.objects, found.pixels) == (len(large), (expected == 1).sum())
    assert found.share == pytest.approx(flagged)


@pytest.mark.parametrize(
    ("where", "least", "objects"),
    [
        (placed_at(), 300, 2),
        (placed_at(), 1900, 1),
        (placed_at(), 2100, 0),
        ({"crs": "EPSG:4326", "transform": rasterio.Affine(0.25, 0, 0, 0, -0.25, 90)}, 5e8, 1),
    ],
    ids=["both", "the larger", "none", "degrees near the pole"],
)
def test_the_least_area_is_measured_on_earth(tmp_path, where, least, objects):
    found, _ = found_in(tmp_path, two_objects(), where=where, min_area_px=1, min_area_m2=least)

    assert found.objects == objects


def test_an_area_of_a_scene_without_a_place_on_earth_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"has no place on Earth.*give min_area_px"):
        found_in(tmp_path, two_objects(), where={"crs": None}, min_area_m2=5)


@pytest.mark.parametrize(
    ("name", "rows", "cols", "pixels", "objects"),
    [
        ("only", *SMALL, 4, 1),
        ("only", slice(8, 12), slice(10, 12), 8, 1),
        ("only", slice(2, 3), slice(1, 2), 1, 0),
        ("exclude", *LARGE, 4, 1),
        ("exclude", slice(8, 12), slice(11, 15), 8, 2),
        ("exclude", slice(99, 101), slice(99, 101), 24, 2),
    ],
)
def test_nothing_is_an_anomaly_outside_of_the_areas(tmp_path, name, rows, cols, pixels, objects):
    path = write_polygons(tmp_path / "area.geojson", ring_of(rows, cols))

    found, values = found_in(tmp_path, two_objects(), area={name: path}, min_area_px=2)

    assert (found.objects, (values == 1).sum()) == (objects, pixels * (objects > 0))
    assert (values[0] == 254).sum() == 19


@pytest.mark.parametrize(
    ("ring", "message"),
    [
        (
            [[5e5, 5e6], [5.1e5, 5e6], [5.1e5, 4.9e6], [5e5, 5e6]],
            "states no other coordinate reference system.*no longitude and latitude",
        ),
        ([[1, 1], [2, 1], [2, 2], [1, 1]], "No polygon of .* touches"),
    ],
    ids=["metres", "elsewhere"],
)
def test_an_area_of_interest_that_cannot_be_located_is_one_line(tmp_path, ring, message):
    path = write_polygons(tmp_path / "area.geojson", ring)

    with pytest.raises(FileError, match=message):
        found_in(tmp_path, two_objects(), area={"only": path})


def test_what_was_found_by_the_same_rules_stays_and_other_rules_replace_it(tmp_path):
    path = write_polygons(tmp_path / "area.geojson", ring_of(*SMALL))
    first, _ = found_in(tmp_path, two_objects(), area={"exclude": path})
    state = first.path.stat().st_mtime_ns

    again, _ = found_in(tmp_path, two_objects(), area={"exclude": path})
    kept = first.path.stat().st_mtime_ns
    write_polygons(tmp_path / "area.geojson", ring_of(*LARGE))
    moved, _ = found_in(tmp_path, two_objects(), area={"exclude": path})

    assert (first, first.pixels, moved.pixels) == (again, 20, 0)
    assert kept == state
