"""The protocol of a `map`, the serial and the threaded one, and the order of results."""

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
"""Called with the name of a step, the items done, and the number of items."""

TRIES = 4
"""Number of times that an item is started before it is blamed for the death of workers."""


class Mapper(Protocol):
    """A `map`: results come in the order of the work."""

    @property
    def workers(self) -> int:
        """Number of worker processes; 0 = this process does the work."""

    def __call__(
        self, function: Callable[[Work], Result], work: Iterable[Work]
    ) -> Iterator[Result]:
        """Apply ``function`` to each item of work; with workers, both must be picklable."""


class Promise(Protocol[Answer]):
    """A result that is not ready yet, such as a `concurrent.futures.Future`."""

    def result(self) -> Answer:
        """Wait for the result."""

    def cancel(self) -> object:
        """Cancel the work if it has not started."""


class Serial:
    """One item after the other, in this process."""

    workers = 0

    def __call__(
        self, function: Callable[[Work], Result], work: Iterable[Work]
    ) -> Iterator[Result]:
        """Apply ``function`` to each item when its result is taken."""
        return map(function, work)


serial = Serial()


def quiet(step: str, done: int, total: int) -> None:
    """Ignore progress."""


def ahead(
    function: Callable[[Work], Result], work: Iterable[Work], *, threads: int = 1
) -> Generator[Result, None, None]:
    """Apply ``function`` on threads of this process, before results are taken.

    At most ``threads + 1`` items are under way or done and not yet taken.  Closing the iterator
    waits until no thread is running.
    """
    pool = ThreadPoolExecutor(threads)
    try:
        yield from in_order(lambda item: pool.submit(function, item), work, threads + 1)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def in_order(
    submit: Callable[[Work], Promise[Result]],
    work: Iterable[Work],
    most: int,
    lost: tuple[type[BaseException], ...] = (),
) -> Generator[Result, None, None]:
    """Yield results in the order of the work.

    ``submit`` starts an item; up to ``most`` items are under way, or done and not yet taken.
    ``lost`` are the exceptions of dead workers: all items under way are then submitted again, and
    an item that has been lost `TRIES` times raises `WorkersLost`.
    """
    queue: deque[tuple[Work, Promise[Result]]] = deque()
    try:
        for item in work:
            if len(queue) == most:
                yield _oldest(queue, submit, lost)
            queue.append((item, submit(item)))
        while queue:
            yield _oldest(queue, submit, lost)
    finally:
        for _, promise in queue:
            promise.cancel()


def _oldest(
    queue: deque[tuple[Work, Promise[Result]]],
    submit: Callable[[Work], Promise[Result]],
    lost: tuple[type[BaseException], ...],
) -> Result:
    """Wait for the oldest item; start all again when workers were lost."""
    for _ in range(TRIES):
        try:
            result = queue[0][1].result()
        except lost:
            again = [(item, submit(item)) for item, _ in queue]
            queue.clear()
            queue.extend(again)
        else:
            queue.popleft()
            return result
    raise workers_lost(f"an item of work was started {TRIES} times, and its worker died each time")


def workers_lost(why: str) -> WorkersLost:
    """Return the error that other processes could not do the work, with advice."""
    return WorkersLost(
        f"Workers were lost: {why}. Often memory ran out: use fewer workers or a smaller tile. A "
        f'script that starts workers needs `if __name__ == "__main__":`.'
    )
