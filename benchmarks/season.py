"""A season of monitoring: every good scene is scored once, even if the process is killed.

Scenes of three places arrive one by one (`anomvae.testing.season`), and the monitor makes a pass
after each (`nights`).  A second season is equal, but passes are killed (SIGKILL) at random moments:
state, files and alerts must be equal in the end.  Then a pass over many known files is measured::

    python benchmarks/season.py --kills 50 --known 10000 --record
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install

from anomvae.monitoring.config import read_monitoring
from anomvae.monitoring.due import Scheduler
from anomvae.monitoring.records import SceneResult
from anomvae.monitoring.state import opened_state
from anomvae.testing.season import Season, arrivals
from benchmarks.nights import RULE, SMALLEST, End, Outcome, file_of, play, shows_change, train
from benchmarks.record import Section, circumstances, publish, record_option

WATCH = """
[[site]]
name = "known"
model = "model.safetensors"
out = "maps"
[site.folder]
path = "in"
stable_seconds = 0
"""
MEASURE = """
import resource, subprocess, sys
command = [sys.executable, "-m", "anomvae", "monitor", "run", sys.argv[1]]
subprocess.run(command, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""
"""A small process in between: the peak of a child includes the memory of its parent."""


@dataclass(frozen=True)
class Idle:
    """Time and memory of a pass without new scenes."""

    scenes: int
    """Known scenes."""
    cpu: float
    """Processor time from the start of Python to its end, s."""
    memory: float
    """Peak, MB."""


def measure_idle(root: Path, scenes: int) -> Idle:
    """Measure a pass over known files in a separate process."""
    (root / "in").mkdir(parents=True)
    for number in range(scenes):
        (root / "in" / f"scene-{number:06}.tif").write_text(f"scene {number}")
    (root / "model.safetensors").write_text("never loaded")
    (root / "watch.toml").write_text(WATCH)
    _make_known(root)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    command = [sys.executable, "-c", MEASURE, str(root / "watch.toml")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    cpu, memory = map(float, result.stdout.split())
    return Idle(scenes, cpu, memory)


def _make_known(root: Path) -> None:
    """Write a state in which every file is scored."""
    config, now = read_monitoring(root / "watch.toml"), datetime.now(UTC)
    result = SceneResult(100, 100, 0, 0, 1.0, {"1": 1.0}, 1.0, "map.tif")
    Path(config.state).mkdir()
    with opened_state(config.state) as state:
        state.database.execute("PRAGMA synchronous = OFF")
        for due in Scheduler(config.site[0], state, config.retry).agenda(now).due:
            state.begin(due.key, due.scene.source, now)
            state.finish(due.key, result, now)
        state.database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def differences(one: End, other: End) -> list[str]:
    """Return the fields in which two ends differ."""
    return [name for name in vars(one) if getattr(one, name) != getattr(other, name)]


def alerted(end: End) -> set[str]:
    """Return the files of the scenes that have an alert."""
    return {json.loads(body)["scene"].partition("@")[0] for _, body in end.alerts}


def report(season: Season, calm: Outcome, killed: Outcome, idle: Idle | None, seed: int) -> str:
    """Write the measurements."""
    lines = [*_table(season, calm, killed, seed), "", _shares(season, calm.end, seed), ""]
    different = differences(calm.end, killed.end)
    if different:
        lines.append(f"**The ends differ in {', '.join(different)}.**")
    else:
        lines.append(
            f"State ({len(calm.end.scenes)} scenes, {len(calm.end.events)} events), files "
            f"({len(calm.end.files)}, with the persistence maps) and alerts "
            f"({len(calm.end.alerts)}, by key, in order) of both are equal, but for times and "
            f"attempts."
        )
    if idle is not None:
        lines += [
            "",
            f"A pass over {idle.scenes:,} known files with nothing new, from the shell: "
            f"{idle.cpu:.2f} s of CPU, {idle.memory:.0f} MB at the peak.",
        ]
    return "\n".join(lines)


def _shares(season: Season, end: End, seed: int) -> str:
    """Write how many changed and unchanged scenes have alerts."""
    drawn = list(arrivals(season, seed))
    changed = {file_of(each) for each in drawn if shows_change(each)}
    quiet = {file_of(each) for each in drawn if each.fault != "damaged"} - changed
    with_alert = alerted(end)
    return (
        f"Alerts report {len(with_alert & changed)} of {len(changed)} scenes that show {SMALLEST} "
        f"pixels or more of the lasting change, and {len(with_alert & quiet)} of the {len(quiet)} "
        f"other whole ones; the rule is an object of {SMALLEST} pixels above {RULE}, the models "
        f"are trained on {season.before} days before."
    )


def _table(season: Season, calm: Outcome, killed: Outcome, seed: int) -> Iterator[str]:
    faults = Counter(arrival.fault for arrival in arrivals(season, seed))
    yield (
        f"{season.scenes} scenes of {len(season.places)} places, {season.shape[0]} x "
        f"{season.shape[1]} pixels, {len(season.sensor.wavelengths)} bands: {faults['damaged']} "
        f"damaged, {faults['half']} of which a half arrives first."
    )
    yield ""
    yield "| season | done | failed | replaced | passes | killed | alerts | calls | s a pass |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for name, outcome in (("undisturbed", calm), ("killed", killed)):
        count = Counter(row["status"] for row in outcome.end.scenes)
        yield (
            f"| {name} | {count['done']} | {count['failed']} | {count['replaced']} | "
            f"{outcome.passes} | {outcome.kills} | {len(outcome.end.alerts)} | {outcome.calls} | "
            f"{outcome.seconds:.2f} |"
        )


@click.command()
@click.option("--scenes", default=60, show_default=True, type=click.IntRange(3))
@click.option("--kills", default=50, show_default=True, type=click.IntRange(0))
@click.option("--known", default=10_000, show_default=True, type=click.IntRange(0), help="0: none.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@record_option
def main(scenes: int, kills: int, known: int, seed: int, record: Path | None) -> None:
    """Monitor a season, undisturbed and killed, and measure a pass without new scenes."""
    import torch

    torch.set_num_threads(1)
    season, start = Season(scenes=scenes), circumstances()
    with tempfile.TemporaryDirectory() as folder:
        calm, killed, idle = (Path(folder) / name for name in ("calm", "killed", "idle"))
        for root in (calm, killed):
            root.mkdir()
            train(root, season, seed)
        outcomes = play(calm, season, seed), play(killed, season, seed, kills)
        text = report(season, *outcomes, measure_idle(idle, known) if known else None, seed)
    command = f"python benchmarks/season.py --scenes {scenes} --kills {kills} --known {known}"
    publish(Section("season", "A season under watch", command, f"{start}.\n\n{text}"), record)
    if differences(outcomes[0].end, outcomes[1].end):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
