"""Values that no file declares as no data, or declares inexactly."""

import logging
import re

import numpy as np
import pytest
from support.rasters import land, plant, run, write
from support.scene_files import make, ramp, read

import anomvae
from anomvae.config import resolve_config
from anomvae.errors import ConfigError, NotEnoughPixels
from anomvae.fitting import Selection
from anomvae.mapping import detect_scene, score_scene
from anomvae.pixels.bands import Band, Bands, unnamed_bands
from anomvae.pixels.tiling import tiles
from anomvae.raster import Scene
from anomvae.stats.fill_watch import FillWatch

MAX = float(np.finfo(np.float32).max)
QUICK = resolve_config("default", ["training.max_steps=60"]).config


def with_fill(value, dtype="float32", band=0):
    values = (ramp(2) + 100).astype(dtype)
    values[band, 1, 2] = value
    return values


@pytest.mark.parametrize("declared", [None, -9999.0, -MAX, -3.4028235e38, -3.40282e38, 3.4e38])
@pytest.mark.parametrize("stored", [-MAX, MAX, -3.40282e38])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_value_within_rounding_of_the_end_of_float32_is_no_data(
    tmp_path, declared, stored, dtype
):
    options = {} if declared is None else {"nodata": max(-MAX, declared)}
    path = make(tmp_path / "a.tif", with_fill(stored, dtype), **options)

    assert np.argwhere(np.isnan(read(path))).tolist() == [[1, 2, 0]]


@pytest.mark.parametrize("text", ["-3.4028235e+38", "-3.40282e+38", "-3.4e38", "-1.7976931e+308"])
def test_an_ignore_value_of_a_header_may_be_rounded(tmp_path, text):
    path = make(tmp_path / "a.img", with_fill(-MAX), driver="ENVI")
    header = tmp_path / "a.hdr"
    header.write_text(header.read_text() + f"data ignore value = {text}\n")

    assert np.argwhere(np.isnan(read(path))).tolist() == [[1, 2, 0]]


def test_nodata_of_float64_may_have_been_float32_before(tmp_path):
    path = make(tmp_path / "a.tif", with_fill(np.float32(-9999.9), "float64"), nodata=-9999.9)

    assert np.argwhere(np.isnan(read(path))).tolist() == [[1, 2, 0]]


def test_whole_numbers_of_32_bits_beside_nodata_are_data(tmp_path):
    path = make(tmp_path / "a.tif", with_fill(2**31 - 2, "int32"), nodata=2**31 - 1)

    assert np.isfinite(read(path)).all()


def test_a_rounded_nodata_value_does_not_blind_the_detector(tmp_path):
    values = plant(land())
    values[:, :8] = -MAX
    path = write(tmp_path / "a.tif", values, nodata=-3.40282e38)

    result = detect_scene(path, tmp_path, QUICK)

    assert result.valid == 32 * 48
    with anomvae.raster.open_raster(result.files.flags) as flags:
        assert (flags.read_first()[10:12, 12:14] == 1).all()


def test_nodata_of_the_user_adds_to_that_of_the_file(tmp_path):
    path = make(tmp_path / "a.tif", ramp(), nodata=1)

    block = read(path, nodata=(5, 24))

    assert np.argwhere(np.isnan(block)).tolist() == [[0, 0, 0], [1, 0, 0], [2, 3, 1]]


def test_nodata_of_the_user_is_compared_before_scale_and_offset(tmp_path):
    path = write(tmp_path / "a.tif", ramp(), scales=(0.1, 0.1), nodata=None)

    assert np.argwhere(np.isnan(read(path, nodata=[3]))).tolist() == [[0, 2, 0]]


def test_nodata_of_the_user_is_finite_and_belongs_to_the_scene(tmp_path):
    with pytest.raises(ConfigError, match="finite numbers only"):
        Scene.of("a.tif", nodata=[float("nan")])
    with pytest.raises(ConfigError, match="options of its own"):
        Scene.of(Scene.of("a.tif"), nodata=[0])


