"""Measure wall-clock time, processor time and memory of functions and of commands."""

from __future__ import annotations

import math
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
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


Command = Callable[[int], Sequence[str | Path]]
"""The words of a command line of anomvae, by the number of its run."""


def of_command(arguments: Command, repeats: int = 3) -> Usage:
    """Measure ``python -m anomvae`` several times.

    Raises
    ------
    subprocess.CalledProcessError
        If the command fails.
    """
    return of_commands([(arguments, HERE)], repeats)[0]


def of_commands(commands: Sequence[tuple[Command, Path]], repeats: int = 3) -> list[Usage]:
    """Measure commands in turns, each of the checkout in a folder.

    Raises
    ------
    subprocess.CalledProcessError
        If a command fails.
    """
    anomvae = [sys.executable, "-P", "-m", "anomvae"]  # -P: never that of the working directory
    rounds = [
        [once([*anomvae, *map(str, words(run))], folder) for words, folder in commands]
        for run in range(repeats)
    ]
    return [
        Usage(*(statistics.median(column) for column in zip(*map(astuple, runs), strict=True)))
        for runs in zip(*rounds, strict=True)
    ]


@contextmanager
def busy_cores() -> Iterator[None]:
    """Keep every core busy with another process."""
    spin = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(spin) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def once(command: list[str], folder: Path = HERE) -> Usage:
    """Measure a program that imports from a folder, once.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails.
    """
    environment = os.environ | {"PYTHONPATH": str(folder)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # each start would compile all modules
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

    Each sample holds what each process ever had, so that no peak between samples is missed.  Shared
    pages, such as libraries, count once for each process: the peak is an upper bound.
    """

    def __init__(self, pid: int) -> None:
        super().__init__()
        import psutil

        self._process = psutil.Process(pid)
        self._gone = psutil.Error
        self.peak = 0

    def run(self) -> None:
        while self._process.is_running():
            try:
                family = [self._process, *self._process.children(recursive=True)]
                self.peak = max(self.peak, sum(_most_resident(one.pid) for one in family))
                if self._process.status() == "zombie":
                    return
            except self._gone:
                return
            time.sleep(0.05)


def _most_resident(pid: int) -> int:
    """Return the most memory that a process has had since it began, bytes; 0 if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
