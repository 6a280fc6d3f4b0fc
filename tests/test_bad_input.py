"""Bad input: one line that says what to do, the right exit code, nothing left or damaged."""

import json
import os
import pickle
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch
from support.rasters import BANDS, NODATA, bands_of, land, plant, run, trained, write, write_labels

from anomvae.detector.modelfile import FORMAT, KEY


@pytest.fixture
def scene(tmp_path):
    return write(tmp_path / "scene.tif", plant(land(seed=1)))


@pytest.fixture
def model(tmp_path):
    trained().save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def refused(ran, code, *words):
    """Check that a command ended with one line on stderr, its code, and a thing to do."""
    assert ran.code == code, ran.err
    assert ran.out == ""
    lines = [line for line in ran.err.splitlines() if not line.startswith("WARNING")]
    assert len(lines) == 1, ran.err
    assert lines[0].startswith("Error: ")
    assert "Traceback" not in ran.err
    for word in words:
        assert word in lines[0]


def missing(folder):
    return folder / "gone.tif"


def truncated(folder):
    path = write(folder / "cut.tif", plant(land((200, 200))), compress="deflate")
    path.write_bytes(path.read_bytes()[:60_000])
    return path


def text(folder):
    path = folder / "notes.tif"
    path.write_text("these are no pixels")
    return path


def complex_data(folder):
    return write(folder / "radar.tif", np.ones((1, 40, 40), "complex64"), nodata=None)


def without_data(folder):
    return write(folder / "empty.tif", np.full((BANDS, 40, 40), NODATA, "float32"))


def one_valid_pixel(folder):
    values = np.full((BANDS, 40, 40), NODATA, "float32")
    values[:, 3, 4] = 1
    return write(folder / "single.tif", values)


def constant(folder):
    return write(folder / "flat.tif", np.ones((BANDS, 40, 40), "float32"))


UNREADABLE = [
    (missing, "does not exist"),
    (truncated, "damaged or cut short"),
    (text, "cannot be opened as a raster"),
    (complex_data, "complex"),
]
UNLEARNABLE = [
    (without_data, "0 valid pixels"),
    (one_valid_pixel, "1 valid pixels"),
    (constant, "one value"),
]


@pytest.mark.parametrize(("make", "words"), UNREADABLE + UNLEARNABLE)
def test_detect_refuses_a_scene_it_cannot_use(tmp_path, out, make, words):
    ran = run("detect", make(tmp_path), "-o", out)

    refused(ran, 3, words)
    assert not out.exists()


@pytest.mark.parametrize(("make", "words"), UNREADABLE + UNLEARNABLE)
def test_train_refuses_a_scene_it_cannot_use(tmp_path, make, words):
    ran = run("train", make(tmp_path), "-o", tmp_path / "new.safetensors")

    refused(ran, 3, words)
    assert not (tmp_path / "new.safetensors").exists()


@pytest.mark.parametrize(("make", "words"), UNREADABLE)
def test_score_refuses_a_scene_it_cannot_read(tmp_path, model, out, make, words):
    ran = run("score", make(tmp_path), "-m", model, "-o", out)

    refused(ran, 3, words)
    assert not out.exists() or list(out.iterdir()) == []


@pytest.mark.parametrize(("make", "words"), [case for case in UNREADABLE if case[0] != truncated])
def test_info_refuses_what_it_cannot_read(tmp_path, make, words):
    refused(run("info", make(tmp_path)), 3, words)


def test_a_scene_with_fewer_bands_does_not_fit(tmp_path, model, out):
    scene = write(tmp_path / "few.tif", land(bands=4))

    refused(run("score", scene, "-m", model, "-o", out), 4, "4 bands", "trained on", "6")
    assert not out.exists()


def test_a_scene_with_other_names_does_not_fit(tmp_path, out):
    names = tuple(f"B{number}" for number in range(1, BANDS + 1))
    trained_on = write(tmp_path / "named.tif", land(), names=names)
    other = write(tmp_path / "other.tif", land(), names=(*names[:-1], "B12"))
    model = tmp_path / "named.safetensors"
    assert run("train", trained_on, "-o", model, "--set", "training.max_steps=5").code == 0

    refused(run("score", other, "-m", model, "-o", out), 4, "lacks B6")


def test_a_scene_in_other_units_does_not_fit(tmp_path, model, out):
    scene = write(tmp_path / "counts.tif", land(), scales=(0.5,) * BANDS)

    refused(run("score", scene, "-m", model, "-o", out), 4, "scale 0.5", "gdal_edit")


def damaged(path):
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    return "checksum"


def cut_short(path):
    path.write_bytes(path.read_bytes()[:1000])
    return "damaged"