def test_other_nodata_is_another_result_and_none_keeps_the_digest_of_before(tmp_path):
    path = write(tmp_path / "a.tif", np.maximum(plant(land()), 0), nodata=None)
    detector = anomvae.train([path], QUICK, select=Selection(nodata=(0.0,)))

    plain = score_scene(detector, path, tmp_path / "plain")
    given = score_scene(detector, Scene.of(path, nodata=[0.0]), tmp_path / "given")
    both = score_scene(detector, Scene.of(path, nodata=[0.0, -5.0]), tmp_path / "both")

    assert (plain.valid, given.valid, both.valid) == (1920, 1920 - 48, 1920 - 48)
    assert len({plain.digest, given.digest, both.digest}) == 3
    assert [band.nodata for band in detector.bands] == [0.0] * 6


def test_every_command_that_reads_scenes_takes_nodata(tmp_path):
    scene = write(tmp_path / "a.tif", np.maximum(plant(land()), 0), nodata=None)
    labels = write(tmp_path / "labels.tif", np.zeros((1, 40, 48), "uint8"), nodata=None)
    quick, model = ("--set", "training.max_steps=60"), tmp_path / "m.safetensors"
    given = ("--nodata", "0,-9999")

    commands = [
        ("train", scene, "-o", model, *quick),
        ("score", scene, "-m", model, "-o", tmp_path / "maps"),
        ("threshold", model, scene, "-o", tmp_path / "n.safetensors"),
        ("evaluate", scene, "-m", model, "--labels", labels),
        ("evaluate", scene, tmp_path / "maps/a.anomaly.tif", "--labels", labels),
        ("detect", scene, "-o", tmp_path / "own", *quick),
        ("info", scene),
    ]
    results = [run(*command, *given) for command in commands]

    assert [(each.code, "exactly" in each.err) for each in results] == [(0, False)] * len(commands)
    assert "of 1872 labelled pixels" in results[3].out
    assert "of 1872 labelled pixels" in results[4].out
    assert re.search(r"^no data +0, -9999$", results[-1].out, re.MULTILINE)
    assert run("info", scene, "--nodata", "none").code == 2


def watched(values, bands=None, side=16):
    """Return the warnings of a scene, axes (row, col, band), read in tiles."""
    shape = values.shape[:2]
    watch = FillWatch.of("a.tif", bands or unnamed_bands(values.shape[-1]), shape, dates=1)
    block = values[np.newaxis].astype(np.float32)
    for tile in tiles(shape, (side, side)):
        watch.parts.append(watch.sample(tile, block[(slice(None), *tile.read)]))
    watch.finish()


def scene_of(rows=64, cols=64, bands=4):
    return np.moveaxis(land((rows, cols), bands), 0, -1)


def rim(values, fill):
    values[:3], values[:, :3] = fill, fill
    return values


@pytest.mark.parametrize("fill", [0, -9999, 1e20])
def test_a_rim_of_one_value_in_all_bands_is_warned_of(caplog, fill):
    watched(rim(scene_of(), fill))

    assert f"9.16 % of the pixels hold exactly {fill:g} in all 4 bands" in caplog.text
    assert f"--nodata {fill:g}" in caplog.text


def test_two_fills_are_both_named(caplog):
    values = rim(scene_of(), 0)
    values[40:50, 40:50] = -9999

    watched(values)

    assert "--nodata 0,-9999" in caplog.text
    assert len(caplog.records) == 2


def test_a_fill_of_one_band_that_makes_its_variance_is_warned_of(caplog):
    values = scene_of()
    values[10:13, 10:20, 2] = -9999

    watched(values)

    assert "hold exactly -9999 in band_3 and make 100 % of its variance" in caplog.text
    assert len(caplog.records) == 1


def test_the_value_named_is_the_stored_one(caplog):
    items = tuple(Band(n, f"b{n}", scale=2.75e-5 * n, offset=-0.2 * n) for n in range(1, 5))
    stored = rim((scene_of() * 20_000).round(), 0)

    watched(stored * [b.scale for b in items] + [b.offset for b in items], Bands(items, 4, True))

    assert "exactly 0 in all 4 bands" in caplog.text


