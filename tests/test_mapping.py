"""Mapping: files in, files out; with detectors that look sideways and back in time."""

import json
import os
import pickle
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rasterio
from anomvae.mapping.outputs import Outputs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.control import GroundControlPoint
from rio_cogeo import cog_validate
from scipy.ndimage import label
from support.rasters import BANDS, NODATA, QUICK, bands_of, land, plant, run, trained, write
from support.spectra import ArrayReader

from anomvae.config import resolve_config
from anomvae.detector import Detector, Scores
from anomvae.errors import (
    BandMismatch,
    ConfigError,
    GridMismatch,
    LockHeld,
    OutputExists,
    RasterError,
)
from anomvae.files import staging
from anomvae.fitting import Selection
from anomvae.mapping import (
    MapResult,
    TileTask,
    detect_scene,
    read_summary,
    score_scene,
    score_scenes,
)
from anomvae.mapping import score as scene_module
from anomvae.mapping.quicklook import draw, picture_bands, stretched
from anomvae.mapping.statistics import RunningStatistics
from anomvae.mapping.tiles import QuickLookSpec
from anomvae.objects import read_objects
from anomvae.pixels.bands import Bands, unnamed_bands
from anomvae.pixels.tiling import SamplingGrid, tiles
from anomvae.raster import RasterReader, read_map
from anomvae.stats.thresholds import Threshold, parse_rule

SIX = unnamed_bands(BANDS)
ONE = Threshold(1.0, 0.0, "fixed:1", 1, True)
either = pytest.mark.parametrize("config", ["default", "small-objects"])


@dataclass(frozen=True)
class Neighbours:
    """A detector that looks sideways: a pixel against the mean of a window around it."""

    radius: int = 3
    id: str = "neighbours"
    meaning: str = "a distance, higher is more anomalous"
    bands: Bands = SIX
    covariates: tuple = ()
    threshold: Threshold = ONE

    def require_dates(self, dates):
        """Any number will do."""

    def score(self, block):
        valid = np.isfinite(block).all(axis=-1)
        filled = np.where(valid[..., None], block, 0).astype(np.float64)
        total = np.zeros(filled.shape)
        count = np.zeros(valid.shape)
        side = range(-self.radius, self.radius + 1)
        for down in side:
            for right in side:
                total += shifted(filled, down, right)
                count += shifted(valid, down, right)
        annulus = total / np.maximum(count, 1)[..., None]
        distance = np.abs(filled - annulus).sum(axis=-1)
        terms = np.where(valid, distance, np.nan).astype(np.float32)
        return Scores(terms, terms, np.zeros_like(terms))


@dataclass(frozen=True)
class Changes:
    """A detector of several dates: the newest against the mean of those before."""

    radius: int = 0
    id: str = "changes"
    meaning: str = "a distance, higher is more anomalous"
    bands: Bands = SIX
    covariates: tuple = ()
    threshold: Threshold = ONE

    def require_dates(self, dates):
        """Any number will do."""

    def score(self, block):
        assert len(block) == 3
        change = np.abs(block - block[:-1].mean(axis=0)).sum(axis=-1)
        return Scores(change, change, np.zeros_like(change))


def shifted(array, down, right):
    """Move an array (time, row, col, ...) and fill with zeros."""
    moved = np.zeros_like(array)
    rows, cols = array.shape[1:3]
    moved[:, max(0, down) : rows + min(0, down), max(0, right) : cols + min(0, right)] = array[
        :, max(0, -down) : rows + min(0, -down), max(0, -right) : cols + min(0, -right)
    ]
    return moved


DRIVERS = {"png": "PNG"}
QUICKLY = resolve_config("default", QUICK).config
REPUBLISH = """
import sys
from pathlib import Path
import torch
from anomvae.detector import Detector
from anomvae.mapping import score_scene
torch.set_num_threads(1)
folder = Path(sys.argv[1])
old, new = (Detector.load(folder / f"{name}.safetensors") for name in ("old", "new"))
print("begun", flush=True)
while True:
    for detector in (old, new):
        score_scene(detector, folder / "scene.tif", folder / "out", overwrite=True)
"""


