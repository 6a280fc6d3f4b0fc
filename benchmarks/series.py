"""How well detectors find changes that are planted in a series of dates (`planted_changes`).

A detector is measured at the date of each change: the area under the ROC of the block's pixels
against all pixels that never change, and the average precision of all pixels that change that day.
Detectors of a change that are fitted to the scene that they score are given the dates up to that
one in both protocols, the change unknown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from anomvae.config import resolve_config
from anomvae.fitting import detect, train
from anomvae.pixels.tiling import whole
from anomvae.pixels.views import Block
from anomvae.raster import Scene
from anomvae.stats.baselines import Method
from anomvae.stats.metrics import measure
from anomvae.stats.rx import fit_rx
from benchmarks.planted_changes import PROTOCOLS, Map, Trial, read
from benchmarks.tables import as_table, mean_and_std


@dataclass(frozen=True)
class TrialResult:
    """Accuracy and duration of a detector in a trial."""

    aucs: tuple[float, ...]
    """Area under the ROC for each change."""
    precisions: tuple[float, ...]
    """Average precision of all pixels that change, for each date of a change."""
    seconds: float
    """Time to fit and score."""


def trained(config: str, trial: Trial, seed: int) -> list[Map]:
    """Train a configuration; return the scores at the date of each change."""
    detector = train(trial.fitted, resolve_config(config).config, seed)
    with Scene.of(trial.scored).open(detector.bands) as opened:
        scores = detector.score(opened.read(whole(opened.grid.shape))).total
    return [scores[change.date] for change in trial.changes]


def detected(config: str, trial: Trial, seed: int) -> list[Map]:
    """Fit a configuration to the date of each change, given the dates before it."""

    def score(date: int) -> Map:
        dates = trial.scored[: date + 1]
        detector = detect(dates, resolve_config(config).config, seed)
        with Scene.of(dates).open(detector.bands) as opened:
            scores = detector.score(opened.read(whole(opened.grid.shape)))
        return np.asarray(scores.total[-1])

    maps = {date: score(date) for date in {change.date for change in trial.changes}}
    return [maps[change.date] for change in trial.changes]


def untrained(score: Callable[[Block, int], Map], trial: Trial, seed: int) -> list[Map]:
    """Return the scores at the date of each change, without training."""
    block = read(trial.scored)
    return [score(block, change.date) for change in trial.changes]


def deviation(block: Block, date: int, *, since: int | None = None) -> Map:
    """Return the sum of squared z-scores of the bands; moments over dates, for each pixel."""
    past = block[:since] if since else block
    z = (block[date] - past.mean(axis=0)) / (past.std(axis=0) + 1e-6)
    return np.asarray((z**2).sum(axis=-1))


def deviation_from_past(block: Block, date: int) -> Map:
    """Return `deviation` with the moments of the dates before alone."""
    return deviation(block, date, since=date)


def difference(block: Block, date: int) -> Map:
    """Return global RX of the differences to the date before."""
    steps = (block[date] - block[date - 1]).reshape(-1, block.shape[-1])
    return np.asarray(fit_rx([steps]).score(steps)).reshape(block.shape[1:3])


def chronochrome(block: Block, date: int) -> Map:
    """Return the score of a date by the linear prediction from up to eight dates before it."""
    method, given = Method.of("acd"), block[: date + 1]
    fitted = method.fit(lambda: iter([method.examples(given)]))
    return fitted.score(method.given(given))


Detectors = Mapping[str, Callable[[Trial, int], list[Map]]]
"""Functions of a trial and a seed."""

DETECTORS: Detectors = {
    "change": partial(detected, "timeseries"),
    "acd": partial(untrained, chronochrome),
    "sequential": partial(trained, "sequential"),
    "vae": partial(trained, "default"),
    "z-score over all dates": partial(untrained, deviation),
    "z-score over the dates before": partial(untrained, deviation_from_past),
    "rx of the difference": partial(untrained, difference),
}


def measure_series(
    dates: Sequence[Path], protocol: str, seed: int, detectors: Detectors = DETECTORS
) -> Iterator[tuple[str, TrialResult]]:
    """Yield the name and the result of each detector in each trial of a seed."""
    with TemporaryDirectory() as folder:
        for trial in PROTOCOLS[protocol](dates, seed, Path(folder)):
            labels = [trial.labels(change) for change in trial.changes]
            for name, score in detectors.items():
                start = time.perf_counter()
                maps = score(trial, seed)
                seconds = time.perf_counter() - start
                pairs = zip(labels, maps, strict=True)
                aucs = tuple(measure(truth, scores).roc_auc for truth, scores in pairs)
                of_date = {
                    change.date: scores for change, scores in zip(trial.changes, maps, strict=True)
                }
                precisions = tuple(
                    measure(trial.labels_of(date), scores).average_precision
                    for date, scores in of_date.items()
                )
                yield name, TrialResult(aucs, precisions, seconds)


def table(results: Mapping[str, Sequence[Sequence[TrialResult]]]) -> str:
    """Write the mean AUC and AP of each detector; axes (detector, seed, trial)."""
    import pandas as pd

    rows = []
    for name, seeds in results.items():
        aucs = [float(np.mean([one.aucs for one in trials])) for trials in seeds]
        precisions = [float(np.mean([one.precisions for one in trials])) for trials in seeds]
        seconds = np.median([one.seconds for trials in seeds for one in trials])
        figures = (mean_and_std(pd.Series(each)) for each in (aucs, precisions))
        rows.append([name, *figures, f"{seconds:.1f}"])
    return as_table(["detector", "AUC", "AP", "seconds, median"], rows)