def newer(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    entry = json.loads(header["__metadata__"][KEY]) | {"format": FORMAT + 1}
    header["__metadata__"][KEY] = json.dumps(entry)
    head = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + data[8 + size :])
    return "Update anomvae"


def pickled(path):
    path.write_bytes(pickle.dumps({"weights": [1, 2, 3]}))
    return "pickle"


def torch_saved(path):
    torch.save({"weights": torch.ones(3)}, path)
    return "pickle"


def emptied(path):
    path.write_bytes(b"")
    return "damaged"


def removed(path):
    path.unlink()
    return "No such file"


SPOILT = [damaged, cut_short, newer, pickled, torch_saved, emptied, removed]


@pytest.mark.parametrize("spoil", SPOILT)
def test_score_refuses_a_model_it_cannot_trust(scene, model, out, spoil):
    words = spoil(model)

    refused(run("score", scene, "-m", model, "-o", out), 3, words)
    assert not out.exists()


@pytest.mark.parametrize("spoil", [newer, pickled, emptied, removed])
def test_info_refuses_a_model_it_cannot_read(model, spoil):
    words = spoil(model)

    refused(run("info", model), 3, words)


def test_an_unknown_key_is_answered_with_the_nearest_one(scene, tmp_path, out):
    config = tmp_path / "mine.toml"
    config.write_text("[model]\nlatnet = 4\n")

    for arguments in (("--config", config), ("--set", "model.latnet=4")):
        refused(run("detect", scene, "-o", out, *arguments), 2, "latnet", "Did you mean 'latent'")
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--config", "defualt"), "Did you mean 'default'"),
        (("--set", "model.family=vea"), "vea"),
        (("--set", "model.latent"), "key=value"),
        (("--threshold", "sigmaa"), "Did you mean 'sigma'"),
        (("--bands", "B99"), "No band is 'B99'"),
        (("--bands", "3-99"), "No band is '3-99'"),
    ],
)
def test_a_setting_that_does_not_fit_is_a_usage_error(scene, out, arguments, words):
    refused(run("detect", scene, "-o", out, *arguments), 2, words)
    assert not out.exists()


def test_a_configuration_file_that_is_missing_cannot_be_read(scene, tmp_path, out):
    refused(run("detect", scene, "-o", out, "--config", tmp_path / "gone.toml"), 3, "gone.toml")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="tells a machine without a GPU")
def test_a_gpu_that_is_there_is_used(scene, out):
    assert run("detect", scene, "-o", out, "--device", "cuda").code == 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_named(scene, model, out):
    refused(run("detect", scene, "-o", out, "--device", "cuda"), 2, "no CUDA GPU")
    refused(run("score", scene, "-m", model, "-o", out, "--device", "cuda"), 2, "no CUDA GPU")


def test_a_file_in_the_place_of_the_folder_is_left_alone(scene, model, out):
    out.write_text("precious")

    refused(run("score", scene, "-m", model, "-o", out), 3, "cannot be written")
    assert out.read_text() == "precious"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a folder that root cannot write to")
def test_a_folder_that_cannot_be_written_is_named(scene, model, tmp_path):
    refused(run("score", scene, "-m", model, "-o", "/proc/anomvae"), 3, "cannot be written")
    refused(run("detect", scene, "-o", "/proc/anomvae"), 3, "cannot be written")
    ran = run("train", scene, "-o", "/proc/m.safetensors", "--set", "training.max_steps=2")
    refused(ran, 3, "cannot be written")


def test_other_results_are_not_replaced_unasked(scene, model, out):
    assert run("score", scene, "-m", model, "-o", out).code == 0
    before = {path: path.read_bytes() for path in out.iterdir()}

    ran = run("score", scene, "-m", model, "-o", out, "--threshold", "fixed:5")

    refused(ran, 3, "--overwrite")
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_a_model_is_not_replaced_unasked(scene, model):
    before = model.read_bytes()

    refused(run("train", scene, "-o", model), 3, "--overwrite")
    refused(run("threshold", model, scene, "-o", model), 3, "--overwrite")
    assert model.read_bytes() == before


def test_metrics_are_not_replaced_unasked(scene, model, tmp_path):
    labels = write_labels(tmp_path / "labels.tif")
    metrics = tmp_path / "metrics.json"
    metrics.write_text("precious")

    ran = run("evaluate", scene, "-m", model, "--labels", labels, "-o", metrics)

    refused(ran, 3, "--overwrite")
    assert metrics.read_text() == "precious"


def test_labels_and_masks_on_another_grid_do_not_fit(scene, model, tmp_path, out):
    other = write_labels(tmp_path / "other.tif", (30, 30))

    refused(run("evaluate", scene, "-m", model, "--labels", other), 4, "30 x 30")
    refused(run("score", scene, "-m", model, "-o", out, "--mask", other), 4, "30 x 30")
    refused(run("train", scene, "-o", out, "--normal", other), 4, "30 x 30")


