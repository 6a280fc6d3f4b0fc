"""The pages of a watch: how long they take, at first, after one more run, and when nothing is new.

A small season is watched for real (`anomvae.testing.eventful`).  Its scenes, results and events are
then recorded again and again, by the functions of the state, as those of many days: files of
results are hard links.  Nothing is scored meanwhile, and what the pages read is what a watch of
that length leaves::

    python benchmarks/pages.py --sites 3 --scenes 1000 --record
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install

from anomvae.documents import read_json
from anomvae.monitoring.decisions.event import Event
from anomvae.monitoring.event_records import read_events
from anomvae.monitoring.records import Key, SceneResult
from anomvae.monitoring.state import State, opened_state
from anomvae.testing.eventful import EventfulSeason, archive, course, season
from anomvae.testing.samples import Sample, write_scene
from benchmarks.record import Section, circumstances, publish, record_option

ROOT = Path(__file__).resolve().parent.parent
FIRST = date(2016, 1, 1)
MEASURE = """
import resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run([sys.executable, "-m", "anomvae", *sys.argv[1:]], check=True, stdout=2)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""
"""A small process in between: the peak of a child includes the memory of its parent."""
SITE = """
[[site]]
name = "{name}"
model = "model.safetensors"
out = "maps/{name}"
[site.folder]
path = "in"
stable_seconds = 0
"""


@dataclass(frozen=True)
class Taken:
    """What a call of the command took."""

    seconds: float
    cpu: float
    memory: float
    """Peak, MB."""


@dataclass(frozen=True)
class RealSeason:
    """A season that was watched, whose results are recorded again."""

    folder: Path
    rows: Sequence[dict[str, object]]
    """Of its scenes, as the state keeps them."""
    events: Sequence[Event]

    @property
    def map(self) -> Path:
        """Its persistence map."""
        return self.folder / "maps" / "real" / "real.persistence.tif"


def watch_for_real(folder: Path, side: int, seed: int) -> RealSeason:
    """Watch a season of fourteen scenes with the command line."""
    settings = EventfulSeason(
        scenes=6,
        archive=8,
        shape=(side, side),
        lasting=1,
        offset_from=6,
        hazy=1,
        shifted=0,
        stray=0,
    )
    drawn = course(settings, seed)
    (folder / "in").mkdir(parents=True)
    for each in [*archive(drawn), *season(drawn)]:
        path = folder / "in" / f"scene_{each.date.isoformat()}.tif"
        write_scene(path, each.scene, Sample("scene", seed, 465_000.0))
        when = datetime.combine(each.date, time(12), UTC).timestamp()
        os.utime(path, (when, when))
    scenes = sorted(map(str, (folder / "in").glob("*.tif")))[:8]
    _anomvae(
        "train", *scenes, "-o", folder / "model.safetensors", "--set", "training.max_steps=500"
    )
    (folder / "watch.toml").write_text(SITE.format(name="real"))
    _anomvae("monitor", "run", folder / "watch.toml")
    with opened_state(folder / "state") as state:
        rows = [dict(row) for row in state.database.execute("SELECT * FROM scenes ORDER BY taken")]
        return RealSeason(folder, rows, read_events(state.database))


def repeated(folder: Path, real: RealSeason, sites: int, scenes: int) -> Path:
    """Write a watch of many sites and scenes; return its configuration."""
    names = [f"site-{number + 1}" for number in range(sites)]
    folder.mkdir()
    os.link(real.folder / "model.safetensors", folder / "model.safetensors")
    (folder / "in").mkdir()
    (folder / "watch.toml").write_text("".join(SITE.format(name=name) for name in names))
    (folder / "state").mkdir()
    with opened_state(folder / "state") as state:
        state.database.execute("PRAGMA synchronous = OFF")
        state.begin_run("run", datetime.combine(FIRST, time(), UTC))
        for name in names:
            out = folder / "maps" / name
            out.mkdir(parents=True)
            shutil.copy(real.map, out / f"{name}.persistence.tif")
            for number in range(scenes):
                record_scene(state, real, folder, name, number)
        state.end_run("run", datetime.combine(FIRST, time(1), UTC), 0, done=sites * scenes)
        state.database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder / "watch.toml"