def with_cut(value):
    """Give the detector of all tests another threshold."""
    return trained().with_threshold(parse_rule(f"fixed:{value}"), held_out=True)


def any_bands(scene):
    """Make a detector that takes a scene as it is."""
    with RasterReader(scene) as reader:
        return Neighbours(bands=reader.bands)


def model(tmp_path):
    """Save the detector of all tests, and say so on a command line, with a folder."""
    trained().save(tmp_path / "model.safetensors")
    return "-m", tmp_path / "model.safetensors", "-o", tmp_path / "out"


def dies_after(renames, monkeypatch):
    """Let a run die when it has renamed that many files."""
    replace, done = Path.replace, []

    def dying(path, target):
        if len(done) == renames:
            raise KeyboardInterrupt
        done.append(target)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", dying)


@pytest.fixture
def scene(tmp_path):
    return write(tmp_path / "scene.tif", plant(land(seed=1)))


@either
def test_a_map_holds_two_terms_that_add_up_to_the_score(scene, tmp_path, config):
    result = score_scene(trained(config), scene, tmp_path / "out")

    found = read_map(result.path)
    valid = np.isfinite(found.score)
    assert np.array_equal((found.reconstruction + found.kl)[valid], found.score[valid])
    assert (found.reconstruction[valid] >= 0).all()
    assert (found.kl[valid] >= 0).all()


@either
def test_no_data_in_is_nan_out_and_nowhere_else(scene, tmp_path, config):
    result = score_scene(trained(config), scene, tmp_path / "out")

    found = read_map(result.path)
    assert np.array_equal(np.isnan(found.score), (bands_of(scene) == NODATA).any(axis=0))
    assert result.valid == np.isfinite(found.score).sum()


@either
def test_flags_are_the_scores_above_the_threshold(scene, tmp_path, config):
    result = score_scene(trained(config), scene, tmp_path / "out")

    scores, flags = bands_of(result.path)[0], bands_of(result.outputs.flags)[0]
    assert np.array_equal(flags == 255, np.isnan(scores))
    assert np.array_equal(flags == 1, scores > np.float32(result.threshold.value))
    assert (flags[10:12, 12:14] == 1).all()
    assert result.flagged == (flags == 1).sum()


def test_maps_are_valid_cogs_on_the_grid_of_the_input(scene, tmp_path):
    result = score_scene(trained(), scene, tmp_path / "out")

    with rasterio.open(scene) as expected:
        for path in (result.path, result.outputs.flags):
            assert cog_validate(path, strict=True)[0]
            with rasterio.open(path) as found:
                assert found.shape == expected.shape
                assert found.crs == expected.crs
                assert found.transform == expected.transform


def test_a_map_says_where_it_comes_from(scene, tmp_path):
    result = score_scene(trained(), scene, tmp_path / "out")

    with rasterio.open(result.path) as found:
        tags = found.tags()
        assert found.descriptions == ("score", "reconstruction", "kl")
        assert np.isnan(found.nodata)
    assert tags["ANOMVAE_DETECTOR"] == trained().id
    assert float(tags["ANOMVAE_THRESHOLD"]) == trained().threshold.value
    assert tags["ANOMVAE_SCENE"] == "scene.tif"


@pytest.mark.parametrize(
    ("config", "said"), [("default", "kl, nats,"), ("small-objects", "times the prominence among")]
)
def test_a_map_says_what_its_score_is(scene, tmp_path, config, said):
    result = score_scene(trained(config), scene, tmp_path / "out")

    with rasterio.open(result.path) as found:
        assert said in found.tags()["ANOMVAE_SCORE"]
        assert found.tags()["ANOMVAE_SCORE"] == trained(config).meaning