def test_a_map_that_is_none_is_named(scene, tmp_path):
    labels = write_labels(tmp_path / "labels.tif")

    refused(run("evaluate", scene, scene, "--labels", labels), 3, "anomaly map")


def test_one_mask_for_each_scene_or_one_for_all(scene, tmp_path):
    mask = write_labels(tmp_path / "labels.tif")
    other = write(tmp_path / "second.tif", land(seed=3))
    third = write(tmp_path / "third.tif", land(seed=4))

    ran = run(
        *("train", scene, other, third, "-o", tmp_path / "m.st", "--normal", mask, "--normal", mask)
    )

    refused(ran, 2, "2 masks", "3 scenes")


def test_scenes_of_other_bands_do_not_train_together(scene, tmp_path):
    other = write(tmp_path / "other.tif", land(bands=4))

    refused(run("train", scene, other, "-o", tmp_path / "m.st"), 4, "other.tif", "4 bands")


@pytest.mark.parametrize(
    "arguments",
    [
        ("train",),
        ("score", "scene.tif"),
        ("evaluate", "scene.tif", "--labels", "labels.tif"),
        ("evaluate", "s.tif", "map.tif", "--labels", "labels.tif", "-m", "model"),
        ("detect", "scene.tif", "-o", "out", "--seed", "x"),
        ("nothing",),
    ],
)
def test_wrong_usage_ends_with_2(arguments):
    assert run(*arguments).code == 2


def test_a_batch_goes_on_past_a_bad_scene_and_says_so(scene, model, tmp_path, out):
    bad = text(tmp_path)

    ran = run("score", bad, scene, "-m", model, "-o", out)

    assert ran.code == 5
    assert "notes.tif" in ran.err
    assert "1 of 2 scenes failed" in ran.err
    assert (out / "scene.json").exists()
    assert not list(out.glob("notes*"))


def test_equal_names_in_one_call_are_a_usage_error(scene, model, tmp_path, out):
    (tmp_path / "b").mkdir()
    twin = write(tmp_path / "b" / "scene.tif", land())

    refused(run("score", scene, twin, "-m", model, "-o", out), 2, "same files")
    assert not out.exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a POSIX limit on file sizes")
def test_a_full_disk_leaves_nothing_half_made(scene, model, out):
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
        "from anomvae.cli import main; main()"
    )

    done = subprocess.run(
        [sys.executable, "-c", limited, "score", scene, "-m", model, "-o", out],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 3, done.stderr
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()


def test_scenes_are_never_changed(scene, model, out):
    before = bands_of(scene)

    run("detect", scene, "-o", out)
    run("score", scene, "-m", model, "-o", out, "--overwrite")

    assert np.array_equal(bands_of(scene), before)


def test_a_result_never_replaces_what_it_is_made_from(scene, model, tmp_path):
    labels = write_labels(tmp_path / "labels.tif")
    before = scene.read_bytes(), labels.read_bytes()

    refused(run("train", scene, "-o", scene, "--overwrite"), 2, "would be replaced")
    refused(
        run("evaluate", scene, "-m", model, "--labels", labels, "-o", labels, "--overwrite"),
        *(2, "would be replaced"),
    )
    refused(run("threshold", model, scene, "-o", scene, "--overwrite"), 2, "would be replaced")
    assert (scene.read_bytes(), labels.read_bytes()) == before


def test_a_model_named_as_a_folder_is_refused(scene, tmp_path):
    refused(run("train", scene, "-o", f"{tmp_path}/new/"), 3, "name of a file")


def test_a_seed_out_of_range_is_a_usage_error(scene, out):
    assert run("detect", scene, "-o", out, "--seed", "-1").code == 2
    assert run("detect", scene, "-o", out, "--seed", str(2**70)).code == 2


def test_the_demo_leaves_other_files_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")

    refused(run("demo", "-o", tmp_path), 3, "holds other files")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_failed_score_leaves_no_new_folder(tmp_path, model, out):
    refused(run("score", truncated(tmp_path), "-m", model, "-o", out), 3, "cut short")

    assert not out.exists()


def test_a_nodata_value_of_infinity_is_no_data(tmp_path, out):
    values = plant(land())
    values[:, 0] = np.inf
    scene = write(tmp_path / "inf.tif", values, nodata=np.inf)

    assert run("detect", scene, "-o", out).code == 0
    assert "Infinity" not in run("info", scene, "--json").out


@pytest.mark.parametrize("name", ["sc$_$.tif", "衛星 画像.tif"])
def test_any_file_name_can_be_drawn(tmp_path, out, name):
    ran = run("detect", write(tmp_path / name, plant(land())), "-o", out)

    assert ran.code == 0
    assert ran.err == ""
