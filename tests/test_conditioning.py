"""Detectors conditioned on covariates, from files to maps, in Python and on the command line."""

import json
import logging
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from affine import Affine
from support.rasters import bands_of, run, write, write_labels
from support.refusals import refused

import anomvae
from anomvae.config import resolve_config
from anomvae.errors import ConfigError, CovariateMismatch
from anomvae.fitting import Selection
from anomvae.mapping import ScoreOptions, score_scenes
from anomvae.raster import Scene

SHAPE = (64, 64)
BANDS = 5
OBJECT = (20, 44)  # of a planted object, row and column
SPECTRA = np.random.default_rng(7).uniform(0.2, 0.6, (2, BANDS))
ALONE = ("context.mean_components=0", "context.std_components=0")
QUICK = ("training.max_steps=200", "model.family=cvae")
COVER, DEM = "categorical:{}/cover.tif", "{}/dem.tif"
FINE = Affine(7, 0, 4.9995e5, 0, -7, 4.00005e6)  # covers the scene at another pixel size


def covers(shape=SHAPE):
    """Cut land into two classes: 1 at the left, 2 at the right."""
    return np.where(np.arange(shape[1]) < shape[1] // 2, 1, 2)[None, :].repeat(shape[0], 0)


def materials(seed=0, shape=SHAPE):
    """Return land whose classes differ in material, with noise, (band, row, col)."""
    noise = np.random.default_rng(seed).normal(0, 0.02, (BANDS, *shape))
    return (np.moveaxis(SPECTRA[covers(shape) - 1], -1, 0) + noise).astype(np.float32)


def planted(seed=1):
    """Plant a 2 x 2 patch of class 1's material amid class 2."""
    values = materials(seed)
    row, col = OBJECT
    values[:, row : row + 2, col : col + 2] = materials(seed + 1)[:, :2, :2]
    return values


def write_land(folder):
    """Write a normal scene, one with a planted patch, its labels, and a cover finer than both."""
    names = [f"b{number}" for number in range(BANDS)]
    write(folder / "normal_20240401.tif", materials(), names=names)
    write(folder / "new_20240601.tif", planted(), names=names)
    write_labels(folder / "labels.tif", SHAPE, *OBJECT)
    columns = FINE.c + FINE.a * (np.arange(110) + 0.5) < 5e5 + 320
    fine = np.where(columns, 1, 2).astype("uint8")[None, None].repeat(110, 1)
    write(folder / "cover.tif", fine, transform=FINE, nodata=0)
    height = np.random.default_rng(0).normal(500, 50, (1, 110, 110)).astype(np.float32)
    write(folder / "dem.tif", height, transform=FINE)
    return folder


@pytest.fixture
def land(tmp_path):
    return write_land(tmp_path)


def train_on(land, *texts, settings=ALONE):
    config = resolve_config("default", [*QUICK, *settings]).config
    select = Selection(covariates=[text.format(land) for text in texts])
    return anomvae.train([land / "normal_20240401.tif"], config, select=select)


@cache
def trained(*texts, settings=ALONE):
    """Train on the normal scene with covariates, ``{}`` their folder; once for all tests."""
    with TemporaryDirectory() as folder:
        return train_on(write_land(Path(folder)), *texts, settings=settings)


def categorical(land, name="cover.tif"):
    return f"categorical:{land / name}"


def scored(detector, land, folder, *texts, scene="new_20240601.tif", **options):
    """Score a scene with covariates."""
    named = Scene.of(land / scene, covariates=texts)
    return anomvae.score_scene(detector, named, land / folder, ScoreOptions(**options))


def scores_of(result):
    return bands_of(result.path)[0]


def rank(scores, row, col):
    """Return the share of pixels below the planted ones."""
    planted = scores[row : row + 2, col : col + 2]
    return float((scores[np.isfinite(scores)] < planted.min()).mean())


def test_a_spectrum_that_is_common_elsewhere_is_unusual_in_its_class(land):
    config = resolve_config("default", [QUICK[0]]).config
    with_class = trained(COVER)
    without = anomvae.train([land / "normal_20240401.tif"], config)

    ours = scored(with_class, land, "with", categorical(land))
    plain = scored(without, land, "without")

    assert rank(scores_of(ours), *OBJECT) > 0.98
    assert rank(scores_of(plain), *OBJECT) < 0.9


@pytest.mark.parametrize("scenes", [1, 2])
def test_workers_open_covariates_themselves(land, scenes, monkeypatch, two):
    detector = trained(COVER, DEM, "day")
    monkeypatch.chdir(land)
    named = [
        Scene.of(path, covariates=["categorical:cover.tif", "dem.tif", "day"])
        for path in ["new_20240601.tif", "normal_20240401.tif"][:scenes]
    ]
    options = ScoreOptions(tile=40)

    here = list(score_scenes(detector, named, "here", options))
    there = list(score_scenes(detector, named, "there", options, mapper=two))

    for one, other in zip(here, there, strict=True):
        assert (one.error, other.error) == (None, None)
        np.testing.assert_array_equal(bands_of(one.result.path), bands_of(other.result.path))


@pytest.mark.parametrize(
    "settings", [ALONE, ("context.mean_components=3", "score.local_contrast=0.5")]
)
def test_tiles_are_invisible_in_a_map_with_warped_covariates(land, settings):
    texts = (categorical(land), land / "dem.tif")
    detector = trained(COVER, DEM, settings=settings)

    maps = [scored(detector, land, f"{tile}", *texts, tile=tile) for tile in (None, 17, 40)]

    whole, *others = [bands_of(result.path) for result in maps]
    for other in others:
        np.testing.assert_array_equal(other, whole)


def test_covariates_alone_need_no_annulus():
    assert trained(COVER).radius == 0
    assert trained(COVER, settings=()).radius == 7


def test_a_block_without_its_covariates_is_refused_in_their_order():
    detector = trained(COVER, "day")

    with pytest.raises(CovariateMismatch, match=r"then categorical:cover.tif, day \(sin, cos\)"):
        detector.score(np.zeros((1, 4, 4, BANDS), np.float32))

    block = np.zeros((1, 4, 4, BANDS + 3), np.float32)
    assert np.isfinite(detector.score(block).total).all()


def test_a_missing_value_counts_as_the_mean_of_training():
    detector = trained(DEM)
    block = np.full((1, 2, 1, BANDS + 1), 0.4, np.float32)
    block[0, 0, 0, -1], block[0, 1, 0, -1] = np.nan, detector.context.mean[-1]

    unknown, mean = detector.score(block).total[0, :, 0]

    assert np.isfinite(unknown)
    assert unknown == pytest.approx(mean, rel=1e-5)


def test_no_data_in_a_covariate_takes_no_score_away(land):
    holed = np.ones((1, 110, 110), "uint8")
    holed[:, 30:50, 30:50] = 0
    write(land / "holed.tif", holed, transform=FINE, nodata=0)
    detector = trained(COVER)

    result = scored(detector, land, "maps", categorical(land, "holed.tif"))

    assert result.valid == result.pixels


def test_no_data_in_the_bands_is_no_data_whatever_the_covariate(land):
    values = planted()
    values[:, 3:9] = -1
    write(land / "clouds_20240601.tif", values)
    detector = trained(COVER)

    result = scored(detector, land, "maps", categorical(land), scene="clouds_20240601.tif")

    assert result.valid == result.pixels - 6 * SHAPE[1]


def test_a_detector_keeps_the_share_of_pixels_without_bands_not_without_covariates(land):
    values = materials()
    values[:, :32] = -1
    write(land / "normal_20240401.tif", values)

    assert train_on(land, COVER, "day").card.training.nodata == 0.5


def test_a_class_that_training_did_not_have_is_scored_and_reported_once(land, caplog):
    strange = np.full((1, 110, 110), 9, "uint8")
    write(land / "strange.tif", strange, transform=FINE, nodata=0)
    detector = trained(COVER)

    with caplog.at_level(logging.WARNING):
        result = scored(detector, land, "maps", categorical(land, "strange.tif"), tile=16)

    assert result.valid == result.pixels
    assert len([text for text in caplog.messages if "(9)" in text]) == 1


def test_the_day_is_that_in_the_name_of_each_scene(land):
    detector = trained("day")

    named, same, other = (
        scored(detector, land, f"maps{number}", day)
        for number, day in enumerate(("day", "day:2024-06-01", "day:2024-06-02"))
    )

    assert named.digest == same.digest
    assert named.digest != other.digest


def test_a_changed_covariate_scores_a_scene_again(land):
    detector, text = trained(COVER), categorical(land)

    first, again = (scored(detector, land, "maps", text, overwrite=True) for _ in range(2))
    write(land / "cover.tif", np.ones((1, 111, 110), "uint8"), transform=FINE, nodata=0)
    changed = scored(detector, land, "maps", text, overwrite=True)

    assert [one.newly_written for one in (first, again, changed)] == [True, False, True]


def test_a_map_never_replaces_a_covariate(land):
    detector = trained(DEM)
    dem = write(land / "new_20240601.anomaly.tif", bands_of(land / "dem.tif"), transform=FINE)
    before = dem.read_bytes()

    with pytest.raises(ConfigError, match="is read for these results"):
        scored(detector, land, ".", dem, overwrite=True)

    assert dem.read_bytes() == before


def test_detect_takes_covariates(land):
    config = resolve_config("default", [*QUICK, *ALONE]).config
    scene, select = land / "new_20240601.tif", Selection(covariates=[categorical(land)])

    result = anomvae.detect_scene(scene, land, config, select=select)

    assert rank(scores_of(result), *OBJECT) > 0.98
    continuous = Selection(covariates=[str(land / "cover.tif")])
    other = anomvae.detect_scene(scene, land / "b", config, select=continuous)
    assert other.digest != result.digest


def test_a_threshold_is_fitted_again_with_covariates(land):
    detector, scene = trained(COVER), [land / "normal_20240401.tif"]

    refitted = anomvae.refit_threshold(
        detector, scene, "quantile:0.01", select=Selection(covariates=[categorical(land)])
    )

    assert refitted.threshold.pixels == SHAPE[0] * SHAPE[1]
    with pytest.raises(CovariateMismatch, match="no covariates"):
        anomvae.refit_threshold(detector, scene, "quantile:0.01")


class TestTheCommandLine:
    @pytest.fixture
    def folder(self, land):
        trained(COVER, "day").save(land / "m.safetensors")
        return land

    @pytest.fixture
    def options(self, folder):
        return ["--covariates", categorical(folder), "--covariates", "day"]

    def test_every_command_takes_covariates(self, folder, options):
        normal, scene = folder / "normal_20240401.tif", folder / "new_20240601.tif"
        settings = [part for text in (*QUICK, *ALONE) for part in ("--set", text)]
        short = ("--set", "training.max_steps=10")
        model, labels = folder / "new.safetensors", folder / "labels.tif"

        for command in (
            ("train", normal, "-o", model, *settings),
            ("score", scene, "-m", model, "-o", folder / "out"),
            ("threshold", model, normal, "-o", folder / "t.safetensors"),
            ("detect", scene, "-o", folder / "detected", *settings, *short),
            ("evaluate", scene, "-m", model, "--labels", labels, "--json"),
        ):
            ran = run(*command, *options)
            assert ran.code == 0, ran.err
        assert json.loads(ran.out)["detectors"]["anomvae"]["roc_auc"] > 0.98

    def test_info_names_the_covariates(self, folder):
        text = run("info", folder / "m.safetensors").out
        facts = json.loads(run("info", folder / "m.safetensors", "--json").out)

        assert "2: categorical:cover.tif (2 classes), day" in text
        assert facts["conditioned on"] is None
        assert facts["covariates"][0]["classes"] == [1.0, 2.0]

    @pytest.mark.parametrize(
        ("covariates", "words"),
        [
            ([], "no covariates"),
            (["day"], "the covariates day"),
            (["{cover}", "day"], "continuous:cover.tif, day"),
            (["day", "categorical:{cover}"], "day, categorical:cover.tif"),
            (["categorical:{cover}", "day", "day"], "day, day"),
        ],
    )
    def test_other_covariates_end_with_4_and_what_to_give(self, folder, covariates, words):
        texts = [text.format(cover=folder / "cover.tif") for text in covariates]
        options = [part for text in texts for part in ("--covariates", text)]

        ran = run(
            *("score", folder / "new_20240601.tif", "-m", folder / "m.safetensors"),
            *("-o", folder / "out", *options),
        )

        refused(ran, 4, words, "--covariates categorical:cover.tif --covariates day")
        assert not (folder / "out").exists()

    def test_a_map_takes_no_covariates(self, folder, options):
        ran = run("evaluate", "scene.tif", "map.tif", "--labels", "labels.tif", *options)

        assert ran.code == 2
        assert "--covariates are for a model" in ran.err

    def test_a_model_without_covariates_takes_none(self, folder, options):
        normal, model = folder / "normal_20240401.tif", folder / "vae.safetensors"
        run("train", normal, "-o", model, "--set", "training.max_steps=10")

        ran = run("score", normal, "-m", model, "-o", folder / "out", *options)

        refused(ran, 4, "trained without any", "Leave --covariates out")

    @pytest.mark.parametrize(
        ("settings", "covariates", "code", "words"),
        [
            ([], ["day"], 2, "'vae' takes no covariates"),
            (["model.family=cvae", *ALONE], [], 2, "is conditioned on nothing"),
            (["model.family=cvae"], ["day:june"], 2, "is no day"),
            (["model.family=cvae"], ["categorical:dem.tif"], 2, "at most 64"),
            (["model.family=cvae"], ["gone.tif"], 3, "gone.tif does not exist"),
            (["model.family=cvae"], ["labels.txt"], 3, "labels.txt cannot be opened as a raster"),
            (["model.family=cvae"], ["plain.tif"], 4, "plain.tif has 9 x 9 pixels"),
        ],
    )
    def test_training_refuses_covariates_it_cannot_use(
        self, land, monkeypatch, settings, covariates, code, words
    ):
        monkeypatch.chdir(land)
        (land / "labels.txt").write_text("no pixels")
        plain = {"crs": None, "transform": Affine.identity()}
        write(land / "plain.tif", np.ones((1, 9, 9), "float32"), **plain)
        options = [part for text in settings for part in ("--set", text)]
        options += [part for text in covariates for part in ("--covariates", text)]

        ran = run("train", "normal_20240401.tif", "-o", "new.safetensors", *options)

        refused(ran, code, words)
        assert not (land / "new.safetensors").exists()

    def test_a_scene_without_a_date_ends_with_4(self, land):
        scene = write(land / "scene.tif", materials())
        options = ["--set", "model.family=cvae", "--covariates", "day"]

        ran = run("train", scene, "-o", land / "new.safetensors", *options)

        refused(ran, 4, "no date in its name")

    def test_a_model_never_replaces_a_covariate(self, land):
        before = (land / "dem.tif").read_bytes()

        ran = run(
            *("train", land / "normal_20240401.tif", "-o", land / "dem.tif", "--overwrite"),
            *("--set", "model.family=cvae", "--covariates", land / "dem.tif"),
        )

        refused(ran, 2, "is read for this")
        assert (land / "dem.tif").read_bytes() == before
