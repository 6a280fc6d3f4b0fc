"""The environment of a run: settings of a host program, a broken Pillow, and forks."""

import json
import logging
import os
import signal
import sys
import time
import warnings
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
import torch
from support.rasters import bands_of, land, plant, trained, write

import anomvae
from anomvae.config import resolve_config

LONGEST = 120  # s, after which a fork that hangs is ended


@pytest.fixture
def without_pillow(monkeypatch):
    """Make every import from Pillow fail, as in a broken installation."""
    monkeypatch.delitem(sys.modules, "anomvae.mapping.drawing", raising=False)
    for name in ["PIL", *sys.modules]:
        if name.split(".")[0] == "PIL":
            monkeypatch.setitem(sys.modules, name, None)


def test_a_picture_that_cannot_be_drawn_costs_no_result(scene, tmp_path, without_pillow, caplog):
    result = anomvae.score_scene(trained(), scene, tmp_path / "maps")

    assert not result.drawn
    assert "the quick look cannot be drawn (ModuleNotFoundError" in caplog.text
    assert {path.name for path in (tmp_path / "maps").iterdir()} == {
        "scene.anomaly.tif",
        "scene.flags.tif",
        "scene.objects.geojson",
        *("scene.anomaly.qml", "scene.flags.qml", "scene.objects.qml"),
        "scene.json",
    }
    assert sorted(json.loads(result.files.summary.read_text())["files"]) == sorted(
        path.name for path in (tmp_path / "maps").iterdir()
    )
    again = anomvae.score_scene(trained(), scene, tmp_path / "maps")
    assert (again.newly_written, again.drawn) == (False, False)


def test_no_picture_of_an_earlier_run_stays_beside_other_results(scene, tmp_path, request):
    earlier = anomvae.score_scene(trained(), scene, tmp_path)
    assert earlier.files.quicklook.exists()
    options = anomvae.ScoreOptions(min_area=3, overwrite=True)
    request.getfixturevalue("without_pillow")

    result = anomvae.score_scene(trained(), scene, tmp_path, options)

    assert result.newly_written
    assert not result.files.quicklook.exists()


def test_a_picture_that_was_removed_is_made_again(scene, tmp_path):
    result = anomvae.score_scene(trained(), scene, tmp_path)
    result.files.quicklook.unlink()

    again = anomvae.score_scene(trained(), scene, tmp_path)

    assert again.newly_written
    assert again.files.quicklook.exists()


@contextmanager
def default_type(dtype):
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def default_device(name):
    torch.set_default_device(name)
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


HOSTS = {
    "float64": lambda: default_type(torch.float64),
    "float16": lambda: default_type(torch.float16),
    "no gradients": torch.no_grad,
    "inference": torch.inference_mode,
    "no device": lambda: default_device("meta"),
    "device of a block": lambda: torch.device("meta"),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "deterministic": deterministic,
    "errors of numpy": lambda: np.errstate(all="raise"),
    "warnings": lambda: warnings.catch_warnings(action="error"),
}


def fitted_and_scored(folder, family="vae"):
    """Train on a scene, save, load, score; return model file, map and drawn examples."""
    settings = (f"model.family={family}", "training.max_steps=8", "training.trim=0")
    path = write(folder / "normal.tif", plant(land((24, 32))))
    anomvae.train([path], resolve_config("default", settings).config).save(folder / "m.safetensors")
    detector = anomvae.load(folder / "m.safetensors")
    options = anomvae.ScoreOptions(tile=16, threads=2)
    result = anomvae.score_scene(detector, path, folder / "maps", options)
    return detector.to_bytes(), bands_of(result.path), detector.sample(3, seed=0)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return fitted_and_scored(tmp_path_factory.mktemp("expected"))


def require_equal(found, expected):
    assert found[0] == expected[0]
    np.testing.assert_array_equal(found[1], expected[1])
    np.testing.assert_array_equal(found[2], expected[2])


@pytest.mark.parametrize("host", HOSTS)
def test_the_settings_of_a_host_program_change_no_bit(tmp_path, expected, host):
    with HOSTS[host]():
        found = fitted_and_scored(tmp_path)

    require_equal(found, expected)


@pytest.mark.parametrize("family", ["hierarchical", "vq-vae", "vae-gan", "spatial"])
def test_the_settings_of_a_host_program_change_no_family(tmp_path, family):
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
    expected = fitted_and_scored(tmp_path / "one", family)

    with ExitStack() as hosts:
        for host in ("float64", "inference", "no device"):
            hosts.enter_context(HOSTS[host]())
        found = fitted_and_scored(tmp_path / "other", family)

    require_equal(found, expected)


def test_the_settings_of_a_host_program_are_back_afterwards(scene, tmp_path):
    with default_type(torch.float64), torch.no_grad(), np.errstate(all="raise"):
        anomvae.score_scene(trained(), scene, tmp_path)

        assert torch.get_default_dtype() == torch.float64
        assert not torch.is_grad_enabled()
        assert np.geterr()["under"] == "raise"


@pytest.fixture
def two_threads():
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def code_of(process):
    """Wait for a child and return its exit code; end one that hangs."""
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.kill(process, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_trains_and_scores_after_its_parent_has(tmp_path, two_threads):
    for folder in ("parent", "child"):
        (tmp_path / folder).mkdir()
    fitted_and_scored(tmp_path / "parent")
    with warnings.catch_warnings(action="ignore"):  # Python 3.12 warns of forks with threads
        process = os.fork()
    if process == 0:
        code = 1
        try:
            logging.disable(logging.CRITICAL)
            fitted_and_scored(tmp_path / "child")
            code = 0
        finally:
            os._exit(code)

    assert code_of(process) == 0

    name = "maps/normal.anomaly.tif"
    one, other = bands_of(tmp_path / "parent" / name), bands_of(tmp_path / "child" / name)
    np.testing.assert_allclose(one, other, rtol=1e-4)  # of one thread and of two
