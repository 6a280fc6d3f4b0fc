"""Bad input: one line that names what to do, the right exit code, no file left or changed."""

import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.numpy import load
from support.format1 import entry_of, sealed
from support.rasters import BANDS, NODATA, land, plant, run, trained, write, write_labels
from support.refusals import refused
from support.scorers import content

from anomvae.detector.modelfile import FORMAT


def write_scenes(folder):
    """Write good scenes, then those that cannot be read, learned from, or scored."""
    names = tuple(f"B{number}" for number in range(1, BANDS + 1))
    write(folder / "scene.tif", plant(land(seed=1)))
    write(folder / "second.tif", land(seed=3))
    write(folder / "third.tif", land(seed=4))
    write(folder / "named.tif", land(), names=names)
    for name, side, kept in (("cut", 200, 60_000), ("cut_late", 500, 3_500_000)):
        path = write(folder / f"{name}.tif", plant(land((side, side))), compress="deflate")
        assert path.stat().st_size > kept
        path.write_bytes(path.read_bytes()[:kept])
    (folder / "text.tif").write_text("these are no pixels")
    write(folder / "complex.tif", np.ones((1, 40, 40), "complex64"), nodata=None)
    empty = np.full((BANDS, 40, 40), NODATA, "float32")
    write(folder / "empty.tif", empty)
    empty[:, 3, 4] = 1
    write(folder / "single.tif", empty)
    write(folder / "flat.tif", np.ones_like(empty))
    write(folder / "few.tif", land(bands=4))
    write(folder / "renamed.tif", land(), names=(*names[:-1], "B12"))
    write_labels(folder / "labels.tif")
    write_labels(folder / "small.tif", (30, 30))


def write_models(folder):
    """Save a good model, then those that are damaged, of a later version, or of others."""
    trained().save(folder / "model.st")
    data = (folder / "model.st").read_bytes()
    (folder / "damaged.st").write_bytes(data[:-20] + bytes([data[-20] ^ 1]) + data[-19:])
    (folder / "short.st").write_bytes(data[:1000])
    (folder / "zero.safetensors").write_bytes(b"")
    newer = sealed(entry_of(data) | {"format": FORMAT + 1}, load(data))
    (folder / "newer.safetensors").write_bytes(newer)
    (folder / "pickle.safetensors").write_bytes(pickle.dumps({"weights": [1, 2, 3]}))
    torch.save({"weights": torch.ones(3)}, folder / "torch.safetensors")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("input")
    write_scenes(folder)
    write_models(folder)
    (folder / "mine.toml").write_text("[model]\nlatnet = 4\n")
    (folder / "precious").write_text("precious")
    quick = "--set", "training.max_steps=5"
    assert run("train", folder / "named.tif", "-o", folder / "named.st", *quick).code == 0
    assert run("score", folder / "scene.tif", "-m", folder / "model.st", "-o", folder).code == 0
    return folder


@pytest.fixture
def folder(files, monkeypatch):
    monkeypatch.chdir(files)
    return files


UNREADABLE = {
    "missing.tif": "does not exist",
    "text.tif": "cannot be opened as a raster",
    "complex.tif": "complex",
}
UNLEARNABLE = UNREADABLE | {
    "cut.tif": "damaged or cut short",
    "empty.tif": "0 valid pixels",
    "single.tif": "1 valid pixels",
    "flat.tif": "one value",
}
UNSAFE = {
    "newer.safetensors": "Update anomvae",
    "pickle.safetensors": "pickle",
    "torch.safetensors": "pickle",
    "zero.safetensors": "damaged",
    "missing.safetensors": "No such file",
}
SCORE, DETECT = "score scene.tif -m model.st -o out", "detect scene.tif -o out"
CASES = [  # a command, its exit code, and parts of its line
    *[(f"info {name}", 3, words) for name, words in (UNREADABLE | UNSAFE).items()],
    *[(f"score {name} -m model.st -o out", 3, words) for name, words in UNREADABLE.items()],
    *[(f"detect {name} -o out", 3, words) for name, words in UNLEARNABLE.items()],
    *[(f"train {name} -o new.st", 3, words) for name, words in UNLEARNABLE.items()],
    *[(f"score scene.tif -m {name} -o out", 3, words) for name, words in UNSAFE.items()],
    ("score cut.tif -m model.st -o out", 3, "damaged or cut short"),
    ("score cut_late.tif -m model.st -o out --tile 50", 3, "damaged or cut short"),
    ("score scene.tif -m damaged.st -o out", 3, "checksum"),
    ("score scene.tif -m short.st -o out", 3, "damaged"),
    ("score few.tif -m model.st -o out", 4, "4 bands ... trained on ... 6"),
    ("score renamed.tif -m named.st -o out", 4, "lacks B6"),
    ("train scene.tif few.tif -o new.st", 4, "few.tif ... 4 bands"),
    ("evaluate scene.tif -m model.st --labels small.tif", 4, "30 x 30"),
    (f"{SCORE} --mask small.tif", 4, "30 x 30"),
    ("train scene.tif -o new.st --normal small.tif", 4, "30 x 30"),
    ("evaluate scene.tif second.tif --labels labels.tif", 3, "anomaly map"),
    (
        "train scene.tif second.tif third.tif -o new.st --normal labels.tif --normal labels.tif",
        *(2, "2 masks ... 3 scenes"),
    ),
    (f"{DETECT} --config defualt", 2, "Did you mean 'default'"),
    (f"{DETECT} --config mine.toml", 2, "latnet ... Did you mean 'latent'"),
    (f"{DETECT} --config missing.toml", 3, "missing.toml"),
    (f"{DETECT} --set model.family=vea", 2, "vea"),
    (f"{DETECT} --bands B99", 2, "No band is 'B99'"),
    (f"{DETECT} --bands 3-99", 2, "No band is '3-99'"),
    ("score scene.tif -m model.st -o precious", 3, "cannot be written"),
    ("train scene.tif -o new/", 3, "name of a file"),
    ("demo -o .", 3, "holds other files"),
    ("score scene.tif -m model.st -o . --threshold fixed:5", 3, "other settings ... --overwrite"),
    ("train scene.tif -o model.st", 3, "--overwrite"),
    ("threshold model.st scene.tif -o model.st", 3, "--overwrite"),
    ("evaluate scene.tif -m model.st --labels labels.tif -o precious", 3, "--overwrite"),
    ("train scene.tif -o scene.tif --overwrite", 2, "would be replaced"),
    ("threshold model.st scene.tif -o scene.tif --overwrite", 2, "would be replaced"),
    (
        "evaluate scene.tif -m model.st --labels labels.tif -o labels.tif --overwrite",
        *(2, "would be replaced"),
    ),
]
if not torch.cuda.is_available():
    CASES += [(f"{line} --device cuda", 2, "no CUDA GPU") for line in (SCORE, DETECT)]
