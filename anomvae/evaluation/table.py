"""A table of texts, as text of 80 columns and as Markdown."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from ..names import markdown_text, one_line
from ..stats.intervals import Interval

WIDTH = 80
"""Columns of a table of text."""
LONGEST_NAME = 24
"""Characters of a name in a table of text."""

Cells = Sequence[str]


@dataclass(frozen=True)
class Table:
    """A table of texts."""

    title: str
    """What it holds; empty: its columns say it."""
    header: Cells
    """Titles of its columns; that of the names is empty."""
    rows: Sequence[Cells]
    """Its rows, each as long as the header: a name first."""
    notes: Cells = ()
    """Lines below it."""

    def to_text(self) -> str:
        """Return aligned columns: names to the left, all else to the right."""
        cells = [list(self.header), *([short_name(row[0]), *row[1:]] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(
                text.ljust(width) if not number else text.rjust(width)
                for number, (text, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in cells
        ]
        texts = [textwrap.fill(text, WIDTH) for text in self.notes]
        title = [textwrap.fill(self.title, WIDTH)] if self.title else []
        return "\n".join([*title, *lines, *texts])

    def to_markdown(self) -> str:
        """Return a table of Markdown."""
        lines = [self.header, ["---"] + ["---:"] * (len(self.header) - 1), *self.rows]
        table = "\n".join(f"| {' | '.join(map(markdown_text, row))} |" for row in lines)
        notes = "\n".join(f"- {markdown_text(note)}" for note in self.notes)
        title = f"### {markdown_text(self.title)}" if self.title else ""
        return "\n\n".join(filter(None, [title, table, notes]))


def number_text(value: float, *, places: int = 4, sign: bool = False) -> str:
    """Return a number of so many places, with its sign or not."""
    if math.isnan(value):
        return "NaN"
    return f"{value:+.{places}f}" if sign else f"{value:.{places}f}"


def interval_text(interval: Interval | None, *, sign: bool = False) -> str:
    """Return the ends of an interval; a dash where there is none."""
    if interval is None:
        return "-"
    return f"{number_text(interval.low, places=3, sign=sign)} to " + number_text(
        interval.high, places=3, sign=sign
    )


def short_name(name: str) -> str:
    """Return a name in one line of limited length."""
    text = one_line(name)
    return text if len(text) <= LONGEST_NAME else f"...{text[3 - LONGEST_NAME :]}"