def record_scene(state: State, real: RealSeason, folder: Path, site: str, number: int) -> None:
    """Record a scene of a day, whose results are those of a real one, and now and then an event."""
    row, day = real.rows[number % len(real.rows)], FIRST + timedelta(days=number)
    source, now = f"scene_{day}.tif", datetime.combine(day, time(3), UTC)
    key = Key(site, f"{source}@{number:016x}", str(row["model"]), str(row["settings"]))
    fields = {name: row[name] for name in SceneResult.__dataclass_fields__}
    fields |= {name: read_json(str(row[name])) for name in ("quantiles", "reasons", "doubts")}
    fields["map"] = str(_linked(Path(str(row["map"])), folder / "maps" / site / str(day), str(day)))
    fields["taken"] = day.isoformat()
    if not (folder / "in" / source).exists():
        os.link(real.folder / "in" / str(row["source"]), folder / "in" / source)
    result = SceneResult(**fields)  # type: ignore[arg-type]
    state.begin(key, source, now)
    every = max(1, len(real.rows) * 2)
    event = real.events[number // every % len(real.events)] if real.events else None
    events = [] if event is None or number % every else [_moved(event, key, result, day, number)]
    state.finish(key, result, now, events=events)


def _moved(event: Event, key: Key, result: SceneResult, day: date, number: int) -> Event:
    """Return an event as if it had begun on a day."""
    days = {"first": day - timedelta(days=10), "last": day}
    closed = None if number % 7 == 0 else day
    return replace(
        event,
        site=key.site,
        origin=key.scene,
        cluster=replace(event.cluster, number=number + 1, **days),  # type: ignore[arg-type]
        status=event.status if closed is None else type(event.status).CLOSED,
        evidence=replace(event.evidence, scene=key.scene.partition("@")[0], map=result.map),
        closed=closed,
        reason=None if closed is None else "no pass of the last 3 shows it",
    )


def _linked(map_: Path, folder: Path, stem: str) -> Path:
    """Link the results beside a map into a folder, under another stem; return the map."""
    folder.mkdir(parents=True)
    before = map_.name.removesuffix(".anomaly.tif")
    for path in map_.parent.glob(f"{before}.*"):
        os.link(path, folder / path.name.replace(before, stem, 1))
    return folder / f"{stem}.anomaly.tif"


def measured(config: Path, site: Path) -> Taken:
    """Measure the command in a separate process."""
    words = ["monitor", "page", str(config), "-o", str(site)]
    command = [sys.executable, "-c", MEASURE, *words]
    done = subprocess.run(
        command, env=_environment(), stdout=subprocess.PIPE, check=True, text=True
    )
    return Taken(*map(float, done.stdout.split()))


def interactive(page: Path) -> str:
    """Return how long Chromium takes until a page answers, ms; why not where it is not there."""
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if not all(programs):
        return "no Chromium"
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(programs[0])
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(programs[1])))
    try:
        times = []
        for _ in range(3):
            driver.get("about:blank")
            driver.get(page.as_uri())
            timing = driver.execute_script("return performance.getEntriesByType('navigation')[0]")
            times.append(timing["loadEventEnd"])
        return f"{sorted(times)[1]:.0f} ms"
    finally:
        driver.quit()


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


def _anomvae(*words: object) -> None:
    command = [sys.executable, "-m", "anomvae", *map(str, words)]
    subprocess.run(command, env=_environment(), check=True, capture_output=True)


def report(real: RealSeason, root: Path, sites: int, scenes: int) -> str:
    """Measure the pages of a watch, and write what that takes."""
    config, site = repeated(root / "watch", real, sites, scenes), root / "site"
    rows = [("all pages, a new folder", measured(config, site))]
    with opened_state(config.parent / "state") as state:
        record_scene(state, real, config.parent, "site-1", scenes)
    rows.append(("after one more scene", measured(config, site)))
    rows.append(("nothing new", measured(config, site)))
    lines = ["| call | s | CPU s | peak MB |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {name} | {taken.seconds:.2f} | {taken.cpu:.2f} | {taken.memory:.0f} |"
        for name, taken in rows
    ]
    return "\n".join([*lines, "", *_sizes(site)])


def _sizes(site: Path) -> Iterator[str]:
    pages = [path for path in site.rglob("*") if path.is_file()]
    sizes = {path: path.stat().st_size for path in pages}
    first, index = site / "index.html", site / "sites" / "site-1" / "index.html"
    largest = max((path for path in pages if path.suffix == ".html"), key=sizes.__getitem__)
    yield (
        f"{len(pages):,} files, {sum(sizes.values()) / 1e6:.0f} MB. Start page "
        f"{sizes[first] / 1e3:.0f} kB, loaded in {interactive(first)}; page of a site "
        f"{sizes[index] / 1e3:.0f} kB, in {interactive(index)}; largest page "
        f"{sizes[largest] / 1e3:.0f} kB ({largest.relative_to(site)})."
    )


@click.command()
@click.option("--sites", default=3, show_default=True, type=click.IntRange(1))
@click.option("--scenes", default=1000, show_default=True, type=click.IntRange(1), help="A site.")
@click.option("--side", default=128, show_default=True, type=click.IntRange(40), help="Pixels.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@record_option
def main(sites: int, scenes: int, side: int, seed: int, record: Path | None) -> None:
    """Measure the pages of a watch of many scenes."""
    start = circumstances()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        real = watch_for_real(root / "real", side, seed)
        text = report(real, root, sites, scenes)
    command = f"python benchmarks/pages.py --sites {sites} --scenes {scenes} --side {side}"
    about = f"{sites} sites of {scenes:,} scenes, {side} x {side} pixels, 8 bands. {start}."
    publish(Section("pages", "Pages of a watch", command, f"{about}\n\n{text}"), record)


if __name__ == "__main__":
    main()
