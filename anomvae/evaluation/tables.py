"""Evaluations and comparisons as tables: text of 80 columns, Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError
from ..files import PathText, write_atomically
from ..names import one_line, spreadsheet_text
from ..stats.block_bootstrap import Difference, Interval
from .comparison import Comparison
from .evaluation import Evaluation

SUFFIXES = (".json", ".csv", ".md")
WIDTH = 80
"""Columns of a table of text."""
LONGEST_NAME = 24
"""Characters of a name in a table of text."""
METRICS = {
    "roc_auc": "ROC AUC",
    "average_precision": "AP",
    "tpr_at_fpr_1e2": "TPR@1e-2",
    "tpr_at_fpr_1e3": "TPR@1e-3",
    "best_f1": "best F1",
    "precision": "prec.",
    "recall": "recall",
    "f1": "F1",
}
"""Metrics of pixels, with their titles."""
MEASURES = {
    "auc_d_f": "D,F",
    "auc_d_tau": "D,tau",
    "auc_f_tau": "F,tau",
    "td": "TD",
    "bs": "BS",
    "tdbs": "TDBS",
    "od": "OD",
    "odp": "ODP",
    "snpr": "SNPR",
}
"""Measures of the 3D ROC, with their titles."""

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
        cells = [list(self.header), *([_short(row[0]), *row[1:]] for row in self.rows)]
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
        table = "\n".join(f"| {' | '.join(map(_marked, row))} |" for row in lines)
        notes = "\n".join(f"- {_marked(note)}" for note in self.notes)
        title = f"### {_marked(self.title)}" if self.title else ""
        return "\n\n".join(filter(None, [title, table, notes]))


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
    parts = [f"## {_marked(title)}", *(table.to_markdown() for table in tables_of(result))]
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


def tables_of(result: Evaluation | Comparison) -> list[Table]:
    """Return the tables of a result, the most important one first."""
    if isinstance(result, Evaluation):
        return list(_of_scene(result))
    if len(result.scenes) == 1:
        rest = [table for table in _of_scene(result.scenes[0]) if "AUC - first" not in table.header]
        return [_one_scene(result), *rest]
    return [_several_scenes(result), _areas(result)]


def _of_scene(scene: Evaluation) -> Iterator[Table]:
    first = next(iter(scene.rows.values()))
    yield Table(
        "",
        ("", *METRICS.values()),
        [
            (name, *(_number(getattr(row, metric)) for metric in METRICS))
            for name, row in scene.rows.items()
        ],
        (
            f"{first.anomalous} of {first.pixels} labelled pixels are anomalous",
            *([f"NaN: {first.reason}"] if first.reason else []),
        ),
    )
    if scene.intervals:
        yield _intervals(scene)
    if any(each.labelled or each.flagged for each in scene.objects.values()):
        yield _objects(scene)
    if any(not each.reason for each in scene.roc3d.values()):
        yield _roc3d(scene)


def _intervals(scene: Evaluation) -> Table:
    apart = scene.differences
    return Table(
        f"95 % intervals, by {_draws(scene)}",
        ("", "ROC AUC", "AP", *(["AUC - first", "interval"] if apart else [])),
        [
            (
                name,
                _between(each.roc_auc),
                _between(each.average_precision),
                *(_apart(apart.get(name)) if apart else ()),
            )
            for name, each in scene.intervals.items()
        ],
        _missing_intervals(scene),
    )


def _draws(scene: Evaluation) -> str:
    """Return how the intervals of a scene were drawn."""
    first = next(iter(scene.intervals.values()))
    noun = "block" if first.blocks == 1 else "blocks"
    return (
        f"{first.draws} draws of {first.blocks} {noun} of {first.side} x {first.side} pixels "
        f"(seed {first.seed})"
    )


def _missing_intervals(scene: Evaluation) -> list[str]:
    """Return why there are no intervals, once where the reason is the same for all."""
    reasons = {name: each.reason for name, each in scene.intervals.items()}
    if len(set(reasons.values())) == 1:
        return [f"no interval: {reason}" for reason in set(reasons.values()) if reason]
    return [f"no interval of {name}: {reason}" for name, reason in reasons.items() if reason]


def _apart(difference: Difference | None) -> Cells:
    if difference is None:
        return "", ""
    interval = _between(difference.roc_auc_interval, sign=True)
    return _number(difference.roc_auc, sign=True), interval


def _objects(scene: Evaluation) -> Table:
    overlap = next(iter(scene.objects.values())).overlap
    least = f"{overlap:g} of their pixels" if overlap else "one pixel"
    return Table(
        f"Objects that overlap by {least} or more",
        ("", "found", "recall", "true", "precision", "F1", "IoU F1", "mean overlap"),
        [
            (
                name,
                f"{each.found}/{each.labelled}",
                _number(each.recall),
                f"{each.true}/{each.flagged}",
                _number(each.precision),
                _number(each.f1),
                _number(each.iou_f1),
                _number(each.mean_overlap),
            )
            for name, each in scene.objects.items()
        ],
    )


def _roc3d(scene: Evaluation) -> Table:
    kind = next(iter(scene.roc3d.values())).normalisation
    reasons = [f"{name}: {each.reason}" for name, each in scene.roc3d.items() if each.reason]
    return Table(
        f"3D ROC (Chang 2021), scores normalised by {kind}",
        ("", *MEASURES.values()),
        [
            (name, *(_number(value, places=3) for value in each.measures().values()))
            for name, each in scene.roc3d.items()
        ],
        reasons,
    )


def _one_scene(result: Comparison) -> Table:
    scene = result.scenes[0]
    by = f", 95 % intervals by {_draws(scene)}" if scene.intervals else ""
    return Table(
        f"{scene.scene}: difference of the ROC AUC to {next(iter(scene.rows))}{by}",
        ("", "ROC AUC", "interval", "AP", "F1", "difference", "interval"),
        [
            (
                name,
                _number(row.roc_auc),
                _between(scene.intervals[name].roc_auc if name in scene.intervals else None),
                _number(row.average_precision),
                _number(row.f1),
                *_apart(scene.differences.get(name)),
            )
            for name, row in scene.rows.items()
        ],
        _missing_intervals(scene),
    )


def _several_scenes(result: Comparison) -> Table:
    first = next(iter(result.summaries))
    reasons = {each.reason for name, each in result.summaries.items() if name != first}
    return Table(
        f"{len(result.scenes)} scenes: means, and differences of the ROC AUC to {first}",
        ("", "rank", "ROC AUC", "AP", "F1", "recall", "prec.", "diff.", "95 % interval"),
        [
            (
                name,
                _number(each.rank, places=2),
                _number(each.roc_auc),
                _number(each.average_precision),
                _number(each.f1),
                _number(each.object_recall, places=3),
                _number(each.object_precision, places=3),
                _number(each.difference, sign=True) if number else "",
                _between(each.interval, sign=True) if number else "",
            )
            for number, (name, each) in enumerate(result.summaries.items())
        ],
        ("recall, prec.: of the objects of all scenes", *filter(None, sorted(reasons))),
    )


def _areas(result: Comparison) -> Table:
    return Table(
        "ROC AUC of each scene",
        ("", *map(_short, result.summaries)),
        [
            (scene.scene, *(_number(row.roc_auc) for row in scene.rows.values()))
            for scene in result.scenes
        ],
    )


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


def _number(value: float, *, places: int = 4, sign: bool = False) -> str:
    if math.isnan(value):
        return "NaN"
    return f"{value:+.{places}f}" if sign else f"{value:.{places}f}"


def _between(interval: Interval | None, *, sign: bool = False) -> str:
    if interval is None:
        return "-"
    return f"{_number(interval.low, places=3, sign=sign)} to " + _number(
        interval.high, places=3, sign=sign
    )


def _short(name: str) -> str:
    text = one_line(name)
    return text if len(text) <= LONGEST_NAME else f"...{text[3 - LONGEST_NAME :]}"


def _marked(text: str) -> str:
    """Return a text for a cell of Markdown."""
    line = one_line(text)
    return "".join(f"\\{letter}" if letter in "\\|`*_<[" else letter for letter in line)
