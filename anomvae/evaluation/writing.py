"""Evaluations and comparisons as text of 80 columns, Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path

from ..errors import ConfigError
from ..files import PathText, write_atomically
from ..names import markdown_text, spreadsheet_text
from .comparison import Comparison
from .evaluation import Evaluation
from .tables import tables_of

SUFFIXES = (".json", ".csv", ".md")


def require_suffix(path: PathText) -> str:
    """Return the format of a file of metrics by its suffix, before the work; none is JSON.

    Raises
    ------
    ConfigError
        When the suffix is another.
    """
    suffix = Path(path).suffix.lower() or SUFFIXES[0]
    if suffix not in SUFFIXES:
        raise ConfigError(
            f"{path} does not end in .json, .csv or .md, the formats of metrics. "
            f"Choose a name that does."
        )
    return suffix


def save_metrics(result: Evaluation | Comparison, path: PathText) -> None:
    """Write metrics as JSON, CSV or Markdown, by the suffix, whole or not at all.

    Raises
    ------
    ConfigError
        When the suffix is another.
    NotWritten
        When the file cannot be written.
    """
    make = {".json": lambda: result.to_json(), ".csv": lambda: to_csv(result)}
    text = make.get(require_suffix(path), lambda: to_markdown(result))()
    write_atomically(path, text.encode())


def to_text(result: Evaluation | Comparison) -> str:
    """Return tables of text, of at most 80 columns where names are short."""
    return "\n\n".join(table.to_text() for table in tables_of(result))


def to_markdown(result: Evaluation | Comparison) -> str:
    """Return the same tables as Markdown."""
    title = "Comparison" if isinstance(result, Comparison) else f"Evaluation of {result.scene}"
    parts = [f"## {markdown_text(title)}", *(table.to_markdown() for table in tables_of(result))]
    return "\n\n".join(parts) + "\n"


def to_csv(result: Evaluation | Comparison) -> str:
    """Return all metrics as CSV: a line for each scene and detector."""
    scenes = result.scenes if isinstance(result, Comparison) else (result,)
    lines = [
        {"scene": scene.scene, "detector": name} | dict(_flat(row))
        for scene in scenes
        for name, row in scene.to_dict()["detectors"].items()
    ]
    columns = dict.fromkeys(name for line in lines for name in line)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _csv_cell(value) for name, value in line.items()} for line in lines)
    return out.getvalue()


def _flat(row: dict[str, object]) -> Iterator[tuple[str, object]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from ((f"{name}_{inner}", each) for inner, each in _flat(value))
        elif value is not None:
            yield name, value


def _csv_cell(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return ""
    return spreadsheet_text(value) if isinstance(value, str) else value
