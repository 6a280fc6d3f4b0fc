"""A season night after night: scenes arrive, the monitor makes a pass, and may be killed in it.

Every pass is a process of its own, copied from one that has loaded torch and done nothing else: so
it dies in the pass and not in its imports, and no thread is lost in the copy.
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
from anomvae.monitoring import RunEnvironment, run_once
from anomvae.monitoring.config import MonitorConfig
from anomvae.monitoring.database import opened_to_read
from anomvae.testing.season import Arrival, Season, arrivals, normal
from benchmarks.hook import hooked, keys_in
from data_samples.make import Sample, write_scene

START = datetime(2025, 4, 1, 3, tzinfo=UTC)
EVERY = timedelta(hours=6)
"""Between two arrivals, and so between two passes."""
QUICK = ("training.max_steps=2000", "training.trim=0")
RULE = "quantile:0.001"
"""Of normal pixels so many are flagged; by mean + 3 sigma 2 % would be, and noise would touch."""
STABLE = 600.0
"""Time that a file must rest, s."""
SMALLEST = 12
"""Pixels of an object that is told of; the lasting change has 25, where no cloud hides it."""
PATIENCE = 120.0
"""No pass takes so long, s."""
VOLATILE = {"tries", "started", "cached_result", "next_try", "seconds"}
"""What may differ between two runs of one season: when, and how often."""


@dataclass(frozen=True)
class End:
    """What is there when a season is over."""

    scenes: list[dict[str, Any]]
    """Rows of the state, without when and how often."""
    files: dict[str, bytes]
    """Deliverables and feed by path; summaries without their seconds."""
    alerts: list[tuple[str, str]]
    """Key and body of each alert, in order."""
    told: list[str]
    """Keys that the webhook was sent, each once, in order of first arrival."""


@dataclass(frozen=True)
class Outcome:
    """How a season went."""

    end: End
    """What it left."""
    passes: int
    """Passes that came to their end."""
    kills: int
    """Passes that were killed."""
    calls: int
    """Calls of the webhook."""
    seconds: float
    """Median time of a pass that came to its end."""


def train(root: Path, season: Season, seed: int) -> None:
    """Train a detector for every place."""
    config = resolve_config("default", QUICK).config
    for name in season.places:
        sample = Sample(name, seed, 465_000.0)
        paths = [
            write_scene(root / f"{name}-before-{day:02}.tif", scene, sample)
            for day, scene in enumerate(normal(season, name, seed))
        ]
        anomvae.train(paths, config, seed).save(root / f"{name}.safetensors")


def watch_of(root: Path, season: Season, url: str) -> MonitorConfig:
    """Watch every place of a season."""
    for name in season.places:
        (root / "in" / name).mkdir(parents=True, exist_ok=True)
    places = [
        {
            "name": name,
            "model": f"{name}.safetensors",
            "out": f"maps/{name}",
            "threshold": RULE,
            "folder": {"path": f"in/{name}", "stable_seconds": STABLE},
            "alert": {"min_area_px": SMALLEST},
        }
        for name in season.places
    ]
    alerts = {
        "stdout": False,
        "feed": {"path": "alerts.geojson"},
        "webhook": [{"url": url}],
    }
    retry = {"tries": 1000, "wait_seconds": 3 * EVERY.total_seconds()}  # killed, not given up
    tables = {"place": places, "retry": retry, "alerts": alerts}
    return MonitorConfig.model_validate(tables, context={"folder": root})


def file_of(arrival: Arrival) -> str:
    """Name the file of a scene."""
    return f"{arrival.place}-{arrival.number:03}.tif"


def shows_change(arrival: Arrival) -> bool:
    """Tell whether a scene can be read and shows enough of the lasting change to be told of."""
    shown = arrival.scene.valid & (arrival.scene.labels > 0)
    return arrival.fault != "damaged" and int(shown.sum()) >= SMALLEST


def arrive(root: Path, arrival: Arrival, now: datetime, *, late: bool = False) -> None:
    """Put a scene into its folder, as far as it arrives, beside one that is still fetched."""
    folder, name = root / "in" / arrival.place, file_of(arrival)
    fetched = folder / f"{name}.crdownload"
    fetched.unlink(missing_ok=True)
    sample = Sample(arrival.place, arrival.number, 465_000.0)
    content = write_scene(fetched, arrival.scene, sample).read_bytes()
    if arrival.fault == "damaged":
        content = content[:100] + bytes(len(content) - 100)
    if arrival.fault == "half" and not late:
        content = content[: len(content) // 2]
    _write(folder / name, content, now - timedelta(hours=1))
    _write(fetched, content[:100], now - timedelta(hours=1))


def _write(path: Path, content: bytes, when: datetime) -> None:
    path.write_bytes(content)
    os.utime(path, (when.timestamp(), when.timestamp()))


@dataclass
class Nights:
    """The passes over a season."""

    config: MonitorConfig
    """What is watched."""
    context: ForkServerContext
    """Copies a process that has torch loaded and no threads."""
    passes: int = 0
    """Passes that came to their end."""
    kills: int = 0
    """Passes that were killed."""

    def go(self, now: datetime, *, dies_after: float | None = None) -> float:
        """Make a pass; it may be killed after some seconds.  Gives how long it took, s."""
        begun = time.perf_counter()
        process = self.context.Process(target=one_pass, args=(self.config, now))
        process.start()
        if dies_after is not None:
            time.sleep(dies_after)
            process.kill()
        process.join(PATIENCE)
        if process.exitcode not in {0, -signal.SIGKILL}:
            process.kill()
            raise RuntimeError(f"A pass ended with {process.exitcode}, and nobody killed it.")
        self.kills += process.exitcode != 0
        self.passes += process.exitcode == 0
        return time.perf_counter() - begun


def one_pass(config: MonitorConfig, now: datetime) -> None:
    """Make a pass, silently."""
    import torch

    torch.set_num_threads(1)
    logging.getLogger("anomvae").setLevel(logging.CRITICAL)  # what failed is in the state
    run = f"{time.time_ns():x}-{os.getpid()}"
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        run_once(config, RunEnvironment(run, lambda: now, {}, nowhere))


def play(root: Path, season: Season, seed: int, kills: int = 0) -> Outcome:
    """Let a season pass over detectors in ``root``; so many passes are killed at random moments."""
    calls = root / "calls.jsonl"
    with hooked(calls) as url:
        config = watch_of(root, season, url)
        context = get_context("forkserver")
        context.set_forkserver_preload(["anomvae.mapping", "matplotlib.backends.backend_agg"])
        nights = Nights(config, context)
        seconds = _go_through(nights, root, season, seed, kills)
    return Outcome(
        end=_end(root, calls),
        passes=nights.passes,
        kills=nights.kills,
        calls=len(keys_in(calls)),
        seconds=statistics.median(seconds),
    )


def _go_through(nights: Nights, root: Path, season: Season, seed: int, kills: int) -> list[float]:
    """Let every scene arrive; the second half of a file comes a night later."""
    chance, now, seconds, before = np.random.default_rng(seed), START, [0.5], list[Arrival]()
    for arrival in arrivals(season, seed):
        for late in before:
            arrive(root, late, now, late=True)
        arrive(root, arrival, now)
        before = [arrival] if arrival.fault == "half" else []
        for _ in range(-(-(kills - nights.kills) // (season.scenes - arrival.number))):
            nights.go(now, dies_after=chance.uniform(0, statistics.median(seconds)))
        seconds.append(nights.go(now))
        now += EVERY
    for late in before:
        arrive(root, late, now, late=True)
    while nights.kills < kills:
        nights.go(now, dies_after=chance.uniform(0, 0.02))
    seconds.append(nights.go(now))
    return seconds[1:]


def _end(root: Path, calls: Path) -> End:
    with opened_to_read(root / "state") as database:
        rows = database.execute("SELECT * FROM scenes ORDER BY place, scene").fetchall()
        alerts = database.execute("SELECT key, body FROM alerts ORDER BY number").fetchall()
    scenes = [
        {name: _rootless(row[name], root) for name in row.keys() if name not in VOLATILE}  # noqa: SIM118 - no dict
        for row in rows
    ]
    found = [*(root / "maps").rglob("*"), root / "alerts.geojson"]
    return End(
        scenes=scenes,
        files={
            str(path.relative_to(root)): _content(path, root) for path in found if path.is_file()
        },
        alerts=[(row["key"], _rootless(row["body"], root)) for row in alerts],
        told=list(dict.fromkeys(keys_in(calls))),
    )


def _content(path: Path, root: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix != ".json":
        return content.replace(str(root).encode(), b"")
    return json.dumps(json.loads(content) | {"seconds": 0}).replace(str(root), "").encode()


def _rootless(value: Any, root: Path) -> Any:  # noqa: ANN401 - a column of any type
    return value.replace(str(root), "") if isinstance(value, str) else value
