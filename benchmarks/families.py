"""Every family of autoencoders on labelled scenes, with one configuration but for the family.

Takes any folder of ``<name>/scene.tif`` and ``<name>/labels.tif``; prints tables in Markdown, with
global RX beside the families.  Every fit is kept in the JSON file at once, as in `accuracy`::

    python benchmarks/families.py --scenes DIR --seeds 3 --out families.json
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install

from anomvae.errors import AnomvaeError
from anomvae.families import FAMILIES, family_named
from benchmarks.accuracy import measure_all
from benchmarks.contestants import other, our
from benchmarks.ledger import Ledger
from benchmarks.record import circumstances, keep
from benchmarks.scenes import labelled
from benchmarks.tables import markdown


@click.command()
@click.option(
    "--scenes", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--config", default="default", show_default=True, help="Name or TOML file.")
@click.option("--family", "families", multiple=True, default=list(FAMILIES), help="Repeatable.")
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(1), help="From seed 0.")
@click.option("--leave-out", multiple=True, help="Scene that a second mean leaves out; repeatable.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="JSON file; goes on from it."
)
@click.option("--record", is_flag=True, help="Keep the tables in benchmarks/results.md.")
def main(
    scenes: Path,
    config: str,
    families: tuple[str, ...],
    seeds: int,
    leave_out: tuple[str, ...],
    out: Path | None,
    record: bool,
) -> None:
    """Measure `detect` with every family on every labelled scene of a folder."""
    try:
        for family in families:
            family_named(family)
        detectors = [our(config, [f"model.family={name}"], called=name) for name in families]
        detectors.append(other("rx"))
        rows, _ = measure_all(labelled(scenes), "whole", detectors, seeds, Ledger(out))
    except AnomvaeError as error:
        raise click.ClickException(str(error)) from error
    if not rows:
        raise click.UsageError(f"{scenes} holds no <name>/scene.tif with <name>/labels.tif to use.")
    told = f"{circumstances()}; configuration {Path(config).name} but for the family."
    text = f"{told}\n\n{markdown(rows, leave_out)}"
    click.echo(text)
    if record:
        command = f"python benchmarks/families.py --scenes DIR --config {Path(config).name}"
        words = [command, f"--seeds {seeds}", *(f"--leave-out {name}" for name in leave_out)]
        keep("families", f"## Families\n\n`{' '.join([*words, '--record'])}`\n\n{text}")


if __name__ == "__main__":
    main()
