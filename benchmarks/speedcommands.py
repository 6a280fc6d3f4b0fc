"""Commands of `benchmarks.speed`: scoring, the start, workers, layers, and fitting to a scene."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks import inputs, stopwatch
from benchmarks.speedbench import Bench
from benchmarks.speedstart import commands
from benchmarks.speedtables import BEFORE, BUSY, SMALL, TINY, TORCH
from benchmarks.stopwatch import HERE, Command, busy_cores

FITTED = inputs.Scene(205, 0.01)
"""The scene of `detect`: 100 x 100 pixels."""


def measure_command(bench: Bench) -> None:
    """Measure the command `score`, and by the engine of torch."""
    for scene in bench.scenes:
        model = bench.fitted(scene)
        with tempfile.TemporaryDirectory(dir=bench.folder) as out:
            works = {
                "score": _score(scene, model, bench, Path(out, "own")),
                TORCH: _score(scene, model, bench, Path(out, "torch"), "--engine", "torch"),
            }
            _measure(bench, scene, works, before=("score",))


def _measure(
    bench: Bench, scene: inputs.Scene, works: dict[str, Command], before: tuple[str, ...]
) -> None:
    """Measure commands in turns, and those named in ``before`` of the earlier checkout, too."""
    runs = {name: (words, HERE) for name, words in works.items()}
    if bench.before is not None:
        earlier = bench.before
        runs |= {f"{name}{BEFORE}": (_apart(works[name]), earlier) for name in before}
    usages = stopwatch.of_commands(list(runs.values()), bench.repeats)
    for name, usage in zip(runs, usages, strict=True):
        bench.add(name, scene, scene.pixels, usage)


def _apart(words: Command) -> Command:
    """Return a command whose runs write to other places than those of ``words``."""
    return lambda run: words(-1 - run)


def _score(scene: inputs.Scene, model: Path, bench: Bench, out: Path, *options: str) -> Command:
    """Return the command; each run writes to another folder, or the result would be kept."""
    path = scene.made(bench.folder)
    return lambda run: ["score", path, "-m", model, "-o", out / str(run), *options]


def measure_start(bench: Bench) -> None:
    """Measure the start: score a tiny scene, and commands that take little longer."""
    measure_command(replace(bench, scenes=(inputs.Scene(*TINY),), before=None))
    small = inputs.Scene(*SMALL)
    model, path = bench.fitted(small), small.made(bench.folder)
    with tempfile.TemporaryDirectory(dir=bench.folder) as out:
        works = commands(model, path, Path(out))
        _measure(bench, small, works, before=tuple(works))


def measure_layers(bench: Bench) -> None:
    """Measure the commands `embed` and `reconstruct`."""
    for scene in bench.scenes:
        path, model = scene.made(bench.folder), bench.model(scene.bands)
        for words in (("embed",), ("embed", "--how", "sample"), ("reconstruct",)):
            with tempfile.TemporaryDirectory(dir=bench.folder) as out:
                command = partial(_to_new_file, [*words, path, "-m", model], Path(out))
                usage = stopwatch.of_command(command, bench.repeats)
            bench.add(" ".join(words), scene, scene.pixels, usage)


def _to_new_file(words: list[str | Path], folder: Path, run: int) -> list[str | Path]:
    """Write each run to another file, because an existing one is not replaced."""
    return [*words, "-o", folder / f"{run}.tif"]


def measure_workers(bench: Bench) -> None:
    """Measure `score` with one and two processes, and on a cluster of this machine.

    The model uses local context, so that computing is the bound.
    """
    for scene in bench.scenes:
        model = bench.fitted(scene, "small-objects")
        for options in (("--workers", "1"), ("--workers", "2"), ("--dask", "local")):
            with tempfile.TemporaryDirectory(dir=bench.folder) as out:
                words = _score(scene, model, bench, Path(out), *options)
                usage = stopwatch.of_command(words, bench.repeats)
            bench.add(f"score {' '.join(options)}", scene, scene.pixels, usage)


def measure_detect(bench: Bench) -> None:
    """Measure `detect` on a small scene, on an idle machine and where every core is busy."""
    _measure_detect(bench, "")
    with busy_cores():
        _measure_detect(bench, BUSY)


def _measure_detect(bench: Bench, label: str) -> None:
    with tempfile.TemporaryDirectory(dir=bench.folder) as out:
        path = FITTED.made(bench.folder)
        name = f"detect{label}"
        works: dict[str, Command] = {name: lambda run: ["detect", path, "-o", Path(out, str(run))]}
        _measure(bench, FITTED, works, before=(name,))
