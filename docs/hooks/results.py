"""Tables of the pages whose numbers are those of benchmarks/results.md.

A page holds ``<!-- table: NAME -->``; the table of that name takes its place when the site is
built.  README.md, which is no page, holds a copy, and a test compares both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results.md"
PLACE = re.compile(r"^<!-- table: ([a-z-]+) -->$", re.MULTILINE)
SCENES = (
    *("abu-airport-1", "abu-airport-4", "abu-beach-2", "abu-urban-1", "abu-urban-3"),
    *("pavia-center", "sandiego-1"),
)
"""Scenes of different ground; results.md has two more of the ground of the last one."""
HEADS = {
    "rx": "RX",
    "rrx": "robust RX",
    "default": "`default`",
    "medium-objects": "`medium-objects`",
    "small-objects": "`small-objects`",
}
"""Columns of results.md, in the order of the table of real scenes, and their heads."""


@dataclass(frozen=True)
class Table:
    """A table of results.md: rows by name, each with its cells by column, as they are written."""

    rows: Mapping[str, Mapping[str, str]]
    """Cells by row and column."""
    origin: str
    """When, and by which commit, it was measured."""


def section(name: str, heading: str) -> Table:
    """Return the table below ``### heading`` of the part ``<!-- name -->`` of results.md."""
    text = RESULTS.read_text(encoding="utf-8")
    part = text.split(f"<!-- {name} -->")[1].split(f"<!-- end of {name} -->")[0]
    lines = part.split(f"### {heading}\n")[1].strip().split("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    columns = cells[0]
    rows = {row[0]: dict(zip(columns, row, strict=True)) for row in cells[2:]}
    measured = re.search(r"\d{4}-\d\d-\d\d, commit \w{10}", part)
    return Table(rows, measured.group() if measured else "")


def real_scenes() -> str:
    """Return AUC and average precision of `detect` on real scenes, the best of each row bold."""
    auc, precision = section("accuracy", "AUC"), section("accuracy", "AP (average precision)")
    lines = ["| scene | " + " | ".join(HEADS.values()) + " |", "|---" * (len(HEADS) + 1) + "|"]
    for scene in (*SCENES, "mean of 7"):
        row = next(name for name in auc.rows if name.strip("*").startswith((scene, f"**{scene}")))
        pairs = [(_short(auc.rows[row][c]), _short(precision.rows[row][c])) for c in HEADS]
        best = [max(pair[which] for pair in pairs) for which in (0, 1)]
        cells = [_pair(pair, best) for pair in pairs]
        lines.append(f"| {scene.partition(' of ')[0]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def real_scenes_origin() -> str:
    """Return where the table of real scenes comes from, as a sentence."""
    return f"*Measured {section('accuracy', 'AUC').origin}.*"


def peers() -> str:
    """Return mean AUC and average precision of all detectors of `detect` over nine scenes."""
    found = []
    for name in ("accuracy", "local-baselines"):
        auc, precision = section(name, "AUC"), section(name, "AP (average precision)")
        means = {row: cells for row, cells in auc.rows.items() if row.startswith("**mean of 9")}
        (row,) = means
        found += [
            (detector, _short(value), _short(precision.rows[row][detector]), auc.origin)
            for detector, value in means[row].items()
            if detector != "scene" and (name == "accuracy" or detector != "rx")
        ]
    found.sort(key=lambda one: one[1], reverse=True)
    lines = ["| detector | mean AUC | mean average precision | measured |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {auc} | {ap} | {origin} |" for name, auc, ap, origin in found]
    return "\n".join(lines)


def means() -> str:
    """Return means over real scenes: of whole ones, and of their right halves."""
    whole, halves = (
        [section(part, heading) for heading in ("AUC", "AP (average precision)")]
        for part in ("accuracy", "accuracy-split")
    )
    lines = ["  | | `detect` | left half to right half |", "  |---|---|---|"]
    for column, head in reversed(HEADS.items()):
        cells = [" / ".join(_mean(table, column) for table in pair) for pair in (whole, halves)]
        lines.append(f"  | {head} | " + " | ".join(cell.strip(" /") for cell in cells) + " |")
    return "\n".join(lines)


def _mean(table: Table, column: str) -> str:
    """Return the mean over all scenes of a column, nothing where there is none."""
    row = next(cells for name, cells in table.rows.items() if name.startswith("**mean of"))
    return _short(row[column]) if column in row else ""


TABLES: Mapping[str, Callable[[], str]] = {
    "real-scenes": real_scenes,
    "real-scenes-origin": real_scenes_origin,
    "means": means,
    "peers": peers,
}


def filled(page: str) -> str:
    """Replace every ``<!-- table: NAME -->`` of a page by its table."""
    return PLACE.sub(lambda met: TABLES[met.group(1)](), page)


def _short(figure: str) -> str:
    """Round a figure such as ``0.9641 ± 0.0010`` to ``.964``."""
    text = f"{float(figure.split()[0]):.3f}"
    return text.removeprefix("0")


def _pair(pair: tuple[str, str], best: list[str]) -> str:
    """Write AUC and average precision, each bold where it is the best of its row."""
    auc, precision = (
        f"**{one}**" if one == top else one for one, top in zip(pair, best, strict=True)
    )
    return f"{auc} / {precision}".replace("** / **", " / ")
