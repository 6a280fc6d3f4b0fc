"""Detectors of other libraries with their default settings, on spectra of shape (n, band).

PyOD is an optional dependency: ``pip install "anomvae[bench]"``.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomvae.errors import ConfigError

Spectra = NDArray[np.float32]


@dataclass(frozen=True)
class Fitted:
    """A fitted detector of spectra."""

    score: Callable[[Spectra], NDArray[Any]]
    """Higher is more anomalous, shape (n,)."""
    threshold: Callable[[], float]
    """Return the score above which it flags; outside of the measured time."""


PYOD = {
    "pyod-vae": ("pyod.models.vae", "VAE"),
    "pyod-ae": ("pyod.models.auto_encoder", "AutoEncoder"),
}
"""Module and class of each name."""


def pyod_class(name: str) -> Callable[..., Any]:
    """Import one of PyOD's detectors.

    Raises
    ------
    ConfigError
        If PyOD or one of its dependencies is not installed.
    """
    module, member = PYOD[name]
    try:
        detector: Callable[..., Any] = getattr(import_module(module), member)
    except ImportError as error:
        # PyOD 3.6 imports tqdm, but does not declare it.
        raise ConfigError(f"{name}: {error}. PyOD is needed: pip install pyod tqdm.") from error
    return detector


def pyod_version() -> str:
    """Return the versions of PyOD and torch."""
    return f"pyod {version('pyod')}, torch {version('torch')}"


def fit_pyod(name: str, spectra: Spectra, seed: int) -> Fitted:
    """Fit one of PyOD's detectors; its defaults assume that a tenth of the pixels is anomalous."""
    detector = pyod_class(name)(random_state=seed)

    def score(x: Spectra) -> NDArray[Any]:
        with _silent():
            return np.asarray(detector.decision_function(x))

    with _silent():
        detector.fit(spectra)
    return Fitted(score, lambda: float(detector.threshold_))


@contextmanager
def _silent() -> Iterator[None]:
    """Discard PyOD's progress output."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield
