"""A family that is added as docs/contributing.md says keeps every promise."""

import re
from pathlib import Path
from textwrap import dedent
from types import FunctionType

import numpy as np
import pytest
import test_families as contract
import torch
from support.rasters import QUICK, land, plant, run, write
from support.spectra import spectra

import anomvae
from anomvae.config import resolve_config
from anomvae.models.families import FAMILIES, Family

STEPS = (Path(__file__).parent.parent / "docs" / "contributing.md").read_text(encoding="utf-8")
TOY = "laplace"


@pytest.fixture(autouse=True)
def added(monkeypatch):
    """Add the row, as the steps do; it is gone after each test."""
    monkeypatch.setitem(FAMILIES, TOY, ROW)


def row_of_the_steps():
    """Run the code of the steps, and give the row that it adds."""
    pieces = re.findall(r"^ *```python\n(.*?)^ *```", STEPS, re.DOTALL | re.MULTILINE)
    before, names = dict(FAMILIES), {"__name__": "steps"}
    for piece in pieces:
        exec(compile(dedent(piece), "contributing.md", "exec"), names)
    (row,) = FAMILIES.keys() - before.keys()
    assert row == TOY
    return FAMILIES.pop(TOY)


def of_the_toy(test):
    """Give a test of the contract for the toy family instead of those of the table."""
    copied = FunctionType(test.__code__, test.__globals__, test.__name__)
    copied.pytestmark = [
        pytest.mark.parametrize("family", [TOY]).mark if of_every_family(mark) else mark
        for mark in test.pytestmark
    ]
    return copied


def of_every_family(mark):
    return mark.args == contract.every_family.args


ROW = row_of_the_steps()
CONTRACT = {
    name: of_the_toy(test)
    for name, test in vars(contract).items()
    if any(map(of_every_family, getattr(test, "pytestmark", ())))
}
globals().update(CONTRACT)


def test_the_whole_contract_is_here():
    wanted = re.findall(
        r"^@every_family\n(?:@.*\n(?:    .*\n|\)\n)*)*def (\w+)",
        Path(contract.__file__).read_text(encoding="utf-8"),
        re.MULTILINE,
    )

    assert len(wanted) > 15
    assert set(CONTRACT) == set(wanted)


def test_there_are_eight_steps():
    part = STEPS.partition("## A new family in eight steps")[2].partition("\n## ")[0]

    assert re.findall(r"^(\d)\. ", part, re.MULTILINE) == list("12345678")


def test_the_row_has_one_new_part():
    usual = Family()

    differs = [name for name in vars(usual) if getattr(ROW, name) != getattr(usual, name)]

    assert differs == ["bottleneck"]


def test_kl_is_that_of_two_laplace_distributions():
    bottleneck = ROW.bottleneck(5, 3).eval()
    h = torch.randn(100, 5)

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
    found = anomvae.read_objects(result.outputs.objects).items
    row, col = max(found, key=lambda one: one.score_max).peak
    assert row in {10, 11}
    assert col in {12, 13}


def test_it_is_known_to_the_estimator_and_to_the_command_line(tmp_path):
    scene = write(tmp_path / "scene.tif", plant(land()))

    scores = anomvae.VAEDetector(family=TOY, epochs=2).fit(spectra(200)).anomaly_score(spectra(50))
    ran = run("detect", scene, "-o", tmp_path, "--set", f"model.family={TOY}", *short())
    told = run("train", scene, "-o", tmp_path / "m.safetensors", "--set", "model.family=laplac")

    assert np.isfinite(scores).all()
    assert ran.code == 0, ran.err
    assert "Did you mean 'laplace'" in told.err


def short():
    return [part for setting in QUICK for part in ("--set", setting)]
