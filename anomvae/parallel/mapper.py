"""What a `map` is, the plainest one, and the line in which all of them keep their work."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from ..errors import WorkersLost

Work = TypeVar("Work")
Result = TypeVar("Result")
Answer = TypeVar("Answer", covariant=True)

Progress = Callable[[str, int, int], None]
"""Told the name of a step, the pieces done, and the pieces in all."""

TRIES = 4
"""How often a piece is begun before it is taken for what kills the workers."""


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


def ahead(
    function: Callable[[Work], Result], work: Iterable[Work], *, threads: int = 1
) -> Generator[Result, None, None]:
    """Do the work on threads of this process, ahead of whoever takes the results.

    At most ``threads + 1`` pieces are under way or done and not yet taken.  Close the iterator to
    be sure that no thread is at work any more, whatever happened.
    """
    pool = ThreadPoolExecutor(threads)
    try:
        yield from in_order(lambda piece: pool.submit(function, piece), work, threads + 1)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def in_order(
    submit: Callable[[Work], Promise[Result]],
    work: Iterable[Work],
    most: int,
    lost: tuple[type[BaseException], ...] = (),
) -> Generator[Result, None, None]:
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
        What it means that workers died; what was under way is submitted again.

    Raises
    ------
    WorkersLost
        If a piece has been lost `TRIES` times.
    """
    begun: deque[tuple[Work, Promise[Result]]] = deque()
    try:
        for piece in work:
            if len(begun) == most:
                yield _oldest(begun, submit, lost)
            begun.append((piece, submit(piece)))
        while begun:
            yield _oldest(begun, submit, lost)
    finally:
        for _, promise in begun:
            promise.cancel()


def _oldest(
    begun: deque[tuple[Work, Promise[Result]]],
    submit: Callable[[Work], Promise[Result]],
    lost: tuple[type[BaseException], ...],
) -> Result:
    """Wait for the first piece in line; begin all anew when workers were lost."""
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
    raise workers_lost(f"a piece of work was begun {TRIES} times, and its worker died each time")


def workers_lost(why: str) -> WorkersLost:
    """Say why work could not be done by other processes, and what to do."""
    return WorkersLost(
        f"Workers were lost: {why}. Often memory ran out: use fewer workers or a smaller tile. A "
        f'script that starts workers needs `if __name__ == "__main__":`.'
    )
