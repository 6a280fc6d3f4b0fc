"""Run a function over many pieces of work; each way behaves like `map`: results come in order.

`serial` does one piece after the other; `ahead` uses threads of this process, `processes` other
processes, `dask` those of a cluster.  All of them take work from its iterator only as results are
taken from theirs, so that memory does not grow with the work.  A worker that dies is replaced, and
its pieces are begun anew.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, Protocol, TypeVar

from .errors import ConfigError, WorkersLost

Work = TypeVar("Work")
Result = TypeVar("Result")
Answer = TypeVar("Answer", covariant=True)

Progress = Callable[[str, int, int], None]
"""Told the name of a step, the pieces done, and the pieces in all."""

TRIES = 4
"""How often a piece is begun before it is taken for what kills the workers."""
PATIENCE = 6.0
"""Seconds in which a cluster must answer."""


class Mapper(Protocol):
    """A `map`: results come in the order of the work."""

    @property
    def workers(self) -> int:
        """Processes that do the work, each on its own; 0 = this one."""

    def __call__(
        self, function: Callable[[Work], Result], work: Iterable[Work]
    ) -> Iterator[Result]:
        """Apply ``function`` to each piece of work; both can be pickled if there are workers."""


class Promise(Protocol[Answer]):
    """A result that is being made, such as a `concurrent.futures.Future`."""

    def result(self) -> Answer:
        """Wait for it."""

    def cancel(self) -> object:
        """Say that nobody waits for it any more."""


class Serial:
    """One piece after the other, in this process."""

    workers = 0

    def __call__(
        self, function: Callable[[Work], Result], work: Iterable[Work]
    ) -> Iterator[Result]:
        """Apply ``function`` to each piece when its result is asked for."""
        return map(function, work)


serial = Serial()


def quiet(step: str, done: int, total: int) -> None:
    """Tell nobody how far the work has come."""


def cores() -> int:
    """Count the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def ahead(
    function: Callable[[Work], Result], work: Iterable[Work], *, threads: int = 1
) -> Iterator[Result]:
    """Do the work on threads of this process, ahead of whoever takes the results.

    At most ``threads + 1`` pieces are under way or done and not yet taken.  Close the iterator to
    be sure that no thread is at work any more, whatever happened.
    """
    pool = ThreadPoolExecutor(threads)
    try:
        yield from in_order(partial(pool.submit, function), work, threads + 1)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def in_order(
    submit: Callable[[Work], Promise[Result]],
    work: Iterable[Work],
    most: int,
    lost: tuple[type[BaseException], ...] = (),
) -> Iterator[Result]:
    """Give results in the order of the work, with at most ``most`` pieces under way.

    Parameters
    ----------
    submit : callable
        Begins a piece.
    work : iterable
        The pieces.
    most : int
        How many may be under way, or done and not yet taken.
    lost : tuple of exception types, optional
        What it means that workers died; their pieces are submitted again.

    Raises
    ------
    WorkersLost
        If a piece has been lost `TRIES` times.
    """
    begun: deque[tuple[Work, Promise[Result]]] = deque()

    def oldest() -> Result:
        for _ in range(TRIES):
            try:
                result = begun[0][1].result()
            except lost:
                again = [(piece, submit(piece)) for piece, _ in begun]
                begun.clear()
                begun.extend(again)
            else:
                begun.popleft()
                return result
        raise workers_lost(f"a piece of work was begun {TRIES} times, and its worker died")

    try:
        for piece in work:
            if len(begun) == most:
                yield oldest()
            begun.append((piece, submit(piece)))
        while begun:
            yield oldest()
    finally:
        for _, promise in begun:
            promise.cancel()


def workers_lost(why: str) -> WorkersLost:
    """Say why work could not be done by other processes, and what to do."""
    return WorkersLost(
        f"Workers were lost: {why}. Often memory ran out: use fewer workers or a smaller tile; a "
        f'script that starts workers needs `if __name__ == "__main__":`.'
    )


class Processes:
    """Processes of this machine; they are started anew when one of them dies."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool = self._started()

    def __call__(
        self, function: Callable[[Work], Result], work: Iterable[Work]
    ) -> Iterator[Result]:
        """Apply ``function`` to each piece of work; two for each process are under way."""

        def submit(piece: Work) -> Promise[Result]:
            try:
                return self._pool.submit(function, piece)
            except BrokenProcessPool:
                self._pool = self._started()
                return self._pool.submit(function, piece)

        return in_order(submit, work, 2 * self.workers, (BrokenProcessPool,))

    def close(self) -> None:
        """End the processes; what they are at is finished, what they would do next is not begun."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _started(self) -> ProcessPoolExecutor:
        # Spawned: a fork of a process with threads, GDAL's or torch's, may hang.
        spawn = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.workers, spawn, initializer=_follow_parent)


@contextmanager
def processes(workers: int) -> Iterator[Mapper]:
    """Start processes that do the work on this machine, spawned when there is some.

    Parameters
    ----------
    workers : int
        How many, at least 1.

    Yields
    ------
    Mapper

    Raises
    ------
    ConfigError
        If there would be none.
    """
    if workers < 1:
        raise ConfigError(
            f"workers = {workers}: at least 1 process is needed. "
            f"Leave it out to do the work in this process."
        )
    with closing(Processes(workers)) as pool:
        yield pool


def _follow_parent() -> None:
    """Leave Ctrl-C to the parent, which ends this process; and end if the parent is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


class Cluster:
    """The workers of a Dask cluster."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - distributed has no types
        self._client = client

    @property
    def workers(self) -> int:
        """Threads of all workers; one that grows when there is work may have none yet."""
        return max(1, sum(self._client.nthreads().values()))

    def __call__(
        self, function: Callable[[Work], Result], work: Iterable[Work]
    ) -> Iterator[Result]:
        """Apply ``function`` to each piece of work; two for each thread are under way."""
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        submit = partial(self._client.submit, function, pure=False)
        try:
            yield from in_order(submit, work, 2 * self.workers)
        except KilledWorker as error:
            raise workers_lost("each one that took a certain piece of work died") from error
        except FutureCancelledError as error:
            raise workers_lost("the cluster has gone away") from error
        except ModuleNotFoundError as error:
            raise WorkersLost(
                f"A worker of the cluster cannot begin: {error}. "
                f"Install the same versions there as here."
            ) from error


@contextmanager
def dask(address: str) -> Iterator[Mapper]:
    """Let the workers of a Dask cluster do the work.

    Parameters
    ----------
    address : str
        Of the scheduler, as in ``tcp://10.0.0.1:8786``; or ``local`` for a cluster of this
        machine's cores, which ends with the work.

    Yields
    ------
    Mapper

    Raises
    ------
    ConfigError
        If the extra ``dask`` is not installed, or ``address`` is none.
    WorkersLost
        If no scheduler answers.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise ConfigError(
            f'Dask is needed for this ({error}). Install it: pip install "anomvae[dask]".'
        ) from error
    if address == "local":
        with (
            LocalCluster(cores(), threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            yield Cluster(client)
        return
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise WorkersLost(
            f"No Dask scheduler answers at {address!r} within {PATIENCE:g} s. Give its address, as "
            f"in tcp://10.0.0.1:8786, and check that it runs; or give local."
        ) from error
    with client:
        yield Cluster(client)
