"""Say where and when a measurement was made, and keep its table in results.md."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "results.md"


def circumstances(now: datetime | None = None) -> str:
    """Name date, commit and machine."""
    import torch

    from anomvae import __version__

    day = (now or datetime.now(UTC)).date().isoformat()
    return (
        f"{day}, commit {commit()}, anomvae {__version__}, torch {torch.__version__} "
        f"({torch.get_num_threads()} threads), {processor()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}"
    )


def commit() -> str:
    """Name the commit of the checkout; ``+`` marks changes that are not committed."""
    folder = Path(__file__).parent
    head = ["git", "-C", str(folder), "rev-parse", "--short=10", "HEAD"]
    changes = ["git", "-C", str(folder), "status", "--porcelain", "--", "../anomvae"]
    try:
        name = subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()
        dirty = subprocess.run(changes, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name + ("+" if dirty else "")


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
