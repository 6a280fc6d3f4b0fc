"""Bad input: one line that names what to do, the right exit code, nothing left or damaged."""

import json
import pickle
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch
from support.rasters import BANDS, NODATA, land, plant, run, trained, write, write_labels
from support.refusals import refused
from support.scorers import content

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


def missing(path):
    return path


def truncated(path):
    write(path, plant(land((200, 200))), compress="deflate")
    path.write_bytes(path.read_bytes()[:60_000])


def text(path):
    path.write_text("these are no pixels")


def complex_data(path):
    write(path, np.ones((1, 40, 40), "complex64"), nodata=None)


def without_data(path):
    write(path, np.full((BANDS, 40, 40), NODATA, "float32"))


def one_valid_pixel(path):
    values = np.full((BANDS, 40, 40), NODATA, "float32")
    values[:, 3, 4] = 1
    write(path, values)


def constant(path):
    write(path, np.ones((BANDS, 40, 40), "float32"))


UNREADABLE = {
    missing: "does not exist",
    truncated: "damaged or cut short",
    text: "cannot be opened as a raster",
    complex_data: "complex",
}
UNLEARNABLE = {
    without_data: "0 valid pixels",
    one_valid_pixel: "1 valid pixels",
    constant: "one value",
}
COMMANDS = {
    "info": ("info", "{path}"),
    "score": ("score", "{path}", "-m", "{model}", "-o", "{out}"),
    "detect": ("detect", "{path}", "-o", "{out}"),
    "train": ("train", "{path}", "-o", "{out}"),
}


@pytest.mark.parametrize(
    ("command", "make"),
    [
        *[("info", make) for make in UNREADABLE if make is not truncated],  # reads no pixel
        *[("score", make) for make in UNREADABLE],
        *[(name, make) for name in ("detect", "train") for make in UNREADABLE | UNLEARNABLE],
    ],
)
def test_a_scene_that_cannot_be_read_or_learned_ends_with_3(tmp_path, model, out, command, make):
    path = tmp_path / "bad.tif"
    make(path)

    ran = run(*(part.format(path=path, model=model, out=out) for part in COMMANDS[command]))

    refused(ran, 3, (UNREADABLE | UNLEARNABLE)[make])
    assert not out.exists()


