"""The command line of anomvae in this process or in a fork of it, and how it may end."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults.kind import FaultFound
from benchmarks.faults.memory import peak

CODES = (0, 2, 3, 4, 5, 6, 10, 130)
"""Exit codes of the command line, without that of an internal error."""


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    """Exit code; a negative one is a signal."""
    out: str
    err: str

    def expect(self, *codes: int) -> Ran:
        """Return it; an internal error, a traceback or another code is a fault."""
        if "Traceback (most" in self.err or "internal error" in self.err or self.code == 1:
            raise FaultFound("traceback", f"exit {self.code}: {self._last()}")
        if self.code not in codes:
            raise FaultFound("silent", f"exit {self.code}, expected {codes}: {self._last()}")
        return self

    def _last(self) -> str:
        return self.err.strip()[-300:]


def called(*arguments: str | Path) -> Ran:
    """Run a command in this process."""
    from click.testing import CliRunner

    from anomvae.cli import main

    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return Ran(result.exit_code, result.stdout, result.stderr)


@dataclass
class Command:
    """A command that runs in a fork of this process."""

    pid: int
    folder: Path
    """Of its ``out`` and ``err``."""
    started: float = field(default_factory=time.monotonic)
    peak: int = 0
    """Memory, bytes."""
    status: int | None = None

    @classmethod
    def start(
        cls,
        folder: Path,
        arguments: Sequence[str | Path],
        before: Callable[[], object] = lambda: None,
    ) -> Command:
        """Fork; call ``before`` in the child, then the command; both streams go to ``folder``."""
        folder.mkdir(exist_ok=True, parents=True)
        for name in ("out", "err"):  # it may be killed before it opens them
            (folder / name).touch()
        pid = os.fork()
        if pid == 0:
            _become(folder, arguments, before)
        return cls(pid, folder)

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        if self.status is None:
            self.peak = max(self.peak, peak(self.pid))
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if pid else None
        return self.status is not None

    def run_for(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let it run for a time, or until something holds or it ends."""
        end = time.monotonic() + seconds
        while not (self.ended or until() or time.monotonic() > end):
            time.sleep(0.002)

    def kill(self) -> None:
        """Kill it."""
        if not self.ended:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self.run_for(10)

    def wait(self, longest: float = 30) -> Ran:
        """Wait until it ends; a longer one is a fault."""
        self.run_for(longest)
        if self.status is None:
            self.kill()
            raise FaultFound("limit", f"a command takes longer than {longest:g} s")
        out, err = ((self.folder / name).read_text("utf-8", "replace") for name in ("out", "err"))
        return Ran(self.status, out, err)


def ran(folder: Path, arguments: Sequence[str | Path]) -> Ran:
    """Run a command in a fork to its end."""
    return Command.start(folder, arguments).wait()


def _become(folder: Path, arguments: Sequence[str | Path], before: Callable[[], object]) -> None:
    """Turn this process, a fork, into a command."""
    code = 1
    try:
        for number, name in ((1, "out"), (2, "err")):
            file = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC)
            os.dup2(file, number)
            os.close(file)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
        from anomvae.cli import main

        before()
        main([str(argument) for argument in arguments], prog_name="anomvae")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
