"""Accuracy on labelled scenes: configurations of anomvae beside plain and other detectors.

Takes any folder of ``<name>/scene.tif`` and ``<name>/labels.tif``; prints tables in Markdown.  No
label is seen before the figures.  Every fit is kept in the JSON file at once, and what is there for
the same code, configuration and scene is not measured again::

    python benchmarks/accuracy.py --scenes DIR --config default --seeds 3 --out accuracy.json
    python benchmarks/accuracy.py --scenes DIR --split --out accuracy.json
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install

from anomvae.errors import AnomvaeError
from benchmarks.contestants import Contestant, contestants
from benchmarks.ledger import Key, Ledger, Row
from benchmarks.record import circumstances, keep, machine
from benchmarks.scenes import Task, contents, labelled, prepared, why_left_out
from benchmarks.tables import beside_published, markdown

WAYS = {
    "whole": "Every detector is fitted to the scene that it scores, and never sees a label.",
    "split": (
        "Every detector is fitted on the left half of a scene, ours as `train` does, and measured "
        "on the right half; the threshold comes from the left half, too."
    ),
}


def measure(detector: Contestant, task: Task, key: Key) -> Row:
    """Fit a detector, let it score, and measure."""
    metrics, fit, score = detector.run(task, key.seed)
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
        seconds=fit + score,
        machine=machine(),
        fit_seconds=fit,
    )


def measure_scene(
    folder: Path, mode: str, detectors: Sequence[Contestant], seeds: int, ledger: Ledger
) -> list[Row]:
    """Measure what the ledger does not hold yet, and look up the rest."""
    state = contents(folder)
    wanted = [
        (detector, Key(folder.name, detector.name, seed, mode, detector.version, state))
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
    rows: Sequence[Row], ours: Sequence[str], aside: Collection[str], dropped: Mapping[str, str]
) -> str:
    """Write what was measured, on which machine, and which scenes could not be."""
    mode = rows[0].mode
    parts = [f"{circumstances()}. {WAYS[mode]}", markdown(rows, aside)]
    if mode == "whole":
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
@click.option("--leave-out", multiple=True, help="Scene that a second mean leaves out; repeatable.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="JSON file; goes on from it."
)
@click.option("--record", is_flag=True, help="Keep the tables in benchmarks/results.md.")
def main(  # noqa: PLR0913 - one argument per option
    scenes: Path,
    configs: tuple[str, ...],
    seeds: int,
    baselines: str,
    split: bool,
    leave_out: tuple[str, ...],
    out: Path | None,
    record: bool,
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
        rows, dropped = measure_all(folders, mode, detectors, seeds, Ledger(out))
    except AnomvaeError as error:
        raise click.ClickException(str(error)) from error
    if not rows:
        raise click.UsageError(f"{scenes} holds no <name>/scene.tif with <name>/labels.tif to use.")
    ours = [detector.name for detector in detectors if detector.ours]
    text = report(rows, ours, leave_out, dropped)
    click.echo(text)
    if record:
        section = "accuracy-split" if split else "accuracy"
        title = "Accuracy on the half that was not learnt" if split else "Accuracy of `detect`"
        keep(section, f"## {title}\n\n`{command()}`\n\n{text}")


def measure_all(
    folders: Sequence[Path],
    mode: str,
    detectors: Sequence[Contestant],
    seeds: int,
    ledger: Ledger,
) -> tuple[list[Row], dict[str, str]]:
    """Measure every scene; add which are left out, and why."""
    rows: list[Row] = []
    dropped: dict[str, str] = {}
    for folder in folders:
        why = why_left_out(folder, mode)
        if why:
            dropped[folder.name] = why
        else:
            rows += measure_scene(folder, mode, detectors, seeds, ledger)
    return rows, dropped


def command() -> str:
    """Write the command as it was given, without what belongs to this machine."""
    given = click.get_current_context().params
    words = ["python benchmarks/accuracy.py --scenes DIR"]
    words += [f"--config {Path(name).name}" for name in given["configs"]]
    words += [f"--seeds {given['seeds']} --baselines {given['baselines']}"]
    words += ["--split"] * given["split"]
    words += [f"--leave-out {name}" for name in given["leave_out"]]
    return " ".join([*words, "--record"])


if __name__ == "__main__":
    main()
