"""Real scenes and rasters, where there are any (ANOMVAE_SCENES, ANOMVAE_RASTERS)."""

import os
from pathlib import Path

import pytest
import rasterio
from support.rasters import run, write

import anomvae
from anomvae.config import resolve_config

SCENES = Path(os.environ.get("ANOMVAE_SCENES", "missing"))
RASTERS = Path(os.environ.get("ANOMVAE_RASTERS", "missing"))
NAMES = sorted(path.parent.name for path in SCENES.glob("*/labels.tif"))
FILES = sorted(RASTERS.rglob("*.tif"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
]
with_rasters = pytest.mark.skipif(not FILES, reason="ANOMVAE_RASTERS names no rasters")


PROMISED = {"sandiego-utm": 0.95}
"""Areas under the curve, by scene."""


@pytest.mark.parametrize("name", NAMES)
def test_detect_is_above_rx_where_rx_leaves_room_and_keeps_its_promise(name, tmp_path):
    scene, labels = SCENES / name / "scene.tif", SCENES / name / "labels.tif"

    result = anomvae.detect_scene(scene, tmp_path)
    rows = anomvae.evaluate(result, labels).rows

    ours, rx = rows["anomvae"].roc_auc, rows["rx"].roc_auc
    assert ours > (rx if rx < 0.98 else rx - 0.01)
    assert ours >= PROMISED.get(name, 0)
    with rasterio.open(scene) as before, rasterio.open(result.path) as after:
        assert after.shape == before.shape
        assert after.crs == before.crs
        assert after.transform == before.transform


@pytest.mark.skipif("sandiego-1" not in NAMES, reason="needs the scene sandiego-1")
def test_a_detector_of_the_left_half_of_a_real_scene_scores_the_right_half(tmp_path):
    for name in ("scene", "labels"):
        cut(SCENES / "sandiego-1" / f"{name}.tif", tmp_path / f"left_{name}.tif", 0)
        cut(SCENES / "sandiego-1" / f"{name}.tif", tmp_path / f"right_{name}.tif", 50)

    detector = anomvae.train([tmp_path / "left_scene.tif"])
    result = anomvae.score_scene(detector, tmp_path / "right_scene.tif", tmp_path / "out")
    rows = anomvae.evaluate(result, tmp_path / "right_labels.tif").rows

    assert rows["anomvae"].roc_auc > 0.9


def cut(source, target, col):
    """Copy 50 columns of a raster."""
    with rasterio.open(source) as whole:
        write(target, whole.read()[..., col : col + 50], whole.descriptions, nodata=None)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_any_raster_is_described_and_scored_or_refused_in_one_line(path, tmp_path):
    described = run("info", path)
    detected = run("detect", path, "-o", tmp_path / "out", "--set", "training.max_steps=20")

    assert described.code == 0
    if path.name in {"all-nodata.tif", "float_nan.tif"}:
        assert detected.code == 3
        assert "valid pixels" in detected.err
        assert not (tmp_path / "out").exists()
    else:
        assert detected.code == 0, detected.err
        written = [path.suffix for path in (tmp_path / "out").iterdir()]
        assert sorted(written) == [".geojson", ".json", ".png", *3 * [".qml"], *2 * [".tif"]]


@with_rasters
def test_sentinel_2_is_learnt_and_scored_by_its_configuration(tmp_path):
    scene = RASTERS / "sentinel2_amazon_12b.tif"
    bands = "B2,B3,B4,B5,B6,B7,B8,B8A,B11,B12"
    options = ("--config", "sentinel2", "--bands", bands)

    detected = run("detect", scene, "-o", tmp_path / "detected", *options)
    trained = run("train", scene, "-o", tmp_path / "model.safetensors", *options)
    scored = run("score", scene, "-m", tmp_path / "model.safetensors", "-o", tmp_path / "scored")

    assert (detected.code, trained.code, scored.code) == (0, 0, 0)
    assert "10 bands" in trained.out
    for folder in ("detected", "scored"):
        with rasterio.open(tmp_path / folder / f"{scene.stem}.flags.tif") as flags:
            values = flags.read(1)
        assert 0 < (values == 1).mean() < 0.005


@with_rasters
@pytest.mark.parametrize(("site", "count", "share"), [("cbers4", 24, 0.05), ("rapideye", 3, 0.05)])
def test_the_newest_of_several_dates_is_scored_by_the_configuration_for_series(
    site, count, share, tmp_path
):
    dates = sorted((RASTERS / "series" / site).glob("*.tif"))
    quick = resolve_config("timeseries", ["training.max_steps=200"]).config

    detector = anomvae.detect(dates, quick)
    result = anomvae.score_scene(detector, dates, tmp_path)

    assert len(dates) == count
    assert detector.card.training.dates == min(count, 9)
    assert result.files.stem == dates[-1].stem
    assert result.valid == result.pixels
    assert result.flagged < share * result.valid
    assert result.quantiles["0.01"] < result.quantiles["0.99"]
    with rasterio.open(dates[-1]) as before, rasterio.open(result.path) as after:
        assert (after.shape, after.crs) == (before.shape, before.crs)