def test_a_failed_read_in_the_middle_of_a_scene_leaves_nothing(tmp_path, model, out):
    scene = write(tmp_path / "cut.tif", plant(land((600, 600))), compress="deflate")
    data = scene.read_bytes()
    scene.write_bytes(data[: len(data) * 2 // 3])

    refused(run("score", scene, "-m", model, "-o", out, "--tile", "50"), 3, "cut short")
    assert not out.exists()


@pytest.mark.parametrize(
    ("bands", "scales", "words"),
    [
        (4, None, ["4 bands", "trained on", "6"]),
        (BANDS, (0.5,) * BANDS, ["scale 0.5", "gdal_edit"]),
    ],
)
def test_a_scene_of_other_bands_or_units_ends_with_4(tmp_path, model, out, bands, scales, words):
    other = write(tmp_path / "other.tif", land(bands=bands), scales=scales)

    refused(run("score", other, "-m", model, "-o", out), 4, *words)
    assert not out.exists()


def test_a_scene_of_other_band_names_ends_with_4(tmp_path, out):
    names = tuple(f"B{number}" for number in range(1, BANDS + 1))
    scene = write(tmp_path / "named.tif", land(), names=names)
    other = write(tmp_path / "other.tif", land(), names=(*names[:-1], "B12"))
    model = tmp_path / "named.safetensors"
    assert run("train", scene, "-o", model, "--set", "training.max_steps=5").code == 0

    refused(run("score", other, "-m", model, "-o", out), 4, "lacks B6")


def test_scenes_of_other_bands_do_not_train_together(scene, tmp_path):
    other = write(tmp_path / "other.tif", land(bands=4))

    refused(run("train", scene, other, "-o", tmp_path / "m.st"), 4, "other.tif", "4 bands")


def test_labels_and_masks_on_another_grid_end_with_4(scene, model, tmp_path, out):
    other = write_labels(tmp_path / "other.tif", (30, 30))

    refused(run("evaluate", scene, "-m", model, "--labels", other), 4, "30 x 30")
    refused(run("score", scene, "-m", model, "-o", out, "--mask", other), 4, "30 x 30")
    refused(run("train", scene, "-o", out, "--normal", other), 4, "30 x 30")


def damaged(path):
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)


def newer(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    entry = json.loads(header["__metadata__"][KEY]) | {"format": FORMAT + 1}
    header["__metadata__"][KEY] = json.dumps(entry)
    head = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + data[8 + size :])


BAD_MODELS = {
    "checksum": damaged,
    "damaged": lambda path: path.write_bytes(path.read_bytes()[:1000]),
    "Update anomvae": newer,
    "pickle": lambda path: path.write_bytes(pickle.dumps({"weights": [1, 2, 3]})),
    "torch.save": lambda path: torch.save({"weights": torch.ones(3)}, path),
    "is damaged": lambda path: path.write_bytes(b""),
    "No such file": lambda path: path.unlink(),
}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        *[("score", words) for words in BAD_MODELS],
        *[("info", words) for words in list(BAD_MODELS)[2:]],
    ],
)
def test_a_model_that_cannot_be_trusted_ends_with_3(scene, model, out, command, words):
    BAD_MODELS[words](model)

    ran = run("info", model) if command == "info" else run("score", scene, "-m", model, "-o", out)

    refused(ran, 3, "pickle" if words == "torch.save" else words)
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--config", "defualt"), 2, "Did you mean 'default'"),
        (("--config", "mine.toml"), 2, "Did you mean 'latent'"),
        (("--config", "missing.toml"), 3, "missing.toml"),
        (("--set", "model.latnet=4"), 2, "Did you mean 'latent'"),
        (("--set", "model.family=vea"), 2, "vea"),
        (("--set", "model.latent"), 2, "key=value"),
        (("--threshold", "sigmaa"), 2, "Did you mean 'sigma'"),
        (("--bands", "B99"), 2, "No band is 'B99'"),
        (("--bands", "3-99"), 2, "No band is '3-99'"),
    ],
)
def test_a_setting_that_does_not_fit_is_named(
    scene, tmp_path, out, monkeypatch, arguments, code, words
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text("[model]\nlatnet = 4\n")

    refused(run("detect", scene, "-o", out, *arguments), code, words)
    assert not out.exists()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")
def test_a_gpu_computes_where_there_is_one(scene, out):
    assert run("detect", scene, "-o", out, "--device", "cuda").code == 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_missing_is_named(scene, model, out):
    refused(run("detect", scene, "-o", out, "--device", "cuda"), 2, "no CUDA GPU")
    refused(run("score", scene, "-m", model, "-o", out, "--device", "cuda"), 2, "no CUDA GPU")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a folder that root cannot write to")
@pytest.mark.parametrize("command", ["score", "detect", "train"])
def test_a_folder_that_cannot_be_written_is_named(scene, model, command):
    arguments = [
        part.format(path=scene, model=model, out="/proc/anomvae") for part in COMMANDS[command]
    ]
    quick = [] if command == "score" else ["--set", "training.max_steps=2"]

    refused(run(*arguments, *quick), 3, "cannot be written")


def test_a_file_in_place_of_the_folder_is_kept(scene, model, out):
    out.write_text("precious")

    refused(run("score", scene, "-m", model, "-o", out), 3, "cannot be written")
    assert out.read_text() == "precious"


REPLACING = {
    "score": "score {scene} -m {model} -o {folder} --threshold fixed:5",
    "train": "train {scene} -o {model}",
    "threshold": "threshold {model} {scene} -o {model}",
    "evaluate": "evaluate {scene} -m {model} --labels {labels} -o {metrics}",
}


@pytest.mark.parametrize("command", REPLACING)
def test_a_result_replaces_no_other_without_overwrite(scene, model, tmp_path, command):
    labels, metrics = write_labels(tmp_path / "labels.tif"), tmp_path / "metrics.json"
    metrics.write_text("precious")
    names = {
        **{"scene": scene, "model": model, "labels": labels, "metrics": metrics},
        "folder": tmp_path,
    }
    assert run("score", scene, "-m", model, "-o", tmp_path).code == 0
    before = content(tmp_path)

    refused(run(*REPLACING[command].format(**names).split()), 3, "--overwrite")
    assert content(tmp_path) == before


@pytest.mark.parametrize(
    "command",
    [
        "train {scene} -o {scene}",
        "evaluate {scene} -m {model} --labels {labels} -o {labels}",
        "threshold {model} {scene} -o {scene}",
    ],
)
def test_a_result_never_replaces_its_input(scene, model, tmp_path, command):
    labels = write_labels(tmp_path / "labels.tif")
    line = f"{command} --overwrite".format(scene=scene, model=model, labels=labels)
    before = content(tmp_path)

    refused(run(*line.split()), 2, "would be replaced")
    assert content(tmp_path) == before


def test_scenes_are_never_changed(scene, model, out):
    before = scene.read_bytes()

    assert run("detect", scene, "-o", out).code == 0
    assert run("score", scene, "-m", model, "-o", out, "--overwrite").code == 0

    assert scene.read_bytes() == before


def test_a_scene_in_place_of_a_map_is_named(scene, tmp_path):
    labels = write_labels(tmp_path / "labels.tif")

    refused(run("evaluate", scene, scene, "--labels", labels), 3, "anomaly map")


def test_masks_of_normal_pixels_are_one_for_all_scenes_or_one_for_each(scene, tmp_path):
    mask = write_labels(tmp_path / "labels.tif")
    others = [write(tmp_path / f"{name}.tif", land()) for name in ("second", "third")]

    ran = run("train", scene, *others, "-o", tmp_path / "m.st", "--normal", mask, "--normal", mask)

    refused(ran, 2, "2 masks", "3 scenes")


def test_a_model_named_as_a_folder_is_refused(scene, tmp_path):
    refused(run("train", scene, "-o", f"{tmp_path}/new/"), 3, "name of a file")


def test_the_demo_keeps_other_files(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")

    refused(run("demo", "-o", tmp_path), 3, "holds other files")
    assert content(tmp_path) == {"mine.txt": b"precious"}


@pytest.mark.parametrize(
    "line",
    [
        "train",
        "score scene.tif",
        "evaluate scene.tif --labels labels.tif",
        "evaluate s.tif map.tif --labels labels.tif -m model",
        "detect scene.tif -o out --seed x",
        "detect scene.tif -o out --seed -1",
        f"detect scene.tif -o out --seed {2**70}",
        "nothing",
    ],
)
def test_wrong_usage_ends_with_2(line):
    assert run(*line.split()).code == 2


# libtiff writes a line of its own for each block that does not fit.
LIMITED = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
if __name__ == "__main__":  # workers read this file, too
    from anomvae.cli import main
    main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX limit on file sizes")
@pytest.mark.parametrize("options", [(), ("--workers", "1")])
def test_a_disk_that_fills_leaves_earlier_results_and_nothing_else(
    scene, tmp_path, model, out, options
):
    assert run("score", scene, "-m", model, "-o", out).code == 0
    before = content(out)
    later = write(tmp_path / "later.tif", plant(land((400, 400))))
    script = tmp_path / "limited.py"
    script.write_text(LIMITED)

    done = subprocess.run(
        [sys.executable, script, "score", later, "-m", model, "-o", out, "--tile", "100", *options],
        capture_output=True,
        text=True,
        check=False,
    )

    ours = [line for line in done.stderr.splitlines() if not line.startswith("_tiffWriteProc")]
    assert done.returncode == 3, done.stderr
    assert len(ours) == 1
    assert "cannot be written" in ours[0]
    assert content(out) == before


def test_a_nodata_value_of_infinity_is_no_data(tmp_path, out):
    values = plant(land())
    values[:, 0] = np.inf
    scene = write(tmp_path / "inf.tif", values, nodata=np.inf)

    assert run("detect", scene, "-o", out).code == 0
    assert "Infinity" not in run("info", scene, "--json").out


@pytest.mark.parametrize("name", ["sc$_$.tif", "衛星 画像.tif"])
def test_any_file_name_can_be_drawn(tmp_path, model, out, name):
    ran = run("score", write(tmp_path / name, plant(land())), "-m", model, "-o", out)

    assert (ran.code, ran.err) == (0, "")
