"""Model cards: facts of the model file, nothing guessed, and documents that hostile names keep."""

import json
import re
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from support.imports import after
from support.rasters import run, trained

import anomvae
from anomvae.config import resolve_config
from anomvae.detector.modelfile import read_card
from anomvae.models.families import FAMILIES
from anomvae.names import markdown_text
from anomvae.stats.held_out import HeldOutRate

HOSTILE = "a|b`c\n# <script>alert(1)</script> [x](http://evil) *b* __c__ $d$ \x1b[31m www.evil.com"


@pytest.fixture(scope="module")
def detector():
    return trained()


@pytest.fixture
def model_file(tmp_path, detector):
    path = tmp_path / "model.safetensors"
    detector.save(path)
    return path


def values_of(card):
    """Values of the facts of all sections, by section and name."""
    return {(one.title, fact.name): fact.value for one in card.sections for fact in one.facts}


def cells(line):
    """Cells of a row of a table, as Markdown splits it."""
    return re.split(r"(?<!\\)(?:\\\\)*\|", line)[1:-1]


def test_a_card_of_a_file_is_that_of_its_detector(model_file, detector):
    of_file, of_detector = anomvae.model_card(model_file), anomvae.model_card(detector)

    assert of_file == replace(of_detector, name="model.safetensors")
    assert of_file.id == detector.id == of_file.digest[:12]


def test_a_card_holds_the_facts_of_the_file(model_file, detector):
    card, written = anomvae.model_card(model_file), read_card(model_file)

    assert card.architecture.parameters == sum(w.numel() for w in detector.model.parameters())
    assert card.data.scenes == written.training.scenes
    assert card.fitting.history.loss == written.training.loss
    assert card.threshold.value == written.threshold.value
    assert card.threshold.measured == written.held_out
    assert card.scores.values == tuple(map(detector.scores.all.quantile, card.scores.levels))
    assert [one.band for one in card.data.bands] == list(written.bands)
    assert [one.noise for one in card.data.bands] == pytest.approx(
        detector.noise.std * detector.scaler.std
    )
    assert all(one.low <= one.median <= one.high for one in card.data.bands)


def test_what_the_file_lacks_is_not_recorded(detector):
    training = replace(
        detector.card.training, elbo=None, config="", pixel_area=None, reconstruction=(), kl=()
    )
    older = replace(detector, card=replace(detector.card, training=training, held_out=None))

    card = anomvae.model_card(older)
    facts = values_of(card)

    for name in ("Area of a pixel", "Dates", "Masks"):
        assert facts["Training data", name] == "not recorded"
    assert facts["Training", "Held-out ELBO"] == "not recorded"
    assert facts["Threshold", "Measured on held-out blocks"] == "not recorded"
    assert card.fitting.settings is None
    assert card.reproduce == ()
    assert "Its settings are not recorded" in card.markdown
    assert any("no rate on others was measured" in limit for limit in card.limits)


def test_a_broken_promise_is_a_limit(detector):
    threshold = replace(detector.card.threshold, rule="quantile:0.001")
    rate = HeldOutRate(0.05, 4000, 40, 0.04, 0.06)

    card = anomvae.model_card(
        replace(detector, card=replace(detector.card, threshold=threshold, held_out=rate))
    )

    assert card.threshold.promise == pytest.approx(0.001)
    assert any("Its promise does not hold" in limit for limit in card.limits)
    assert "90 % interval 4.000% to 6.000%" in card.markdown


def test_a_detector_without_a_threshold_has_a_card(detector):
    bare = replace(detector, card=replace(detector.card, threshold=None, held_out=None))

    card = anomvae.model_card(replace(bare, scores=None))

    assert card.threshold is None
    assert card.scores is None
    assert any("flags nothing" in limit for limit in card.limits)


