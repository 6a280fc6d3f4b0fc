"""Every family of autoencoders, on labelled scenes and on dates of one place.

Scenes: any folder of ``<name>/scene.tif`` and ``<name>/labels.tif``; one configuration with each
family, and global RX; each result is written to the JSON file at once, as in `accuracy`.  Series:
any folder of dated rasters of one place, in which changes are planted (`planted_changes`).  It
prints Markdown tables::

    python benchmarks/families.py --scenes DIR --seeds 3 --out families.json
    python benchmarks/families.py --series DIR --seeds 5 [--before] [--detector change]
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install

from anomvae.errors import AnomvaeError, ConfigError
from anomvae.models.families import FAMILIES, family_named
from benchmarks.accuracy import measure_all
from benchmarks.contestants import baseline, configuration
from benchmarks.ledger import Ledger
from benchmarks.planted_changes import dated
from benchmarks.record import Section, circumstances, publish, record_option
from benchmarks.scenes import labelled
from benchmarks.series import DETECTORS, Detectors, TrialResult, measure_series, table
from benchmarks.tables import markdown

OF_SCENES = [name for name, family in FAMILIES.items() if not family.view().compares_dates]
"""Families that score a scene of one date."""
WAYS = {
    "together": (
        "Trained detectors are fitted on the series that holds all changes, at several dates."
    ),
    "before": (
        "Trained detectors are fitted on the dates before the change alone; the z-score over all "
        "dates ends with the change."
    ),
}
SERIES_NOTE = (
    "AUC of the pixels of a changed block against all that never change, at the date of the "
    "change, mean over the changes; AP of all pixels that change at a date, mean over the dates. "
    "change and acd are given up to eight dates before each, and are fitted to the date itself; "
    "`sequential` is trained by the configuration of its name, vae by `default`. Seconds: to fit "
    "and to score."
)
folder = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.option("--scenes", type=folder, help="Folder of labelled scenes.")
@click.option("--series", type=folder, help="Folder of dated rasters of one place, without gaps.")
@click.option(
    "--config", default="default", show_default=True, help="For scenes; name or TOML file."
)
@click.option("--before", is_flag=True, help="Fit only on the dates before a change.")
@click.option(
    "--detector",
    "detectors",
    multiple=True,
    type=click.Choice(list(DETECTORS)),
    default=list(DETECTORS),
    help="For series. Repeatable.",
)
@click.option("--family", "families", multiple=True, default=OF_SCENES, help="Repeatable.")
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(1), help="From seed 0.")
@click.option("--leave-out", multiple=True, help="Scene that a second mean excludes; repeatable.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="JSON file of rows; it is continued.",
)
@record_option
def main(  # noqa: PLR0913 - one argument per option
    scenes: Path | None,
    series: Path | None,
    config: str,
    before: bool,
    detectors: tuple[str, ...],
    families: tuple[str, ...],
    seeds: int,
    leave_out: tuple[str, ...],
    out: Path | None,
    record: Path | None,
) -> None:
    """Measure families on labelled scenes, and those of dates on changes planted in a series."""
    if scenes is None and series is None:
        raise click.UsageError("Give --scenes, --series, or both.")
    if before and series is None:
        raise click.UsageError("--before is for --series. Give it, or leave --before out.")
    try:
        if scenes is not None:
            text = on_scenes(
                scenes, config, families=families, seeds=seeds, excluded=leave_out, out=out
            )
            # Some families do not replace the table of all.
            some = "" if set(families) >= set(OF_SCENES) else f": {', '.join(families)}"
            command = _command(click.get_current_context().params)
            publish(Section(f"families{some}", f"Families{some}", command, text), record)
        if series is not None:
            protocol = "before" if before else "together"
            chosen = {name: DETECTORS[name] for name in detectors}
            publish(on_series(dated(series), protocol, seeds, chosen), record)
    except AnomvaeError as error:
        raise click.ClickException(str(error)) from error


def on_scenes(
    scenes: Path,
    config: str,
    *,
    families: Sequence[str],
    seeds: int,
    excluded: Sequence[str],
    out: Path | None,
) -> str:
    """Measure families on every labelled scene of a folder; return the tables.

    Raises
    ------
    ConfigError
        If a family is unknown or compares dates, or there is no scene to measure it on.
    """
    for name in families:
        if family_named(name).view().compares_dates:
            raise ConfigError(f"{name} compares dates, a scene has one. Measure it with --series.")
    detectors = [configuration(config, [f"model.family={name}"], label=name) for name in families]
    detectors.append(baseline("rx"))
    rows, _ = measure_all(labelled(scenes), "whole", detectors, seeds, Ledger(out))
    if not rows:
        raise ConfigError(f"{scenes} holds no <name>/scene.tif with <name>/labels.tif to use.")
    settings = f"configuration {Path(config).name} but for the family"
    return f"{circumstances()}; {settings}.\n\n{markdown(rows, excluded)}"


def on_series(
    dates: Sequence[Path], protocol: str, seeds: int, detectors: Detectors = DETECTORS
) -> Section:
    """Measure the detection of planted changes in a series."""
    start = circumstances()
    results: dict[str, list[list[TrialResult]]] = {name: [] for name in detectors}
    for seed in range(seeds):
        for trials in results.values():
            trials.append([])
        for name, result in measure_series(dates, protocol, seed, detectors):
            results[name][seed].append(result)
            mean = sum(result.aucs) / len(result.aucs)
            click.echo(f"{protocol} seed {seed} {name}: AUC {mean:.3f}", err=True)
    flags, some = " --before" * (protocol == "before"), ""
    if set(detectors) < set(DETECTORS):  # some do not replace the table of all
        flags += "".join(f" --detector {shlex.quote(name)}" for name in detectors)
        some = f": {', '.join(detectors)}"
    return Section(
        name=f"series-{protocol}{some}",
        title=f"Changes in a series of dates, fitted {protocol}{some}",
        command=f"python benchmarks/families.py --series DIR{flags} --seeds {seeds}",
        text=f"{start}; {len(dates)} dates. {WAYS[protocol]}\n\n{table(results)}\n\n{SERIES_NOTE}",
    )


def _command(options: Mapping[str, Any]) -> str:
    """Return the command line of options, without paths of this machine."""
    words = [f"python benchmarks/families.py --scenes DIR --config {Path(options['config']).name}"]
    if options["families"] != tuple(OF_SCENES):
        words += [f"--family {name}" for name in options["families"]]
    words.append(f"--seeds {options['seeds']}")
    return " ".join([*words, *(f"--leave-out {name}" for name in options["leave_out"])])


if __name__ == "__main__":
    main()