def saturated_water(rng):
    values = (scene_of() * 200).round() + 40
    values[:, :30, 3] = np.maximum(rng.normal(-2, 2, (64, 30)), 0).round()
    return values


def clipped_dark(rng):
    return np.maximum(rng.normal([20, 15, 10, 5], 12, (64, 64, 4)).round(), 0)


def clouds(rng):
    bright = np.add.outer(np.arange(64.0), np.arange(64.0))[..., np.newaxis] * 3
    return np.minimum(bright + rng.normal(0, 8, (64, 64, 3)), 255).round()


ORDINARY = {
    "plain": lambda rng: scene_of(),
    "saturated water": saturated_water,
    "exactly dark water in near infrared": lambda rng: np.where(
        (np.arange(64) < 20)[:, np.newaxis, np.newaxis] & (np.arange(4) == 3),
        0,
        (scene_of() * 200).round() + 40,
    ),
    "clipped dark pixels": clipped_dark,
    "clouds": clouds,
    "a mask": lambda rng: (rng.random((64, 64, 1)) < 0.2).astype(float),
    "masks": lambda rng: (rng.random((64, 64, 4)) < 0.2).astype(float),
    "a band of classes": lambda rng: np.dstack([scene_of(), rng.integers(0, 9, (64, 64)) ** 2]),
    "a band of flags": lambda rng: np.dstack(
        [scene_of(), rng.choice([21824, 22280, 54596], (64, 64), p=[0.9, 0.08, 0.02])]
    ),
    "few values": lambda rng: rng.integers(0, 4, (64, 64, 3)),
    "a constant band": lambda rng: np.dstack([scene_of(), np.full((64, 64), 7.0)]),
    "one value everywhere": lambda rng: np.full((64, 64, 4), 7.0),
    "grey": lambda rng: np.repeat(clipped_dark(rng)[..., :1], 3, axis=-1),
    "rain": lambda rng: np.maximum(rng.normal(-1, 2, (64, 64, 1)), 0),
    "an object": lambda rng: np.moveaxis(plant(land((64, 64), 4)), 0, -1)[1:],
    "no data": lambda rng: np.full((64, 64, 4), np.nan),
}


@pytest.mark.parametrize("kind", ORDINARY)
def test_ordinary_scenes_are_not_warned_of(caplog, kind):
    watched(ORDINARY[kind](np.random.default_rng(0)))

    assert caplog.text == ""


def test_the_sample_does_not_depend_on_the_tiles(caplog):
    for side in (7, 64):
        watched(rim(scene_of(), 0), side=side)

    assert caplog.records[0].getMessage() == caplog.records[1].getMessage()


def test_detect_warns_once_of_a_rim_and_finds_the_object_with_the_remedy(tmp_path):
    values = plant(land((64, 64)), 30, 30)
    values[:, :3], values[:, :, :3] = 0, 0
    path = write(tmp_path / "a.tif", values, nodata=None)
    quick = ("--set", "training.max_steps=60")

    blind = run("detect", path, "-o", tmp_path / "a", *quick)
    given = run("detect", path, "-o", tmp_path / "b", "--nodata", "0", *quick)

    assert blind.err.count("in all 6 bands") == 1
    assert "give --nodata 0." in blind.err
    assert given.err == ""
    with anomvae.raster.open_raster(tmp_path / "b/a.flags.tif") as flags:
        assert (flags.read_first()[30:32, 30:32] == 1).all()


@pytest.mark.parametrize("bands", [slice(None), slice(2, 3)])
def test_numbers_too_small_for_float32_are_named_as_the_reason(tmp_path, bands):
    values = land()
    values[bands] *= np.float32(1e-40)
    path = write(tmp_path / "a.tif", values)

    with pytest.raises(NotEnoughPixels, match=r"band_3.*: the values are too small for float32"):
        anomvae.train([path], QUICK)


def test_numbers_that_float32_rounds_to_0_are_named_as_the_reason(tmp_path, caplog):
    path = write(tmp_path / "a.tif", land().astype("float64") * 1e-60)

    with caplog.at_level(logging.ERROR), pytest.raises(NotEnoughPixels, match="rescale small"):
        anomvae.train([path], QUICK)
