"""Every command that takes a model apart, for the families that a scene has, as a user types them.

On a scene of an airport where there is one (``ANOMVAE_SCENES``), on the samples elsewhere.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from support.rasters import SAMPLES, bands_of, run

from anomvae.objects import read_objects

pytestmark = pytest.mark.slow

FAMILIES = ("vae", "cvae", "vq-vae", "hierarchical")
AIRPORT = Path(os.environ.get("ANOMVAE_SCENES", "none"), "sandiego-utm")
FLAGGED = ("--threshold", "quantile:0.01")
QUICK = ("--set", "training.max_steps=20", "--set", "training.max_pixels=1500")


@pytest.fixture(scope="session")
def scene():
    """Return a scene, its labels, and two of its pixels."""
    if AIRPORT.exists():
        return AIRPORT / "scene.tif", AIRPORT / "labels.tif", "21,43", "60,30"
    return SAMPLES / "scene_a.tif", SAMPLES / "scene_a_labels.tif", "8,12", "60,30"


@pytest.fixture(scope="session", params=FAMILIES)
def scored(request, scene, tmp_path_factory):
    """Train a model and score the scene; return the folder of both."""
    folder = tmp_path_factory.mktemp(request.param)
    family = f"model.family={request.param}"
    model, path = folder / "model.safetensors", scene[0]
    made = [
        run("train", path, "-o", model, "--set", family, *QUICK),
        run("score", path, "-m", model, "-o", folder / "maps", "--explain", *FLAGGED),
    ]
    assert [ran.code for ran in made] == [0, 0], [ran.err for ran in made]
    return request.param, model, folder / "maps"


def test_every_command_takes_a_model_of_the_family(scored, scene, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    family, model, maps = scored
    path, labels, first, other = scene
    draws = ["sample", "average"] if family != "vq-vae" else []
    contexts = [("--context-of", path, "--at", first)] if family == "cvae" else []
    of_object, picture = ("--object", 1, "--results", maps), ("--picture", "path.png")
    colours = [
        ("codes.png", ()),
        ("labels.svg", ("--colour", "labels", "--labels", labels)),
        ("objects.png", ("--colour", "object", "--results", maps)),
    ]
    commands = [
        *(("embed", path, "-o", f"{how}.tif", "--how", how) for how in ["mean", *draws]),
        ("reconstruct", path, "-o", "made.tif"),
        ("reconstruct", path, "-o", "residual.tif", "--residual"),
        ("generate", "-n", 5, "-o", "made.csv"),
        ("generate", "-n", 5, "--no-noise", "-o", "means.csv"),
        ("generate", "-n", 5, "--like", path, "--at", first, "-o", "around.csv"),
        *(("generate", "-n", 5, *context, "-o", "given.csv") for context in contexts),
        ("interpolate", path, "--from", first, "--to", other, "-o", "path.csv", *picture),
        ("explain", path, "--at", first, "-o", "pixel.png"),
        ("explain", path, *of_object, "-o", "object.pdf"),
        ("like", path, "--at", first, "-o", "pixel"),
        ("like", path, *of_object, "-o", "object"),
        ("like", path, "--spectrum", "made.csv", "--name", "spectrum_1", "-o", "drawn"),
        *(("plot", "latent", path, "-o", name, "--pixels", 300, *how) for name, how in colours),
        ("plot", "spectra", path, "--at", first, "-o", "spectra.png"),
        ("plot", "spectra", path, "--generated", 50, "-o", "generated.png"),
        ("plot", "history", "-o", "history.png"),
        ("plot", "traversal", "-o", "traversal.png"),
    ]

    for command in commands:
        ran = run(*command, "-m", model)

        assert ran.code == 0, (command, ran.err)
        assert Path(command[command.index("-o") + 1]).exists()

    valid = np.isfinite(bands_of(path)).all(0) & (
        bands_of(maps / f"{path.stem}.flags.tif")[0] < 254
    )
    codes, made, residual = map(bands_of, ("mean.tif", "made.tif", "residual.tif"))
    assert np.isfinite(codes[:, valid]).all()
    assert np.isfinite(made[:, valid]).all()
    for name in ("made.csv", "means.csv", "around.csv", "path.csv"):
        table = np.genfromtxt(name, delimiter=",", skip_header=1)[:, 2:]
        assert np.isfinite(table).all()
        assert len(table) == len(made) == len(residual)


def test_the_numbers_of_all_commands_agree(scored, scene):
    _, model, maps = scored
    path, _, first, _ = scene
    row, col = map(int, first.split(","))
    scores = bands_of(maps / f"{path.stem}.anomaly.tif")
    why = bands_of(maps / f"{path.stem}.explanation.tif")
    item = read_objects(maps / f"{path.stem}.objects.geojson").items[0]

    pixel, found = (
        json.loads(run("explain", path, "-m", model, *of, "--neighbours", 0, "--json").out)
        for of in (("--at", first), ("--object", item.id, "--results", maps))
    )

    terms = [pixel[name] for name in ("score", "reconstruction", "kl", "linear")]
    np.testing.assert_allclose(terms, scores[:, row, col], rtol=1e-5)
    np.testing.assert_allclose(np.array(terms[1:]) / terms[0], why[2:5, row, col], atol=1e-5)
    assert pixel["bands"][0]["whitened"] == pytest.approx(float(why[1, row, col]), rel=1e-4)
    assert found["score"] == pytest.approx(item.score_mean, rel=1e-5)
    at = tuple(np.transpose(found["pixels"]))
    for share, term, layer in zip(
        (
            item.explanation.share_reconstruction,
            item.explanation.share_kl,
            item.explanation.share_linear,
        ),
        ("reconstruction", "kl", "linear"),
        why[2:5],
        strict=True,
    ):
        weighted = np.average(layer[at], weights=scores[0][at])
        assert share == pytest.approx(found[term] / found["score"], abs=1e-4)
        assert share == pytest.approx(float(weighted), abs=1e-4)
    assert item.explanation.leading[0].band == found["bands"][0]["band"]
