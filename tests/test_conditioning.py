"""Detectors that are told covariates, from files to maps, in Python and on the command line."""

import json
import logging

import numpy as np
import pytest
from affine import Affine
from support.rasters import bands_of, run, write, write_labels
from support.refusals import refused
from support.spectra import fit_scene

import anomvae
from anomvae.config import resolve_config
from anomvae.detector.modelfile import read_card
from anomvae.errors import BandMismatch, ConfigError, CovariateMismatch
from anomvae.fitting import Selection
from anomvae.mapping import score_scenes
from anomvae.parallel import processes

SHAPE = (64, 64)
BANDS = 5
PLACE = (20, 44)  # of a planted object, row and column
SPECTRA = np.random.default_rng(7).uniform(0.2, 0.6, (2, BANDS))
ALONE = ("context.mean_components=0", "context.std_components=0")
QUICK = ("training.max_steps=400", "model.family=cvae")
FINE = Affine(7, 0, 4.9995e5, 0, -7, 4.00005e6)  # covers the scene at another pixel size


def covers(shape=SHAPE):
    """Cut land into two classes: 1 at the left, 2 at the right."""
    return np.where(np.arange(shape[1]) < shape[1] // 2, 1, 2)[None, :].repeat(shape[0], 0)


def seen(seed=0, shape=SHAPE):
    """Give every class its own material, with noise, (band, row, col)."""
    noise = np.random.default_rng(seed).normal(0, 0.02, (BANDS, *shape))
    return (np.moveaxis(SPECTRA[covers(shape) - 1], -1, 0) + noise).astype(np.float32)


def planted(seed=1):
    """Plant a 2 x 2 patch of class 1's material amid class 2."""
    values = seen(seed)
    row, col = PLACE
    values[:, row : row + 2, col : col + 2] = seen(seed + 1)[:, :2, :2]
    return values


@pytest.fixture
def land(tmp_path):
    """Write a normal scene, one with a planted patch, its labels, and a cover finer than both."""
    names = [f"b{number}" for number in range(BANDS)]
    write(tmp_path / "normal_20240401.tif", seen(), names=names)
    write(tmp_path / "new_20240601.tif", planted(), names=names)
    write_labels(tmp_path / "labels.tif", SHAPE, *PLACE)
    columns = FINE.c + FINE.a * (np.arange(110) + 0.5) < 5e5 + 320
    fine = np.where(columns, 1, 2).astype("uint8")[None, None].repeat(110, 1)
    write(tmp_path / "cover.tif", fine, transform=FINE, nodata=0)
    height = np.random.default_rng(0).normal(500, 50, (1, 110, 110)).astype(np.float32)
    write(tmp_path / "dem.tif", height, transform=FINE)
    return tmp_path


def trained(land, *texts, settings=ALONE):
    config = resolve_config("default", [*QUICK, *settings]).config
    select = Selection(covariates=texts)
    return anomvae.train([land / "normal_20240401.tif"], config, select=select)


def asked(land, name="cover.tif"):
    return f"categorical:{land / name}"


def scores_of(result):
    return bands_of(result.path)[0]


def rank(scores, row, col):
    """Give the share of pixels below the planted ones."""
    found = scores[row : row + 2, col : col + 2]
    return float((scores[np.isfinite(scores)] < found.min()).mean())


def test_a_spectrum_usual_elsewhere_is_unusual_for_its_class(land):
    told = trained(land, asked(land))
    alone = anomvae.train(
        [land / "normal_20240401.tif"], resolve_config("default", [QUICK[0]]).config
    )

    scene = land / "new_20240601.tif"
    with_class = anomvae.score_scene(told, scene, land / "told", covariates=[asked(land)])
    without = anomvae.score_scene(alone, scene, land / "alone")

    assert rank(scores_of(with_class), *PLACE) > 0.98
    assert rank(scores_of(without), *PLACE) < 0.9


def test_a_told_detector_is_saved_and_loaded_to_the_bit(land):
    texts = (asked(land), str(land / "dem.tif"), "day")
    detector = trained(
        land, *texts, settings=("context.mean_components=3", "context.std_components=2")
    )
    detector.save(land / "model.safetensors")
    loaded = anomvae.load(land / "model.safetensors")

    scene = land / "new_20240601.tif"
    one = anomvae.score_scene(detector, scene, land / "one", covariates=texts)
    other = anomvae.score_scene(loaded, scene, land / "other", covariates=texts)

    assert loaded.to_bytes() == detector.to_bytes()
    np.testing.assert_array_equal(bands_of(one.path), bands_of(other.path))
    assert detector.covariates[0].classes == (1.0, 2.0)
    assert read_card(land / "model.safetensors").covariates == detector.covariates


@pytest.mark.parametrize("scenes", [1, 2])
def test_workers_open_covariates_themselves(land, scenes, monkeypatch):
    detector = trained(land, asked(land), land / "dem.tif", "day")
    monkeypatch.chdir(land)
    paths = ["new_20240601.tif", "normal_20240401.tif"][:scenes]
    arguments = {"covariates": ["categorical:cover.tif", "dem.tif", "day"], "tile": 40}

    here = list(score_scenes(detector, paths, "here", **arguments))
    with processes(2) as two:
        away = list(score_scenes(detector, paths, "away", mapper=two, **arguments))

    for one, other in zip(here, away, strict=True):
        assert (one.error, other.error) == (None, None)
        np.testing.assert_array_equal(bands_of(one.result.path), bands_of(other.result.path))


@pytest.mark.parametrize(
    "settings", [ALONE, ("context.mean_components=3", "score.local_contrast=0.5")]
)
def test_tiles_do_not_show_in_a_map_with_warped_covariates(land, settings):
    texts = (asked(land), land / "dem.tif")
    detector = trained(land, *texts, settings=settings)
    scene = land / "new_20240601.tif"

    maps = [
        anomvae.score_scene(detector, scene, land / f"{tile}", covariates=texts, tile=tile)
        for tile in (None, 17, 40)
    ]

    whole, *others = [bands_of(result.path) for result in maps]
    for other in others:
        np.testing.assert_array_equal(other, whole)


def test_covariates_alone_need_no_ring(land):
    assert trained(land, asked(land)).radius == 0
    assert trained(land, asked(land), settings=()).radius == 7


def test_a_block_without_its_covariates_is_refused_in_their_order(land):
    detector = trained(land, asked(land), "day")

    with pytest.raises(CovariateMismatch, match=r"then categorical:cover.tif, day \(sin, cos\)"):
        detector.score(np.zeros((1, 4, 4, BANDS), np.float32))

    block = np.zeros((1, 4, 4, BANDS + 3), np.float32)
    assert np.isfinite(detector.score(block).total).all()


def test_a_detector_without_covariates_takes_no_values_of_them():
    block = np.moveaxis(seen(), 0, -1)[None]

    with pytest.raises(BandMismatch, match="6 bands"):
        fit_scene(block).score(np.concatenate([block, block[..., :1]], axis=-1))


def test_what_is_not_known_of_a_pixel_is_the_mean_of_training(land):
    detector = trained(land, land / "dem.tif")
    block = np.full((1, 2, 1, BANDS + 1), 0.4, np.float32)
    block[0, 0, 0, -1], block[0, 1, 0, -1] = np.nan, detector.context.mean[-1]

    unknown, usual = detector.score(block).total[0, :, 0]

    assert np.isfinite(unknown)
    assert unknown == pytest.approx(usual, rel=1e-5)


def test_no_data_in_a_covariate_hides_no_pixel(land):
    holed = np.ones((1, 110, 110), "uint8")
    holed[:, 30:50, 30:50] = 0
    write(land / "holed.tif", holed, transform=FINE, nodata=0)
    detector = trained(land, asked(land))

    scene = land / "new_20240601.tif"
    result = anomvae.score_scene(detector, scene, land, covariates=[asked(land, "holed.tif")])

    assert result.valid == result.pixels


def test_no_data_in_the_bands_is_no_data_whatever_the_covariate(land):
    values = planted()
    values[:, 3:9] = -1
    scene = write(land / "clouds_20240601.tif", values)
    detector = trained(land, asked(land))

    result = anomvae.score_scene(detector, scene, land, covariates=[asked(land)])

    assert result.valid == result.pixels - 6 * SHAPE[1]


def test_a_detector_keeps_the_share_of_pixels_without_bands_not_without_covariates(land):
    values = seen()
    values[:, :32] = -1
    write(land / "normal_20240401.tif", values)

    assert trained(land, asked(land), "day").card.training.nodata == 0.5


def test_an_unseen_class_is_scored_and_warned_of_once(land, caplog):
    strange = np.full((1, 110, 110), 9, "uint8")
    write(land / "strange.tif", strange, transform=FINE, nodata=0)
    detector = trained(land, asked(land))

    with caplog.at_level(logging.WARNING):
        result = anomvae.score_scene(
            *(detector, land / "new_20240601.tif", land),
            covariates=[asked(land, "strange.tif")],
            tile=16,
        )

    assert result.valid == result.pixels
    told = [record for record in caplog.records if "did not see (9)" in record.getMessage()]
    assert len(told) == 1


def test_the_day_comes_from_each_scenes_name(land):
    detector = trained(land, "day")
    scene = land / "new_20240601.tif"

    named = anomvae.score_scene(detector, scene, land / "named", covariates=["day"])
    given = anomvae.score_scene(detector, scene, land / "given", covariates=["day:2024-06-01"])
    other = anomvae.score_scene(detector, scene, land / "other", covariates=["day:2024-06-02"])

    assert named.digest == given.digest
    assert named.digest != other.digest


def test_a_changed_covariate_scores_a_scene_again(land):
    detector, scene = trained(land, asked(land)), land / "new_20240601.tif"
    arguments = {"covariates": [asked(land)], "overwrite": True}

    first = anomvae.score_scene(detector, scene, land / "maps", **arguments)
    again = anomvae.score_scene(detector, scene, land / "maps", **arguments)
    write(land / "cover.tif", np.ones((1, 111, 110), "uint8"), transform=FINE, nodata=0)
    changed = anomvae.score_scene(detector, scene, land / "maps", **arguments)

    assert (first.fresh, again.fresh, changed.fresh) == (True, False, True)


def test_a_covariate_is_never_replaced_by_a_map(land):
    detector = trained(land, land / "dem.tif")
    dem = write(land / "new_20240601.anomaly.tif", bands_of(land / "dem.tif"), transform=FINE)
    before = dem.read_bytes()

    for score in (anomvae.score_scene, lambda *a, **k: next(score_scenes(a[0], [a[1]], a[2], **k))):
        with pytest.raises(ConfigError, match="is read for these results"):
            score(detector, land / "new_20240601.tif", land, covariates=[dem], overwrite=True)

    assert dem.read_bytes() == before


def test_detect_is_told_covariates(land):
    config = resolve_config("default", [*QUICK, *ALONE]).config
    scene, select = land / "new_20240601.tif", Selection(covariates=[asked(land)])

    result = anomvae.detect_scene(scene, land, config, select=select)

    assert rank(scores_of(result), *PLACE) > 0.98
    numbers = Selection(covariates=[str(land / "cover.tif")])
    other = anomvae.detect_scene(scene, land / "b", config, select=numbers)
    assert other.digest != result.digest


def test_a_threshold_is_fitted_again_with_covariates(land):
    detector, scene = trained(land, asked(land)), [land / "normal_20240401.tif"]

    refitted = anomvae.refit_threshold(
        detector, scene, "quantile:0.01", select=Selection(covariates=[asked(land)])
    )

    assert refitted.threshold.pixels == SHAPE[0] * SHAPE[1]
    with pytest.raises(CovariateMismatch, match="no covariates"):
        anomvae.refit_threshold(detector, scene, "quantile:0.01")


class TestTheCommandLine:
    @pytest.fixture
    def told(self, land):
        trained(land, asked(land), "day").save(land / "m.safetensors")
        return land

    @pytest.fixture
    def options(self, told):
        return ["--covariates", asked(told), "--covariates", "day"]

    def test_every_command_takes_covariates(self, told, options):
        normal, scene, out = told / "normal_20240401.tif", told / "new_20240601.tif", told / "out"
        settings = [part for text in (*QUICK, *ALONE) for part in ("--set", text)]
        model = told / "new.safetensors"
        labels = told / "labels.tif"

        trained_ = run("train", normal, "-o", model, *settings, *options)
        scored = run("score", scene, "-m", model, "-o", out, *options)
        refitted = run("threshold", model, normal, "-o", told / "t.safetensors", *options)
        detected = run("detect", scene, "-o", told / "detected", *settings, *options)
        measured = run("evaluate", scene, "-m", model, "--labels", labels, "--json", *options)

        for ran in (trained_, scored, refitted, detected, measured):
            assert ran.code == 0, ran.err
        assert json.loads(measured.out)["detectors"]["anomvae"]["roc_auc"] > 0.98

    def test_info_names_the_covariates(self, told):
        shown = run("info", told / "m.safetensors").out
        facts = json.loads(run("info", told / "m.safetensors", "--json").out)

        assert "2: categorical:cover.tif (2 classes), day" in shown
        assert facts["conditioned on"] is None
        assert facts["covariates"][0]["categorical"] == [1.0, 2.0]

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ([], "no covariates"),
            (["day"], "the covariates day"),
            (["{cover}", "day"], "continuous:cover.tif, day"),
            (["day", "categorical:{cover}"], "day, categorical:cover.tif"),
            (["categorical:{cover}", "day", "day"], "day, day"),
        ],
    )
    def test_other_covariates_end_with_4_and_what_to_give(self, told, given, words):
        texts = [text.format(cover=told / "cover.tif") for text in given]
        options = [part for text in texts for part in ("--covariates", text)]

        ran = run(
            *("score", told / "new_20240601.tif", "-m", told / "m.safetensors"),
            *("-o", told / "out", *options),
        )

        refused(ran, 4, words, "--covariates categorical:cover.tif --covariates day")
        assert not (told / "out").exists()

    def test_evaluate_without_covariates_ends_with_4(self, told):
        scene, labels = told / "new_20240601.tif", told / "labels.tif"

        ran = run("evaluate", scene, "-m", told / "m.safetensors", "--labels", labels)

        refused(ran, 4, "no covariates")

    def test_a_map_takes_no_covariates(self, told, options):
        ran = run("evaluate", "scene.tif", "map.tif", "--labels", "labels.tif", *options)

        assert ran.code == 2
        assert "--covariates are for a model" in ran.err

    def test_a_model_without_covariates_takes_none(self, told, options):
        normal, model = told / "normal_20240401.tif", told / "vae.safetensors"
        run("train", normal, "-o", model, "--set", QUICK[0])

        ran = run("score", normal, "-m", model, "-o", told / "out", *options)

        refused(ran, 4, "trained without any", "Leave --covariates out")

    @pytest.mark.parametrize(
        ("settings", "given", "code", "words"),
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
        self, land, monkeypatch, settings, given, code, words
    ):
        monkeypatch.chdir(land)
        (land / "labels.txt").write_text("no pixels")
        plain = {"crs": None, "transform": Affine.identity()}
        write(land / "plain.tif", np.ones((1, 9, 9), "float32"), **plain)
        options = [part for text in settings for part in ("--set", text)]
        options += [part for text in given for part in ("--covariates", text)]

        ran = run("train", "normal_20240401.tif", "-o", "new.safetensors", *options)

        refused(ran, code, words)
        assert not (land / "new.safetensors").exists()

    def test_a_scene_without_a_date_ends_with_4(self, land):
        scene = write(land / "scene.tif", seen())
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
