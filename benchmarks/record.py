"""Say where and when a measurement was made, and keep its table in results.md."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

RESULTS = Path(__file__).parent / "results.md"


def circumstances(now: datetime | None = None) -> str:
    """Name date, commit and machine."""
    from anomvae import __version__

    day = (now or datetime.now(UTC)).date().isoformat()
    return f"{day}, commit {commit()}, anomvae {__version__}, {machine()}"


def machine() -> str:
    """Name what seconds depend on."""
    import torch

    return (
        f"torch {torch.__version__} ({torch.get_num_threads()} threads), {processor()}, "
        f"{os.cpu_count()} cores, Python {platform.python_version()}"
    )


@cache
def commit() -> str:
    """Name the commit that this process began with; changes since add ``+`` and the code's sum."""
    folder = Path(__file__).parent
    head = ["git", "-C", str(folder), "rev-parse", "--short=10", "HEAD"]
    changes = ["git", "-C", str(folder), "status", "--porcelain", "--", "../anomvae"]
    try:
        name = subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()
        dirty = subprocess.run(changes, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        name, dirty = "unknown", "all of it"
    return f"{name}+{code()}" if dirty else name


def code() -> str:
    """Sum up the package's modules in a few letters that change when they do."""
    modules = sorted((Path(__file__).parent.parent / "anomvae").rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in modules)).hexdigest()[:8]


def processor() -> str:
    """Name the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def keep(section: str, text: str) -> None:
    """Replace one section of results.md, or add it."""
    begin, end = f"<!-- {section} -->\n", f"<!-- end of {section} -->\n"
    whole = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else "# Results\n\n"
    before, found, rest = whole.partition(begin)
    after = rest.partition(end)[2] if found else ""
    RESULTS.write_text(f"{before}{begin}\n{text.strip()}\n\n{end}{after}", encoding="utf-8")
