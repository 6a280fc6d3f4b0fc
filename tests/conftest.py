"""What every test shares: no deadlines, one torch thread, and the same random numbers of torch."""

import logging
import os

import pytest
from hypothesis import settings

settings.register_profile("any-load", deadline=None)
settings.load_profile("any-load")
pytest.register_assert_rewrite("support.family_contract")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Start a process more than there are cores: tests wait for disks, servers and processes."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session")
def two():
    """Start two worker processes, with the first work for them."""
    from anomvae.parallel import processes

    with processes(2) as mapper:
        yield mapper


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Keep torch from fighting over the cores."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def same_draws():
    """Begin with the same random numbers of torch; pytest-randomly does so for the others."""
    import torch

    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def log_levels():
    """Leave the levels of the logs as they were: commands set them."""
    logs = [logging.getLogger(name) for name in ("anomvae", "anomvae.monitoring")]
    before = [(log, log.level, log.propagate) for log in logs]
    yield
    for log, level, propagate in before:
        log.setLevel(level)
        log.propagate = propagate


@pytest.fixture
def scene(tmp_path):
    """Write a scene of made-up land with a planted object."""
    from support.rasters import land, plant, write

    return write(tmp_path / "scene.tif", plant(land(seed=1)))


@pytest.fixture
def model(tmp_path):
    """Save a detector that fits the scene."""
    from support.rasters import trained

    trained().save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


@pytest.fixture(scope="session")
def watched(tmp_path_factory):
    """Watch an archive once for all tests of a process, which leave it as it is."""
    from support.archives import watch_archive

    folder = tmp_path_factory.mktemp("watched")
    watch_archive(folder)
    return folder


@pytest.fixture
def own(watched, tmp_path):
    """Copy the watched archive for a test that changes it."""
    from support.archives import copied

    return copied(watched, tmp_path / "own")


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Start Chromium once for all tests of a process; skip them where it is not installed."""
    from support.browser import started

    with started(tmp_path_factory.mktemp("browser")) as window:
        yield window


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """Write a page with every widget, once for all tests of a process."""
    from support.demo_pages import written

    return written(tmp_path_factory.mktemp("pages"))