def test_the_same_run_gives_the_same_bytes(scene, tmp_path):
    first, second = (score_scene(trained(), scene, tmp_path / name) for name in "ab")

    for one, other in zip(first.outputs.all[:4], second.outputs.all[:4], strict=True):
        assert one.read_bytes() == other.read_bytes()


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(tile=st.integers(1, 60))
def test_the_tile_size_never_shows_in_the_map(scene, tmp_path, tile):
    whole = score_scene(trained(), scene, tmp_path / "whole")
    tiled = score_scene(trained(), scene, tmp_path / f"tile {tile}", tile=tile)

    assert tiled.path.read_bytes() == whole.path.read_bytes()
    assert tiled.quantiles == whole.quantiles


@pytest.mark.parametrize("tile", [7, 16, 31])
def test_the_tile_size_never_shows_where_surroundings_count(scene, tmp_path, tile):
    whole = score_scene(trained("small-objects"), scene, tmp_path / "whole")
    tiled = score_scene(trained("small-objects"), scene, tmp_path / "tiled", tile=tile)

    assert tiled.path.read_bytes() == whole.path.read_bytes()
    assert tiled.quantiles == whole.quantiles


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(tile=st.integers(1, 60))
def test_the_tile_size_never_shows_for_a_detector_that_looks_sideways(scene, tmp_path, tile):
    whole = score_scene(Neighbours(), scene, tmp_path / "whole")
    tiled = score_scene(Neighbours(), scene, tmp_path / f"tile {tile}", tile=tile)

    assert tiled.path.read_bytes() == whole.path.read_bytes()


def test_a_halo_that_is_too_small_would_show(scene, tmp_path):
    @dataclass(frozen=True)
    class Nearsighted(Neighbours):
        def score(self, block):
            return Neighbours(radius=5).score(block)

    whole = score_scene(Nearsighted(), scene, tmp_path / "whole")
    tiled = score_scene(Nearsighted(), scene, tmp_path / "tiled", tile=16)

    assert tiled.path.read_bytes() != whole.path.read_bytes()


def test_the_newest_of_several_dates_is_mapped(tmp_path):
    paths = [write(tmp_path / f"day{day}.tif", land(seed=1)) for day in range(3)]
    changed = land(seed=1)
    changed[:, 20:23, 30:33] += 1
    write(paths[-1], changed)

    result = score_scene(Changes(), paths, tmp_path / "out")

    flags = bands_of(result.outputs.flags)[0]
    assert result.path.name == "day2.anomaly.tif"
    assert (flags[20:23, 30:33] == 1).all()
    assert flags.sum() == 9


def test_dates_on_different_grids_are_refused(tmp_path):
    paths = [write(tmp_path / f"{side}.tif", land((side, side))) for side in (20, 24)]

    with pytest.raises(GridMismatch, match=r"20\.tif has 20 x 20 pixels, but .*24\.tif"):
        score_scene(Changes(), paths, tmp_path / "out")


def test_a_mask_takes_pixels_out(scene, tmp_path):
    mask = np.ones((1, 40, 48), "uint8")
    mask[0, 30:] = 0
    write(tmp_path / "mask.tif", mask, nodata=None)

    result = score_scene(trained(), scene, tmp_path / "out", mask=tmp_path / "mask.tif")

    assert np.isnan(bands_of(result.path)[0][30:]).all()
    assert result.valid == 29 * 48


@either
def test_a_scene_without_data_scores_to_nan_maps(tmp_path, config):
    scene = write(tmp_path / "empty.tif", np.full((BANDS, 20, 20), NODATA, "float32"))

    result = score_scene(trained(config), scene, tmp_path / "out")

    assert (result.valid, result.flagged, result.quantiles) == (0, 0, {})
    assert np.isnan(bands_of(result.path)).all()
    assert (bands_of(result.outputs.flags) == 255).all()


@either
def test_a_scene_of_one_pixel_is_scored(tmp_path, config):
    scene = write(tmp_path / "one.tif", land()[:, 5:6, 5:6])

    result = score_scene(trained(config), scene, tmp_path / "out")

    assert np.isfinite(bands_of(result.path)).all()
    assert cog_validate(result.path, strict=True)[0]


