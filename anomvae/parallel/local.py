"""Processes of this machine as a `map`."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager

from ..errors import ConfigError
from .mapper import Mapper, Promise, Result, Work, in_order


class Processes:
    """Processes of this machine; all are replaced when one of them dies."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool = self._started()

    def __call__(
        self, function: Callable[[Work], Result], work: Iterable[Work]
    ) -> Iterator[Result]:
        """Apply ``function`` to each item; two items for each process are under way."""

        def submit(item: Work) -> Promise[Result]:
            try:
                return self._pool.submit(function, item)
            except BrokenProcessPool:
                self._pool = self._started()
                return self._pool.submit(function, item)

        return in_order(submit, work, 2 * self.workers, (BrokenProcessPool,))

    def close(self) -> None:
        """End the processes after the items that they have started."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _started(self) -> ProcessPoolExecutor:
        # Spawned: a fork of a process with threads, of GDAL or torch, may hang.
        spawn = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.workers, spawn, initializer=_follow_parent)


@contextmanager
def processes(workers: int) -> Iterator[Mapper]:
    """Provide processes of this machine, started with the first item; of none, `ConfigError`."""
    if workers < 1:
        raise ConfigError(
            f"workers = {workers}: at least 1 process is needed. "
            f"Leave it out to do the work in this process."
        )
    with closing(Processes(workers)) as pool:
        yield pool


def _follow_parent() -> None:
    """Leave Ctrl-C to the parent, which ends this process; end if the parent is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
