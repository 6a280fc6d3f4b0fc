"""Model files with a fault under a right checksum: refused in one line, never a wrong map."""

import contextlib
import itertools
import random
import resource
from copy import deepcopy
from dataclasses import replace
from functools import cache

import click
import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load
from support.family_contract import compares_dates
from support.format1 import as_format_1, entry_of
from support.model_mutants import (
    DEEP,
    VALUES,
    changed,
    faults_of,
    fields_of,
    mutants,
    seal,
    with_field,
    with_tensors,
)
from support.rasters import land, plant, run, write
from support.spectra import fit, fit_scene, plan_of, scene, spectra

import anomvae
from anomvae.cli.group import Group
from anomvae.detector import Detector
from anomvae.detector.modelfile import read_card
from anomvae.errors import AnomvaeError, ConfigError, ModelFileError, NotFinite
from anomvae.program.numpy_engine import rows_of
from anomvae.stats.noise import Noise
from anomvae.stats.scores import NormalScores
from anomvae.stats.thresholds import parse_rule

SHAPE = (12, 14)
SMALL = {"training": {"max_steps": 3}, "model": {"latent": 2, "hidden": (8,)}}
FAMILIES = ("vae", "cvae", "spatial", "vq-vae", "hierarchical", "sequential")
WEIGHTING = {"local_contrast": 0.5, "latent_distance": 0.5, "annulus": (5, 3), "linear": 0.5}


@cache
def model(family="cvae"):
    """Return a small model file with as many optional tables as its family has."""
    tables = {
        **SMALL,
        "model": {**SMALL["model"], "family": family},
        "context": {"annulus": (5, 3)},
        "score": WEIGHTING if family != "sequential" else {},
    }
    block = scene(SHAPE, bands=4, dates=3 if compares_dates(family) else 1)
    detector = fit_scene(block, in_sample=family == "cvae", **tables)
    scores = detector.score(block).total
    return detector.with_threshold(
        parse_rule("sigma:3"), NormalScores.of(scores, held_out=True)
    ).to_bytes()


@pytest.fixture
def file(tmp_path):
    def file(content):
        path = tmp_path / "model.safetensors"
        path.write_bytes(content)
        return path

    return file


def entry(family="cvae"):
    return entry_of(model(family))


@pytest.mark.parametrize("family", ["cvae", "spatial"])
def test_a_card_with_any_field_changed_is_read_or_refused_in_one_line(file, family):
    tensors, rng = load(model(family)), random.Random(0)
    refusals = []

    for path in fields_of(entry(family)):
        for value in rng.sample(VALUES, 5):
            written = file(seal(changed(entry(family), path, value), tensors))
            with contextlib.suppress(ModelFileError):
                refusals.append(refusal_of(read_card, written))

    assert len(refusals) > 150
    assert max(map(len, refusals)) < 600
    assert not [text for text in refusals if "\n" in text]


