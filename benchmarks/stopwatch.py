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
    return _median(_times(work, repeats))


def in_turns(works: Sequence[Callable[[], object]], repeats: int = 3, turns: int = 3) -> list[Cost]:
    """Take the times of functions in turns, so that what else the machine does meets all alike.

    In each turn a function is called in vain and then ``repeats`` times: memory that it is the
    first to touch for a while is slow on some machines.
    """
    rounds = [[_times(work, repeats) for work in works] for _ in range(turns)]
    return [_median([one for times in turn for one in times]) for turn in zip(*rounds, strict=True)]


def _times(work: Callable[[], object], repeats: int) -> list[tuple[float, float]]:
    work()
    found = []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        found.append((time.perf_counter() - wall, time.process_time() - cpu))
    return found


def _median(times: Sequence[tuple[float, float]]) -> Cost:
    return Cost(*map(statistics.median, zip(*times, strict=True)))


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
