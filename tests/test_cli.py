"""The command line: parse, call, print; results on stdout, everything else on stderr."""

import json
import subprocess
import sys

import pytest
from support.rasters import QUICK, SAMPLES, land, plant, run, trained, write, write_labels
from support.spectra import fit, fit_scene, spectra
from support.spectra import scene as block_of

import anomvae
from anomvae.cli.group import COMMANDS
from anomvae.config import resolve_config

SHORT = tuple(part for setting in QUICK for part in ("--set", setting))


@pytest.fixture
def scene(tmp_path):
    return write(tmp_path / "scene.tif", plant(land(seed=1)))


@pytest.fixture
def model(tmp_path):
    trained().save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


@pytest.fixture
def labels(tmp_path):
    return write_labels(tmp_path / "labels.tif")


def test_help_names_every_command():
    ran = run("--help")

    assert ran.code == 0
    for command in COMMANDS:
        assert f"\n  {command} " in ran.out


@pytest.mark.parametrize("command", [*COMMANDS, "config show", "config check", "config schema"])
def test_every_command_has_help(command):
    ran = run(*command.split(), "--help")

    assert ran.code == 0
    assert "Usage:" in ran.out


def test_the_version_is_told():
    assert anomvae.__version__ in run("--version").out


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
    from anomvae.config import resolve_config

    shell, python = tmp_path / "shell.safetensors", tmp_path / "python.safetensors"

    run("train", scene, "-o", shell, "--seed", "4", *SHORT)
    anomvae.train([str(scene)], resolve_config("default", QUICK).config, seed=4).save(python)
    run("score", scene, "-m", shell, "-o", tmp_path / "a")
    result = anomvae.score_scene(anomvae.load(python), scene, tmp_path / "b")

    assert shell.read_bytes() == python.read_bytes()
    assert (tmp_path / "a" / "scene.anomaly.tif").read_bytes() == result.path.read_bytes()


def test_detect_needs_neither_model_nor_labels(tmp_path, scene, labels):
    detected = run("detect", scene, "-o", tmp_path / "out", "--json")
    found = json.loads(detected.out)

    assert detected.code == 0
    assert found["threshold"]["held_out"] is False
    assert found["pixels"]["flagged"] >= 4


@pytest.mark.parametrize("command", ["score", "detect"])
def test_small_objects_are_left_out_when_asked(tmp_path, scene, model, command):
    options = (command, scene, *(("-m", model) if command == "score" else ()))

    every = json.loads(run(*options, "-o", tmp_path / "a", "--json").out)
    large = json.loads(run(*options, "-o", tmp_path / "b", "--json", "--min-area", "1000").out)
    wrong = run(*options, "-o", tmp_path / "c", "--min-area", "0")

    assert (every["objects"] > 0, large["objects"]) == (True, 0)
    assert large["pixels"] == every["pixels"]
    assert (wrong.code, wrong.out, len(wrong.err.splitlines())) == (2, "", 1)


def test_a_second_run_does_nothing_and_says_so(tmp_path, scene, model):
    run("score", scene, "-m", model, "-o", tmp_path / "out")

    ran = run("score", scene, "-m", model, "-o", tmp_path / "out")

    assert ran.code == 0
    assert "up to date" in ran.out


def test_a_model_is_evaluated_as_its_map_is(tmp_path, scene, model, labels):
    run("score", scene, "-m", model, "-o", tmp_path / "out")

    of_map = run(
        "evaluate", scene, tmp_path / "out" / "scene.anomaly.tif", "--labels", labels, "--json"
    )
    of_model = run("evaluate", scene, "-m", model, "--labels", labels, "--json")

    assert json.loads(of_map.out) == json.loads(of_model.out)


def test_labels_of_one_class_are_explained(tmp_path, scene, model):
    nothing = write(tmp_path / "nothing.tif", land(bands=1) * 0, nodata=None)

    ran = run("evaluate", scene, "-m", model, "--labels", nothing)

    assert ran.code == 0
    assert "NaN" in ran.out
    assert "pixels are normal" in ran.out


def test_a_threshold_is_chosen_anew_while_scoring(tmp_path, scene, model):
    run("score", scene, "-m", model, "-o", tmp_path / "out", "--threshold", "fixed:1e9")

    told = json.loads((tmp_path / "out" / "scene.json").read_text())

    assert told["threshold"]["value"] == 1e9
    assert told["pixels"]["flagged"] == 0


def test_a_refitted_threshold_goes_to_another_file(tmp_path, scene, model):
    other = tmp_path / "other.safetensors"
    before = model.read_bytes()

    ran = run("threshold", model, scene, "--rule", "quantile:0.01", "-o", other)

    assert ran.code == 0
    assert "quantile:0.01" in ran.out
    assert anomvae.load(other).threshold.rule == "quantile:0.01"
    assert model.read_bytes() == before


@pytest.mark.parametrize("command", ["score", "detect"])
def test_anomalies_decide_the_exit_code_only_when_asked(tmp_path, scene, model, command):
    options = ("-m", model) if command == "score" else ()

    quiet = run(command, scene, *options, "-o", tmp_path / "a")
    loud = run(command, scene, *options, "-o", tmp_path / "b", "--fail-on-anomaly")
    calm = run(
        *(command, scene, *options, "-o", tmp_path / "c", "--fail-on-anomaly"),
        *("--threshold", "fixed:1e9"),
    )

    assert (quiet.code, loud.code, calm.code) == (0, 10, 0)


def test_info_tells_what_a_scene_is():
    ran = run("info", SAMPLES / "scene_a.tif")
    told = json.loads(run("info", SAMPLES / "scene_a.tif", "--json").out)

    assert "EPSG:32633" in ran.out
    assert told["bands"][0]["wavelength"] == pytest.approx(443, abs=50)
    assert told["bands"][0]["scale"] == pytest.approx(1e-4)


