"""Run a function over many pieces of work; each way behaves like `map`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

Work = TypeVar("Work")
Result = TypeVar("Result")

Progress = Callable[[str, int, int], None]
"""Told the name of a step, the pieces done, and the pieces in all."""


class Mapper(Protocol):
    """A `map`: results come in the order of the work."""

    def __call__(
        self, function: Callable[[Work], Result], work: Iterable[Work]
    ) -> Iterator[Result]:
        """Apply ``function`` to each piece of work."""


def serial(function: Callable[[Work], Result], work: Iterable[Work]) -> Iterator[Result]:
    """Do one piece after the other, in this process."""
    return map(function, work)


def quiet(step: str, done: int, total: int) -> None:
    """Tell nobody how far the work has come."""
