"""What is measured: configurations of anomvae, its baselines, and detectors of other libraries.

Nobody sees labels before the figures.  In mode ``split`` all are fitted on the left half alone.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomvae.errors import ConfigError, hint
from anomvae.evaluation import BASELINES
from anomvae.raster import Scene, read_labels
from anomvae.stats.metrics import Metrics, measure
from anomvae.stats.thresholds import describe_scores, sigma
from benchmarks.peers import PYOD, Fitted, Spectra, fit_pyod, pyod_class, pyod_version
from benchmarks.record import commit
from benchmarks.scenes import Task, spectra


class Found(NamedTuple):
    """What a detector did with a scene."""

    metrics: Metrics
    """How well."""
    fit: float
    """Seconds to fit."""
    score: float
    """Seconds to score."""


@dataclass(frozen=True)
class Contestant:
    """A detector in the table."""

    name: str
    """Head of its column."""
    version: str
    """Changes with the code, and the configuration, that is measured."""
    ours: bool
    """Whether it is a configuration of anomvae."""
    seeded: bool
    """Whether another seed gives other scores."""
    run: Callable[[Task, int], Found]
    """Fits, scores and measures with a seed."""


def contestants(configs: Sequence[str], baselines: Sequence[str]) -> list[Contestant]:
    """Look up all that is to be measured, before any work is done.

    Raises
    ------
    ConfigError
        If a name is unknown or given twice, or its library is not installed.
    """
    found = [our(config) for config in configs] + [other(name) for name in baselines]
    names = [contestant.name for contestant in found]
    if len(set(names)) < len(names):
        raise ConfigError(f"{', '.join(names)}: two of these have one name. Rename a file.")
    return found


def our(name: str, settings: Sequence[str] = (), called: str = "") -> Contestant:
    """Look up a configuration: a shipped name, or a TOML file, with settings that override it."""
    import sklearn.metrics  # noqa: F401 - or the first scene would pay for it

    from anomvae.config import resolve_config
    from anomvae.evaluation import evaluate_detector
    from anomvae.fitting import detect, train

    config = resolve_config(name, settings).config

    def run(task: Task, seed: int) -> Found:
        start = time.perf_counter()
        if task.mode == "split":
            detector = train([task.fitted], config, seed)
        else:
            detector = detect(task.fitted, config, seed)
        fitted = time.perf_counter()
        found = evaluate_detector(detector, task.scored, task.labels, baselines=())
        (metrics,) = found.rows.values()
        return Found(metrics, fitted - start, time.perf_counter() - fitted)

    content = hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:8]
    short = called or (Path(name).stem if name.endswith(".toml") else name)
    version = f"commit {commit()}, configuration {content}"
    return Contestant(short, version, ours=True, seeded=True, run=run)


def other(name: str) -> Contestant:
    """Look up a baseline of anomvae, or a detector of another library."""
    if name in BASELINES:
        run = partial(_run_on_spectra, partial(fit_baseline, name))
        return Contestant(name, f"commit {commit()}", ours=False, seeded=False, run=run)
    if name in PYOD:
        pyod_class(name)
        run = partial(_run_on_spectra, partial(fit_pyod, name))
        return Contestant(name, pyod_version(), ours=False, seeded=True, run=run)
    raise ConfigError(f"No baseline is called {name!r}. {hint(name, [*BASELINES, *PYOD])}")


def fit_baseline(name: str, spectra: Spectra, seed: int) -> Fitted:
    """Fit a baseline, which needs no seed; its threshold is mean + 3 sigma, as in `evaluate`."""
    score = BASELINES[name](lambda: iter([spectra]))
    return Fitted(score, lambda: sigma(describe_scores(score(spectra)), 3.0))


def _run_on_spectra(fit: Callable[[Spectra, int], Fitted], task: Task, seed: int) -> Found:
    """Let a detector see the spectra that have data in all living bands."""
    seen, asked = spectra(task.fitted), spectra(task.scored)
    living = np.isfinite(seen).any(axis=(0, 1))
    normal, _ = _valid(seen[..., living])
    wanted, where = _valid(asked[..., living])
    start = time.perf_counter()
    fitted = fit(normal, seed)
    middle = time.perf_counter()
    found = fitted.score(wanted)
    end = time.perf_counter()
    scores = np.full(where.shape, np.nan)
    scores[where] = found
    metrics = measure(_truth(task), scores, fitted.threshold())
    return Found(metrics, middle - start, end - middle)


def _valid(block: NDArray[np.float32]) -> tuple[Spectra, NDArray[np.bool_]]:
    where = np.asarray(np.isfinite(block).all(axis=-1))
    return block[where], where


def _truth(task: Task) -> NDArray[np.float32]:
    with Scene.of(task.scored).open() as opened:
        return read_labels(task.labels, opened.grid, opened.name)
