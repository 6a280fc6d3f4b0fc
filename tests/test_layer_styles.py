"""Styles beside the layers: QGIS opens results as they are meant, by their names alone."""

import math
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.exports import lacks
from support.qgis import opened_by_qgis
from support.rasters import BANDS, land, plant, run, trained, write
from support.scorers import Neighbours, content

from anomvae.mapping import Deliverables, ScoreOptions, map_baseline, rethreshold, score_scene
from anomvae.mapping.layer_styles import explanation_style, p_values_style, score_style
from anomvae.mapping.qml import Stop, classes_style, is_own
from anomvae.stats.thresholds import Threshold

needs_qgis = pytest.mark.skipif(lacks("qgis.core"), reason="Debian's python3-qgis is not here")
HOSTILE = "<a&\"'> \x00\u202e\n]]>"
NUMBERS = st.floats(-1e6, 1e6, width=32)


@pytest.fixture
def scene(tmp_path):
    return write(tmp_path / "scene.tif", plant(land()))


def at(value, rule="log-sigma:3"):
    return Threshold(value, 0.01, rule, 100, held_out=False)


def stops_of(text):
    items = ElementTree.fromstring(text.partition("\n")[2]).iter("item")
    return [(float(item.get("value")), item.get("color"), item.get("label")) for item in items]


@given(NUMBERS, NUMBERS, st.floats(-1e6, 1e6) | st.just(math.inf))
@settings(max_examples=60, deadline=None)
def test_stops_of_scores_rise_whatever_the_scores(one, other, threshold):
    quantiles = {"0.01": min(one, other), "1": max(one, other)}

    values = [value for value, _, _ in stops_of(score_style(quantiles, at(threshold)))]

    assert all(map(math.isfinite, values))
    assert all(before <= after for before, after in pairwise(values))


def test_the_threshold_is_a_stop_where_colours_turn_from_cold_to_warm():
    stops = stops_of(score_style({"0.01": 2.0, "1": 900.0}, at(30.25), "nats"))

    number = [value for value, _, _ in stops].index(30.25)
    (_, cold, label), (above, warm, _) = stops[number : number + 2]
    assert label == "30.25 nats: threshold (log-sigma:3)"
    assert 30.25 < above < 30.2501
    red, _, blue = bytes.fromhex(cold[1:])
    assert blue > red
    red, _, blue = bytes.fromhex(warm[1:])
    assert red > blue


@pytest.mark.parametrize("quantiles", [{}, {"0.01": 5.0, "1": 5.0}, {"0.01": 0.0, "1": 0.0}])
def test_scores_that_do_not_differ_have_a_style(quantiles):
    values = [value for value, _, _ in stops_of(score_style(quantiles, at(4.0)))]

    assert 4.0 in values
    assert len(set(values)) == len(values)


def test_the_rate_of_the_rule_is_a_stop_of_p_values():
    stops = stops_of(p_values_style(at(3.0, "quantile:0.002")))

    assert (0.002, "0.002: rate of quantile:0.002") in [(value, text) for value, _, text in stops]


def test_few_of_many_bands_are_named():
    assert len(stops_of(explanation_style([f"b{n}" for n in range(400)]))) == 12
    assert [text for _, _, text in stops_of(explanation_style(["red", "nir"]))] == ["red", "nir"]
    assert stops_of(explanation_style([]))


def test_hostile_names_stay_text():
    text = classes_style([Stop(1, "#ff0000", HOSTILE)])

    (entry,) = ElementTree.fromstring(text.partition("\n")[2]).iter("paletteEntry")
    assert entry.get("label") == "<a&\"'> \\x00\\u202e\\n]]>"


def test_every_layer_has_a_style_of_its_name(scene, tmp_path):
    options = ScoreOptions(explain=True)

    files = score_scene(trained(), scene, tmp_path / "out", options).files

    layers = [files.scores, files.explanation, files.flags, files.objects]
    styles = {path.with_suffix(".qml") for path in layers}
    assert styles == set((tmp_path / "out").glob("*.qml"))
    assert sum(path.stat().st_size for path in styles) < 10_000


def test_styles_repeat_to_the_bit(scene, tmp_path):
    one, other = (score_scene(trained(), scene, tmp_path / name) for name in ("a", "b"))

    for path in one.files.styles & set(one.written):
        assert path.read_bytes() == (other.files.folder / path.name).read_bytes()


def test_the_stop_follows_another_threshold(scene, tmp_path):
    files = score_scene(trained(), scene, tmp_path / "out").files

    result = rethreshold(files.scores, "quantile:0.1")

    values = [value for value, _, _ in stops_of(Deliverables.style_of(files.scores).read_text())]
    assert result.threshold.value in values


def test_copies_of_maps_elsewhere_have_styles(scene, tmp_path):
    files = score_scene(trained(), scene, tmp_path / "out", ScoreOptions(explain=True)).files

    result = rethreshold(files.scores, "quantile:0.1", tmp_path / "copy")

    text = (tmp_path / "copy" / "scene.explanation.qml").read_text()
    assert [label for _, _, label in stops_of(text)] == [f"band_{n}" for n in range(1, BANDS + 1)]
    assert sorted(result.written) == sorted((tmp_path / "copy").iterdir())


def test_the_map_of_a_baseline_has_a_style_without_units(scene, tmp_path):
    files = map_baseline(scene, tmp_path / "out", "rx").files

    text = Deliverables.style_of(files.scores).read_text()
    assert "nats" not in text
    assert "threshold (log-sigma:3)" in text


def test_a_style_that_a_user_saved_stays(scene, tmp_path):
    files = score_scene(Neighbours(), scene, tmp_path / "out").files
    own = Deliverables.style_of(files.scores)
    own.write_text("<!DOCTYPE qgis><qgis version='3.34'><pipe/></qgis>")
    before = own.read_bytes()

    rethreshold(files.scores, "quantile:0.1")
    score_scene(Neighbours(id="other"), scene, tmp_path / "out", ScoreOptions(overwrite=True))

    assert own.read_bytes() == before
    assert is_own(Deliverables.style_of(files.flags).read_bytes())


def test_results_without_styles_stay_up_to_date(scene, tmp_path):
    result = score_scene(Neighbours(), scene, tmp_path / "out")
    for path in result.files.styles & set(result.written):
        path.unlink()
    text = result.files.summary.read_text()
    for name in ("anomaly", "flags", "objects"):
        text = text.replace(f'"scene.{name}.qml",', "")
    result.files.summary.write_text(text)
    before = content(tmp_path / "out")

    again = score_scene(Neighbours(), scene, tmp_path / "out")

    assert not again.newly_written
    assert content(tmp_path / "out") == before


@needs_qgis
def test_qgis_opens_results_styled_by_their_names(scene, tmp_path):
    ran = run(
        *("detect", scene, "-o", tmp_path / "out", "--explain", "--gpkg"),
        *("--threshold", "quantile:0.05", "--p-values", "--set", "training.max_steps=50"),
    )
    assert ran.code == 0, ran.err
    files = Deliverables(tmp_path / "out", "scene")

    found = opened_by_qgis(
        files,
        tmp_path / "all.png",
        outlines=[files.objects, f"{files.package}|layername=objects"],
        others=[files.p_values, files.explanation],
    )

    assert found["kinds"] == ["singlebandpseudocolor", "paletted"]
    assert any("threshold (quantile:0.05)" in label for _, _, label in found["stops"])
    assert [one[0::3] for one in found["classes"]] == [[0, 0], [1, 255], [254, 255], [255, 0]]
    assert [one[1] for one in found["classes"]] == ["normal", "anomalous", "masked", "no data"]
    assert len(found["others"][str(files.explanation)]) == BANDS
    beside, package = found["outlines"]
    assert beside[:3] == ["singleSymbol", "rank", "EPSG:4326"]
    assert package[:3] == ["singleSymbol", "rank", "EPSG:32633"]
    assert beside[3] == package[3] > 0
    widgets = dict(zip(package[4], package[5], strict=True))
    assert widgets["spectrum"] == widgets["annulus"] == "SpectralProfile"
    drawn = np.asarray(Image.open(tmp_path / "all.png").convert("RGB")).astype(int)
    red = (drawn[..., 0] > 180) & (drawn[..., 1] < 90)
    assert red.any()  # flags and outlines


@pytest.fixture(scope="module")
def far(tmp_path_factory):
    """Map a large scene with single anomalous pixels; return its files and these pixels."""
    folder, values = tmp_path_factory.mktemp("far"), land((1100, 1300), bands=3)
    places = [(row, col) for row in range(50, 1100, 150) for col in range(61, 1300, 170)]
    for row, col in places:
        values[:, row, col] = 9.0
    path = write(folder / "large.tif", values)
    return map_baseline(path, folder / "out", "rx", f"budget:{len(places)}"), places


def test_single_anomalous_pixels_survive_in_every_overview_of_the_score(far):
    result, places = far

    with rasterio.open(result.files.scores) as dataset:
        factors = dataset.overviews(1)
    for level, factor in enumerate(factors):
        with rasterio.open(result.files.scores, OVERVIEW_LEVEL=level) as overview:
            scores = overview.read(1)
        cells = {(row // factor, col // factor) for row, col in places}
        above = scores > np.float32(result.threshold.value)
        assert set(zip(*map(np.ndarray.tolist, np.nonzero(above)), strict=True)) == cells
    assert factors


def test_flags_zoomed_out_show_most_pixels_and_objects_show_all(far):
    result, places = far

    with rasterio.open(result.files.flags, OVERVIEW_LEVEL=0) as overview:
        assert not (overview.read(1) == 1).any()
    assert result.objects == len(places)


@needs_qgis
def test_single_anomalous_pixels_survive_zooming_out_in_qgis(far, tmp_path):
    result, places = far

    opened_by_qgis(result.files, tmp_path / "far.png", side=220, everything=False)

    drawn = np.asarray(Image.open(tmp_path / "far.png").convert("RGB")).astype(int)
    warm = drawn[..., 0] > drawn[..., 2] + 60
    scale = 1300 / 220
    top = (220 - 1100 / scale) / 2
    around = [(int(top + row / scale), int(col / scale)) for row, col in places]
    assert all(
        warm[max(0, row - 2) : row + 3, max(0, col - 2) : col + 3].any() for row, col in around
    )
