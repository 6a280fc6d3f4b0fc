"""Preload of the workers of a local Dask cluster: they end without log messages.

A worker that closes while its heartbeat is under way logs the broken connection as an error.
Dask calls `dask_teardown` in the worker's process, which is about to end.
"""

import logging


def dask_teardown(worker: object) -> None:
    """Silence this process."""
    logging.disable(logging.ERROR)
