"""Measure the baselines that look at the surroundings of a pixel on labelled scenes, beside RX.

Apart from `accuracy`, whose detectors take a hundredth of the time.  Reads any folder of
``<name>/scene.tif`` and ``<name>/labels.tif``; labels serve the metrics alone::

    python benchmarks/local_baselines.py --scenes DIR --out local.json --record
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install

from anomvae.stats.baselines import Method
from benchmarks.accuracy import measure_all, report
from benchmarks.contestants import contestants
from benchmarks.ledger import Ledger
from benchmarks.record import Section, publish, record_option
from benchmarks.scenes import labelled

NAMES = ("rx", "local-rx", "crd")


@click.command()
@click.option(
    "--scenes", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="JSON file of rows; it is continued.",
)
@record_option
def main(scenes: Path, out: Path | None, record: Path | None) -> None:
    """Measure local baselines on every labelled scene of a folder."""
    detectors = contestants((), NAMES)
    rows, dropped = measure_all(labelled(scenes), "whole", detectors, 1, Ledger(out))
    if not rows:
        raise click.UsageError(f"{scenes} holds no <name>/scene.tif with <name>/labels.tif to use.")
    settings = "; ".join(Method.of(name).meaning for name in NAMES)
    text = f"{report(rows, (), (), dropped)}\n\nSettings: {settings}."
    command = "python benchmarks/local_baselines.py --scenes DIR"
    publish(Section("local-baselines", "Local baselines", command, text), record)


if __name__ == "__main__":
    main()
