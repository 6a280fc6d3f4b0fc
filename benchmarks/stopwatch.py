"""Measure wall-clock time, processor time and memory of functions and of commands."""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Usage:
    """Time and memory of a work; medians over repeats."""

    seconds: float
    """Wall-clock time."""
    cpu: float
    """Time of all processors, s."""
    peak: float = math.nan
    """Maximum memory of all processes together, MB; NaN if not measured."""


def of(work: Callable[[], object], repeats: int = 3) -> Usage:
    """Time a function after one warm-up call."""
    return _median(_times(work, repeats))


def in_turns(
    works: Sequence[Callable[[], object]], repeats: int = 3, turns: int = 3
) -> list[Usage]:
    """Time functions in turns, so that the load of the machine is the same for all.

    Each turn begins with a warm-up call, because first access to memory is slow on some machines.
    """
    rounds = [[_times(work, repeats) for work in works] for _ in range(turns)]
    return [_median([one for times in turn for one in times]) for turn in zip(*rounds, strict=True)]


def _times(work: Callable[[], object], repeats: int) -> list[tuple[float, float]]:
    work()
    times = []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    return times


def _median(times: Sequence[tuple[float, float]]) -> Usage:
    return Usage(*map(statistics.median, zip(*times, strict=True)))


def of_command(arguments: Callable[[int], Sequence[str | Path]], repeats: int = 3) -> Usage:
    """Measure ``python -m anomvae`` several times, with arguments by the number of the run.

    Raises
    ------
    subprocess.CalledProcessError
        If the command fails.
    """
    anomvae = [sys.executable, "-m", "anomvae"]
    usages = [once([*anomvae, *map(str, arguments(run))]) for run in range(repeats)]
    columns = zip(*((one.seconds, one.cpu, one.peak) for one in usages), strict=True)
    return Usage(*map(statistics.median, columns))


def once(command: list[str]) -> Usage:
    """Measure a program, once.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails.
    """
    environment = os.environ | {"PYTHONPATH": str(HERE)}
    before, start = os.times(), time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        memory = _PeakMemory(process.pid)
        memory.start()
        status = process.wait()
        memory.join()
    seconds, after = time.perf_counter() - start, os.times()
    if status:
        raise subprocess.CalledProcessError(status, command)
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    return Usage(seconds, cpu, memory.peak / 1e6)


class _PeakMemory(threading.Thread):
    """Sample the memory of a process and its children 20 times a second.

    Shared pages, such as libraries, count once for each process: the peak is an upper bound.
    """

    def __init__(self, pid: int) -> None:
        super().__init__()
        import psutil

        self._process = psutil.Process(pid)
        self._gone = psutil.Error
        self.peak = 0.0

    def run(self) -> None:
        while self._process.is_running():
            try:
                family = [self._process, *self._process.children(recursive=True)]
                self.peak = max(self.peak, sum(self._resident(one) for one in family))
                if self._process.status() == "zombie":
                    return
            except self._gone:
                return
            time.sleep(0.05)

    def _resident(self, process: object) -> int:
        try:
            return int(process.memory_info().rss)  # type: ignore[attr-defined]
        except self._gone:
            return 0
