"""The workers of a Dask cluster as a `map`; needs the extra ``dask``."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any

from ..errors import ConfigError, WorkersLost
from .mapper import Mapper, Result, Work, in_order, workers_lost

PATIENCE = 4.0
"""Seconds in which a scheduler must answer."""
LOGGERS = ("distributed", "distributed.client")
"""Loggers to which Dask gives handlers."""


class Cluster:
    """The workers of a Dask cluster."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - distributed has no types
        self._client = client

    @property
    def workers(self) -> int:
        """Threads of all workers; at least 1, as an adaptive cluster may have none yet."""
        threads: dict[str, int] = self._client.nthreads()
        return max(1, sum(threads.values()))

    def __call__(
        self, function: Callable[[Work], Result], work: Iterable[Work]
    ) -> Iterator[Result]:
        """Apply ``function`` to each item; two items for each thread are under way."""
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        submit = partial(self._client.submit, function, pure=False)
        try:
            yield from in_order(submit, work, 2 * self.workers)
        except KilledWorker as error:
            raise workers_lost("each one that took a certain item of work died") from error
        except FutureCancelledError as error:
            raise workers_lost("the cluster has gone away") from error
        except ModuleNotFoundError as error:
            raise WorkersLost(
                f"A worker of the cluster cannot begin: {error}. "
                f"Install the same versions there as here."
            ) from error


@contextmanager
def dask(address: str) -> Iterator[Mapper]:
    """Connect to the workers of a Dask cluster.

    ``address`` is that of its scheduler, as in ``tcp://10.0.0.1:8786``; or ``local`` for a new
    cluster of this machine's cores, which is closed at the end.

    Raises
    ------
    ConfigError
        If the extra ``dask`` is not installed, or ``address`` is no address.
    WorkersLost
        If no scheduler answers.
    """
    try:
        distributed: Any = import_module("distributed")
    except ImportError as error:
        raise ConfigError(
            f'Dask is needed for this ({error}). Install it: pip install "anomvae[dask]".'
        ) from error
    connected = _local if address == "local" else partial(_connected, address=address)
    with connected(distributed) as client:
        yield Cluster(client)


@contextmanager
def _local(distributed: Any) -> Iterator[Any]:  # noqa: ANN401 - distributed has no types
    """Start a cluster; close its workers, then its scheduler, without log messages."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    cluster = distributed.LocalCluster(
        _cores(),
        threads_per_worker=1,
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.ERROR,
        preload="anomvae.parallel.shutdown",
    )
    try:
        with cluster, distributed.Client(cluster, set_as_default=False) as client:
            yield client
            for logger in loggers:
                logger.setLevel(logging.CRITICAL)
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _connected(distributed: Any, address: str) -> Any:  # noqa: ANN401 - distributed has no types
    import asyncio

    if not re.fullmatch(r"(\w+://)?.+:\d{1,5}", address):
        raise ConfigError(
            f"{address!r} is no address of a Dask scheduler. Give one as in tcp://10.0.0.1:8786, "
            f"or local for a cluster of this machine."
        )
    try:
        asyncio.run(_greeted(distributed, address))
        return distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, MemoryError) as error:  # another kind of server may send anything
        raise WorkersLost(
            f"No Dask scheduler answers at {address!r} within {PATIENCE:g} s. Check the address "
            f"and that it runs; local makes a cluster of this machine."
        ) from error


async def _greeted(distributed: Any, address: str) -> None:  # noqa: ANN401 - as above
    """Shake hands: a client without an answer would take long to close."""
    import asyncio

    arguments = distributed.Security().get_connection_args("client")
    connecting = distributed.comm.connect(address, PATIENCE, **arguments)
    comm = await asyncio.wait_for(connecting, PATIENCE)
    await comm.close()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