@pytest.mark.parametrize("as_json", [False, True])
def test_info_prints_the_card(model_file, as_json):
    printed = run("info", model_file, "--card", *(["--json"] if as_json else []))

    card = anomvae.model_card(model_file)
    assert printed.code == 0
    if as_json:
        assert json.loads(printed.out) == json.loads(json.dumps(card.to_dict()))
    else:
        assert printed.out == card.markdown


def test_a_card_loads_nothing_heavy(model_file):
    loaded = after("info", model_file, "--card")

    assert not loaded & {"torch", "scipy", "pandas", "matplotlib", "sklearn"}


def test_a_card_is_of_one_model(model_file, tmp_path):
    two = run("info", model_file, model_file, "--card")
    none = run("info", tmp_path / "gone.safetensors", "--card")

    assert (two.code, none.code) == (2, 3)
    assert "--card is of one model, but 2 files are given" in two.err
    assert len(none.err.splitlines()) == 1


def hostile(detector):
    """Return the detector with a name that others chose wherever it has one."""
    bands = replace(
        detector.bands,
        items=tuple(replace(band, name=HOSTILE, wavelength=None) for band in detector.bands),
    )
    training = replace(detector.card.training, scenes=(HOSTILE, HOSTILE))
    return replace(
        detector, card=replace(detector.card, bands=bands, training=training, dropped=(HOSTILE,))
    )


def test_hostile_names_stay_text(detector):
    document = anomvae.model_card(hostile(detector)).markdown

    prose = document.partition("```")[0] + document.rpartition("```")[2]
    assert "<script>" not in prose
    assert not re.search(r"(?<!\\)\]", prose)
    assert "http://" not in prose
    assert "\x1b" not in document
    for line in filter(lambda one: one.startswith("|"), document.splitlines()):
        assert len(cells(line)) in {2, 7}
    assert sum(line.startswith("# ") for line in document.splitlines()) == 1


def test_every_table_of_a_card_has_rows_as_wide_as_its_head(detector):
    width = 0
    for line in anomvae.model_card(hostile(detector)).markdown.splitlines():
        width = (width or len(cells(line))) if line.startswith("|") else 0
        assert not width or len(cells(line)) == width


def test_the_commands_of_a_hostile_scene_are_one_word_each(detector):
    card = anomvae.model_card(hostile(detector))

    words = card.reproduce[0].partition(" --config")[0].removeprefix("anomvae train ")
    typed = ["bash", "-c", f"printf '%s\\0' {words}"]
    printed = subprocess.run(typed, check=True, capture_output=True, text=True).stdout
    assert printed == f"{HOSTILE}\0" * 2


def test_the_settings_of_a_card_fit_the_same_detector(tmp_path, detector):
    from support.rasters import land, write

    card = anomvae.model_card(detector)
    settings = tmp_path / "settings.toml"
    settings.write_text(card.fitting.settings)
    scene = write(tmp_path / "normal.tif", land())

    again = anomvae.train([scene], resolve_config(str(settings)).config, seed=card.fitting.seed)

    assert again.threshold == detector.threshold
    assert all(
        np.array_equal(again.weights[name], array) for name, array in detector.weights.items()
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_the_card_of_each_family_names_what_it_scores(detector, family):
    # Only what the words depend on: a detector of each family takes long to train.
    card = anomvae.model_card(replace(detector, card=replace(detector.card, family=family)))

    assert card.architecture.family == family
    assert card.purpose[0].startswith("It scores how unusual ")


def test_a_card_shows_itself_in_notebooks_and_in_a_line(detector):
    card = anomvae.model_card(hostile(detector))

    assert card._repr_markdown_() == card.markdown
    assert len(repr(card).splitlines()) == 1


def test_markdown_text_shows_as_it_is():
    assert markdown_text("a_b") == r"a\_b"
    assert markdown_text("x `anomvae like` y", code=True) == "x `anomvae like` y"
    assert markdown_text("`<b>`", code=True) == r"\`&lt;b&gt;\`"
