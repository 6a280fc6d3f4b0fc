"""Make tries in worker processes, each of which is replaced when it dies or hangs.

Workers are forked before torch or GDAL have run, so that they share what is imported.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import shutil
import signal
import tempfile
import time
import traceback
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path

from benchmarks.faults.kind import Attempt, FaultFound, Kind, Tried, Unavailable, dice
from benchmarks.faults.linux import follow_parent
from benchmarks.faults.memory import limit_growth, peak, reset_peak

LONGEST = 30.0  # s
LARGEST = 2 << 30  # bytes
GROWTH = 4 << 30  # bytes of address space, so that no try can harm the machine
FORK = multiprocessing.get_context("fork")


def prepared(kind: Kind, inputs: Path) -> None:
    """Write the inputs of a kind in a process of its own; raise Unavailable if it fails."""
    process = FORK.Process(target=_prepare, args=(kind, inputs))
    process.start()
    process.join()
    if process.exitcode:
        raise Unavailable(f"{kind.name}: its inputs cannot be made")


def _prepare(kind: Kind, inputs: Path) -> None:
    _be_quiet()
    inputs.mkdir(parents=True, exist_ok=True)
    kind.prepare(inputs)


def try_all(
    kind: Kind, inputs: Path, seed: int, numbers: Sequence[int], processes: int = 1
) -> Iterator[Tried]:
    """Yield the results of tries as they end."""
    waiting = deque(numbers)
    workers = [_Worker.start(kind, inputs, seed) for _ in range(min(processes, len(numbers)))]
    try:
        while workers:
            for worker in list(workers):
                if worker.busy is None:
                    _feed(worker, waiting, workers)
            wait([worker.pipe for worker in workers], timeout=0.5)
            for position, worker in enumerate(workers):
                tried = worker.result()
                if tried is not None:
                    yield tried
                if worker.ended:
                    workers[position] = _Worker.start(kind, inputs, seed)
    finally:
        for worker in workers:
            worker.kill()


def _feed(worker: _Worker, waiting: deque[int], workers: list[_Worker]) -> None:
    if waiting:
        worker.give(waiting.popleft())
    else:
        workers.remove(worker)
        worker.kill()


def make_try(kind: Kind, attempt: Attempt, seed: int, number: int) -> Tried:
    """Make one try in this process."""
    with tempfile.TemporaryDirectory(prefix="fault-", ignore_cleanup_errors=True) as folder:
        reset_peak()
        start, children = time.monotonic(), 0
        wrong, message = None, ""
        try:
            children = attempt(dice(kind.name, seed, number), Path(folder))
        except FaultFound as fault:
            wrong, message = fault.wrong, str(fault)
        except Exception as error:
            wrong, message = "traceback", f"{type(error).__name__}: {error} {_where(error)}"
        seconds, most = time.monotonic() - start, max(peak(), children)
    if wrong is None and (seconds > LONGEST or most > LARGEST):
        wrong, message = "limit", f"{seconds:.1f} s, {most / 1e6:.0f} MB"
    return Tried(kind.name, seed, number, seconds, most, wrong, " ".join(message.split())[:400])


def _where(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"({Path(last.filename).name}:{last.lineno})"


@dataclass
class _Worker:
    """A process that makes one try after the other."""

    kind: Kind
    seed: int
    pipe: Connection
    process: multiprocessing.process.BaseProcess
    scratch: Path
    busy: int | None = None
    since: float = 0.0
    ended: bool = False

    @classmethod
    def start(cls, kind: Kind, inputs: Path, seed: int) -> _Worker:
        ours, theirs = FORK.Pipe()
        scratch = Path(tempfile.mkdtemp(prefix="faults-"))
        process = FORK.Process(target=_serve, args=(kind, inputs, seed, theirs, scratch))
        process.start()
        theirs.close()
        return cls(kind, seed, ours, process, scratch)

    def give(self, number: int) -> None:
        self.busy, self.since = number, time.monotonic()
        with contextlib.suppress(OSError):  # it has died: `result` reports that
            self.pipe.send(number)

    def result(self) -> Tried | None:
        """Return the result of the try if it has ended, or its process has died or hangs."""
        if (number := self.busy) is None:
            return None
        with contextlib.suppress(EOFError, OSError):
            if self.pipe.poll():
                tried: Tried = self.pipe.recv()
                self.busy = None
                return tried
        seconds = time.monotonic() - self.since
        hangs = seconds > 2 * LONGEST
        if self.process.is_alive() and not hangs:
            return None
        self.kill()
        self.ended = True
        why = f"hangs after {seconds:.0f} s" if hangs else f"ended with {self.process.exitcode}"
        return Tried(self.kind.name, self.seed, number, seconds, 0, "died", f"the process {why}")

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid or 0, signal.SIGKILL)
        self.process.kill()
        self.process.join()
        shutil.rmtree(self.scratch, ignore_errors=True)


def _serve(kind: Kind, inputs: Path, seed: int, pipe: Connection, scratch: Path) -> None:
    os.setpgid(0, 0)
    follow_parent()
    tempfile.tempdir = str(scratch)
    _be_quiet()
    attempt = kind.begin(inputs)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # GDAL writes there
    limit_growth(GROWTH)
    while True:
        pipe.send(make_try(kind, attempt, seed, pipe.recv()))


def _be_quiet() -> None:
    """Use one thread, and print no warnings: they are expected."""
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.lastResort = None
