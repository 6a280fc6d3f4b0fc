"""Measure accuracy on labelled scenes: configurations of anomvae, baselines, other detectors.

Reads any folder of ``<name>/scene.tif`` and ``<name>/labels.tif``; prints Markdown tables.  Labels
serve the metrics alone, never a fit.  Each result is written to the JSON file at once; one of the
same code, configuration and scene is not measured again::

    python benchmarks/accuracy.py --scenes DIR --config default --seeds 3 --out accuracy.json
    python benchmarks/accuracy.py --scenes DIR --split --out accuracy.json
    python benchmarks/accuracy.py --scenes DIR --bands 12 --out accuracy.json
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install

from anomvae.errors import AnomvaeError
from benchmarks.contestants import Contestant, contestants
from benchmarks.ledger import Key, Ledger, Row
from benchmarks.record import Section, circumstances, machine, publish, record_option
from benchmarks.scenes import Task, averaged, contents, labelled, prepared, why_excluded
from benchmarks.tables import beside_published, markdown

WAYS = {
    "whole": "Every detector is fitted to the scene that it scores, without labels.",
    "split": (
        "Every detector is fitted on the left half of a scene, ours as `train` does, and measured "
        "on the right half; the threshold comes from the left half, too."
    ),
}


def measure(detector: Contestant, task: Task, key: Key) -> Row:
    """Fit a detector, score with it, and measure the scores."""
    result = detector.run(task, key.seed)
    metrics = result.metrics
    flagged = metrics.true_positive + metrics.false_positive
    return Row(
        **asdict(key),
        pixels=metrics.pixels,
        anomalous=metrics.anomalous,
        roc_auc=metrics.roc_auc,
        average_precision=metrics.average_precision,
        tpr_at_fpr_1e3=metrics.tpr_at_fpr_1e3,
        tpr_at_fpr_1e2=metrics.tpr_at_fpr_1e2,
        flagged=flagged / max(metrics.pixels, 1),
        seconds=result.fit_seconds + result.score_seconds,
        machine=machine(),
        fit_seconds=result.fit_seconds,
    )


def measure_scene(
    folder: Path, mode: str, detectors: Sequence[Contestant], seeds: int, ledger: Ledger
) -> list[Row]:
    """Return the rows of a scene; measure those that the ledger lacks."""
    digest = contents(folder)
    wanted = [
        (detector, Key(folder.name, detector.name, seed, mode, detector.version, digest))
        for detector in detectors
        for seed in range(seeds if detector.seeded else 1)
    ]
    missing = [(detector, key) for detector, key in wanted if key not in ledger]
    if missing:
        with prepared(folder, mode) as task:
            for detector, key in missing:
                row = measure(detector, task, key)
                ledger.add(row)
                click.echo(
                    f"{row.scene} {row.detector} seed {row.seed}: AUC {row.roc_auc:.4f}, "
                    f"{row.seconds:.1f} s",
                    err=True,
                )
    return [ledger[key] for _, key in wanted]


def report(
    rows: Sequence[Row],
    ours: Sequence[str],
    excluded: Collection[str],
    dropped: Mapping[str, str],
    bands: int | None = None,
) -> str:
    """Write the tables, the machines, and the scenes that cannot be measured."""
    mode = rows[0].mode
    way = WAYS[mode] if bands is None else f"{WAYS[mode]} Scenes are averaged to {bands} bands."
    parts = [f"{circumstances()}. {way}", markdown(rows, excluded)]
    if ours and mode == "whole" and bands is None:
        parts.append(beside_published(rows, ours))
    others = sorted({row.machine for row in rows} - {machine()})
    parts += [f"Seconds were partly taken elsewhere: {name}." for name in others]
    if dropped:
        reasons = ", ".join(f"{scene} ({why})" for scene, why in dropped.items())
        parts.append(f"Left out: {reasons}.")
    return "\n\n".join(parts)


@click.command()
@click.option(
    "--scenes", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option(
    "--config",
    "configs",
    multiple=True,
    default=["default"],
    show_default=True,
    help="Name or TOML file; repeat it for several.",
)
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(1), help="From seed 0.")
@click.option(
    "--baselines",
    default="rx,rrx,pca,iforest",
    show_default=True,
    help="Comma-separated; also pyod-vae, pyod-ae; or none.",
)
@click.option("--split", is_flag=True, help="Fit on the left half, measure on the right half.")
@click.option("--bands", type=click.IntRange(1), help="Average neighbours to so many bands.")
@click.option("--leave-out", multiple=True, help="Scene that a second mean excludes; repeatable.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="JSON file of rows; it is continued.",
)
@record_option
def main(  # noqa: PLR0913 - one argument per option
    scenes: Path,
    configs: tuple[str, ...],
    seeds: int,
    baselines: str,
    split: bool,
    bands: int | None,
    leave_out: tuple[str, ...],
    out: Path | None,
    record: Path | None,
) -> None:
    """Measure detectors on every labelled scene of a folder."""
    others = [name.strip() for name in baselines.split(",") if name.strip() not in {"", "none"}]
    mode = "split" if split else "whole"
    folders = labelled(scenes)
    unknown = set(leave_out) - {folder.name for folder in folders}
    if unknown:
        raise click.UsageError(f"{scenes} holds no labelled scene {', '.join(sorted(unknown))}.")
    try:
        detectors = contestants(configs, others)
        with averaged(folders, bands) as measured:
            rows, dropped = measure_all(measured, mode, detectors, seeds, Ledger(out))
    except AnomvaeError as error:
        raise click.ClickException(str(error)) from error
    if not rows:
        raise click.UsageError(f"{scenes} holds no <name>/scene.tif with <name>/labels.tif to use.")
    ours = [detector.name for detector in detectors if detector.ours]
    title = "Accuracy on the half that was not learnt" if split else "Accuracy of `detect`"
    name = "accuracy-split" if split else "accuracy"
    if bands is not None:
        title, name = f"{title}, {bands} bands", f"{name}-{bands}-bands"
    text = report(rows, ours, leave_out, dropped, bands)
    publish(Section(name, title, command(click.get_current_context().params), text), record)


def measure_all(
    folders: Sequence[Path],
    mode: str,
    detectors: Sequence[Contestant],
    seeds: int,
    ledger: Ledger,
) -> tuple[list[Row], dict[str, str]]:
    """Return the rows of all scenes, and why others cannot be measured."""
    rows: list[Row] = []
    dropped: dict[str, str] = {}
    for folder in folders:
        reason = why_excluded(folder, mode)
        if reason:
            dropped[folder.name] = reason
        else:
            rows += measure_scene(folder, mode, detectors, seeds, ledger)
    return rows, dropped


def command(options: Mapping[str, Any]) -> str:
    """Return the command line of options, without paths of this machine."""
    words = ["python benchmarks/accuracy.py --scenes DIR"]
    words += [f"--config {Path(name).name}" for name in options["configs"]]
    words += [f"--seeds {options['seeds']} --baselines {options['baselines']}"]
    words += ["--split"] * options["split"]
    words += [f"--bands {options['bands']}"] * (options["bands"] is not None)
    words += [f"--leave-out {name}" for name in options["leave_out"]]
    return " ".join(words)


if __name__ == "__main__":
    main()
