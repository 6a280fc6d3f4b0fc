"""One run at a time: a lock that the system frees when its process dies, and its owner."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from ..documents import content_of, read_json
from ..errors import LockHeld
from ..files import locked, write_atomically, writing
from .state import stamp

OWNER_FILE = "running.json"


@dataclass(frozen=True)
class LockOwner:
    """The run that holds the lock: its id, process, machine, and when it began (UTC)."""

    run: str
    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        """Return process, machine and begin."""
        return f"process {self.pid} on {self.host}, since {self.since}"


@contextmanager
def only_run(folder: Path, run: str, now: datetime) -> Iterator[None]:
    """Hold the lock of a state folder; raises `LockHeld` at once if another run is at work."""
    with writing(folder):
        folder.mkdir(0o700, parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(folder, "monitor", patience=0, mode=0o600))
        except LockHeld as error:
            owner = read_lock_owner(folder)
            raise LockHeld(
                f"Another run of anomvae monitor is at work{f': {owner}' if owner else ''}. Wait "
                f"until it has ended, or end it."
            ) from error
        owner = LockOwner(run, os.getpid(), platform.node(), stamp(now))
        write_atomically(folder / OWNER_FILE, json.dumps(asdict(owner)).encode(), 0o600)
        try:
            yield
        finally:
            (folder / OWNER_FILE).unlink(missing_ok=True)


def read_lock_owner(folder: Path) -> LockOwner | None:
    """Read the owner of the lock, alive or dead; None if there is none."""
    try:
        owner = LockOwner(**read_json(content_of(folder / OWNER_FILE)))
    except (OSError, ValueError, TypeError):
        return None
    texts = [owner.run, owner.host, owner.since]
    known = isinstance(owner.pid, int) and all(isinstance(text, str) for text in texts)
    return owner if known else None
