"""The detectors that are measured: configurations of anomvae, its baselines, other libraries.

Labels serve the metrics alone.  In mode ``split`` all detectors are fitted to the left half.
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
from anomvae.raster import Scene, read_labels
from anomvae.stats.baselines import BASELINES, Method
from anomvae.stats.metrics import Metrics, measure
from anomvae.stats.scores import describe_scores
from benchmarks.peers import PYOD, Fitted, Spectra, fit_pyod, pyod_class, pyod_version
from benchmarks.record import commit
from benchmarks.scenes import Task, spectra


class Result(NamedTuple):
    """Accuracy and durations of a detector on a task."""

    metrics: Metrics
    fit_seconds: float
    score_seconds: float


@dataclass(frozen=True)
class Contestant:
    """A detector in the table."""

    name: str
    """Title of its column."""
    version: str
    """The measured code and configuration."""
    ours: bool
    """Whether it is a configuration of anomvae."""
    seeded: bool
    """Whether another seed gives other scores."""
    run: Callable[[Task, int], Result]
    """Fit, score and measure, with a seed."""


def contestants(
    configs: Sequence[str], baselines: Sequence[str], code: str | None = None
) -> list[Contestant]:
    """Return all detectors, before any is fitted.

    Parameters
    ----------
    configs, baselines : sequence of str
        Names; a configuration can be a TOML file.
    code : str, optional
        The measured version of anomvae; the current commit if absent.

    Raises
    ------
    ConfigError
        If a name is unknown or occurs twice, or its library is not installed.
    """
    ours = [configuration(name, code=code) for name in configs]
    detectors = [*ours, *(baseline(name, code) for name in baselines)]
    names = [detector.name for detector in detectors]
    if len(set(names)) < len(names):
        raise ConfigError(f"{', '.join(names)}: two of these have one name. Rename a file.")
    return detectors


def configuration(
    name: str, settings: Sequence[str] = (), *, label: str = "", code: str | None = None
) -> Contestant:
    """Return a configuration: a shipped name, or a TOML file, with settings that override it."""
    import sklearn.metrics  # noqa: F401 - else the first scene's time includes the import

    from anomvae.config import resolve_config
    from anomvae.evaluation import evaluate_detector
    from anomvae.fitting import detect, train

    config = resolve_config(name, settings).config

    def run(task: Task, seed: int) -> Result:
        start = time.perf_counter()
        if task.mode == "split":
            detector = train([task.fitted], config, seed)
        else:
            detector = detect(task.fitted, config, seed)
        fitted = time.perf_counter()
        evaluation = evaluate_detector(detector, task.scored, task.labels, baselines=())
        (metrics,) = evaluation.rows.values()
        return Result(metrics, fitted - start, time.perf_counter() - fitted)

    digest = hashlib.sha256(config.to_json().encode()).hexdigest()[:8]
    title = label or (Path(name).stem if name.endswith(".toml") else name)
    version = f"commit {code or commit()}, configuration {digest}"
    return Contestant(title, version, ours=True, seeded=True, run=run)


def baseline(name: str, code: str | None = None) -> Contestant:
    """Return a baseline of anomvae, or a detector of another library."""
    if name in BASELINES:
        run = partial(_run_baseline, name)
        return Contestant(name, f"commit {code or commit()}", ours=False, seeded=False, run=run)
    if name in PYOD:
        pyod_class(name)
        run = partial(_run_on_spectra, partial(fit_pyod, name))
        return Contestant(name, pyod_version(), ours=False, seeded=True, run=run)
    raise ConfigError(f"No baseline is called {name!r}. {hint(name, [*BASELINES, *PYOD])}")


def _run_baseline(name: str, task: Task, seed: int) -> Result:
    """Measure a baseline; the seed has no effect, the threshold is that of `evaluate`."""
    fitted_block, scored_block = _with_data(task)
    normal, _ = _valid(fitted_block)
    start = time.perf_counter()
    fitted = Method.of(name).fit(lambda: iter([normal]))
    middle = time.perf_counter()
    scores = fitted.score(scored_block)
    end = time.perf_counter()
    of_normal = scores if task.fitted == task.scored else fitted.score(fitted_block)
    mean, std = describe_scores(of_normal).moments()
    metrics = measure(_truth(task), scores, mean + 3 * std)
    return Result(metrics, middle - start, end - middle)


def _with_data(task: Task) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Read what is fitted and what is scored, in the bands that have data in what is fitted."""
    fitted_block, scored_block = spectra(task.fitted), spectra(task.scored)
    with_data = np.isfinite(fitted_block).any(axis=(0, 1))
    return fitted_block[..., with_data], scored_block[..., with_data]


def _run_on_spectra(fit: Callable[[Spectra, int], Fitted], task: Task, seed: int) -> Result:
    """Measure a detector on the spectra that are valid in all bands with data."""
    fitted_block, scored_block = _with_data(task)
    normal, _ = _valid(fitted_block)
    test, valid = _valid(scored_block)
    start = time.perf_counter()
    fitted = fit(normal, seed)
    middle = time.perf_counter()
    values = fitted.score(test)
    end = time.perf_counter()
    scores = np.full(valid.shape, np.nan)
    scores[valid] = values
    metrics = measure(_truth(task), scores, fitted.threshold())
    return Result(metrics, middle - start, end - middle)


def _valid(block: NDArray[np.float32]) -> tuple[Spectra, NDArray[np.bool_]]:
    valid = np.asarray(np.isfinite(block).all(axis=-1))
    return block[valid], valid


def _truth(task: Task) -> NDArray[np.float32]:
    with Scene.of(task.scored).open() as opened:
        return read_labels(task.labels, opened.grid, opened.name)
