"""The circumstances of a measurement, and the file results.md that keeps its tables."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import click

RESULTS = Path(__file__).parent / "results.md"
record_option = click.option(
    "--record",
    is_flag=False,
    flag_value=str(RESULTS),
    metavar="[FILE]",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the tables in FILE, or in benchmarks/results.md.",
)


@dataclass(frozen=True)
class Section:
    """One section of results.md."""

    name: str
    """A section of the same name is replaced."""
    title: str
    command: str
    """The command that repeats the measurement."""
    text: str
    """Markdown."""


def circumstances(now: datetime | None = None) -> str:
    """Return date, commit and machine."""
    from anomvae import __version__

    day = (now or datetime.now(UTC)).date().isoformat()
    return f"{day}, commit {commit()}, anomvae {__version__}, {machine()}"


def machine() -> str:
    """Return what durations depend on."""
    import torch

    return (
        f"torch {torch.__version__} ({torch.get_num_threads()} threads), {processor()}, "
        f"{os.cpu_count()} cores, Python {platform.python_version()}"
    )


@cache
def commit() -> str:
    """Return the commit at the first call; uncommitted changes add ``+`` and the code's digest."""
    folder = Path(__file__).parent
    head = ["git", "-C", str(folder), "rev-parse", "--short=10", "HEAD"]
    changes = ["git", "-C", str(folder), "status", "--porcelain", "--", "../anomvae"]
    try:
        name = subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()
        dirty = subprocess.run(changes, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        name, dirty = "unknown", "unknown"
    return f"{name}+{code()}" if dirty else name


def code() -> str:
    """Return a short digest of the package's modules."""
    modules = sorted((Path(__file__).parent.parent / "anomvae").rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in modules)).hexdigest()[:8]


def processor() -> str:
    """Return the name of the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def publish(section: Section, path: Path | None) -> None:
    """Print the text of a section; write it to ``path``, where it replaces its predecessor."""
    click.echo(section.text)
    if path is None:
        return
    begin, end = f"<!-- {section.name} -->\n", f"<!-- end of {section.name} -->\n"
    whole = path.read_text(encoding="utf-8") if path.exists() else "# Results\n\n"
    before, previous, rest = whole.partition(begin)
    after = rest.partition(end)[2] if previous else ""
    text = f"## {section.title}\n\n`{section.command} --record`\n\n{section.text.strip()}"
    path.write_text(f"{before}{begin}\n{text}\n\n{end}{after}", encoding="utf-8")