def test_control_points_are_kept_where_a_scene_has_nothing_else(tmp_path):
    corners = ((0, 0), (0, 48), (40, 0), (40, 48))
    points = [GroundControlPoint(row, col, 10 + col, 50 - row) for row, col in corners]
    scene = write(tmp_path / "gcps.tif", land(), gcps=points, transform=None, crs="EPSG:4326")

    result = score_scene(trained(), scene, tmp_path / "out")

    with rasterio.open(result.path) as found:
        kept, crs = found.gcps
    assert [(p.row, p.col, p.x, p.y) for p in kept] == [(p.row, p.col, p.x, p.y) for p in points]
    assert crs.to_epsg() == 4326


def test_what_is_up_to_date_is_left_as_it_is(scene, tmp_path):
    first = score_scene(trained(), scene, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in first.outputs.all}

    second = score_scene(trained(), scene, tmp_path / "out")

    assert first.fresh
    assert not second.fresh
    assert second.flagged == first.flagged
    assert {path: path.stat().st_mtime_ns for path in second.outputs.all} == before


@pytest.mark.parametrize("change", ["threshold", "input"])
def test_other_results_in_the_way_need_overwrite(scene, tmp_path, change):
    first = score_scene(trained(), scene, tmp_path / "out")
    detector = trained()
    if change == "threshold":
        detector = with_cut(3)
    else:
        write(scene, plant(land(seed=2)))
    before = first.path.read_bytes()

    with pytest.raises(OutputExists, match=r"other settings.*--overwrite"):
        score_scene(detector, scene, tmp_path / "out")

    assert first.path.read_bytes() == before
    assert score_scene(detector, scene, tmp_path / "out", overwrite=True).fresh


def test_overwrite_leaves_what_is_up_to_date(scene, tmp_path):
    first = score_scene(trained(), scene, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in first.outputs.all}

    second = score_scene(trained(), scene, tmp_path / "out", overwrite=True)

    assert not second.fresh
    assert {path: path.stat().st_mtime_ns for path in first.outputs.all} == before


@pytest.mark.parametrize("renames", range(5))
def test_a_run_killed_between_the_renames_is_made_again_unasked(
    scene, tmp_path, monkeypatch, renames
):
    first = score_scene(trained(), scene, tmp_path / "out")
    whole = score_scene(with_cut(3), scene, tmp_path / "whole")
    with monkeypatch.context() as patch:
        dies_after(renames, patch)
        with pytest.raises(KeyboardInterrupt):
            score_scene(with_cut(3), scene, tmp_path / "out", overwrite=True)
    left = read_summary(first.outputs)

    again = score_scene(with_cut(3), scene, tmp_path / "out")

    assert left is None
    assert again.fresh
    for made, wanted in zip(again.outputs.all[:4], whole.outputs.all[:4], strict=True):
        assert made.read_bytes() == wanted.read_bytes()
    assert sorted((tmp_path / "out").iterdir()) == sorted(again.outputs.all)


def test_another_run_s_lock_is_told_and_nothing_is_touched(scene, tmp_path):
    with (
        staging(tmp_path / "out", "scene"),
        pytest.raises(LockHeld, match="another run of anomvae"),
    ):
        score_scene(trained(), scene, tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_the_shell_tells_another_run_s_lock_by_its_exit_code(scene, tmp_path):
    with staging(tmp_path / "out", "scene"):
        ran = run("score", scene, *model(tmp_path))

    assert (ran.code, ran.out) == (6, "")
    assert len(ran.err.splitlines()) == 1


def test_what_another_run_finished_meanwhile_is_not_replaced(scene, tmp_path, monkeypatch):
    first = score_scene(trained(), scene, tmp_path / "out")
    answers = iter([None, *[scene_module.cached_result] * 9])

    def late(*arguments, **options):
        answer = next(answers)
        return answer and answer(*arguments, **options)

    monkeypatch.setattr(scene_module, "cached_result", late)

    assert not score_scene(trained(), scene, tmp_path / "out").fresh
    assert sorted((tmp_path / "out").iterdir()) == sorted(first.outputs.all)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["scene.anomaly.tif", "scene.png", "link.tif"])
