"""Detectors of other libraries, with their defaults, on spectra of shape (n, band).

PyOD is no dependency of anomvae: ``pip install "anomvae[bench]"``.
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
    """A detector that is ready to score spectra."""

    score: Callable[[Spectra], NDArray[Any]]
    """Higher is more anomalous, shape (n,)."""
    threshold: Callable[[], float]
    """Gives the score above which it flags; looked up once the time is taken."""


PYOD = {
    "pyod-vae": ("pyod.models.vae", "VAE"),
    "pyod-ae": ("pyod.models.auto_encoder", "AutoEncoder"),
}
"""Names, and where PyOD keeps these classes."""


def pyod_class(name: str) -> Callable[..., Any]:
    """Look up one of PyOD's detectors.

    Raises
    ------
    ConfigError
        If PyOD, or what it needs, is not installed.
    """
    module, member = PYOD[name]
    try:
        found: Callable[..., Any] = getattr(import_module(module), member)
    except ImportError as error:
        # PyOD 3.6 imports tqdm, but does not ask for it.
        raise ConfigError(f"{name}: {error}. PyOD is needed: pip install pyod tqdm.") from error
    return found


def pyod_version() -> str:
    """Name what is measured when PyOD is."""
    return f"pyod {version('pyod')}, torch {version('torch')}"


def fit_pyod(name: str, spectra: Spectra, seed: int) -> Fitted:
    """Fit one of PyOD's detectors; its defaults expect a tenth of the pixels to be anomalous."""
    detector = pyod_class(name)(random_state=seed)

    def score(x: Spectra) -> NDArray[Any]:
        with _silent():
            return np.asarray(detector.decision_function(x))

    with _silent():
        detector.fit(spectra)
    return Fitted(score, lambda: float(detector.threshold_))


@contextmanager
def _silent() -> Iterator[None]:
    """Keep PyOD's progress out of the tables."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield
