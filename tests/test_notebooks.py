"""How results present themselves: a short line, and tables for notebooks that escape all text."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from support.rasters import land, plant, trained, write
from support.spectra import spectra

import anomvae
from anomvae.evaluation import Evaluation
from anomvae.explaining import SpectraTable
from anomvae.mapping.cache import CacheKey
from anomvae.mapping.options import ScoreOptions
from anomvae.pixels.band import Band
from anomvae.pixels.bands import Bands, unnamed_bands
from anomvae.stats.metrics import measure

HOSTILE = "<script>alert(1)</script>\x1b[31m\n" + "long" * 100
MANY = Bands(tuple(Band(i, f"b{i}", 400 + 5.0 * i) for i in range(1, 401)), 400, named=True)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Every kind of result, with 400 bands and names that others chose."""
    folder = tmp_path_factory.mktemp("results")
    detector, scene = trained(), write(folder / "scene.tif", plant(land(seed=1)))
    result = anomvae.score_scene(detector, scene, folder / "out")
    threshold = replace(detector.card.threshold, rule=HOSTILE)
    training = replace(detector.card.training, scenes=(HOSTILE,) * 9)
    card = replace(detector.card, bands=MANY, threshold=threshold, training=training)
    labels = np.arange(50) % 2
    rows = {HOSTILE: measure(labels, spectra(50)[:, 0], 1.0)} | {
        f"baseline {n}": measure(labels, labels * 1.0, 0.5) for n in range(9)
    }
    return {
        "bands": MANY,
        "named bands": Bands((Band(1, HOSTILE),) * 400, 400, named=True),
        "scene": anomvae.Scene.of(HOSTILE, bands="1-400" * 20, mask=f"binary:{HOSTILE}"),
        "card": card,
        "detector": replace(detector, card=card),
        "map": replace(result, scene=HOSTILE, threshold=replace(result.threshold, rule=HOSTILE)),
        "evaluation": Evaluation(HOSTILE, "labels.tif", rows),
        "spectra": SpectraTable.of(MANY, (HOSTILE,) * 9, spectra(9, 400)),
    }


@pytest.mark.parametrize(
    "kind", ["bands", "named bands", "scene", "card", "detector", "map", "evaluation", "spectra"]
)
def test_a_result_is_named_in_a_short_line(results, kind):
    text = repr(results[kind])

    assert text.isprintable()
    assert len(text) <= (160 if kind == "scene" else 140)
    assert text.startswith(f"{type(results[kind]).__name__}(")


def test_a_line_has_what_a_reader_looks_for(results):
    detector = trained()
    assert len(repr(replace(detector, card=replace(detector.card, bands=MANY)))) <= 120
    threshold = detector.threshold
    named = f"threshold {threshold.value:.4g} ({threshold.rule})"

    assert repr(MANY) == "Bands(400 bands 405-2400 nm)"
    assert repr(unnamed_bands(2)) == "Bands(2 bands band_1 ... band_2)"
    bands = "6 bands band_1 ... band_6"
    latent = detector.card.latent
    assert repr(detector) == (f"Detector(vae, {bands}, latent {latent}, {named}, id {detector.id})")
    assert repr(detector.card) == f"Card(vae, {bands}, latent {latent}, {named})"
    assert repr(replace(detector.card, threshold=None)) == f"Card(vae, {bands}, latent {latent})"
    assert repr(anomvae.Scene.of(["a.tif", "b.tif"])) == "Scene(b.tif, 2 dates)"
    assert " pixels flagged, " in repr(results["map"])
    assert "baseline 0 AUC 1.000" in repr(replace_rows(results["evaluation"]))


def replace_rows(evaluation):
    """Return an evaluation of one row."""
    return replace(evaluation, rows={"baseline 0": evaluation.rows["baseline 0"]})


@pytest.mark.parametrize("kind", ["detector", "map", "evaluation"])
def test_a_table_of_a_notebook_escapes_what_others_wrote(results, kind):
    html = results[kind]._repr_html_()

    assert html.startswith("<table><caption>")
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "\x1b" not in html


def test_the_quick_look_is_part_of_a_table_while_it_is_there(tmp_path, results):
    result = results["map"]
    picture = 'src="data:image/png;base64,iVBOR'
    copied = replace(result, files=replace(result.files, folder=tmp_path / "moved"))

    assert picture in result._repr_html_()
    assert "<img" not in replace(result, drawn=False)._repr_html_()
    assert "<img" not in copied._repr_html_()
    shutil.copytree(result.files.folder, copied.files.folder)
    assert picture in copied._repr_html_()
    copied.files.quicklook.write_bytes(b"<script>alert(1)</script>")
    assert "<img" not in copied._repr_html_()


def test_an_evaluation_has_its_auc_first_and_in_a_narrow_print(results):
    table = results["evaluation"].table()

    assert table.columns[0] == "roc_auc"
    assert {"pixels", "anomalous", "reason", "f1"} < set(table.columns)
    assert "roc_auc" in str(table)


def test_a_short_line_takes_nothing_from_the_digest_of_bands():
    others = replace(MANY, items=(replace(MANY.items[0], nodata=-1.0), *MANY.items[1:]))

    keys = [
        CacheKey.of("d", options=ScoreOptions(), bands=bands, files=[]) for bands in (MANY, others)
    ]

    assert repr(MANY) == repr(others)
    assert keys[0] != keys[1]
