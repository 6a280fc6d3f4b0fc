"""Threads of BLAS, which multiplies the matrices of numpy.

They wait busily for work, and their number changes the bits of a product.  So each of our threads
multiplies alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from .forks import forked

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


def blas_threads(count: int) -> AbstractContextManager[Any]:
    """Give BLAS so many threads from now on; the context gives it those of before at its end."""
    limits: AbstractContextManager[Any] = _blas().limit(limits=count)
    return limits


@contextmanager
def alone() -> Iterator[None]:
    """Multiply on the calling thread, until the last of those that are alone at a time is done."""
    with _ALONE.lock:
        _ALONE.count += 1
        if _ALONE.count == 1:
            _ALONE.limits = blas_threads(1)
    try:
        yield
    finally:
        with _ALONE.lock:
            _ALONE.count -= 1
            if not _ALONE.count:
                _ALONE.limits.__exit__(None, None, None)


def usable_threads() -> int:
    """Return the threads that BLAS has: as many as there are cores, unless someone chose less.

    A process that was forked has one.
    """
    if forked():
        return 1
    return min((int(each["num_threads"]) for each in _blas().info()), default=1)


class _Alone:
    """Who is alone in this process, which has one BLAS with one number of threads."""

    lock = Lock()
    count = 0
    limits: Any = None


_ALONE = _Alone()


@lru_cache(maxsize=1)
def _blas() -> ThreadpoolController:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")
