"""Fitting: rasters in, a detector with a threshold out."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from rasterio.warp import transform
from scipy.ndimage import maximum_filter
from support.rasters import BANDS, NODATA, land, plant, write, write_labels

import anomvae
from anomvae.config import resolve_config, shipped_configs
from anomvae.errors import BandMismatch, ConfigError, GridMismatch, NotEnoughPixels, RasterError
from anomvae.fitting import Selection, detect, refit_threshold, train
from anomvae.fitting.block_scores import FEW
from anomvae.models.plan import ModelPlan
from anomvae.parallel.threads import blas_threads, usable_threads
from anomvae.pixels.annulus import Annulus
from anomvae.raster import Scene
from anomvae.stats.held_out import HeldOutRate
from anomvae.stats.scores import NormalScores
from anomvae.stats.thresholds import parse_rule
from anomvae.training.sampling import held_out_blocks

SHORT = resolve_config("default", ["training.max_steps=30"]).config
TWO_THREADS = resolve_config("default", ["training.max_steps=30", "training.threads=2"]).config
SMALL = resolve_config("small-objects", ["training.max_steps=40"]).config
either = pytest.mark.parametrize("config", [SHORT, SMALL], ids=["default", "small-objects"])


def scores_of(detector, path):
    with Scene.of(path).open() as opened:
        rows, cols = opened.grid.shape
        return detector.score(opened.read((slice(0, rows), slice(0, cols)))).total[0]


def held_out_pixels(shape, seed=0, radius=7):
    blocks = held_out_blocks(shape, seed, scene=0, radius=radius)
    return blocks.inside((slice(0, shape[0]), slice(0, shape[1])))


def near(pixels, radius=7):
    return maximum_filter(pixels, 2 * radius + 1, mode="constant")


@pytest.fixture
def scene(tmp_path):
    return write(tmp_path / "scene.tif", land((64, 64), seed=1))


@cache
def learnt():
    """Train shortly on what the scene of the tests is; once for all tests of a process."""
    with TemporaryDirectory() as folder:
        return train([write(Path(folder) / "scene.tif", land((64, 64), seed=1))], SHORT)


@either
def test_the_same_seed_gives_the_same_file(scene, config):
    one, same, other = (train([scene], config, seed).to_bytes() for seed in (0, 0, 1))

    assert one == same
    assert one != other


@pytest.fixture
def two_threads():
    torch.set_num_threads(2)
    with blas_threads(2):
        yield
    torch.set_num_threads(1)


def test_fitting_uses_the_threads_of_its_configuration_and_leaves_those_of_the_host(
    scene, two_threads
):
    used = []

    def note(what, done, total):
        if what == "train" and not done:
            used.append((torch.get_num_threads(), usable_threads()))

    train([scene], SHORT, progress=note)
    train([scene], TWO_THREADS, progress=note)

    assert used == [(1, 1), (2, 1)]
    assert (torch.get_num_threads(), usable_threads()) == (2, 2)


@either
def test_the_threshold_is_that_of_all_pixels_and_its_rate_that_of_held_out_blocks(scene, config):
    detector = train([scene], config, seed=3)

    radius = detector.view.radius
    away = held_out_pixels((64, 64), seed=3, radius=radius)
    scores = scores_of(detector, scene).astype(float)
    logs = np.log1p(scores)
    value, rate = detector.threshold.value, detector.card.held_out
    assert value == pytest.approx(np.expm1(logs.mean() + 3 * logs.std()), rel=1e-6)
    assert detector.threshold.pixels == 64 * 64
    assert not detector.threshold.held_out
    assert rate.rate == (scores[away] > value).mean()
    chosen = held_out_blocks((64, 64), 3, scene=0, radius=radius).chosen
    assert (rate.pixels, rate.blocks) == (away.sum(), chosen.sum())
    assert 0 <= rate.low <= rate.rate <= rate.high < 1
    assert detector.scores.held_out.count == away.sum()
    assert detector.card.training.pixels == (~near(away, radius)).sum()


@pytest.mark.parametrize("shape", [(100, 50), (100, 100), (400, 300)])
def test_a_detector_with_a_radius_still_learns_nearly_half_of_the_pixels(shape):
    shares = [near(held_out_pixels(shape, seed)).mean() for seed in range(5)]

    assert max(shares) < 0.6


@either
def test_detect_learns_every_valid_pixel(scene, config):
    detector = detect(scene, config)

    assert detector.card.training.pixels == 64 * 64
    assert detector.card.noise == "covariance"
    assert detector.card.training.trim == 0.05
    assert detector.threshold.rule.startswith("log-sigma:3")
    assert not detector.threshold.held_out


def test_train_takes_band_noise_and_trims_against_contamination(scene):
    card = train([scene], SHORT).card

    assert (card.noise, card.training.trim) == ("band", 0.05)
    assert card.training.scenes == train(str(scene), SHORT).card.training.scenes == ("scene.tif",)


def raster(folder, window):
    """Write a raster that is non-zero in a window."""
    values = np.zeros((1, 64, 64), "uint8")
    values[0, *window] = 7
    return write(folder / "window.tif", values, nodata=None)


def polygon(folder):
    """Write the left half in WGS 84; the scene lies at 15 degrees east in UTM zone 33."""
    xs, ys = np.array([(0, 0), (320, 0), (320, -640), (0, -640), (0, 0)]).T
    xs, ys = transform("EPSG:32633", "EPSG:4326", 5e5 + xs, 4e6 + ys)
    path = folder / "normal.geojson"
    path.write_text(
        json.dumps({"type": "Polygon", "coordinates": [list(zip(xs, ys, strict=True))]})
    )
    return path


LEFT, BELOW = (slice(0, 64), slice(0, 32)), (slice(16, 64), slice(0, 64))


@pytest.mark.parametrize(
    ("selection", "pixels", "trim"),
    [
        (lambda folder: Selection(normal=[raster(folder, LEFT)]), 64 * 32, 0.0),
        (lambda folder: Selection(normal=[polygon(folder)]), 64 * 32, 0.0),
        (lambda folder: Selection(mask=raster(folder, BELOW)), 48 * 64, 0.05),
    ],
    ids=["normal raster", "normal polygon", "mask"],
)
def test_masks_and_normal_areas_select_pixels_and_normal_ones_are_not_trimmed(
    tmp_path, scene, selection, pixels, trim
):
    detector = train([scene], SHORT, select=selection(tmp_path))

    assert detector.card.training.trim == trim
    assert detector.card.training.pixels + detector.card.held_out.pixels == pixels
    assert detector.threshold.pixels == pixels


def test_scenes_are_learnt_evenly(tmp_path):
    small = write(tmp_path / "small.tif", land((24, 24), seed=1))
    large = write(tmp_path / "large.tif", land((96, 96), seed=2) + 2)
    few = resolve_config("default", ["training.max_pixels=200", "training.max_steps=2"]).config

    detector = train([small, large], few)

    assert detector.card.training.scenes == ("small.tif", "large.tif")
    assert detector.card.training.pixels == 200
    assert detector.scaler.centre == pytest.approx([1.3] * BANDS, abs=0.3)


WAVES = tuple(f"{wave} nm" for wave in (450, 550, 650, 850, 1600, 2200))


@pytest.mark.parametrize(
    ("names", "bands", "indexes"), [(WAVES, "500-900nm", [2, 3, 4]), (None, "2,5", [2, 5])]
)
def test_bands_are_chosen_in_training_and_found_in_scoring(tmp_path, names, bands, indexes):
    path = write(tmp_path / "scene.tif", land(), names=names)

    detector = train([path], SHORT, select=Selection(bands=bands))
    result = anomvae.score_scene(detector, path, tmp_path / "out")

    assert detector.bands.indexes == indexes
    assert names is None or detector.bands.names == names[1:4]
    assert result.valid == 40 * 48


@either
def test_dead_bands_are_dropped_and_not_needed(tmp_path, caplog, config):
    values = land((64, 64), BANDS + 2)
    values[3] = 0.25
    values[5] = NODATA
    values[5, 5, 5] = 0.3  # hardly any data
    path = write(tmp_path / "dead.tif", values)

    detector = train([path], config)
    result = anomvae.score_scene(detector, path, tmp_path / "out")

    assert detector.card.dropped == ("band_4", "band_6")
    assert caplog.text.count("band_4, band_6") == 1
    assert result.valid == 64 * 64


def test_few_pixels_are_enough_with_a_warning(tmp_path, caplog):
    path = write(tmp_path / "few.tif", land((8, 8)))

    detector = train([path], SHORT)

    assert detector.threshold.pixels < FEW
    assert "expect a rough detector" in caplog.text
    assert "rests on" in caplog.text


@either
@pytest.mark.parametrize("valid", [0, 1, 31, 32])
def test_32_valid_pixels_are_needed(tmp_path, valid, config):
    values = np.full((BANDS, 40, 40), NODATA, "float32")
    values[:, 0, :valid] = land((1, 40))[:, 0, :valid]
    path = write(tmp_path / "scene.tif", values)

    if valid == 32:
        assert detect(path, config).card.training.pixels == 32
        return
    for fit in (lambda: train([path], config), lambda: detect(path, config)):
        with pytest.raises(NotEnoughPixels, match=f"{valid} valid pixels .* at least 32"):
            fit()


def test_a_threshold_is_refitted_and_nothing_else(tmp_path, scene):
    detector = learnt()
    other = write(tmp_path / "other.tif", land((64, 64), seed=5))

    refitted = refit_threshold(detector, [other], "quantile:0.01")

    scores = NormalScores.of(scores_of(detector, other), held_out=True)
    assert refitted.threshold.value == parse_rule("quantile:0.01").threshold(scores).value
    assert refitted.threshold.pixels == 64 * 64
    assert refitted.weights is detector.weights
    assert detector.threshold.rule == "log-sigma:3"


@pytest.mark.parametrize("condition", ["", "+local:2"])
@pytest.mark.parametrize(("vouched", "rule"), [(False, "log-sigma:3"), (True, "gaussian:3")])
def test_a_threshold_is_refitted_by_the_rule_of_train(tmp_path, scene, vouched, rule, condition):
    config = replace(SHORT, threshold=f"auto{condition}")
    everywhere = np.ones((1, 64, 64), "uint8")
    normal = [write(tmp_path / "normal.tif", everywhere, nodata=None)] if vouched else []
    other = write(tmp_path / "other.tif", land((64, 64), seed=5))

    detector = train([scene], config, select=Selection(normal=normal))
    refitted = refit_threshold(detector, [other], select=Selection(normal=normal))

    assert detector.threshold.rule == refitted.threshold.rule == f"{rule}{condition}"
    by_name = refit_threshold(detector, [other], f"{rule}{condition}")
    assert refitted.threshold == by_name.threshold


def test_few_normal_pixels_are_refitted_by_the_rule_that_takes_them(tmp_path, scene, caplog):
    normal = [write(tmp_path / "normal.tif", np.ones((1, 30, 30), "uint8"), nodata=None)]
    few = write(tmp_path / "few.tif", land((30, 30), seed=5))

    refitted = refit_threshold(train([scene], SMALL), [few], select=Selection(normal=normal))

    assert refitted.threshold.rule == "log-sigma:3+local:2"
    assert "the threshold is chosen by log-sigma:3+local:2" in caplog.text


def test_a_refitted_threshold_has_its_rate_with_an_interval_over_blocks(tmp_path, scene):
    detector = learnt()
    other = write(tmp_path / "other.tif", land((64, 64), seed=5))

    refitted = refit_threshold(detector, [other], "quantile:0.01")

    rate = refitted.card.held_out
    assert refitted.threshold.held_out
    assert (rate.rate, rate.pixels, rate.blocks) == (refitted.threshold.fpr, 64 * 64, 64)
    assert 0 < rate.low < rate.rate < rate.high < 0.05


def test_a_scene_with_the_name_of_a_training_scene_is_refitted_as_learnt(tmp_path, scene, caplog):
    detector = learnt()
    other = write(tmp_path / "other.tif", land((40, 40), seed=5))

    both = refit_threshold(detector, [scene, other], "quantile:0.01")
    alone = refit_threshold(detector, [scene], "quantile:0.01")

    assert caplog.text.count("trained on a scene called scene.tif") == 2
    assert (both.threshold.pixels, both.card.held_out.pixels) == (64 * 64 + 40 * 40, 40 * 40)
    assert not both.threshold.held_out
    assert alone.threshold.pixels == 64 * 64
    assert alone.card.held_out is None


def test_a_threshold_chosen_from_kept_scores_has_a_rate_without_an_interval(tmp_path, scene):
    trained = learnt()
    trained.save(tmp_path / "m.safetensors")

    same = anomvae.load(tmp_path / "m.safetensors")
    other = anomvae.load(tmp_path / "m.safetensors", threshold="quantile:0.05")

    assert same.card == trained.card
    assert same.scores.held_out.count == trained.card.held_out.pixels
    away = held_out_pixels((64, 64), radius=0)
    rate = (scores_of(trained, scene)[away] > np.float32(other.threshold.value)).mean()
    assert other.card.held_out == HeldOutRate(rate, away.sum())
    assert (other.card.held_out.low, other.card.held_out.high) == (0, 1)


def test_a_threshold_is_not_refitted_on_other_bands(tmp_path, scene):
    other = write(tmp_path / "other.tif", land(bands=3))

    with pytest.raises(BandMismatch, match=r"other\.tif has 3 bands"):
        refit_threshold(learnt(), [other], "sigma:3")


@pytest.mark.parametrize("config", ["default", "small-objects"])
def test_anomalies_are_above_the_threshold_though_they_were_learnt(tmp_path, config):
    scene = write(tmp_path / "planted.tif", plant(land((64, 64))))

    detector = detect(scene, config)

    scores = scores_of(detector, scene)
    assert (scores[10:12, 12:14] > detector.threshold.value).all()


@pytest.mark.parametrize("config", ["default", "small-objects"])
def test_a_detector_of_the_left_half_finds_the_anomaly_of_the_right_half(tmp_path, config):
    whole = plant(land((64, 96)), row=20, col=70)
    left = write(tmp_path / "left.tif", whole[:, :, :48].copy())
    right = write(tmp_path / "right.tif", whole[:, :, 48:].copy())
    labels = write_labels(tmp_path / "labels.tif", (64, 48), row=20, col=70 - 48)

    detector = train([left], config)
    evaluation = anomvae.evaluate(anomvae.score_scene(detector, right, tmp_path / "out"), labels)

    assert evaluation.rows["anomvae"].roc_auc > 0.99
    assert evaluation.rows["anomvae"].recall == 1


@pytest.mark.parametrize(
    ("scenes", "seed", "error", "problem"),
    [
        ([], 0, ConfigError, "at least one raster"),
        (["gone.tif"], 0, RasterError, r"gone\.tif does not exist"),
        (["gone.tif"], -1, ConfigError, "seed ="),
        (["gone.tif"], 2**64, ConfigError, "seed ="),
    ],
)
def test_scenes_and_seeds_that_cannot_be_used_are_named(scenes, seed, error, problem):
    with pytest.raises(error, match=problem):
        train(scenes, SHORT, seed)


def test_hundreds_of_scenes_are_not_open_at_once(tmp_path):
    resource = pytest.importorskip("resource")
    scenes = [write(tmp_path / f"s{n}.tif", land((8, 8), seed=n)) for n in range(60)]
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 64

    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 30, limits[1]))
    try:
        detector = train(scenes, SHORT)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    assert len(detector.card.training.scenes) == 60


def test_a_normal_area_in_a_single_block_is_still_learnt(tmp_path, scene):
    mask = raster(tmp_path, (slice(0, 8), slice(0, 8)))

    for seed in range(6):
        detector = train([scene], SHORT, seed, select=Selection(normal=[mask]))
        assert detector.card.training.pixels == 64
        assert not detector.threshold.held_out


def test_pixels_that_lack_a_band_are_not_counted_as_valid(tmp_path):
    values = land()
    values[2, :, 1:] = NODATA
    path = write(tmp_path / "lacking.tif", values)

    top = np.zeros((1, 40, 48), "uint8")
    top[0, :20] = 1
    mask = write(tmp_path / "top.tif", top, nodata=None)

    with pytest.raises(NotEnoughPixels, match=r"lacking\.tif: 20 valid pixels"):
        train([path], SHORT, select=Selection(mask=mask))


def test_a_scene_without_the_nodata_value_of_training_is_reported(tmp_path, scene, caplog):
    other = write(tmp_path / "other.tif", land(), nodata=None)

    anomvae.score_scene(learnt(), other, tmp_path / "out")

    assert "other.tif has no nodata value" in caplog.text


def test_a_mask_in_another_zone_is_refused(tmp_path, scene):
    ones = np.ones((1, 64, 64), "uint8")
    mask = write(tmp_path / "mask.tif", ones, nodata=None, crs="EPSG:32632")

    with pytest.raises(GridMismatch, match=r"EPSG:32632.* does not cover .*EPSG:32633"):
        train([scene], SHORT, select=Selection(mask=mask))


def test_whole_pixels_on_one_side_of_the_split_are_learnt_in_sample(tmp_path):
    values = np.full((2, 128, 128), NODATA, "float32")
    drawn = land((128, 128), 2)
    values[0, :72, :72] = drawn[0, :72, :72]
    values[1, 56:, 56:] = drawn[1, 56:, 56:]
    path = write(tmp_path / "overlap.tif", values)

    for seed in range(6):
        detector = train([path], SHORT, seed)
        assert detector.threshold.pixels > 0


# Surroundings


def test_a_small_objects_detector_follows_its_configuration(scene):
    card = train([scene], SMALL).card

    assert card.family == "cvae"
    assert (card.context.annulus, card.weighting.annulus) == (Annulus(15, 7), Annulus(21, 7))
    context, weighting = card.context, card.weighting
    assert (context.mean_components, context.std_components, context.clip_sigma) == (10, 5, 2.0)
    assert (weighting.local_contrast, weighting.latent_distance) == (0.65, 0.5)


def test_training_reads_no_held_out_pixel_even_as_surroundings(tmp_path):
    values = land((64, 64), seed=1)
    away = held_out_pixels((64, 64))
    other = np.where(away, values[::-1] * 3, values)
    paths = [write(tmp_path / name, part) for name, part in (("a.tif", values), ("b.tif", other))]

    one, same = (train([path], SMALL) for path in paths)

    assert one.card.weighting == same.card.weighting
    assert all(map(torch.equal, one.model.parameters(), same.model.parameters()))
    for name, array in one.context.tensors.items():
        assert np.array_equal(array, same.context.tensors[name]), name


@pytest.mark.parametrize("shape", [(5, 9), (1, 40), (40, 1), (14, 70)])
def test_a_scene_narrower_than_the_annulus_is_learnt_and_scored(tmp_path, shape):
    path = write(tmp_path / "narrow.tif", land((64, 80))[:, : shape[0], : shape[1]].copy())

    for detector in (train([path], SMALL), detect(path, SMALL)):
        assert np.isfinite(scores_of(detector, path)).all()


def test_a_band_that_is_constant_but_in_the_surroundings_is_learnt_in_sample(tmp_path, caplog):
    away = held_out_pixels((64, 64))
    values = land((64, 64))
    values[2] = np.where(near(away) & ~away, values[2], 0.3)  # constant in the training pixels
    path = write(tmp_path / "scene.tif", values)

    detector = train([path], SMALL)

    assert detector.card.dropped == ()
    assert not detector.threshold.held_out
    assert "too little data to hold some out" in caplog.text


# Configurations


# `change` is fitted to the scene that it scores: tests/test_detect_dates.py.
@pytest.mark.parametrize("name", sorted({*shipped_configs()} - {"timeseries"}))
def test_every_shipped_configuration_trains_and_scores(tmp_path, name):
    config = resolve_config(name, ["training.max_steps=20"]).config
    count = 4 if ModelPlan.of(config).view.compares_dates else 1
    dates = [write(tmp_path / f"{day}.tif", land((80, 80), seed=day)) for day in range(count)]

    detector = train(dates, config)
    result = anomvae.score_scene(detector, dates, tmp_path / "out")

    assert detector.card.family == config.model.family
    assert detector.card.training.dates == count
    assert detector.card.training.scenes == tuple(path.name for path in dates)
    assert result.valid == 80 * 80


def test_pixels_that_are_known_to_be_normal_get_a_threshold_with_a_promise(tmp_path):
    scene = write(tmp_path / "scene.tif", land((64, 64), seed=1))
    mask = write(tmp_path / "normal.tif", np.ones((1, 64, 64), "uint8"), nodata=None)

    detector = train([scene], SHORT, select=Selection(normal=[mask]))

    assert detector.threshold.rule == "gaussian:3"
    assert detector.threshold.fpr == pytest.approx(0.00135, abs=0.002)


def test_too_few_normal_pixels_for_a_promise_get_another_threshold_unless_it_was_asked_for(
    tmp_path, caplog
):
    scene = write(tmp_path / "scene.tif", land((36, 36), seed=1))
    mask = write(tmp_path / "normal.tif", np.ones((1, 36, 36), "uint8"), nodata=None)
    select = Selection(normal=[mask])

    detector = train([scene], SHORT, select=select)

    assert detector.threshold.rule == "log-sigma:3"
    assert sum("gaussian:3" in message for message in caplog.messages) == 1
    asked = resolve_config("default", ["training.max_steps=30", "threshold=gaussian:3"]).config
    with pytest.raises(NotEnoughPixels, match="needs 1703"):
        train([scene], asked, select=select)