def test_info_tells_what_a_model_is(model):
    ran = run("info", model)
    told = json.loads(run("info", model, "--json").out)

    assert "sigma:3" in ran.out
    assert told["family"] == "vae"
    assert told["threshold"]["value"] == trained().threshold.value


@pytest.mark.parametrize(
    ("family", "told", "others"),
    [
        ("ae", set(), {"active units", "KL per unit", "KL per level", "code perplexity"}),
        ("vae", {"active units", "KL per unit"}, {"KL per level", "code perplexity"}),
        ("hierarchical", {"active units", "KL per unit", "KL per level"}, {"code perplexity"}),
        ("vq-vae", {"code perplexity"}, {"active units", "KL per unit", "KL per level"}),
    ],
)
def test_info_tells_what_the_code_of_a_model_carries(tmp_path, family, told, others):
    path = tmp_path / "model.safetensors"
    detector = fit(spectra(300), model={"family": family}, training={"max_steps": 5})
    detector.save(path)

    text, facts = run("info", path).out, json.loads(run("info", path, "--json").out)

    code = detector.card.training.latent
    assert facts.keys() >= told
    assert not facts.keys() & others
    assert all(f"\n{name} " in text for name in told)
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
def test_info_tells_what_is_seen_around_a_pixel(tmp_path, patch, expected):
    path = tmp_path / "model.safetensors"
    model = {"family": "spatial", "patch": patch}
    fit_scene(block_of((12, 12)), model=model, training={"max_steps": 2}).save(path)

    text, facts = run("info", path).out, json.loads(run("info", path, "--json").out)

    assert facts["patch"] == expected
    assert expected in text
    assert "dates of each" not in facts


def test_info_tells_how_many_dates_of_a_pixel_were_learnt(tmp_path):
    dates = [write(tmp_path / f"{day}.tif", land((20, 20), seed=day)) for day in range(3)]
    quick = resolve_config("timeseries", ["training.max_steps=2"]).config
    anomvae.train(dates, quick).save(tmp_path / "model.safetensors")

    facts = json.loads(run("info", tmp_path / "model.safetensors", "--json").out)

    assert facts["trained on"] == ["0.tif", "1.tif", "2.tif"]
    assert facts["dates of each"] == 3
    assert facts["pixels"] == 400
    assert "patch" not in facts


def test_config_show_says_where_each_value_comes_from(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text("[model]\nlatent = 3\n")

    ran = run("config", "show", mine, "--set", "training.epochs=2")

    lines = {line.split(" = ")[0]: line for line in ran.out.splitlines()}
    assert "3" in lines["model.latent"]
    assert "mine.toml" in lines["model.latent"]
    assert "--set training.epochs=2" in lines["training.epochs"]
    assert "default" in lines["model.family"]


def test_config_check_finds_a_family_that_is_not_there(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text('[model]\nfamily = "vea"\n')

    assert run("config", "check", "default").code == 0
    assert run("config", "check", mine).code == 2


def test_config_schema_describes_every_key():
    schema = json.loads(run("config", "schema").out)

    training = schema["$defs"]["TrainingConfig"]["properties"]
    assert training["trim"]["description"].startswith("Share of each batch")


@pytest.mark.slow
def test_the_demo_trains_scores_measures_and_says_what_it_wrote(tmp_path):
    ran = run("demo", "-o", tmp_path / "demo")

    assert ran.code == 0
    assert ran.out.count("ROC AUC") == 2
    for line in ran.out.partition("Written:")[2].split():
        assert (tmp_path / "demo").joinpath(line.rpartition("/")[2]).exists()


def test_nothing_but_results_goes_to_stdout_and_no_progress_without_a_terminal(tmp_path, scene):
    done = subprocess.run(
        [sys.executable, "-m", "anomvae", "detect", scene, "-o", tmp_path / "out", *SHORT],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


def test_an_interrupted_run_ends_with_130(tmp_path, scene, monkeypatch):
    from anomvae import mapping

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(mapping, "detect_scene", interrupted)

    ran = run("detect", scene, "-o", tmp_path / "out")

    assert ran.code == 130
    assert "interrupted" in ran.err


def test_an_internal_error_is_one_line_without_a_traceback(tmp_path, scene, monkeypatch):
    from anomvae import mapping

    monkeypatch.setattr(mapping, "detect_scene", lambda *a, **o: 1 / 0)

    ran = run("detect", scene, "-o", tmp_path / "out")

    assert ran.code == 1
    assert ran.err.startswith("Error: internal error (ZeroDivisionError")
    assert len(ran.err.splitlines()) == 1


def test_a_result_that_cannot_be_written_is_refused_before_the_work(tmp_path, scene, model):
    (tmp_path / "file").write_text("no folder")

    for place in (tmp_path, tmp_path / "file" / "m.safetensors"):
        ran = run("train", scene, "-o", place, "--overwrite", "--set", "training.max_steps=1000000")
        assert ran.code == 3
        assert run("threshold", model, scene, "-o", place, "--overwrite").code == 3


def test_a_map_of_another_scene_is_warned_of(tmp_path, scene, model, labels):
    other = write(tmp_path / "other.tif", plant(land(seed=2)))
    run("score", scene, "-m", model, "-o", tmp_path / "out")

    ran = run("evaluate", other, tmp_path / "out" / "scene.anomaly.tif", "--labels", labels)

    assert ran.code == 0
    assert "was made from scene.tif" in ran.err


def test_a_bare_number_is_no_threshold_rule(tmp_path, scene):
    ran = run("detect", scene, "-o", tmp_path / "out", "--threshold", "5")

    assert ran.code == 2
    assert "no rule is called '5'" in ran.err
