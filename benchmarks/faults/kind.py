"""A kind of fault: how its inputs are made, and how one try is checked.

A try is drawn from the kind's name, a seed and its number alone, so that each can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

Wrong = Literal["lost", "traceback", "silent", "limit", "died"]
"""A result lost or half-made; an error that is not ours; a wrong result without an error; time or
memory over the limit; the process of the try ended or hung."""

Attempt = Callable[[Random, Path], int]
"""Makes a try in an empty folder; returns the peak memory of its child processes, bytes, or 0.
Raises `FaultFound`; any other exception counts as a traceback."""


class FaultFound(Exception):
    """Something is wrong."""

    def __init__(self, wrong: Wrong, message: str) -> None:
        """Describe what is wrong."""
        super().__init__(message)
        self.wrong = wrong


class Unavailable(Exception):
    """The machine cannot make faults of this kind, for lack of rights or of an extra."""


@dataclass(frozen=True)
class Kind:
    """A kind of fault."""

    name: str
    """In the table, and after ``--only``."""
    group: str
    """``kills``, ``models``, ``tiffs`` or ``others``: the option that sets the number of tries."""
    share: float
    """Share of the tries of the group."""
    prepare: Callable[[Path], None]
    """Writes the inputs that all tries share, in a process of its own."""
    begin: Callable[[Path], Attempt]
    """Reads them, once in each process of tries."""


@dataclass(frozen=True)
class Tried:
    """The result of a try."""

    kind: str
    seed: int
    number: int
    seconds: float
    peak: int
    """Peak memory of its process or of a child process, bytes."""
    wrong: Wrong | None = None
    message: str = ""

    def __str__(self) -> str:
        """Return one line that lets the try be repeated."""
        command = f"--only {self.kind} --seed {self.seed} --first {self.number}"
        return f"{self.wrong}: {self.message} [{command}]"


def dice(kind: str, seed: int, number: int) -> Random:
    """Return the random numbers of a try."""
    return Random(f"{kind} {seed} {number}")