def refusal_of(read, path):
    """Return the message of a ModelFileError; without one, raise it."""
    try:
        read(path)
    except ModelFileError as error:
        return str(error)
    raise ModelFileError


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("patch",), {"outer": 5001, "guard": 3}),
        (("context", "annulus", "outer"), 10**6 + 1),
        (("hidden",), [10**9]),
        (("hidden",), [4096] * 16),
        (("latent",), 1024),
    ],
)
def test_sizes_that_no_tensor_has_take_no_memory(file, path, value):
    written = file(seal(changed(entry(), path, value), load(model())))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(ModelFileError):
        Detector.load(written)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_with_one_fault_gives_numbers_or_one_line(file, family):
    block = scene(SHAPE, bands=4, dates=3 if compares_dates(family) else 1)
    refused = 0

    for mutant in itertools.islice(mutants(model(family), seed=1), 60):
        try:
            detector = Detector.load(file(mutant.content))
            scores = detector.score(block).total
        except AnomvaeError:
            refused += 1
        else:
            assert np.isfinite(scores[detector.view.where(block)]).all(), mutant.fault
            assert 0 <= detector.threshold.value < np.inf, mutant.fault

    assert refused > 30


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("threshold", "value"), -1e9, "threshold.value = -1000000000.0: expected 0 to"),
        (("threshold", "fpr"), 1.5, "threshold.fpr = 1.5: expected 0 to 1"),
        (("threshold", "held_out"), 1, "threshold.held_out = 1: expected true or false"),
        (("held_out", "rate"), 1.5, "held_out.rate = 1.5: expected 0 to 1"),
        (("held_out", "pixels"), 0, "held_out.pixels = 0: expected 1 to"),
        (("held_out", "high"), 0.0, "held_out.rate = .*: expected 0 to 0, its interval"),
        (("threshold",), None, "held_out is there, but threshold is missing"),
        (("kl_weight",), -1.0, "kl_weight = -1.0: expected 0 to"),
        (("kl_weight",), True, "kl_weight = True: expected a number"),
        (("linear_weight",), -1.0, "linear_weight = -1.0: expected 0 to"),
        (("kind",), "elob", "kind = 'elob': expected elbo or reconstruction or kl or iwae or"),
        (("kind",), "iwae", "draws = 0: expected some with kind iwae"),
        (("draws",), 16, "draws = 16: expected some with kind iwae, and none without"),
        (("draws",), 10**6, "draws = 1000000: expected 0 to 1000"),
        (("weighting", "local_contrast"), -0.5, "weighting.local_contrast = -0.5"),
        (("weighting", "variance"), 0.0, "weighting.variance = 0.0"),
        (
            ("weighting", "annulus", "outer"),
            10**6 + 1,
            "annulus.outer = 1000001: expected 1 to 255",
        ),
        (("context", "annulus", "outer"), 10**6 + 1, "annulus.outer = 1000001: expected 1 to 255"),
        (("context", "annulus", "guard"), 4, r"context.annulus = \[5, 4\]: expected odd sides"),
        (("context", "mean_components"), 10**9, "context.mean_components = 1000000000"),
        (("context", "clip_sigma"), 0, "context.clip_sigma = 0"),
        (("latent",), 10**9, "latent = 1000000000: expected 1 to 1024"),
        (("latent",), 2.0, "latent = 2.0: expected a whole number"),
        (("hidden",), [], r"hidden = \[\]: expected a list of 1 to 16 items"),
        (("hidden",), [64] * 10_000, "expected a list of 1 to 16 items"),
        (("hidden",), [10**9], r"hidden\[0\] = 1000000000: expected 1 to 4096"),
        (("noise",), "loud", "noise = 'loud': expected unit or band or covariance"),
        (("bands", "items"), {}, r"bands.items = \{\}: expected a list"),
        (("bands", "items", 0, "name"), "\ud800", r"bands.items\[0\].name = .*whole characters"),
        (("bands", "items", 0, "scale"), None, r"bands.items\[0\].scale = None: expected a number"),
        (("training", "loss"), [], r"training.loss = \[\]: expected a list of 1"),
        (("training", "kl"), [1.0, 2.0], "training.kl has 2 items: expected"),
        (("training", "kl"), [-1.0], r"training.kl\[0\] = -1.0"),
        (("training", "dates"), 0, "training.dates = 0"),
        (("patch",), {"outer": 5001, "guard": 3}, "patch.outer = 5001: expected 1 to 255"),
        (("patch",), {"outer": 33, "guard": 3}, r"patch = \[33, 3\]: expected odd sides up to 31"),
        (("covariates",), [{"kind": "moon"}], r"covariates\[0\].kind = 'moon'"),
    ],
)
def test_a_field_out_of_its_range_is_named(file, path, value, named):
    written = file(seal(changed(entry(), path, value), load(model())))

    with pytest.raises(ModelFileError, match=named):
        read_card(written)
    result = run("info", written)
    assert result.code == 3
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), DEEP])
def test_a_card_that_is_no_document_is_refused(file, value):
    result = run("info", file(with_field(model(), ("training", "elbo"), value)))

    assert result.code == 3
    assert result.err.count("\n") == 1


def test_covariates_without_a_context_are_refused(file):
    card = entry("vae") | {"covariates": [{"kind": "day"}]}

    with pytest.raises(ModelFileError, match="context is missing"):
        read_card(file(seal(card, load(model("vae")))))


@pytest.mark.parametrize(
    "name",
    [
        *("model.encoder.layers.0.weight", "model.likelihood.log_sigma", "bands.quantiles"),
        *("scaler.centre", "scaler.std", "noise.centre", "noise.whitening", "scores.values"),
        *("held_out.values", "held_out.weights", "linear.centre", "linear.whitening"),
        *("scores.weights", "context.basis", "context.scale", "context.mean", "context.std"),
    ],
)
def test_every_tensor_has_its_type_shape_and_finite_values(file, name):
    array = load(model())[name]

    for other in faults_of(array).values():
        content = with_tensors(model(), **{name.replace(".", "__"): other})
        with pytest.raises(ModelFileError, match="does not hold the detector"):
            Detector.load(file(content))


@pytest.mark.parametrize(
    "name",
    [
        *("scaler.std", "context.std", "context.scale", "context.deviation"),
        *("scores.weights", "held_out.weights"),
    ],
)
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_spread_of_zero_is_refused(file, name, value):
    array = load(model())[name].copy()
    array[0] = value

    with pytest.raises(ModelFileError, match=f"{name} holds values that are not above 0"):
        Detector.load(file(with_tensors(model(), **{name.replace(".", "__"): array})))


