"""Every kind of score, on labelled scenes.

Any folder of ``<name>/scene.tif`` and ``<name>/labels.tif``.  `detect` trains one model for each
scene and seed, and every kind scores with that model; beside them global RX.  Each result is
written to the JSON file at once, as in `accuracy`.  Prints Markdown tables::

    python benchmarks/kinds.py --scenes DIR --seeds 3 --out kinds.json
"""

from __future__ import annotations

import sys
import time
from functools import lru_cache
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install

from anomvae.detector import Detector
from anomvae.detector.kind_fit import of_kind
from anomvae.errors import AnomvaeError
from anomvae.evaluation import evaluate_detector
from anomvae.fitting import detect
from anomvae.stats.score_kind import ScoreKind, parse_kind
from anomvae.stats.scores import NormalScores
from anomvae.stats.thresholds import parse_rule
from benchmarks.accuracy import WAYS, measure_all
from benchmarks.contestants import Contestant, Result, baseline
from benchmarks.ledger import Ledger
from benchmarks.record import Section, circumstances, commit, publish, record_option
from benchmarks.scenes import Task, labelled, spectra
from benchmarks.tables import markdown

KINDS = ("elbo", "reconstruction", "kl", "iwae:16", "latent")
NOTE = "All kinds score with the same models; other kinds than elbo have no linear term."


def scored_by(config: str, kind: ScoreKind) -> Contestant:
    """Return the detector of a configuration with a kind of score."""

    def run(task: Task, seed: int) -> Result:
        start = time.perf_counter()
        detector = trained(task.fitted, config, seed)
        if kind != ScoreKind():
            pixels = spectra(task.fitted)
            pixels = pixels[np.isfinite(pixels).all(axis=-1)]
            columns = [index - 1 for index in detector.bands.indexes]
            detector = of_kind(detector, kind, pixels[:, columns], seed)
            scores = detector.score_examples(pixels[:, columns]).total
            normal = NormalScores.of(scores, held_out=False)
            detector = detector.with_threshold(parse_rule("log-sigma:3"), normal)
        fitted = time.perf_counter()
        (metrics,) = evaluate_detector(
            detector, task.scored, task.labels, baselines=()
        ).rows.values()
        return Result(metrics, fitted - start, time.perf_counter() - fitted)

    version = f"commit {commit()}, configuration {config}, {kind}"
    return Contestant(str(kind), version, ours=True, seeded=True, run=run)


@lru_cache(maxsize=8)  # `measure_all` asks for all seeds of a kind before the next kind
def trained(scene: Path, config: str, seed: int) -> Detector:
    """Fit a configuration to a scene."""
    return detect(scene, config, seed)


@click.command()
@click.option(
    "--scenes", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--config", default="default", show_default=True, help="Name or TOML file.")
@click.option("--kind", "kinds", multiple=True, default=KINDS, help="Repeatable.")
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(1), help="From seed 0.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="JSON file of rows; it is continued.",
)
@record_option
def main(
    scenes: Path,
    config: str,
    kinds: tuple[str, ...],
    seeds: int,
    out: Path | None,
    record: Path | None,
) -> None:
    """Measure kinds of scores on every labelled scene of a folder."""
    start = circumstances()
    try:
        detectors = [scored_by(config, parse_kind(kind)) for kind in kinds]
        detectors.append(baseline("rx"))
        rows, _ = measure_all(labelled(scenes), "whole", detectors, seeds, Ledger(out))
    except AnomvaeError as error:
        raise click.ClickException(str(error)) from error
    if not rows:
        raise click.UsageError(f"{scenes} holds no <name>/scene.tif with <name>/labels.tif to use.")
    name = Path(config).name
    text = f"{start}; configuration {name}. {WAYS['whole']} {NOTE}\n\n{markdown(rows, ())}"
    words = [f"--kind {kind}" for kind in kinds] if kinds != KINDS else []
    command = " ".join(
        [f"python benchmarks/kinds.py --scenes DIR --config {name}", *words, f"--seeds {seeds}"]
    )
    publish(Section("kinds", "Kinds of scores", command, text), record)


if __name__ == "__main__":
    main()