def test_no_input_is_ever_replaced(tmp_path, name, overwrite):
    values = (land(seed=1, bands=3) * 200).astype("uint8")
    kept = write(tmp_path / name, values, driver=DRIVERS.get(name[-3:], "GTiff"), nodata=None)
    scene, mask = kept, None
    if name == "scene.anomaly.tif":  # the mask of the scene
        scene, mask = write(tmp_path / "scene.tif", values, nodata=None), kept
    if name == "link.tif":
        (tmp_path / "link.anomaly.tif").symlink_to(kept)
    before = kept.read_bytes()

    with pytest.raises(ConfigError, match="is read for these results") as error:
        score_scene(any_bands(scene), scene, tmp_path, mask=mask, overwrite=overwrite)

    assert kept.read_bytes() == before
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)


def test_no_mask_of_normal_pixels_is_ever_replaced(scene, tmp_path):
    normal = write(tmp_path / "scene.flags.tif", np.ones((1, 40, 48), "uint8"), nodata=None)

    with pytest.raises(ConfigError, match="is read for these results"):
        detect_scene(scene, tmp_path, select=Selection(normal=[normal]), overwrite=True)


def test_no_scene_of_a_batch_is_replaced_by_another_s_results(scene, tmp_path):
    other = write(tmp_path / "scene.anomaly.tif", land())

    with pytest.raises(ConfigError, match="is read for these results"):
        score_scenes(trained(), [scene, other], tmp_path, overwrite=True)

    assert sorted(tmp_path.iterdir()) == sorted([scene, other])


def test_the_same_scene_with_other_normal_pixels_is_another_result(scene, tmp_path):
    keep = np.ones((1, 40, 48), "uint8")
    masks = [write(tmp_path / f"normal{turn}.tif", keep, nodata=None) for turn in range(2)]
    detect_scene(scene, tmp_path / "out", QUICKLY, select=Selection(normal=[masks[0]]))

    again = detect_scene(scene, tmp_path / "out", QUICKLY, select=Selection(normal=[masks[0]]))
    with pytest.raises(OutputExists, match="other settings"):
        detect_scene(scene, tmp_path / "out", QUICKLY, select=Selection(normal=[masks[1]]))

    assert not again.fresh


def test_an_update_of_anomvae_leaves_an_archive_as_it_is(scene, tmp_path, monkeypatch):
    score_scene(trained(), scene, tmp_path / "out")

    with monkeypatch.context() as patch:
        patch.setattr("anomvae.mapping.outputs.__version__", "9.9.9")
        patch.setattr(scene_module, "__version__", "9.9.9")
        kept = score_scene(trained(), scene, tmp_path / "out")
    monkeypatch.setattr("anomvae.mapping.outputs.SCORE_DEFINITION", 2)
    with pytest.raises(OutputExists):
        score_scene(trained(), scene, tmp_path / "out")

    assert not kept.fresh


def test_the_work_on_a_tile_can_be_sent_to_another_process():
    block = np.random.default_rng(0).uniform(size=(1, 20, 24, BANDS)).astype("float32")
    work = TileTask(trained(), ArrayReader(block))
    tile = next(tiles((20, 24), (7, 9), 3))

    sent = pickle.loads(pickle.dumps(work))

    for one, other in zip(work(tile)[1], sent(tile)[1], strict=True):
        assert one.shape == (1, 7, 9)
        assert np.array_equal(one, other)


