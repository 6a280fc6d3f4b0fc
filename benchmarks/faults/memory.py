"""Peak memory of processes, from /proc; 0 where there is none."""

from __future__ import annotations

import re
import resource
from contextlib import suppress
from pathlib import Path

FIELD = re.compile(r"^(Vm\w+):\s+(\d+) kB$", re.MULTILINE)


def reset_peak() -> None:
    """Let the peak of this process begin at its present memory."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak(pid: int | str = "self") -> int:
    """Return the peak resident memory of a process, bytes; 0 if it has ended."""
    return _field(pid, "VmHWM")


def address_space(pid: int | str = "self") -> int:
    """Return the size of the address space of a process, bytes."""
    return _field(pid, "VmSize")


def limit_growth(more: int) -> None:
    """Let the address space of this process grow by at most ``more`` bytes."""
    size = address_space() + more
    resource.setrlimit(resource.RLIMIT_AS, (size, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _field(pid: int | str, name: str) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return 1024 * int(dict(FIELD.findall(status)).get(name, 0))
