"""A scene becomes maps, flags, objects and a summary that agree with each other."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from scipy.ndimage import label
from support.decisions import stands_out
from support.rasters import BANDS, NODATA, QUICK, bands_of, land, plant, trained, write
from support.scorers import Changes, Neighbours

from anomvae.config import resolve_config
from anomvae.detector import Detector
from anomvae.errors import ConfigError, GridMismatch, OutputExists
from anomvae.fitting import Selection
from anomvae.mapping import MapResult, ScoreOptions, detect_scene, score_scene
from anomvae.objects import read_objects
from anomvae.raster import open_map

QUICKLY = resolve_config("default", QUICK).config
either = pytest.mark.parametrize("config", ["default", "small-objects"])


class Scored(NamedTuple):
    """A scene that was scored; scores and flags have axes (row, col)."""

    scene: Path
    detector: Detector
    result: MapResult
    scores: np.ndarray
    flags: np.ndarray


@pytest.fixture(scope="module", params=["default", "small-objects"])
def scored(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scored")
    scene = write(folder / "scene.tif", plant(land(seed=1)))
    detector = trained(request.param)
    result = score_scene(detector, scene, folder / "out")
    scores, flags = (bands_of(path)[0] for path in (result.path, result.files.flags))
    return Scored(scene, detector, result, scores, flags)


def test_the_map_holds_three_terms_that_add_up_to_the_score(scored):
    score, *terms = bands_of(scored.result.path)

    np.testing.assert_array_equal(terms[0] + terms[1] + terms[2], score)
    assert np.nanmin(terms) >= 0
    with open_map(scored.result.path) as map_:
        np.testing.assert_array_equal(map_.dataset.read_first(), score)


def test_a_score_is_nan_where_a_band_has_no_data_and_nowhere_else(scored):
    no_data = (bands_of(scored.scene) == NODATA).any(axis=0)

    np.testing.assert_array_equal(np.isnan(scored.scores), no_data)


def test_flags_are_the_scores_above_the_threshold_that_meet_its_condition(scored):
    flags, scores, threshold = scored.flags, scored.scores, scored.result.threshold
    expected = scores > np.float32(threshold.value)
    if threshold.rule.endswith("+local:2"):
        expected &= stands_out(scores, 2)

    np.testing.assert_array_equal(flags == 255, np.isnan(scores))
    np.testing.assert_array_equal(flags == 1, expected)
    assert (flags[10:12, 12:14] == 1).all()
    assert set(np.unique(flags)) == {0, 1, 255}


def test_objects_are_the_connected_flags(scored):
    objects = read_objects(scored.result.files.objects)

    assert scored.result.objects == len(objects.items)
    assert len(objects.items) == label(scored.flags == 1, np.ones((3, 3)))[1]
    assert sum(item.area_px for item in objects.items) == scored.result.flagged
    assert max(item.score_max for item in objects.items) == pytest.approx(np.nanmax(scored.scores))


def test_maps_are_on_the_grid_of_the_scene(scored):
    with rasterio.open(scored.scene) as one:
        for path in (scored.result.path, scored.result.files.flags):
            with rasterio.open(path) as other:
                assert (other.shape, other.crs) == (one.shape, one.crs)
                assert other.transform == one.transform


def test_maps_and_objects_name_their_provenance(scored):
    detector, result = scored.detector, scored.result
    about = read_objects(result.files.objects).provenance
    with rasterio.open(result.path) as dataset:
        tags = dataset.tags()
        assert dataset.descriptions == ("score", "reconstruction", "kl", "linear")
        assert np.isnan(dataset.nodata)
    with rasterio.open(result.files.flags) as dataset:
        assert tags.items() <= (dataset.tags() | {"AREA_OR_POINT": tags["AREA_OR_POINT"]}).items()

    assert tags["ANOMVAE_DETECTOR"] == about.detector == detector.id
    assert tags["ANOMVAE_DIGEST"] == about.digest == result.digest
    assert tags["ANOMVAE_SCENE"] == about.scene == "scene.tif"
    assert tags["ANOMVAE_SCORE"] == detector.meaning
    assert float(tags["ANOMVAE_THRESHOLD"]) == about.threshold == detector.threshold.value
    assert tags["ANOMVAE_THRESHOLD_RULE"] == about.threshold_rule == detector.threshold.rule


def test_the_summary_counts_pixels_objects_and_files(scored):
    data = json.loads(scored.result.files.summary.read_text())

    assert data["scene"] == str(scored.scene)
    assert data["pixels"] == {
        "total": 40 * 48,
        "valid": np.isfinite(scored.scores).sum(),
        "flagged": (scored.flags == 1).sum(),
        "masked": 0,
        "missing": np.isnan(scored.scores).sum(),
    }
    assert data["objects"] == scored.result.objects
    assert data["threshold"]["rule"] == scored.detector.threshold.rule
    assert data["score_quantiles"]["0.5"] == pytest.approx(np.nanmedian(scored.scores), rel=1e-6)
    assert set(data["files"]) == {path.name for path in scored.result.files.folder.iterdir()}


def test_progress_ends_with_all_pixels(scene, tmp_path):
    calls = []

    def report(*call):
        calls.append(call)

    score_scene(Neighbours(), scene, tmp_path, ScoreOptions(tile=20), progress=report)

    scored = [("score", done, 1920) for done in (400, 800, 960, 1360, 1760, 1920)]
    assert calls == [*scored, ("flag", 1920, 1920)]


def test_the_newest_of_several_dates_is_mapped(tmp_path):
    values = land(seed=1)
    dates = [write(tmp_path / f"day{day}.tif", values) for day in range(3)]
    values[:, 20:23, 30:33] += 1
    write(dates[-1], values)

    result = score_scene(Changes(), dates, tmp_path / "out")

    flags = bands_of(result.files.flags)[0]
    assert result.path.name == "day2.anomaly.tif"
    assert (flags[20:23, 30:33] == 1).all()
    assert flags.sum() == result.flagged == 9


def test_dates_on_different_grids_are_refused(tmp_path):
    paths = [write(tmp_path / f"{side}.tif", land((side, side))) for side in (20, 24)]

    with pytest.raises(GridMismatch, match=r"20\.tif has 20 x 20 pixels, but .*24\.tif"):
        score_scene(Changes(), paths, tmp_path / "out")

    assert not (tmp_path / "out").exists()


@either
def test_a_scene_without_data_gives_nan_maps(tmp_path, config):
    scene = write(tmp_path / "empty.tif", np.full((BANDS, 20, 20), NODATA, "float32"))

    result = score_scene(trained(config), scene, tmp_path / "out")

    assert (result.valid, result.flagged, result.objects, result.quantiles) == (0, 0, 0, {})
    assert np.isnan(bands_of(result.path)).all()
    assert (bands_of(result.files.flags) == 255).all()


def test_control_points_are_kept_where_a_scene_has_nothing_else(tmp_path):
    corners = ((0, 0), (0, 48), (40, 0), (40, 48))
    points = [GroundControlPoint(row, col, 10 + col, 50 - row) for row, col in corners]
    scene = write(tmp_path / "gcps.tif", land(), gcps=points, transform=None, crs="EPSG:4326")

    result = score_scene(Neighbours(), scene, tmp_path / "out")

    with rasterio.open(result.path) as dataset:
        kept, crs = dataset.gcps
    assert [(p.row, p.col, p.x, p.y) for p in kept] == [(p.row, p.col, p.x, p.y) for p in points]
    assert crs.to_epsg() == 4326


@pytest.mark.parametrize("detects", [False, True])
def test_small_objects_are_dropped_but_stay_flagged(scene, tmp_path, detects):
    def result(min_area, *, overwrite=False):
        options = ScoreOptions(min_area=min_area, overwrite=overwrite)
        if detects:
            return detect_scene(scene, tmp_path / "out", QUICKLY, options=options)
        return score_scene(trained(), scene, tmp_path / "out", options)

    every = result(1)
    areas = [item.area_px for item in read_objects(every.files.objects).items]
    largest = max(areas)
    with pytest.raises(OutputExists, match="other settings"):
        result(largest)
    kept = result(largest, overwrite=True)
    none = result(largest + 1, overwrite=True)

    assert (every.objects, kept.objects) == (len(areas), areas.count(largest))
    assert none.objects == 0
    assert none.flagged == every.flagged == sum(areas)
    assert not result(largest + 1).newly_written


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("tile", "a tile has a side of at least 1 pixel"),
        ("threads", "at least 1 thread"),
        ("min_area", "an object has at least 1 pixel"),
        ("top", "at least 1 object is listed"),
    ],
)
def test_options_below_1_are_refused(option, message):
    assert getattr(ScoreOptions(**{option: 1}), option) == 1

    with pytest.raises(ConfigError, match=rf"^{option} = 0: .*{message}"):
        ScoreOptions(**{option: 0})


@either
def test_detect_fits_a_scene_to_itself_and_flags_the_planted_object(scene, tmp_path, config):
    result = detect_scene(scene, tmp_path / "out", config)
    again = detect_scene(scene, tmp_path / "out", config)

    assert (bands_of(result.files.flags)[0][10:12, 12:14] == 1).all()
    assert result.threshold.rule.startswith("log-sigma:3")
    assert not result.threshold.held_out
    assert not again.newly_written


def test_detect_with_context_drops_dead_bands(tmp_path):
    values = plant(land(bands=BANDS + 2))
    values[3], values[5] = 0.25, NODATA
    scene = write(tmp_path / "dead.tif", values)
    config = resolve_config("small-objects", ["training.max_steps=40"]).config

    score, *terms = bands_of(detect_scene(scene, tmp_path / "out", config).path)

    no_data = (np.delete(values, [3, 5], axis=0) == NODATA).any(axis=0)
    np.testing.assert_array_equal(np.isnan(score), no_data)
    np.testing.assert_array_equal(terms[0] + terms[1] + terms[2], score)


@pytest.mark.parametrize("change", ["seed", "config", "mask", "normal", "other normal"])
def test_seed_configuration_and_masks_decide_what_detect_writes(scene, tmp_path, change):
    half = (np.indices((1, 40, 48))[1] < 20).astype("uint8")
    first, second = (write(tmp_path / f"{name}.tif", half, nodata=None) for name in "ab")
    before = {"select": Selection(normal=[first])} if change == "other normal" else {}
    after = {
        "seed": {"seed": 1},
        "config": {"config": resolve_config("default", [*QUICK, "model.latent=2"]).config},
        "mask": {"select": Selection(mask=first)},
        "normal": {"select": Selection(normal=[first])},
        "other normal": {"select": Selection(normal=[second])},
    }[change]
    arguments = {"scene": scene, "folder": tmp_path / "out", "config": QUICKLY}
    detect_scene(**arguments | before)

    with pytest.raises(OutputExists, match="other settings"):
        detect_scene(**arguments | after)

    assert not detect_scene(**arguments | before).newly_written