def test_a_run_that_fails_leaves_nothing_behind(scene, tmp_path, monkeypatch):
    def broken(*arguments, **options):
        raise RasterError("the disk is full")

    monkeypatch.setattr(scene_module, "draw", broken)

    with pytest.raises(RasterError, match="the disk is full"):
        score_scene(trained(), scene, tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_a_failed_rerun_leaves_the_old_results_whole(scene, tmp_path, monkeypatch):
    first = score_scene(trained(), scene, tmp_path / "out")
    before = {path: path.read_bytes() for path in first.outputs.all}
    write(scene, plant(land(seed=2)))
    monkeypatch.setattr(scene_module, "draw", lambda *a: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        score_scene(trained(), scene, tmp_path / "out", overwrite=True)

    assert {path: path.read_bytes() for path in first.outputs.all} == before
    assert sorted((tmp_path / "out").iterdir()) == sorted(first.outputs.all)


def test_the_summary_tells_what_came_out(scene, tmp_path):
    result = score_scene(trained(), scene, tmp_path / "out")

    told = json.loads(result.outputs.summary.read_text())
    scores = bands_of(result.path)[0]
    assert told["pixels"] == {
        "total": 40 * 48,
        "valid": int(np.isfinite(scores).sum()),
        "flagged": result.flagged,
    }
    assert told["score_quantiles"]["1"] == pytest.approx(np.nanmax(scores), rel=1e-6)
    assert told["score_quantiles"]["0.5"] == pytest.approx(np.nanmedian(scores), rel=1e-6)
    assert told["threshold"]["rule"] == "sigma:3"
    assert set(told["files"]) == {path.name for path in (tmp_path / "out").iterdir()}


@either
def test_objects_are_those_of_the_flags(scene, tmp_path, config):
    result = score_scene(trained(config), scene, tmp_path / "out")

    found = read_objects(result.outputs.objects)
    scores, flags = bands_of(result.path)[0], bands_of(result.outputs.flags)[0] == 1
    assert result.objects == len(found.items) == label(flags, np.ones((3, 3)))[1]
    assert sum(one.area_px for one in found.items) == result.flagged
    assert max(one.score_max for one in found.items) == pytest.approx(np.nanmax(scores))
    assert json.loads(result.outputs.summary.read_text())["objects"] == result.objects


def test_objects_say_where_they_come_from(scene, tmp_path):
    result = score_scene(trained(), scene, tmp_path / "out")

    about = read_objects(result.outputs.objects).provenance
    assert (about.scene, about.detector, about.digest) == ("scene.tif", trained().id, result.digest)
    assert (about.threshold, about.threshold_rule) == (trained().threshold.value, "sigma:3")


@pytest.mark.parametrize("kind", ["score", "detect"])
def test_small_objects_are_another_result(scene, tmp_path, kind):
    def done(**options):
        if kind == "score":
            return score_scene(trained(), scene, tmp_path / "out", **options)
        return detect_scene(scene, tmp_path / "out", QUICKLY, **options)

    every = done()
    sizes = [one.area_px for one in read_objects(every.outputs.objects).items]
    least = max(sizes) + 1
    with pytest.raises(OutputExists, match="other settings"):
        done(min_area=least - 1)
    none = done(min_area=least, overwrite=True)

    assert (every.objects, none.objects) == (len(sizes), 0)
    assert none.flagged == every.flagged == sum(sizes)
    assert not done(min_area=least).fresh


def test_an_object_without_pixels_is_refused_before_anything_is_done(scene, tmp_path):
    for call in (
        lambda: score_scene(trained(), scene, tmp_path / "out", min_area=0),
        lambda: score_scenes(trained(), [scene], tmp_path / "out", min_area=0),
        lambda: detect_scene(scene, tmp_path / "out", min_area=0),
    ):
        with pytest.raises(ConfigError, match="an object has at least 1 pixel"):
            call()

    assert not (tmp_path / "out").exists()


def test_a_scene_with_other_bands_is_refused(tmp_path):
    scene = write(tmp_path / "other.tif", land(bands=4))

    with pytest.raises(BandMismatch, match=r"other\.tif has 4 bands, but .* of 6"):
        score_scene(trained(), scene, tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_a_tile_without_pixels_is_refused(scene, tmp_path):
    with pytest.raises(ConfigError, match="at least 1 pixel"):
        score_scene(trained(), scene, tmp_path / "out", tile=0)


def test_one_bad_scene_does_not_stop_the_others(scene, tmp_path):
    bad = tmp_path / "bad.tif"
    bad.write_text("not a raster")

    outcomes = list(score_scenes(trained(), [bad, scene], tmp_path / "out"))

    assert isinstance(outcomes[0].error, RasterError)
    assert isinstance(outcomes[1].result, MapResult)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), MemoryError()])
