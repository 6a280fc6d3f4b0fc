"""Tiles and threads never show in a map, whatever the scene."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.rasters import BANDS, land, plant, trained, write
from support.scene_files import make, setting
from support.scorers import Neighbours, same_files

from anomvae.mapping import QuickLookSpec, ScoreOptions, plan_tiles, score_scene, score_tiles
from anomvae.mapping.statistics import RunningStatistics
from anomvae.parallel.threads import blas_threads
from anomvae.pixels.grid import Grid
from anomvae.pixels.tiling import tiles, whole
from anomvae.raster import Scene

STRIPS = {"blockysize": 1}
TILED = {"tiled": True, "blockxsize": 16, "blockysize": 16}
any_tiles = settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def mapped(detector, path, options):
    """Score a scene without writing files; return the map, axes (term, row, col)."""
    with Scene.of(path).open(detector.bands, detector.covariates) as opened:
        values = np.full((4, *opened.grid.shape), -1, np.float32)
        spec = QuickLookSpec.of(opened.grid.shape, opened.bands)
        for scored in score_tiles(detector, opened, spec, options):
            values[:, *scored.tile.keep] = np.stack([term[-1] for term in scored.layers])
    return values


@pytest.mark.parametrize("name", ["default", "small-objects", "neighbours"])
@any_tiles
@given(tile=st.integers(5, 60), threads=st.integers(1, 3))
def test_any_tile_and_any_number_of_threads_give_the_same_map(scene, name, tile, threads):
    detector = Neighbours() if name == "neighbours" else trained(name)

    whole = mapped(detector, scene, ScoreOptions(tile=1000, threads=1))
    tiled = mapped(detector, scene, ScoreOptions(tile=tile, threads=threads))

    np.testing.assert_array_equal(tiled, whole)
    assert np.isfinite(whole).any()


@pytest.mark.parametrize("interleave", ["pixel", "band"])
@pytest.mark.parametrize(
    ("dtype", "scale", "offset", "extremes"),
    [
        ("uint16", 1e-4, -0.1, [0, 65535]),
        ("int16", 1e-4, 0.0, [0, -32768]),
        ("float32", 1.0, 0.0, [0, np.nan, np.inf, -3.4028e38]),
        ("float32", 1e-4, 0.2, [0, 3e38]),
    ],
)
def test_numbers_of_a_file_give_the_scores_of_their_values(
    tmp_path, interleave, dtype, scale, offset, extremes
):
    numbers = np.rint((land() - offset) / scale) if scale < 1 else land()
    numbers[range(len(extremes)), 3, range(len(extremes))] = extremes
    describe = setting(scales=[scale] * BANDS, offsets=[offset] * BANDS)
    layout = {"describe": describe, "interleave": interleave, "nodata": 0}
    path = make(tmp_path / "a.tif", numbers.astype(dtype), **layout)
    detector, window = trained(), whole((40, 48))

    with Scene.of(path, radiometry="as-stored").open(detector.bands) as opened:
        stored, values = opened.read_numbers(window), opened.read(window)
    scores = detector.score(values)

    np.testing.assert_array_equal(np.asarray(stored), values)
    np.testing.assert_array_equal(detector.score_stored(stored), scores)
    tiled = mapped(detector, path, ScoreOptions(tile=16))
    np.testing.assert_array_equal(tiled, np.concatenate(scores))
    assert np.isnan(tiled).any()
    assert np.isfinite(tiled[3]).sum() > 1900


@pytest.mark.parametrize(
    ("config", "shape", "layout"),
    [
        ("small-objects", (60, 50), STRIPS),
        ("small-objects", (200, 1), TILED),
        ("small-objects", (1, 1), TILED),
        ("default", (200, 1), STRIPS),
        ("default", (1, 200), STRIPS),
        ("default", (60, 50), TILED),
    ],
)
def test_a_scene_of_any_shape_gives_the_same_files_from_tiles_of_any_size(
    tmp_path, config, shape, layout
):
    scene = write(tmp_path / "scene.tif", land(shape, seed=3), **layout)

    whole, small, planned = (
        score_scene(trained(config), scene, tmp_path / f"tile {options.tile}", options)
        for options in (ScoreOptions(tile=1000), ScoreOptions(tile=7, threads=2), ScoreOptions())
    )

    assert whole.valid == shape[0] * shape[1]
    assert same_files(small, whole)
    assert same_files(planned, whole)
    assert small.quantiles == planned.quantiles == whole.quantiles


def test_file_blocks_of_any_layout_give_the_same_map(tmp_path):
    values = plant(land((130, 90), seed=2))
    scenes = [
        write(tmp_path / f"{name}.tif", values, **layout)
        for name, layout in {"strips": STRIPS, "tiles": TILED, "plain": {}}.items()
    ]

    first, *others = (mapped(trained(), scene, ScoreOptions()) for scene in scenes)

    for other in others:
        np.testing.assert_array_equal(other, first)


def unread(shape=(5000, 5000), values=12, block=(512, 512)):
    """Describe a scene that nothing is read of."""
    return SimpleNamespace(grid=Grid(shape), values_per_pixel=values, block_shape=block)


@pytest.mark.parametrize(
    ("opened", "detector", "options", "tile", "threads"),
    [
        (unread(), Neighbours(0), {}, (512, 512), 4),
        (unread(), Neighbours(60), {}, (1024, 1024), 3),
        (unread(values=200), Neighbours(0), {}, (512, 512), 1),
        (unread(), Neighbours(0, device="cuda"), {}, (512, 512), 1),
        (unread(block=(64, 64)), Neighbours(0), {}, (576, 576), 4),
        (unread(block=(64, 64)), Neighbours(3), {}, (1152, 1152), 3),
        (unread((300, 400)), Neighbours(0), {}, (300, 400), 4),
        (unread((300, 400)), Neighbours(0), {"tile": 64}, (64, 64), 4),
        (unread((300, 400)), Neighbours(0), {"tile": 350, "threads": 3}, (300, 350), 3),
    ],
)
def test_a_halo_is_worth_large_tiles_and_large_tiles_or_a_gpu_get_few_threads(
    opened, detector, options, tile, threads
):
    with blas_threads(6):
        plan = plan_tiles(detector, opened, ScoreOptions(**options))

    assert (plan.tile, plan.threads) == (tile, threads)


@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    size=st.tuples(st.integers(1, 17), st.integers(1, 17)),
    sampled=st.integers(20, 400),
)
def test_the_statistics_of_a_scene_do_not_depend_on_its_tiles(shape, size, sampled):
    scores = np.random.default_rng(0).exponential(size=shape).astype("float32")
    scores[0, 0] = np.nan
    whole, tiled = RunningStatistics(shape, sampled), RunningStatistics(shape, sampled)

    for statistics, sides in ((whole, shape), (tiled, size)):
        for tile in tiles(shape, sides):
            statistics.add(tile.keep, scores[tile.keep])

    step = int(np.ceil((scores.size / sampled) ** 0.5))
    kept = scores[::step, ::step]
    kept = kept[np.isfinite(kept)]
    assert (whole.pixels, whole.valid) == (scores.size, scores.size - 1)
    assert whole.quantiles == tiled.quantiles
    expected = (kept.min(), np.median(kept.astype(float)), kept.max()) if kept.size else [None] * 3
    assert [whole.quantiles.get(level) for level in ("0", "0.5", "1")] == list(expected)
