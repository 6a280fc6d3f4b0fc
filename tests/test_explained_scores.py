"""The map of why pixels score as they do: leading band, its residual, the share of each term."""

import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from support import families
from support.family_contract import compares_dates
from support.rasters import BANDS, bands_of, land, plant, run, trained, write
from support.refusals import refused
from support.scorers import Neighbours
from support.spectra import fit_scene, scene

from anomvae.errors import ConfigError
from anomvae.mapping import ScoreOptions, score_scene
from anomvae.mapping.rethresholding import rethreshold
from anomvae.stats.noise import Noise
from anomvae.stats.scores import NormalScores
from anomvae.stats.thresholds import parse_rule

EXPLAIN = ScoreOptions(explain=True)
NORMAL = NormalScores.of(np.linspace(1, 9, 200, dtype="float32"), held_out=False)


def fitted(block, family):
    """Fit a detector of a family to a block, with a threshold."""
    tables = {"model": {"family": family}, "training": {"max_steps": 40}}
    return fit_scene(block, **tables).with_threshold(parse_rule("sigma:3"), NORMAL)


def expected_of(detector, block):
    """Explain the pixels of the newest date by what `Detector.contributions` returns of each."""
    view = detector.view
    where = view.where(block)
    parts = detector.contributions(view.split(block, where))
    leading = parts.bands.argmax(-1)
    residual = np.take_along_axis(parts.residual, leading[..., np.newaxis], -1)[..., 0]
    terms = [part.sum(-1) for part in (parts.reconstruction, parts.kl, parts.linear)]
    layers = [leading + 1.0, residual, *(term / sum(terms) for term in terms), sum(terms)]
    return [view.join(layer.astype("float32"), where)[-1] for layer in layers]


@pytest.mark.parametrize("family", [*families.rows(), "small-objects"])
def test_the_explanation_is_that_of_the_contributions_of_every_pixel(family, tmp_path):
    block = scene((26, 25), 6, 3 if compares_dates(family) else 1, 2)
    block[:, 3, 4] = np.nan
    detector = trained(family) if family == "small-objects" else fitted(block, family)
    dates = [
        write(tmp_path / f"day{day}.tif", np.moveaxis(date, -1, 0), nodata=np.nan)
        for day, date in enumerate(block)
    ]

    options = ScoreOptions(explain=True, tile=16)
    files = score_scene(detector, dates, tmp_path / "out", options).files

    *layers, alone = expected_of(detector, block)
    explained = bands_of(files.explanation)
    score = bands_of(files.scores)[0]
    for layer, expected in zip(explained[:5], layers, strict=True):
        np.testing.assert_allclose(layer, expected, rtol=1e-4, atol=1e-5)
    factor = explained[5] if family == "small-objects" else 1
    assert len(explained) == 5 + (family == "small-objects")
    np.testing.assert_allclose(factor * alone, score, rtol=1e-5)


def test_shares_add_up_to_1_where_there_are_data_and_nowhere_else(tmp_path):
    path = write(tmp_path / "scene.tif", plant(land(seed=1)))

    files = score_scene(trained(), path, tmp_path / "out", EXPLAIN).files

    explained, score = bands_of(files.explanation), bands_of(files.scores)[0]
    np.testing.assert_array_equal(np.isnan(explained), np.isnan(score)[np.newaxis].repeat(5, 0))
    np.testing.assert_allclose(explained[2:].sum(axis=0)[np.isfinite(score)], 1, atol=1e-6)
    assert explained[2:][:, np.isfinite(score)].min() >= 0


def test_the_explanation_is_the_same_for_any_tile_and_worker(tmp_path, two):
    path, detector = write(tmp_path / "scene.tif", plant(land(seed=1))), trained("small-objects")
    tiles = ScoreOptions(explain=True, tile=13, threads=2)

    whole = score_scene(detector, path, tmp_path / "whole", EXPLAIN).files
    parts = score_scene(detector, path, tmp_path / "parts", tiles).files
    away = score_scene(detector, path, tmp_path / "away", tiles, mapper=two).files

    assert whole.explanation.read_bytes() == parts.explanation.read_bytes()
    assert whole.explanation.read_bytes() == away.explanation.read_bytes()


