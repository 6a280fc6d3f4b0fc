"""Every family of autoencoders, on labelled scenes and on dates of one place.

Scenes: any folder of ``<name>/scene.tif`` and ``<name>/labels.tif``, one configuration but for the
family, global RX beside it; every fit is kept in the JSON file at once, as in `accuracy`.  Series:
any folder of dated rasters of one place, in which changes are planted (`benchmarks.series`).
Prints tables in Markdown::

    python benchmarks/families.py --scenes DIR --seeds 3 --out families.json
    python benchmarks/families.py --series DIR --seeds 5 [--before]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install

from anomvae.errors import AnomvaeError, ConfigError
from anomvae.models.families import FAMILIES, family_named
from benchmarks.accuracy import measure_all
from benchmarks.contestants import other, our
from benchmarks.ledger import Ledger
from benchmarks.record import circumstances, keep
from benchmarks.scenes import labelled
from benchmarks.series import DETECTORS, Found, dated, measure_series, table
from benchmarks.tables import markdown

OF_SCENES = [name for name, family in FAMILIES.items() if not family.view().compares_dates]
"""Families that look at a scene of one date."""
WAYS = {
    "together": "Every detector is fitted on the series that holds all changes, at several dates.",
    "before": (
        "Every detector is fitted on the dates before the change alone; the z-score over all dates "
        "ends with the change."
    ),
}
SERIES_NOTE = (
    "AUC of the pixels of a changed block against all that never change, at the date of the "
    "change; mean over the changes. Seconds: to fit and to score."
)
folder = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.option("--scenes", type=folder, help="Folder of labelled scenes.")
@click.option("--series", type=folder, help="Folder of dated rasters of one place, without gaps.")
@click.option(
    "--config", default="default", show_default=True, help="For scenes; name or TOML file."
)
@click.option("--before", is_flag=True, help="Fit on the dates before a change alone.")
@click.option("--family", "families", multiple=True, default=OF_SCENES, help="Repeatable.")
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(1), help="From seed 0.")
@click.option("--leave-out", multiple=True, help="Scene that a second mean leaves out; repeatable.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="JSON file; goes on from it."
)
@click.option("--record", is_flag=True, help="Keep the tables in benchmarks/results.md.")
def main(  # noqa: PLR0913 - one argument per option
    scenes: Path | None,
    series: Path | None,
    config: str,
    before: bool,
    families: tuple[str, ...],
    seeds: int,
    leave_out: tuple[str, ...],
    out: Path | None,
    record: bool,
) -> None:
    """Measure families on labelled scenes, and `sequential` on changes planted in a series."""
    if scenes is None and series is None:
        raise click.UsageError("Give --scenes, --series, or both.")
    if before and series is None:
        raise click.UsageError("--before is for --series. Give it, or leave --before out.")
    try:
        if scenes is not None:
            text = on_scenes(
                scenes, config, families=families, seeds=seeds, leave_out=leave_out, out=out
            )
            click.echo(text)
            if record:
                which = _which(families)
                keep(f"families{which}", f"## Families{which}\n\n`{_command()}`\n\n{text}")
        if series is not None:
            protocol = "before" if before else "together"
            text = on_series(dated(series), protocol, seeds)
            click.echo(text)
            if record:
                words = ["python benchmarks/families.py --series DIR", *["--before"] * before]
                command = " ".join([*words, f"--seeds {seeds} --record"])
                title = f"Changes in a series of dates, fitted {protocol}"
                keep(f"series-{protocol}", f"## {title}\n\n`{command}`\n\n{text}")
    except AnomvaeError as error:
        raise click.ClickException(str(error)) from error


def on_scenes(
    scenes: Path,
    config: str,
    *,
    families: Sequence[str],
    seeds: int,
    leave_out: Sequence[str],
    out: Path | None,
) -> str:
    """Measure families on every labelled scene of a folder.

    Raises
    ------
    ConfigError
        If a family is unknown or compares dates, or there is nothing to measure it on.
    """
    for name in families:
        if family_named(name).view().compares_dates:
            raise ConfigError(f"{name} compares dates, a scene has one. Measure it with --series.")
    detectors = [our(config, [f"model.family={name}"], called=name) for name in families]
    detectors.append(other("rx"))
    rows, _ = measure_all(labelled(scenes), "whole", detectors, seeds, Ledger(out))
    if not rows:
        raise ConfigError(f"{scenes} holds no <name>/scene.tif with <name>/labels.tif to use.")
    told = f"{circumstances()}; configuration {Path(config).name} but for the family."
    return f"{told}\n\n{markdown(rows, leave_out)}"


def on_series(dates: Sequence[Path], protocol: str, seeds: int) -> str:
    """Measure who finds planted changes in a series."""
    told = circumstances()
    found: dict[str, list[list[Found]]] = {name: [] for name in DETECTORS}
    for seed in range(seeds):
        for trials in found.values():
            trials.append([])
        for name, one in measure_series(dates, protocol, seed):
            found[name][seed].append(one)
            mean = sum(one.aucs) / len(one.aucs)
            click.echo(f"{protocol} seed {seed} {name}: AUC {mean:.3f}", err=True)
    return f"{told}; {len(dates)} dates. {WAYS[protocol]}\n\n{table(found)}\n\n{SERIES_NOTE}"


def _which(families: Sequence[str]) -> str:
    """Name the families of a section, unless it has all: some do not replace the table of all."""
    return "" if set(families) >= set(OF_SCENES) else f": {', '.join(families)}"


def _command() -> str:
    """Write the command as it was given, without what belongs to this machine."""
    given = click.get_current_context().params
    words = [f"python benchmarks/families.py --scenes DIR --config {Path(given['config']).name}"]
    if given["families"] != tuple(OF_SCENES):
        words += [f"--family {name}" for name in given["families"]]
    words += [f"--seeds {given['seeds']}", *(f"--leave-out {name}" for name in given["leave_out"])]
    return " ".join([*words, "--record"])


if __name__ == "__main__":
    main()
