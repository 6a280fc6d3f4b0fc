"""Accuracy on labelled scenes: `anomvae.detect` with one configuration, RX beside it.

Takes any folder of ``<name>/scene.tif`` and ``<name>/labels.tif``; prints a table in Markdown, and
writes JSON.  No label is seen before the figures::

    python benchmarks/accuracy.py --scenes DIR --out accuracy.json
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install

from benchmarks.record import circumstances, keep

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {"roc_auc": "AUC", "average_precision": "AP", "tpr_at_fpr_1e3": "TPR@1e-3"}


@dataclass(frozen=True)
class Row:
    """Figures of one detector on one scene with one seed."""

    scene: str
    detector: str
    seed: int
    roc_auc: float
    average_precision: float
    tpr_at_fpr_1e2: float
    tpr_at_fpr_1e3: float
    flagged: float
    seconds: float


def measure_scene(folder: Path, config: str, seed: int, baselines: Iterable[str]) -> list[Row]:
    """Fit and score one scene, without its labels, then measure."""
    from anomvae import detect, evaluate_detector

    start = time.perf_counter()
    detector = detect(folder / "scene.tif", config, seed)
    seconds = time.perf_counter() - start
    found = evaluate_detector(
        detector, folder / "scene.tif", folder / "labels.tif", baselines=list(baselines)
    )
    return [
        Row(
            scene=folder.name,
            detector=config if name == "anomvae" else name,
            seed=seed,
            roc_auc=m.roc_auc,
            average_precision=m.average_precision,
            tpr_at_fpr_1e2=m.tpr_at_fpr_1e2,
            tpr_at_fpr_1e3=m.tpr_at_fpr_1e3,
            flagged=(m.true_positive + m.false_positive) / m.pixels,
            seconds=seconds if name == "anomvae" else float("nan"),
        )
        for name, m in found.rows.items()
    ]


def markdown(rows: list[Row]) -> str:
    """Put detectors side by side, scenes below each other, means over the seeds."""
    import pandas as pd

    table = pd.DataFrame([asdict(row) for row in rows])
    figures = table.groupby(["scene", "detector"], sort=False)[[*COLUMNS]].mean()
    wide = figures.unstack("detector").swaplevel(axis=1)
    wide = wide[[(d, c) for d in table["detector"].unique() for c in COLUMNS]]
    wide.loc["mean"] = wide.mean()
    head = ["scene", *(f"{detector} {COLUMNS[column]}" for detector, column in wide.columns)]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for scene, values in wide.iterrows():
        lines.append(f"| {scene} | " + " | ".join(f"{value:.4f}" for value in values) + " |")
    return "\n".join(lines) + "\n\n" + spread(table)


def spread(table: pd.DataFrame) -> str:
    """Say how the mean AUC varies over seeds, how much is flagged, and how long a scene takes."""
    ours = table[table["seconds"].notna()]
    by_seed = ours.groupby("seed")["roc_auc"].mean()
    return (
        f"Mean AUC by seed: {', '.join(f'{auc:.4f}' for auc in by_seed)}. "
        f"Share flagged at the default threshold: {ours['flagged'].min():.1%} to "
        f"{ours['flagged'].max():.1%}. Seconds to fit: median {ours['seconds'].median():.1f}."
    )


@click.command()
@click.option("--scenes", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--config", default="default", show_default=True, help="Name or TOML file.")
@click.option("--seeds", default=1, show_default=True, help="Repetitions, from seed 0.")
@click.option("--baselines", default="rx", show_default=True, help="Comma-separated.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file for every figure.")
@click.option("--record", is_flag=True, help="Keep the table in benchmarks/results.md.")
def main(
    scenes: Path, config: str, seeds: int, baselines: str, out: Path | None, record: bool
) -> None:
    """Measure `detect` on every labelled scene of a folder."""
    folders = sorted(p for p in scenes.iterdir() if (p / "labels.tif").exists())
    if not folders:
        raise click.UsageError(f"{scenes} holds no <name>/scene.tif with <name>/labels.tif.")
    rows: list[Row] = []
    for folder in folders:
        for seed in range(seeds):
            found = measure_scene(folder, config, seed, baselines.split(","))
            rows += found
            auc = ", ".join(f"{row.detector} {row.roc_auc:.4f}" for row in found)
            click.echo(f"{folder.name} (seed {seed}): {auc}", err=True)
    told = f"{circumstances()}; {seeds} seeds, configuration {config}"
    print(f"{told}\n\n{markdown(rows)}")
    if out is not None:
        data = {"circumstances": told, "rows": [asdict(row) for row in rows]}
        out.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    if record:
        command = (
            f"python benchmarks/accuracy.py --scenes DIR --config {config} --seeds {seeds} "
            f"--baselines {baselines} --record"
        )
        keep("accuracy", f"## Accuracy of `detect`\n\n`{command}`\n\n{told}\n\n{markdown(rows)}")


if __name__ == "__main__":
    main()