def test_the_map_is_the_same_with_an_explanation_and_without(tmp_path):
    path, detector = write(tmp_path / "scene.tif", plant(land(seed=1))), trained("small-objects")

    plain = score_scene(detector, path, tmp_path / "plain")
    explained = score_scene(detector, path, tmp_path / "explained", EXPLAIN)

    np.testing.assert_array_equal(bands_of(plain.path), bands_of(explained.path))
    assert not plain.files.explanation.exists()
    assert plain.digest != explained.digest


def test_the_file_names_the_bands_that_it_numbers(tmp_path):
    names = tuple(f"B{number}" for number in range(1, BANDS + 1))
    path = write(tmp_path / "scene.tif", land(seed=1), names=names)

    ran = run("detect", path, "-o", tmp_path / "out", "--explain", "--set", "training.max_steps=20")

    assert ran.code == 0, ran.err
    with rasterio.open(tmp_path / "out/scene.explanation.tif") as dataset:
        named = json.loads(dataset.tags()["ANOMVAE_BANDS"])
        assert [dataset.tags(1)[f"CATEGORY_{band['number']}"] for band in named] == list(names)
        assert [band["name"] for band in named] == list(names)
        assert dataset.descriptions == (
            *("leading_band", "leading_residual"),
            *("share_reconstruction", "share_kl", "share_linear"),
        )
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert np.isnan(dataset.nodata)


def test_a_new_threshold_keeps_the_explanation_as_it_is(tmp_path):
    path = write(tmp_path / "scene.tif", plant(land(seed=1)))
    files = score_scene(trained(), path, tmp_path / "out", EXPLAIN).files
    before = files.explanation.read_bytes()

    beside = rethreshold(files.scores, "quantile:0.01")
    again = rethreshold(files.scores, "quantile:0.01")
    elsewhere = rethreshold(files.scores, "quantile:0.02", tmp_path / "else")

    assert files.explanation.read_bytes() == elsewhere.files.explanation.read_bytes() == before
    assert beside.explained
    assert elsewhere.explained
    assert not again.newly_written
    assert files.explanation in again.written


def test_an_explanation_goes_with_the_map_that_it_explains(tmp_path):
    path = write(tmp_path / "scene.tif", plant(land(seed=1)))
    files = score_scene(trained(), path, tmp_path / "out", EXPLAIN).files

    score_scene(trained(), path, tmp_path / "out", ScoreOptions(overwrite=True))

    assert not files.explanation.exists()


def test_a_pixel_that_no_band_makes_unusual_has_no_leading_band():
    block = scene((12, 11), 6, 1, 2)
    detector = fit_scene(block, score={"linear": 0.0}, training={"max_steps": 20})
    blind = replace(detector, noise=Noise(np.zeros(6), np.zeros(6)))

    score, _, _, _, leading, residual, *_, share_kl, share_linear = blind.score_explained(block)

    assert np.isnan(leading).all()
    assert np.isnan(residual).all()
    assert (score > 0).all()
    assert (share_kl == 1).all()
    assert (share_linear == 0).all()


def test_a_scorer_that_is_no_model_cannot_explain(tmp_path):
    path = write(tmp_path / "scene.tif", land())

    with pytest.raises(ConfigError, match=r"no terms of bands .* Leave --explain out"):
        score_scene(Neighbours(), path, tmp_path / "out", EXPLAIN)

    assert not (tmp_path / "out").exists()


def test_a_baseline_cannot_explain(tmp_path):
    path = write(tmp_path / "scene.tif", land())

    ran = run("detect", path, "-o", tmp_path / "out", "--method", "rx", "--explain")

    refused(ran, 2, "rx has no terms of bands", "Leave --explain out")
    assert not (tmp_path / "out").exists()


def test_a_model_is_not_saved_as_the_explanation(tmp_path):
    path = write(tmp_path / "scene.tif", land())

    there = tmp_path / "out" / "scene.explanation.tif"
    ran = run("detect", path, "-o", tmp_path / "out", "--save-model", there)

    refused(ran, 2, "is the name of a result of this scene")
