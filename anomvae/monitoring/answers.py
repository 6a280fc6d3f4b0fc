"""What people answer about events: they acknowledge, mute or reject one, and may take it back.

The last answer about an event counts: it is the column ``answer`` of the event, which nothing else
writes.  The table ``answers`` keeps all of them, in order.  Each call is one transaction, so that
people may answer while a run is at work.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ..errors import ConfigError, hint
from ..names import one_line
from .database import opened, opened_to_read, transaction
from .decisions.event import Answer
from .state import stamp

WITHDRAWN = "withdrawn"
"""An answer in the list that takes back the one before it."""


@dataclass(frozen=True)
class Remark:
    """Who answers, when and why."""

    by: str
    """Name of the user."""
    reason: str
    at: datetime

    def __post_init__(self) -> None:
        """Require a reason."""
        if not self.reason.strip():
            raise ConfigError("The reason is empty. Give one, as in --reason 'harvest'.")


@dataclass(frozen=True)
class GivenAnswer:
    """An answer in the list of all."""

    event: str
    """Name of the event, as in ``harbour-3``."""
    answer: str
    """An `Answer`, or ``withdrawn``."""
    by: str
    reason: str
    at: str
    """UTC."""


def give_answer(folder: str | Path, events: Sequence[str], answer: Answer, remark: Remark) -> None:
    """Answer about events of a state folder, all of them or none.

    Raises
    ------
    ConfigError
        If an event is unknown.
    FileError
        If the state cannot be read or written.
    """
    with _answering(folder) as database:
        for site, number, _ in _found(database, events):
            _store(database, (site, number), answer, remark, answer)


def withdraw_answer(
    folder: str | Path, events: Sequence[str], answer: Answer, remark: Remark
) -> None:
    """Take back an answer about events, of all of them or none: they are open again.

    Raises
    ------
    ConfigError
        If an event is unknown, or not answered so.
    FileError
        If the state cannot be read or written.
    """
    with _answering(folder) as database:
        for site, number, given in _found(database, events):
            if given != answer:
                raise ConfigError(
                    f"{site}-{number} is {given or 'unanswered'}, not {answer}: there is nothing "
                    f"to take back."
                )
            _store(database, (site, number), None, remark, WITHDRAWN)


def given_answers(folder: str | Path) -> defaultdict[str, list[GivenAnswer]]:
    """Return the answers about each event of a state folder, in order.

    Raises `FileError` if it cannot be read.
    """
    given = defaultdict[str, list[GivenAnswer]](list)
    with opened_to_read(folder) as database:
        rows = database.execute(
            "SELECT site || '-' || number, answer, by, reason, answered FROM answers ORDER BY rowid"
        )
        for row in rows:
            given[row[0]].append(GivenAnswer(*row))
    return given


@contextmanager
def _answering(folder: str | Path) -> Iterator[sqlite3.Connection]:
    """Open a state that is there for a transaction; a run may be at work."""
    with opened_to_read(folder):  # a new one has no events
        pass
    with opened(folder) as database, transaction(database):
        yield database


def _found(
    database: sqlite3.Connection, events: Sequence[str]
) -> Iterator[tuple[str, int, str | None]]:
    """Yield site, number and answer of each event by its name."""
    rows = database.execute("SELECT site, number, answer FROM events ORDER BY site, number")
    known = {f"{site}-{number}": (site, number, answer) for site, number, answer in rows}
    for name in dict.fromkeys(events):
        if name not in known:
            advice = hint(name, known) if known else "There is none yet."
            raise ConfigError(f"{name!r} is no event of this watch. {advice}")
        yield known[name]


def _store(
    database: sqlite3.Connection,
    event: tuple[str, int],
    answer: Answer | None,
    remark: Remark,
    entry: str,
) -> None:
    """Store the answer that counts from now on, and its entry in the list."""
    database.execute("UPDATE events SET answer = ? WHERE site = ? AND number = ?", (answer, *event))
    database.execute(
        "INSERT INTO answers (answered, site, number, answer, reason, by) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (stamp(remark.at), *event, entry, one_line(remark.reason), one_line(remark.by)),
    )
