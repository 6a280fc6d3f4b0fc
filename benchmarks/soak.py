"""Make thousands of faults on purpose, and count what goes wrong.

Kinds of fault are those of `benchmarks.faults`: kills at random moments, disks and limits, mutated
models, TIFFs and documents, hostile names, times, catalogues and servers, and equal data written in
many ways.  A try is drawn from kind, seed and number; one that fails is printed with all three, and
repeated by them::

    python benchmarks/soak.py --seed 0 --kills 500 --models 50000 --tiffs 5000 --others 2000
    python benchmarks/soak.py --only model-card --seed 0 --first 39

The exit code is 1 if anything went wrong.  Linux only.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import get_args

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install

from benchmarks.faults.kind import Kind, Tried, Unavailable, Wrong
from benchmarks.faults.table import KINDS
from benchmarks.faults.tries import prepared, try_all
from benchmarks.record import Section, circumstances, publish, record_option
from benchmarks.tables import as_table

HEAD = ["kind", "tries", "worst time, s", "worst memory, MB", "results lost", "tracebacks",
        "silent errors", "over a limit", "died"]  # fmt: skip
WRONGS: tuple[Wrong, ...] = get_args(Wrong)
MOST_SHOWN = 20
"""Failures of a kind that are printed."""


@dataclass
class Count:
    """The tries of a kind so far."""

    kind: str
    group: str
    tries: int = 0
    seconds: float = 0.0
    """Of the longest try."""
    peak: int = 0
    """Most memory, bytes."""
    wrongs: Counter[Wrong] = field(default_factory=Counter)
    failures: list[Tried] = field(default_factory=list)
    """The first ones."""
    unavailable: str = ""
    """Why this machine cannot try the kind."""

    def add(self, tried: Tried) -> None:
        """Count a try."""
        self.tries += 1
        self.seconds, self.peak = max(self.seconds, tried.seconds), max(self.peak, tried.peak)
        if tried.wrong is not None:
            self.wrongs[tried.wrong] += 1
            if len(self.failures) < MOST_SHOWN:
                self.failures.append(tried)
                click.echo(str(tried), err=True)

    @property
    def cells(self) -> list[str]:
        """The row of the table."""
        if self.unavailable:
            return [self.kind, f"0 ({self.unavailable})", *[""] * (len(HEAD) - 2)]
        worst = [f"{self.seconds:.1f}", f"{self.peak / 1e6:.0f}"]
        return [self.kind, f"{self.tries:,}", *worst, *(str(self.wrongs[each]) for each in WRONGS)]


@dataclass
class Inputs:
    """The inputs of the kinds, each written once."""

    root: Path
    written: dict[Callable[[Path], None], Path] = field(default_factory=dict)

    def of(self, kind: Kind) -> Path:
        """Return the folder of a kind's inputs."""
        if kind.prepare not in self.written:
            folder = self.root / kind.name
            prepared(kind, folder)
            self.written[kind.prepare] = folder
        return self.written[kind.prepare]


def tries_of(kind: Kind, group: int) -> int:
    """Return the number of tries of a kind, of those of its group."""
    shares: float = sum(other.share for other in KINDS if other.group == kind.group)
    return math.ceil(group * kind.share / shares)


def selected(only: str | None) -> list[Kind]:
    """Return the kinds whose name, start of a name, or group is ``only``."""
    chosen = [k for k in KINDS if only is None or k.group == only or k.name.startswith(only)]
    exact = [kind for kind in chosen if kind.name == only]
    if not chosen:
        names = ", ".join(kind.name for kind in KINDS)
        raise click.UsageError(f"No kind is {only!r}. Known: {names}.")
    return exact or chosen


def soak(
    kinds: list[Kind], numbers: Callable[[Kind], range], seed: int, processes: int
) -> Iterator[Count]:
    """Yield the counts of each kind."""
    with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as root:
        inputs = Inputs(Path(root))
        for kind in kinds:
            start, count = time.monotonic(), Count(kind.name, kind.group)
            try:
                folder = inputs.of(kind)
                for tried in try_all(kind, folder, seed, numbers(kind), processes):
                    count.add(tried)
            except Unavailable as reason:
                count.unavailable = str(reason)
            click.echo(f"{kind.name}: {time.monotonic() - start:.0f} s", err=True)
            yield count


def report(counts: list[Count], seconds: float) -> str:
    """Write the table, and the totals."""
    total = Count("**all**", "")
    for count in counts:
        total.tries += count.tries
        total.seconds, total.peak = max(total.seconds, count.seconds), max(total.peak, count.peak)
        total.wrongs += count.wrongs
    groups = Counter[str]()
    for count in counts:
        groups[count.group] += count.tries
    kinds = ", ".join(f"{tries:,} {group}" for group, tries in groups.items())
    table = as_table(HEAD, [count.cells for count in [*counts, total]])
    return f"{kinds}; {seconds / 60:.0f} minutes.\n\n{table}"


@click.command()
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--kills", default=500, show_default=True, type=click.IntRange(0))
@click.option("--models", default=50_000, show_default=True, type=click.IntRange(0))
@click.option("--tiffs", default=5_000, show_default=True, type=click.IntRange(0))
@click.option("--others", default=2_000, show_default=True, type=click.IntRange(0))
@click.option("--only", metavar="KIND", help="A kind, the start of its name, or a group.")
@click.option("--first", type=click.IntRange(0), help="Number of the first try of each kind.")
@click.option("--count", type=click.IntRange(1), help="Tries of each kind; 1 after --first.")
@click.option("--processes", default=2, show_default=True, type=click.IntRange(1))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Write the counts as JSON.")
@record_option
def main(
    seed: int,
    only: str | None,
    first: int | None,
    count: int | None,
    processes: int,
    out: Path | None,
    record: Path | None,
    **groups: int,
) -> None:
    """Make faults on purpose, and count results lost, tracebacks and silent errors."""
    begin, start = first or 0, time.monotonic()
    each = 1 if first is not None and count is None else count

    def numbers(kind: Kind) -> range:
        return range(begin, begin + (each or tries_of(kind, groups[kind.group])))

    when = circumstances()
    counts = list(soak(selected(only), numbers, seed, processes))
    text = f"{when}.\n\n{report(counts, time.monotonic() - start)}"
    options = " ".join(f"--{name} {number}" for name, number in groups.items())
    command = f"python benchmarks/soak.py --seed {seed} {options}"
    publish(Section("soak", "Faults made on purpose", command, text), record)
    if out is not None:
        # `asdict` makes a counter of a counter's items.
        rows = [asdict(each) | {"wrongs": dict(each.wrongs)} for each in counts]
        out.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    if any(each.wrongs for each in counts):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
