"""A family that is added as docs/contributing.md describes keeps the whole contract."""

import re
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
import torch
from support.family_contract import FamilyContract
from support.rasters import QUICK, land, plant, run, write
from support.spectra import spectra

import anomvae
from anomvae.config import resolve_config
from anomvae.models.families import FAMILIES, Family

GUIDE = (Path(__file__).parent.parent / "docs" / "contributing.md").read_text(encoding="utf-8")
STEPS = GUIDE.partition("## A new family in eight steps")[2].partition("\n## ")[0]
TOY = "laplace"


def row_of_the_steps():
    """Run the code of the steps, and return the row that it adds."""
    snippets = re.findall(r"^ *```python\n(.*?)^ *```", STEPS, re.DOTALL | re.MULTILINE)
    before, names = dict(FAMILIES), {"__name__": "steps"}
    for snippet in snippets:
        exec(compile(dedent(snippet), "contributing.md", "exec"), names)
    (name,) = FAMILIES.keys() - before.keys()
    assert name == TOY
    return FAMILIES.pop(TOY)


ROW = row_of_the_steps()


@pytest.fixture(autouse=True)
def added(monkeypatch):
    """Add the row for one test."""
    monkeypatch.setitem(FAMILIES, TOY, ROW)


@pytest.mark.parametrize("family", [TOY])
class TestToyFamily(FamilyContract):
    pass


def test_the_row_has_one_new_part():
    default = Family()

    changed = [name for name in vars(default) if getattr(ROW, name) != getattr(default, name)]

    assert changed == ["bottleneck", "code"]


def test_the_kl_is_that_of_two_laplace_distributions():
    bottleneck, h = ROW.bottleneck(5, 3).eval(), torch.randn(100, 5)

    code = bottleneck(h)

    m, log_s = bottleneck.to_q(h).chunk(2, dim=-1)
    q, prior = torch.distributions.Laplace(m, log_s.exp()), torch.distributions.Laplace(0.0, 1.0)
    expected = torch.distributions.kl_divergence(q, prior).sum(-1)
    assert torch.allclose(code.kl, expected, atol=1e-5)


def test_it_is_trained_saved_loaded_and_scored_in_public(tmp_path):
    normal = write(tmp_path / "normal.tif", land())
    scene = write(tmp_path / "scene.tif", plant(land(seed=1)))
    config = resolve_config("default", [f"model.family={TOY}", *QUICK]).config

    anomvae.train([normal], config).save(tmp_path / "model.safetensors")
    detector = anomvae.load(tmp_path / "model.safetensors")
    result = anomvae.score_scene(detector, scene, tmp_path / "out")

    assert detector.card.family == TOY
    objects = anomvae.read_objects(result.files.objects).items
    row, col = max(objects, key=lambda item: item.score_max).peak
    assert row in {10, 11}
    assert col in {12, 13}


def test_it_is_known_to_the_estimator_and_to_the_command_line(tmp_path):
    scene = write(tmp_path / "scene.tif", plant(land()))
    settings = [word for setting in (f"model.family={TOY}", *QUICK) for word in ("--set", setting)]

    scores = anomvae.VAEDetector(family=TOY, epochs=2).fit(spectra(200)).anomaly_score(spectra(50))
    detected = run("detect", scene, "-o", tmp_path, *settings)
    refused = run("train", scene, "-o", tmp_path / "m.safetensors", "--set", "model.family=laplac")

    assert np.isfinite(scores).all()
    assert detected.code == 0, detected.err
    assert "Did you mean 'laplace'" in refused.err
