"""One run at a time: a lock that the system frees when its process dies, and who holds it."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from ..errors import LockHeld
from ..files import locked, write_atomically, writing
from .state import stamp

HOLDER = "running.json"


@dataclass(frozen=True)
class Holder:
    """The run that is at work."""

    run: str
    """Its id."""
    pid: int
    """Its process."""
    host: str
    """Its machine."""
    since: str
    """When it began, UTC."""


@contextmanager
def only_run(folder: Path, run: str, now: datetime) -> Iterator[None]:
    """Keep other runs out; a second one learns at once since when and by which process.

    Raises
    ------
    LockHeld
        If another run is at work.
    NotWritten
        If the folder cannot be written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(folder, "monitor", patience=0))
        except LockHeld as error:
            raise LockHeld(
                f"Another run of anomvae monitor is at work{_told(read_holder(folder))}. "
                f"Wait until it has ended, or end it."
            ) from error
        holder = Holder(run, os.getpid(), platform.node(), stamp(now))
        write_atomically(folder / HOLDER, json.dumps(asdict(holder)).encode())
        try:
            yield
        finally:
            (folder / HOLDER).unlink(missing_ok=True)


def read_holder(folder: Path) -> Holder | None:
    """Read who holds the lock, or held it and died; None where nobody does."""
    try:
        return Holder(**json.loads((folder / HOLDER).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _told(holder: Holder | None) -> str:
    if holder is None:
        return ""
    return f": process {holder.pid} on {holder.host}, since {holder.since}"
