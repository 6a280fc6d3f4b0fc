"""What the command line prints: no control characters, no secrets, CSV that is safe to open.

Names of files and bands, tags and answers of servers may hold characters that a terminal obeys, or
cells that a spreadsheet runs.  Every command prints by `echo`, every log by `LineFormatter`.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import click

from .. import names
from ..addresses import concealed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from ..stats.held_out import HeldOutRate
    from ..stats.metrics import Metrics
    from ..stats.thresholds import Threshold


def terminal_text(text: str) -> str:
    r"""Return a text with escapes in place of control characters but tab and new line.

    Examples
    --------
    >>> terminal_text("a\x1b[31m.tif\n")
    'a\\x1b[31m.tif\n'
    """
    parts = re.split(r"([\n\t])", text)
    return "".join(part if part in {"\n", "\t"} else names.printable(part) for part in parts)


def terminal_line(text: str) -> str:
    """Return a message as one printable line without secrets."""
    return terminal_text(concealed(" ".join(text.split())))


def echo(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print a text, escaped by `terminal_text`."""
    click.echo(terminal_text(text), err=err, nl=nl)


def rates_text(threshold: Threshold, held_out: HeldOutRate | None) -> str:
    """Return the shares of pixels above a threshold, and the rate that it promises."""
    if threshold.provisional:
        return "chosen anew for each scored scene"
    kind = "held-out " if threshold.held_out else "" if held_out else "training "
    text = f"above it {threshold.fpr:.2%} of {threshold.pixels} {kind}pixels"
    if held_out is not None and not threshold.held_out:
        text += f", {held_out.rate:.2%} of {held_out.pixels} held-out pixels"
    promise = threshold.promise
    return text if promise is None else f"{text} (promised {promise:.2%})"


def metrics_table(rows: Mapping[str, Metrics], columns: Iterable[str]) -> str:
    """Return metrics, one row per detector, and why some are missing.

    ``columns`` are names of metrics, and ``flagged``, the number of pixels.
    """
    from ..evaluation.tables import METRICS
    from ..stats.metrics import table

    metrics, first = table(rows), next(iter(rows.values()))
    flagged = metrics["true_positive"] + metrics["false_positive"]
    shown = metrics.assign(flagged=flagged)[list(columns)].rename(columns=METRICS)
    return "\n".join(
        [
            shown.to_string(float_format="{:.4f}".format),
            f"{first.anomalous} of {first.pixels} labelled pixels are anomalous",
            *([f"nan: {first.reason}"] if first.reason else []),
        ]
    )


def csv_text(table: pd.DataFrame) -> str:
    """Return a table as CSV; a quote precedes texts that a spreadsheet would run."""
    texts = table.select_dtypes(include=["object", "string"])
    quoted = {name: texts[name].map(_quoted, na_action="ignore") for name in texts}
    return str(table.assign(**quoted).to_csv(index=False))


def _quoted(cell: object) -> object:
    return names.spreadsheet_text(cell) if isinstance(cell, str) else cell


class LineFormatter(logging.Formatter):
    """Formats a record as its level and one printable line, then its traceback."""

    def __init__(self) -> None:
        """Make the formatter."""
        super().__init__("%(levelname)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return level and message."""
        return terminal_text(concealed(super().formatMessage(record).replace("\n", " ")))

    def formatException(self, ei: logging._SysExcInfoType) -> str:
        """Return the traceback."""
        return terminal_text(concealed(super().formatException(ei)))
