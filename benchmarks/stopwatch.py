"""What work costs: seconds, seconds of processor, and memory; of functions and of commands."""

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
class Cost:
    """Of one piece of work; medians, where it was done several times."""

    seconds: float
    """By the clock."""
    cpu: float
    """Of all processors together."""
    peak: float = math.nan
    """Memory of all processes together at the worst moment, MB; NaN where it was not watched."""


def of(work: Callable[[], object], repeats: int = 3) -> Cost:
    """Take the time of a function, once it has been called in vain."""
    work()
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return Cost(statistics.median(walls), statistics.median(cpus))


def of_command(arguments: Callable[[int], Sequence[str | Path]], repeats: int = 3) -> Cost:
    """Run ``python -m anomvae`` several times; each turn has arguments of its own.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails.
    """
    ours = [sys.executable, "-m", "anomvae"]
    costs = [_once([*ours, *map(str, arguments(turn))]) for turn in range(repeats)]
    columns = zip(*((cost.seconds, cost.cpu, cost.peak) for cost in costs), strict=True)
    return Cost(*map(statistics.median, columns))


def _once(command: list[str]) -> Cost:
    environment = os.environ | {"PYTHONPATH": str(HERE)}
    before, start = os.times(), time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        watch = _Watch(process.pid)
        watch.start()
        status = process.wait()
        watch.join()
    seconds, after = time.perf_counter() - start, os.times()
    if status:
        raise subprocess.CalledProcessError(status, command)
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    return Cost(seconds, cpu, watch.peak / 1e6)


class _Watch(threading.Thread):
    """Looks every twentieth of a second at the memory of a process and of those it started.

    Pages that processes share, such as libraries, count once for each: it is an upper bound.
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