@pytest.mark.parametrize("step", ["draw", "RasterReader"])
def test_what_the_machine_lacks_for_one_scene_does_not_stop_the_others(
    scene, tmp_path, monkeypatch, error, step
):
    original, calls = getattr(scene_module, step), []

    def lacking(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 1:
            raise error
        return original(*arguments, **options)

    monkeypatch.setattr(scene_module, step, lacking)
    other = write(tmp_path / "other.tif", land())

    outcomes = list(score_scenes(trained(), [scene, other], tmp_path / "out"))

    assert isinstance(outcomes[0].error, RasterError)
    assert "\n" not in str(outcomes[0].error)
    assert outcomes[1].result is not None
    assert not list((tmp_path / "out").glob("scene*"))


def test_a_setting_that_fits_no_scene_is_refused_before_the_first(scene, tmp_path):
    with pytest.raises(ConfigError, match="at least 1 pixel"):
        score_scenes(trained(), [scene, tmp_path / "other.tif"], tmp_path / "out", tile=0)

    ran = run("score", scene, scene.with_name("b.tif"), *model(tmp_path), "--tile", "0")

    assert (ran.code, ran.out) == (2, "")


def test_a_batch_of_which_all_fail_says_so(tmp_path):
    ran = run("score", tmp_path / "a.tif", tmp_path / "b.tif", *model(tmp_path))

    assert ran.code == 5
    assert "all 2 scenes failed" in ran.err


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_run_killed_at_any_moment_leaves_what_the_next_one_completes(tmp_path):
    random = np.random.default_rng(0)
    scene = write(tmp_path / "scene.tif", plant(land((300, 300), seed=1)))
    trained().save(tmp_path / "old.safetensors")
    with_cut(3).save(tmp_path / "new.safetensors")
    wanted = {
        name: score_scene(Detector.load(tmp_path / f"{name}.safetensors"), scene, tmp_path / name)
        for name in ("old", "new")
    }
    out = Outputs(tmp_path / "out", "scene")
    process = subprocess.Popen(
        [sys.executable, "-c", REPUBLISH, tmp_path], stdout=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    for _ in range(12):
        time.sleep(random.uniform(0, 0.5))
        process.kill()
        process.communicate()

        told = read_summary(out)
        if told is not None:  # done: all of one run
            made = next(one for one in wanted.values() if one.digest == told.digest)
            for path, same in zip(out.all[:4], made.outputs.all[:4], strict=True):
                assert path.read_bytes() == same.read_bytes()
        else:  # not done, and made again without being asked to overwrite
            assert score_scene(trained(), scene, tmp_path / "out").fresh
        process = subprocess.Popen(
            [sys.executable, "-c", REPUBLISH, tmp_path], stdout=subprocess.PIPE, text=True
        )
        process.stdout.readline()
    process.kill()
    process.communicate()

    score_scene(trained(), scene, tmp_path / "out", overwrite=True)
    score_scene(trained(), scene, tmp_path / "out")

    assert sorted(out.folder.iterdir()) == sorted(out.all)


def test_scenes_of_one_name_are_refused_before_anything_is_done(scene, tmp_path):
    with pytest.raises(ConfigError, match="2 scenes are called 'scene'"):
        list(score_scenes(trained(), [scene, scene], tmp_path / "out"))

    assert not (tmp_path / "out").exists()


@either
def test_detect_fits_a_scene_to_itself_and_finds_what_is_planted(scene, tmp_path, config):
    result = detect_scene(scene, tmp_path / "out", config)

    flags = bands_of(result.outputs.flags)[0]
    assert (flags[10:12, 12:14] == 1).all()
    assert result.threshold.rule == "sigma-clip:3"
    assert not result.threshold.held_out
    assert not detect_scene(scene, tmp_path / "out", config).fresh


def test_detect_among_surroundings_does_without_dead_bands(tmp_path):
    values = plant(land(bands=BANDS + 2))
    values[3], values[5] = 0.25, NODATA
    scene = write(tmp_path / "dead.tif", values)
    config = resolve_config("small-objects", ["training.max_steps=40"]).config

    found = read_map(detect_scene(scene, tmp_path / "out", config).path)

    lacking = (np.delete(values, [3, 5], axis=0) == NODATA).any(axis=0)
    assert np.array_equal(np.isnan(found.score), lacking)
    assert np.array_equal(found.reconstruction + found.kl, found.score, equal_nan=True)


def test_the_summary_of_another_seed_is_another(scene, tmp_path):
    detect_scene(scene, tmp_path / "out", seed=0)

    with pytest.raises(OutputExists):
        detect_scene(scene, tmp_path / "out", seed=1)


@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    size=st.tuples(st.integers(1, 17), st.integers(1, 17)),
)
def test_the_tally_of_a_scene_does_not_depend_on_its_tiles(shape, size):
    scores = np.random.default_rng(0).exponential(size=shape).astype("float32")
    scores[0, 0] = np.nan
    flags = scores > 2
    whole, cut = RunningStatistics(shape), RunningStatistics(shape)
    whole.step = cut.step = 3

    for statistics, sides in ((whole, shape), (cut, size)):
        for tile in tiles(shape, sides):
            statistics.add(tile, scores[tile.keep], flags[tile.keep])

    assert (whole.valid, whole.flagged) == (cut.valid, cut.flagged)
    assert whole.valid == np.isfinite(scores).sum()
    assert whole.quantiles == cut.quantiles


def test_a_picture_of_a_scene_without_data_can_be_drawn():
    nothing = np.full((10, 12), np.nan, "float32")

    png = draw("empty", np.full((10, 12, 3), np.nan, "float32"), nothing, ONE)

    assert png.startswith(b"\x89PNG")


@given(
    shape=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    halo=st.integers(0, 3),
    side=st.integers(1, 40),
)
def test_a_picture_is_taken_from_the_middle_of_each_of_its_pixels(shape, size, halo, side):
    scene = np.random.default_rng(0).uniform(size=(2, *shape, 4)).astype("float32")
    picture = QuickLookSpec(SamplingGrid.fitting(shape, side), [2, 0])
    image = np.full((*picture.lattice.shape, 2), np.nan, "float32")

    for tile in tiles(shape, size, halo):
        place, _ = picture.lattice.part(tile.keep)
        image[place] = picture.part(tile, scene[:, *tile.read])

    rows, cols = (
        [int((place + 0.5) * pixels / wanted) for place in range(wanted)]
        for pixels, wanted in zip(shape, image.shape, strict=False)
    )
    assert max(image.shape[:2]) <= side
    np.testing.assert_array_equal(image, scene[-1][np.ix_(rows, cols, [2, 0])])


def test_a_picture_takes_red_green_and_blue_where_wavelengths_are_known(tmp_path):
    names = ("470 nm", "560 nm", "655 nm", "865 nm", "1610 nm", "2200 nm")
    path = write(tmp_path / "named.tif", land(), names=names)

    with RasterReader(path) as reader:
        assert picture_bands(reader.bands) == [2, 1, 0]


def test_a_constant_band_does_not_spoil_a_picture():
    shown = stretched(np.ones((4, 4, 3), "float32"))

    assert np.isfinite(shown).all()


def test_a_mask_and_a_normal_area_are_two_things(scene, tmp_path):
    half = np.ones((1, 40, 48), "uint8")
    half[0, 20:] = 0
    mask = write(tmp_path / "half.tif", half, nodata=None)
    detect_scene(scene, tmp_path / "out", select=Selection(mask=mask))

    with pytest.raises(OutputExists):
        detect_scene(scene, tmp_path / "out", select=Selection(normal=[mask]))
