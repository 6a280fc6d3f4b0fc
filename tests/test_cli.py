"""The command line: parse, call, print; results on stdout, everything else on stderr."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import click
import numpy as np
import pytest
from click.testing import CliRunner
from support.rasters import QUICK, SAMPLES, land, run, trained, write, write_labels
from support.refusals import refused
from support.spectra import fit, fit_scene, spectra
from support.spectra import scene as block_of

import anomvae
from anomvae.cli import Group
from anomvae.cli.group import COMMANDS
from anomvae.config import Config, resolve_config
from anomvae.config.schema import descriptions
from anomvae.errors import GridMismatch
from anomvae.objects import read_objects
from anomvae.stats.rules import RULES, ScoreSource

SHORT = tuple(part for setting in QUICK for part in ("--set", setting))


@pytest.fixture
def labels(tmp_path):
    return write_labels(tmp_path / "labels.tif")


def test_help_and_version_are_printed():
    ran = run("--help")

    assert ran.code == 0
    assert all(f"\n  {command} " in ran.out for command in COMMANDS)
    assert anomvae.__version__ in run("--version").out


def test_help_and_configuration_name_the_rules_that_they_take():
    words = " ".join(run("score", "--help").out.split()).replace("- ", "-")
    choice = re.search("--threshold RULE (.*?) --mask", words)[1]
    with_p_values = re.search("--p-values (.*?) --", words)[1]
    setting = descriptions(Config)["threshold"]
    labels = re.search("--threshold RULE (.*?) --", run("evaluate", "--help").out, re.DOTALL)[1]

    for name, kind in RULES.items():
        named = re.compile(rf"(?<![\w-]){name}(?![\w-])")
        needs_labels = kind.source is ScoreSource.LABELS
        assert bool(named.search(choice)) is not needs_labels, name
        assert bool(named.search(setting)) is not needs_labels, name
        assert bool(named.search(labels)) or not needs_labels, name
        assert bool(named.search(with_p_values)) is (kind.p_values is not None), name


@pytest.mark.parametrize("command", [*COMMANDS, "config show", "config check", "config schema"])
def test_every_command_has_help(command):
    ran = run(*command.split(), "--help")

    assert ran.code == 0
    assert "Usage:" in ran.out


def test_train_score_evaluate_from_the_shell(tmp_path, scene, labels):
    normal = write(tmp_path / "normal.tif", land())
    model, out, metrics = tmp_path / "m.safetensors", tmp_path / "out", tmp_path / "metrics.json"

    trained = run("train", normal, "-o", model, *SHORT)
    scored = run("score", scene, "-m", model, "-o", out)
    evaluated = run("evaluate", scene, out / "scene.anomaly.tif", "--labels", labels, "-o", metrics)

    assert (trained.code, scored.code, evaluated.code) == (0, 0, 0)
    assert "held-out pixels" in trained.out
    assert "scene.anomaly.tif" in scored.out
    assert "ROC AUC" in evaluated.out
    assert "\nrx " in evaluated.out
    assert json.loads(metrics.read_text())["detectors"]["anomvae"]["recall"] == 1


def test_the_shell_and_python_give_the_same_bytes(tmp_path, scene):
    shell, python = tmp_path / "shell.safetensors", tmp_path / "python.safetensors"

    run("train", scene, "-o", shell, "--seed", "4", *SHORT)
    anomvae.train([str(scene)], resolve_config("default", QUICK).config, seed=4).save(python)
    run("score", scene, "-m", shell, "-o", tmp_path / "a")
    result = anomvae.score_scene(anomvae.load(python), scene, tmp_path / "b")

    assert shell.read_bytes() == python.read_bytes()
    assert (tmp_path / "a" / "scene.anomaly.tif").read_bytes() == result.path.read_bytes()


@pytest.mark.parametrize("command", ["score", "detect"])
def test_min_area_is_the_smallest_listed_object(tmp_path, scene, model, command):
    options = (command, scene, *(("-m", model) if command == "score" else SHORT))

    every = json.loads(run(*options, "-o", tmp_path / "a", "--json").out)
    large = json.loads(run(*options, "-o", tmp_path / "b", "--json", "--min-area", "1000").out)
    wrong = run(*options, "-o", tmp_path / "c", "--min-area", "0")

    assert (every["objects"] > 0, large["objects"]) == (True, 0)
    assert large["pixels"] == every["pixels"]
    assert (wrong.code, wrong.out, len(wrong.err.splitlines())) == (2, "", 1)


@pytest.mark.parametrize("command", ["score", "detect"])
def test_the_line_names_objects_as_listed_where_an_option_limits_them(
    tmp_path, scene, model, command
):
    options = (command, scene, "-o", tmp_path / "out", "--overwrite")
    options += ("-m", model) if command == "score" else SHORT

    lines = [run(*options, *more).out for more in ((), ("--top", "1"), ("--min-area", "1000"))]

    assert ["listed" in line for line in lines] == [False, True, True]
    assert ", 1 object listed" in lines[1]
    assert ", 0 objects listed" in lines[2]


def _without_annulus(item):
    """Leave out what depends on the other objects that are listed."""
    return replace(item, explanation=replace(item.explanation, annulus=None))


@pytest.mark.parametrize("command", ["score", "detect"])
def test_top_is_the_number_of_listed_objects(tmp_path, scene, model, command):
    options = (command, scene, "--threshold", "mad:1")
    options += ("-m", model) if command == "score" else SHORT

    every = json.loads(run(*options, "-o", tmp_path / "a", "--json").out)
    first = json.loads(run(*options, "-o", tmp_path / "b", "--json", "--top", "2").out)
    wrong = run(*options, "-o", tmp_path / "c", "--top", "0")

    listed = [read_objects(tmp_path / name / "scene.objects.geojson").items for name in "ab"]
    assert (every["objects"], first["objects"]) == (len(listed[0]), 2)
    assert every["objects"] > 2
    assert list(map(_without_annulus, listed[1])) == list(map(_without_annulus, listed[0][:2]))
    assert first["pixels"] == every["pixels"]
    assert (wrong.code, wrong.out, len(wrong.err.splitlines())) == (2, "", 1)


@pytest.mark.parametrize("condition", ["", "+local:1"])
def test_a_threshold_chosen_with_labels_is_printed_as_a_rule_for_scoring(
    tmp_path, scene, model, labels, condition
):
    map_ = tmp_path / "out" / "scene.anomaly.tif"
    assert run("score", scene, "-m", model, "-o", tmp_path / "out").code == 0

    chosen = run("evaluate", scene, map_, "--labels", labels, "--threshold", f"f1{condition}")

    last = chosen.out.splitlines()[-1]
    assert last.startswith("threshold = fixed:")
    assert last.endswith(f"{condition} (f1{condition})")
    rule = last.split()[2]
    again = run("evaluate", scene, "-m", model, "--labels", labels, "--threshold", rule, "--json")
    ours = json.loads(again.out)["detectors"]["anomvae"]
    assert ours["f1"] == pytest.approx(ours["best_f1"])


def test_a_model_is_evaluated_as_its_map_is(tmp_path, scene, model, labels):
    run("score", scene, "-m", model, "-o", tmp_path / "out")

    of_map = run(
        "evaluate", scene, tmp_path / "out" / "scene.anomaly.tif", "--labels", labels, "--json"
    )
    of_model = run("evaluate", scene, "-m", model, "--labels", labels, "--json")

    assert json.loads(of_map.out) == json.loads(of_model.out)


def test_labels_of_one_class_are_reported(tmp_path, scene, model):
    nothing = write(tmp_path / "nothing.tif", land(bands=1) * 0, nodata=None)

    ran = run("evaluate", scene, "-m", model, "--labels", nothing)

    assert ran.code == 0
    assert "NaN" in ran.out
    assert "pixels are normal" in ran.out


def test_a_refitted_threshold_goes_to_another_file(tmp_path, scene, model):
    other = tmp_path / "other.safetensors"
    before = model.read_bytes()

    ran = run("threshold", model, scene, "--rule", "quantile:0.01", "-o", other)

    assert ran.code == 0
    assert "quantile:0.01" in ran.out
    assert anomvae.load(other).threshold.rule == "quantile:0.01"
    assert model.read_bytes() == before


@pytest.mark.parametrize("command", ["score", "detect"])
def test_anomalies_decide_the_exit_code_only_on_request(tmp_path, scene, model, command):
    options = ("-m", model) if command == "score" else SHORT

    quiet = run(command, scene, *options, "-o", tmp_path / "a")
    loud = run(command, scene, *options, "-o", tmp_path / "b", "--fail-on-anomaly")
    calm = run(
        *(command, scene, *options, "-o", tmp_path / "c", "--fail-on-anomaly"),
        *("--threshold", "fixed:1e9"),
    )

    assert (quiet.code, loud.code, calm.code) == (0, 10, 0)


def described(path):
    """Return what `info` prints of a file, as text and as JSON."""
    return run("info", path).out, json.loads(run("info", path, "--json").out)


def test_info_describes_a_scene():
    text, facts = described(SAMPLES / "scene_a.tif")

    assert "EPSG:32633" in text
    assert facts["bands"][0]["wavelength"] == pytest.approx(443, abs=50)
    assert facts["bands"][0]["scale"] == pytest.approx(1e-4)


def test_info_describes_a_model(model):
    text, facts = described(model)

    assert "sigma:3" in text
    assert facts.keys() >= {"dropped", "conditioned on"}
    assert facts["family"] == "vae"
    assert facts["score"] == "reconstruction (band noise) + 1 x KL + linear term (weight 1), nats"
    assert facts["threshold"]["value"] == trained().threshold.value


def test_a_promise_that_held_out_pixels_contradict_is_warned_of(tmp_path):
    values = np.random.default_rng(0).lognormal(sigma=1.5, size=(4, 96, 96)).astype("float32")
    scene, model = write(tmp_path / "s.tif", values), tmp_path / "m.safetensors"

    skewed = run("train", scene, "-o", model, "--threshold", "sigma:3", *SHORT)
    text, facts = described(model)
    kept = run("train", scene, "-o", model, "--overwrite", "--threshold", "quantile:0.01", *SHORT)

    assert "held-out pixels (promised 0.13%)" in skewed.out
    assert "promises to flag 0.13% of normal pixels, but" in skewed.err
    assert "promises to flag 0.13% of normal pixels, but" in text
    assert facts["promised rate"] == pytest.approx(0.00135, rel=0.01)
    rate = facts["held-out rate"]
    assert facts["promised rate"] < rate["low"] < rate["rate"] < rate["high"]
    assert "promises" not in kept.err
    assert "warning" not in described(model)[1]


def test_info_describes_dropped_bands_annuli_and_the_weighting(tmp_path):
    block = block_of((25, 40))
    block[..., 1] = 7.0
    score = {"local_contrast": 0.65, "annulus": (9, 5)}
    model, training = {"family": "cvae"}, {"max_steps": 2}
    fit_scene(block, model=model, training=training, score=score).save(tmp_path / "m.safetensors")

    _, facts = described(tmp_path / "m.safetensors")

    assert facts["dropped"] == ["band_2"]
    assert facts["conditioned on"] == (
        "an annulus of 15 without 7 pixels: mean of 10 and standard deviation of 5 principal "
        "components"
    )
    assert facts["score"].endswith(
        "x local-contrast weighting in an annulus of 9 without 5 pixels (local contrast 0.65, "
        "latent distance 0)"
    )


@pytest.mark.parametrize(
    ("family", "labels", "others"),
    [
        ("ae", set(), {"active units", "KL per unit", "KL per level", "code perplexity"}),
        ("vae", {"active units", "KL per unit"}, {"KL per level", "code perplexity"}),
        ("hierarchical", {"active units", "KL per unit", "KL per level"}, {"code perplexity"}),
        ("vq-vae", {"code perplexity"}, {"active units", "KL per unit", "KL per level"}),
    ],
)
def test_info_describes_the_latent_code_of_a_family(tmp_path, family, labels, others):
    path = tmp_path / "model.safetensors"
    detector = fit(spectra(300), model={"family": family}, training={"max_steps": 5})
    detector.save(path)

    text, facts = described(path)

    code = detector.card.training.latent
    assert facts.keys() >= labels
    assert not facts.keys() & others
    assert all(f"\n{name} " in text for name in labels)
    assert ", ".join(f"{kl:g}" for kl in code.units) in text
    assert facts.get("KL per unit", []) == list(code.units)
    assert facts.get("KL per level", []) == list(code.levels)
    assert facts.get("code perplexity") == code.perplexity
    assert facts.get("active units", 0) == code.active


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ([5, 3], "5 x 5 pixels, 3 x 3 hidden in the middle"),
        ([3, 0], "3 x 3 pixels, nothing hidden in the middle"),
    ],
)
def test_info_describes_the_patch_of_a_spatial_model(tmp_path, patch, expected):
    path = tmp_path / "model.safetensors"
    model = {"family": "spatial", "patch": patch}
    fit_scene(block_of((12, 12)), model=model, training={"max_steps": 2}).save(path)

    text, facts = described(path)

    assert facts["patch"] == expected
    assert expected in text
    assert "dates of each" not in facts


def test_a_threshold_of_the_scene_is_not_presented_as_that_of_the_model(tmp_path, scene):
    model = tmp_path / "m.safetensors"

    fitted = run("train", scene, "-o", model, *SHORT, "--set", 'threshold="budget:20"')
    described = run("info", model)
    scored = run("score", scene, "-m", model, "-o", tmp_path / "out", "--json")

    assert "(budget:20), chosen anew for each scored scene" in fitted.out
    assert re.search("of each scene +chosen anew", described.out)
    assert 0 < json.loads(scored.out)["pixels"]["flagged"] <= 20


def test_info_describes_the_dates_of_training(tmp_path):
    dates = [write(tmp_path / f"{day}.tif", land((20, 20), seed=day)) for day in range(3)]
    quick = resolve_config("sequential", ["training.max_steps=2"]).config
    anomvae.train(dates, quick).save(tmp_path / "model.safetensors")

    _, facts = described(tmp_path / "model.safetensors")

    assert facts["trained on"] == ["0.tif", "1.tif", "2.tif"]
    assert facts["dates of each"] == 3
    assert facts["pixels"] == 400
    assert "patch" not in facts


def test_config_show_names_the_source_of_each_value(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text("[model]\nlatent = 3\n")

    ran = run("config", "show", mine, "--set", "training.epochs=2")

    lines = {line.split(" = ")[0]: line for line in ran.out.splitlines()}
    assert "3" in lines["model.latent"]
    assert "mine.toml" in lines["model.latent"]
    assert "--set training.epochs=2" in lines["training.epochs"]
    assert "default" in lines["model.family"]


def test_config_check_refuses_an_unknown_family(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text('[model]\nfamily = "vea"\n')

    assert run("config", "check", "default").code == 0
    assert run("config", "check", mine).code == 2


def test_config_schema_describes_every_key():
    schema = json.loads(run("config", "schema").out)

    training = schema["$defs"]["TrainingConfig"]["properties"]
    assert training["trim"]["description"].startswith("Share of each batch")


@pytest.mark.slow
def test_the_demo_compares_two_configurations_with_rx_and_lists_its_files(tmp_path):
    ran = run("demo", "-o", tmp_path / "demo")

    assert ran.code == 0
    tables = [part.splitlines()[:5] for part in re.split(r"\nscene_[ab]:\n", ran.out)[1:]]
    assert len(tables) == 2
    for head, _, *rows in tables:
        assert head.split() == ["ROC", "AUC", "AP", "TPR@1e-3", "flagged", "prec.", "recall"]
        assert [row.split()[0] for row in rows] == ["default", "small-objects", "rx"]
        assert float(rows[0].split()[1]) > 0.97
    assert len(re.findall(r"promises .+, measured are [0-9.]+% of the normal", ran.out)) == 2
    for line in ran.out.partition("Written:")[2].split():
        assert (tmp_path / "demo").joinpath(line.rpartition("/")[2]).exists()


def test_nothing_but_results_goes_to_stdout_and_no_progress_without_a_terminal(tmp_path, scene):
    ran = subprocess.run(
        [sys.executable, "-m", "anomvae", "detect", scene, "-o", tmp_path / "out", *SHORT],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, len(ran.stdout.splitlines()), ran.stderr) == (0, 1, "")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (ZeroDivisionError("0"), 1, "Error: internal error (ZeroDivisionError"),
        (OSError("no space"), 3, "no space"),
        (GridMismatch("a and\n b differ."), 4, "Error: a and b differ."),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(error, code, words):
    class Failing(Group):
        def get_command(self, ctx, name):
            def fail():
                raise error

            return click.Command(name, callback=fail)

    result = CliRunner().invoke(Failing(), ["score"])

    assert (result.exit_code, result.stdout) == (code, "")
    assert len(result.stderr.splitlines()) == 1
    assert words in result.stderr


def test_a_result_that_cannot_be_written_is_refused_before_the_work(tmp_path, scene, model):
    (tmp_path / "file").write_text("no folder")

    for path in (tmp_path, tmp_path / "file" / "m.safetensors"):
        ran = run("train", scene, "-o", path, "--overwrite", "--set", "training.max_steps=1000000")
        assert ran.code == 3
        assert run("threshold", model, scene, "-o", path, "--overwrite").code == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--threshold", "5"), "no rule is called '5'"),
        (("--threshold", "clipped:3"), "sigma-clip"),
        (("--covariates", "classes:x.tif"), "categorical:x.tif"),
        (("--covariates", "numbers:x.tif"), "continuous:x.tif"),
        (("--set", "training.batch=64"), "batch is now called batch_size"),
        (("--set", "context.ring=[9, 3]"), "ring is now called annulus"),
        (("--dates", "as-listed"), "'vae' does not compare dates"),
        (("--dates", "2024-06-01"), "'vae' does not compare dates"),
    ],
)
def test_options_that_are_unknown_or_renamed_end_with_2(tmp_path, scene, options, words):
    conditioned = ("--set", "model.family=cvae") if "--covariates" in options else ()

    ran = run("train", scene, "-o", tmp_path / "m.safetensors", *conditioned, *options)

    refused(ran, 2, words)


@pytest.mark.parametrize("command", ["score", "threshold"])
def test_a_model_that_does_not_compare_dates_takes_none(tmp_path, scene, model, command):
    inputs = {"score": (scene, "-m", model), "threshold": (model, scene)}

    ran = run(command, *inputs[command], "-o", tmp_path / "out", "--dates", "as-listed")

    refused(ran, 2, "'vae' does not compare dates")
