"""Commands whose time is nearly all start: of a small scene, of none, and of a watch at night."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from benchmarks.stopwatch import Command

NEW = 3
"""Scenes that a pass of the watch finds."""
WATCH = """
state = "state"
[[site]]
name = "start"
model = "{model}"
out = "maps"
[site.folder]
path = "in"
stable_seconds = 0
"""


def commands(model: Path, scene: Path, folder: Path) -> dict[str, Command]:
    """Return the commands, by what they do; each run writes to a place of its own in a folder."""
    return {
        "info of a model": lambda run: ["info", model],
        "score": lambda run: ["score", scene, "-m", model, "-o", folder / f"maps-{run}"],
        f"monitor run, {NEW} new scenes": partial(_watched, model, scene, folder),
    }


def _watched(model: Path, scene: Path, folder: Path, run: int) -> list[str | Path]:
    """Make a watch that has seen nothing, and return the command that runs it."""
    watch = folder / f"watch-{run}"
    (watch / "in").mkdir(parents=True)
    for day in range(1, NEW + 1):
        shutil.copy(scene, watch / "in" / f"{scene.stem}-2024-06-{day:02}.tif")
    (watch / "watch.toml").write_text(WATCH.format(model=model.absolute()), encoding="utf-8")
    return ["monitor", "run", watch / "watch.toml"]
