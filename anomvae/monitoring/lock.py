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

OWNER_FILE = "running.json"


@dataclass(frozen=True)
class LockOwner:
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
                f"Another run of anomvae monitor is at work{_told(read_lock_owner(folder))}. "
                f"Wait until it has ended, or end it."
            ) from error
        owner = LockOwner(run, os.getpid(), platform.node(), stamp(now))
        write_atomically(folder / OWNER_FILE, json.dumps(asdict(owner)).encode())
        try:
            yield
        finally:
            (folder / OWNER_FILE).unlink(missing_ok=True)


def read_lock_owner(folder: Path) -> LockOwner | None:
    """Read who holds the lock, or held it and died; None where nobody does."""
    try:
        return LockOwner(**json.loads((folder / OWNER_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _told(owner: LockOwner | None) -> str:
    if owner is None:
        return ""
    return f": process {owner.pid} on {owner.host}, since {owner.since}"