def test_levels_of_quantiles_that_no_scene_is_compared_with_are_refused(file):
    levels = load(model())["bands.quantiles"][:3]

    with pytest.raises(ModelFileError, match=r"bands.quantiles is float64 \(3, 4\): expected .*11"):
        Detector.load(file(with_tensors(model(), bands__quantiles=levels)))


def test_a_tensor_that_no_card_demands_is_refused(file):
    with pytest.raises(ModelFileError, match="extra is unknown"):
        Detector.load(file(with_tensors(model(), extra=np.zeros(3))))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_sound_model_is_read_to_the_bit_in_both_formats(file, family):
    for content in (model(family), as_format_1(model(family))):
        assert Detector.load(file(content)).to_bytes() == model(family)


def spoilt(detector, value):
    """Return a detector with one weight changed in memory."""
    weights = deepcopy(detector.weights)
    weights["encoder.layers.0.weight"][0, 0] = value
    return replace(detector, weights=weights)


def test_a_score_that_is_no_number_is_an_error_and_nothing_is_published(tmp_path):
    from support.rasters import trained

    raster = write(tmp_path / "scene.tif", plant(land()))

    with pytest.raises(NotFinite, match="1872 pixels that have data get no finite score") as error:
        anomvae.score_scene(spoilt(trained(), np.nan), raster, tmp_path / "maps")

    assert error.value.exit_code == 3
    assert not [path for path in (tmp_path / "maps").rglob("*") if path.is_file()]


def test_pixels_without_data_and_first_dates_still_have_no_score():
    block = scene(SHAPE, bands=4, dates=3)
    block[0, 2, 3], block[:, 5, 5] = np.nan, np.nan
    tables = {**SMALL, "model": {**SMALL["model"], "family": "sequential"}}

    scores = fit_scene(block, **tables).score(block).total

    assert np.isnan(scores[0]).all()
    assert np.isnan(scores[:, 5, 5]).all()
    assert np.isnan(scores[1, 2, 3])
    assert np.isfinite(scores[2, 2, 3])


@pytest.mark.parametrize("likelihood", ["student-t", "gaussian", "mse"])
def test_the_farthest_pixel_has_the_highest_finite_score(likelihood):
    x = spectra(300, bands=4)
    tables = {**SMALL, "model": {**SMALL["model"], "likelihood": likelihood}}
    fitted = fit(x, **tables)
    detector = replace(fitted, noise=Noise(np.zeros(4), np.full(4, 1e12)))  # hardly any residual
    x[7] = np.float32(3.4e38)

    scores = detector.score(x.reshape(1, 15, 20, 4)).total.ravel()

    assert np.isfinite(scores).all()
    assert scores.argmax() == 7


def test_a_wide_patch_is_scored_in_small_batches():
    block = scene((3, 3), bands=4)
    tables = {**SMALL, "model": {**SMALL["model"], "family": "spatial", "patch": (31, 3)}}

    wide = rows_of(fit_scene(block, **tables).program)

    assert wide * 31**2 * 9 * 16 <= 2**18
    assert rows_of(fit_scene(block, **tables | {"model": {"family": "spatial"}}).program) > wide


@pytest.mark.parametrize(
    ("setting", "limit"),
    [
        ("model.latent=1000000000", "1024"),
        ("model.hidden=[1000000000]", "4096"),
        (f"model.hidden={[8] * 17}", "16"),
        ("context.mean_components=1000000000", "1000"),
        ("score.kl_weight=1e300", "1000000"),
        ("score.linear=1e300", "1000000"),
        ("model.patch=[5001, 3]", "31"),
    ],
)
def test_a_configuration_beyond_a_limit_is_refused_with_the_limit(setting, limit):
    from anomvae.config import resolve_config

    with pytest.raises(ConfigError, match=rf"{setting.partition('=')[0]}.*{limit}"):
        resolve_config("default", [setting])


def test_layers_with_too_many_weights_are_refused_before_they_are_made():
    plan = plan_of(model={"hidden": (4096,) * 8})

    with pytest.raises(ConfigError, match="Give fewer or narrower layers"):
        plan.sizes(bands=4)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_a_lack_of_memory_is_one_line_with_the_remedy(error):
    @click.command()
    def greedy():
        raise error

    class Greedy(Group):
        def get_command(self, ctx, cmd_name):
            return greedy

    result = CliRunner().invoke(Greedy("anomvae"), ["greedy"])

    assert result.exit_code == 3
    assert "not enough memory" in result.stderr
    assert "--tile" in result.stderr
    assert result.stderr.count("\n") == 1