if sys.platform != "win32":  # a folder that not even root can write to
    CASES += [
        ("score scene.tif -m model.st -o /proc/anomvae", 3, "cannot be written"),
        ("detect scene.tif -o /proc/anomvae", 3, "cannot be written"),
        ("train scene.tif -o /proc/new.st --set training.max_steps=2", 3, "cannot be written"),
    ]


@pytest.mark.parametrize(("line", "code", "words"), CASES, ids=[case[0] for case in CASES])
def test_bad_input_ends_with_one_line_and_its_code_and_changes_no_file(folder, line, code, words):
    before = content(folder)

    ran = run(*line.split())

    refused(ran, code, *words.split(" ... "))
    assert content(folder) == before


@pytest.mark.parametrize(
    "line",
    [
        "train",
        "score scene.tif",
        "evaluate scene.tif --labels labels.tif",
        "evaluate scene.tif map.tif --labels labels.tif -m model.st",
        f"{DETECT} --seed x",
        f"{DETECT} --seed -1",
        f"{DETECT} --seed {2**70}",
        "nothing",
    ],
)
def test_wrong_usage_ends_with_2(folder, line):
    before = content(folder)

    assert run(*line.split()).code == 2
    assert content(folder) == before


def test_scenes_are_never_changed(folder, tmp_path):
    before = content(folder)
    device = "cuda" if torch.cuda.is_available() else "cpu"

    assert run("detect", "scene.tif", "-o", tmp_path, "--device", device).code == 0
    assert run("score", "scene.tif", "-m", "model.st", "-o", tmp_path, "--overwrite").code == 0

    assert content(folder) == before


LIMITED = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
if __name__ == "__main__":  # workers read this file, too
    from anomvae.cli import main
    main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX limit on file sizes")
@pytest.mark.parametrize("options", ["", "--workers 1"])
def test_a_disk_that_fills_leaves_earlier_results_and_nothing_else(files, tmp_path, options):
    out, script = tmp_path / "out", tmp_path / "limited.py"
    later = write(tmp_path / "later.tif", plant(land((400, 400))))
    script.write_text(LIMITED)
    out.mkdir()
    for path in files.glob("scene.*"):
        shutil.copy(path, out)
    before = content(out)
    line = f"score {later} -m {files / 'model.st'} -o {out} --tile 100 {options}"

    done = subprocess.run([sys.executable, script, *line.split()], capture_output=True, text=True)

    assert done.returncode == 3, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr  # and none of libtiff
    assert "cannot be written" in done.stderr
    assert content(out) == before


def test_a_nodata_value_of_infinity_is_no_data(tmp_path):
    values = plant(land())
    values[:, 0] = np.inf
    scene = write(tmp_path / "inf.tif", values, nodata=np.inf)

    assert run("detect", scene, "-o", tmp_path / "out").code == 0
    assert "Infinity" not in run("info", scene, "--json").out


@pytest.mark.parametrize("name", ["sc$_$.tif", "衛星 画像.tif"])
def test_any_file_name_can_be_drawn(files, tmp_path, name):
    scene = write(tmp_path / name, plant(land()))

    ran = run("score", scene, "-m", files / "model.st", "-o", tmp_path / "out")

    assert (ran.code, ran.err) == (0, "")
