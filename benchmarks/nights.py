"""A season of monitoring: scenes arrive, the monitor makes a pass, and some passes are killed.

Every pass is a separate process, forked from one that has only loaded modules: a kill hits the pass
and not its imports, and the fork loses no thread.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import numpy as np

import anomvae
from anomvae.config import resolve_config
from anomvae.monitoring import Pass, RunEnvironment, run_once
from anomvae.monitoring.config import MonitorConfig
from anomvae.monitoring.database import opened_to_read
from anomvae.testing.samples import Sample, write_scene
from anomvae.testing.season import Arrival, Season, arrivals, normal
from benchmarks.hook import hooked, keys_in

START = datetime(2025, 4, 1, 3, tzinfo=UTC)
EVERY = timedelta(hours=6)
"""Time between two arrivals, and between two passes."""
QUICK = ("training.max_steps=2000", "training.trim=0")
RULE = "quantile:0.001"
"""Flags 0.1 % of normal pixels; mean + 3 sigma flags 2 %, whose noise forms objects."""
STABLE = 600.0
"""Time without a change of a file before it is read, s."""
SMALLEST = 12
"""Minimum pixels of an object in an alert; the lasting change has 25 without clouds."""
PRELOADED = ("anomvae.detector", "anomvae.mapping.batch", "anomvae.mapping.drawing")
"""Modules that a pass would load otherwise; it needs no torch."""
TIMEOUT = 120.0
"""Of a pass, s."""
VOLATILE = {"tries", "started", "finished", "next_try", "seconds"}
"""Columns of times and attempts, which differ between two runs of one season."""


@dataclass(frozen=True)
class End:
    """State and files at the end of a season."""

    scenes: list[dict[str, Any]]
    """Rows of the state, without times and attempts."""
    files: dict[str, bytes]
    """Deliverables and feed by path; summaries without their seconds."""
    events: list[dict[str, Any]]
    """Rows of events."""
    alerts: list[tuple[str, str]]
    """Key and body of each alert, in order."""
    delivered: list[str]
    """Distinct keys that the webhook received, in order of first arrival."""


@dataclass(frozen=True)
class Outcome:
    """End and counts of a season."""

    end: End
    passes: int
    """Completed passes."""
    kills: int
    """Killed passes."""
    calls: int
    """Calls of the webhook."""
    seconds: float
    """Median time of a completed pass."""


def train(root: Path, season: Season, seed: int) -> None:
    """Train a detector for each place."""
    config = resolve_config("default", QUICK).config
    for name in season.places:
        sample = Sample(name, seed, 465_000.0)
        paths = [
            write_scene(root / f"{name}-before-{day:02}.tif", scene, sample)
            for day, scene in enumerate(normal(season, name, seed))
        ]
        anomvae.train(paths, config, seed).save(root / f"{name}.safetensors")


def monitor_config(root: Path, season: Season, url: str) -> MonitorConfig:
    """Return the configuration that monitors every site of a season."""
    for name in season.places:
        (root / "in" / name).mkdir(parents=True, exist_ok=True)
    sites = [
        {
            "name": name,
            "model": f"{name}.safetensors",
            "out": f"maps/{name}",
            "threshold": RULE,
            "folder": {"path": f"in/{name}", "stable_seconds": STABLE},
            "alert": {"min_area_px": SMALLEST, "on": ["opened", "confirmed", "continued"]},
        }
        for name in season.places
    ]
    alerts = {
        "stdout": False,
        "feed": {"path": "alerts.geojson"},
        "webhook": [{"url": url}],
    }
    retry = {"tries": 1000, "wait_seconds": 3 * EVERY.total_seconds()}  # killed, not given up
    tables = {"site": sites, "retry": retry, "alerts": alerts}
    return MonitorConfig.read(tables, folder=root)


def file_of(arrival: Arrival) -> str:
    """Return the file name of a scene."""
    return f"{arrival.place}-{arrival.number:03}.tif"


def shows_change(arrival: Arrival) -> bool:
    """Return whether a scene is readable and shows enough of the lasting change for an alert."""
    visible = arrival.scene.valid & (arrival.scene.labels > 0)
    return arrival.fault != "damaged" and int(visible.sum()) >= SMALLEST


def arrive(root: Path, arrival: Arrival, now: datetime, *, late: bool = False) -> None:
    """Write a scene, as far as it arrives, and the temporary file of an unfinished download."""
    folder, name = root / "in" / arrival.place, file_of(arrival)
    partial = folder / f"{name}.crdownload"
    partial.unlink(missing_ok=True)
    sample = Sample(arrival.place, arrival.number, 465_000.0)
    content = write_scene(partial, arrival.scene, sample).read_bytes()
    if arrival.fault == "damaged":
        content = content[:100] + bytes(len(content) - 100)
    if arrival.fault == "half" and not late:
        content = content[: len(content) // 2]
    _write(folder / name, content, now - timedelta(hours=1))
    _write(partial, content[:100], now - timedelta(hours=1))


def _write(path: Path, content: bytes, when: datetime) -> None:
    path.write_bytes(content)
    os.utime(path, (when.timestamp(), when.timestamp()))


@dataclass
class Nights:
    """Run the passes of a season, and count them."""

    config: MonitorConfig
    context: ForkServerContext
    """Forks a process that has modules loaded and no threads."""
    passes: int = 0
    """Completed passes."""
    kills: int = 0
    """Killed passes."""

    def run(self, now: datetime, *, kill_after: float | None = None) -> float:
        """Make a pass, kill it after ``kill_after`` seconds if given; return its duration, s."""
        start = time.perf_counter()
        process = self.context.Process(target=silent_pass, args=(self.config, now))
        process.start()
        if kill_after is not None:
            time.sleep(kill_after)
            process.kill()
        process.join(TIMEOUT)
        if process.exitcode not in {0, -signal.SIGKILL}:
            process.kill()
            raise RuntimeError(f"A pass ended with {process.exitcode}, but was not killed.")
        self.kills += process.exitcode != 0
        self.passes += process.exitcode == 0
        return time.perf_counter() - start


def silent_pass(config: MonitorConfig, now: datetime) -> Pass:
    """Make a pass in this process; failures are in the state."""
    log, run = logging.getLogger("anomvae"), f"{time.time_ns():x}-{os.getpid()}"
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with open(os.devnull, "w", encoding="utf-8") as null:
            return run_once(config, RunEnvironment(run, lambda: now, {}, null))
    finally:
        log.setLevel(level)


def play(root: Path, season: Season, seed: int, kills: int = 0) -> Outcome:
    """Run a season with the detectors in ``root``; kill passes at random moments."""
    calls = root / "calls.jsonl"
    with hooked(calls) as url:
        config = monitor_config(root, season, url)
        context = get_context("forkserver")
        context.set_forkserver_preload(["benchmarks.nights", *PRELOADED])
        nights = Nights(config, context)
        seconds = _run_season(nights, root, season, seed, kills)
    return Outcome(
        end=_end(root, calls),
        passes=nights.passes,
        kills=nights.kills,
        calls=len(keys_in(calls)),
        seconds=statistics.median(seconds),
    )


def _run_season(nights: Nights, root: Path, season: Season, seed: int, kills: int) -> list[float]:
    """Make a pass after each arrival; the second half of a file arrives a night later."""
    chance, now, seconds, halves = np.random.default_rng(seed), START, [0.5], list[Arrival]()
    for arrival in arrivals(season, seed):
        for late in halves:
            arrive(root, late, now, late=True)
        arrive(root, arrival, now)
        halves = [arrival] if arrival.fault == "half" else []
        for _ in range(-(-(kills - nights.kills) // (season.scenes - arrival.number))):
            nights.run(now, kill_after=chance.uniform(0, statistics.median(seconds)))
        seconds.append(nights.run(now))
        now += EVERY
    for late in halves:
        arrive(root, late, now, late=True)
    while nights.kills < kills:
        nights.run(now, kill_after=chance.uniform(0, 0.02))
    seconds.append(nights.run(now))
    return seconds[1:]


def _end(root: Path, calls: Path) -> End:
    with opened_to_read(root / "state") as database:
        rows = database.execute("SELECT * FROM scenes ORDER BY site, scene").fetchall()
        known = database.execute("SELECT * FROM events ORDER BY site, number").fetchall()
        alerts = database.execute("SELECT key, body FROM alerts ORDER BY number").fetchall()
    scenes, events = (
        [
            {name: _rootless(row[name], root) for name in row.keys() if name not in VOLATILE}  # noqa: SIM118 - no dict
            for row in table
        ]
        for table in (rows, known)
    )
    paths = [*(root / "maps").rglob("*"), root / "alerts.geojson"]
    return End(
        scenes=scenes,
        events=events,
        files={
            str(path.relative_to(root)): _content(path, root) for path in paths if path.is_file()
        },
        alerts=[(row["key"], _rootless(row["body"], root)) for row in alerts],
        delivered=list(dict.fromkeys(keys_in(calls))),
    )


def _content(path: Path, root: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix != ".json":
        return content.replace(str(root).encode(), b"")
    return json.dumps(json.loads(content) | {"seconds": 0}).replace(str(root), "").encode()


def _rootless(value: Any, root: Path) -> Any:  # noqa: ANN401 - a column of any type
    return value.replace(str(root), "") if isinstance(value, str) else value
