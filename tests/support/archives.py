"""An archive of a site under watch: an object comes on the third of six dates and stays."""

import shutil
import sqlite3
from contextlib import closing
from datetime import date, timedelta

import numpy as np

from .rasters import land, plant, run, trained, write

DAYS = tuple(date(2025, 6, 1) + timedelta(days=5 * number) for number in range(6))
LASTING, VANISHING = (10, 12), (30, 30)
"""First row and column of the object that stays, and of one on the second date alone; 2 x 2."""
WATCH = """
[[site]]
name = "harbour"
model = "model.safetensors"
out = "maps"
threshold = "{threshold}"
[site.folder]
path = "in"
stable_seconds = 0
[site.alert]
min_area_px = 4
"""


def begin_archive(folder, threshold="log-sigma:4"):
    """Write a watch without scenes."""
    (folder / "in").mkdir()
    trained().save(folder / "model.safetensors")
    (folder / "watch.toml").write_text(WATCH.format(threshold=threshold))


def add_scene(folder, number):
    """Write the scene of a date."""
    values = land(seed=1)
    values += np.random.default_rng(number).normal(0, 0.002, values.shape).astype("float32")
    if number == 1:
        values = plant(values, *VANISHING)
    if number >= 2:
        values = plant(values, *LASTING)
    return write(folder / "in" / f"site_{DAYS[number]}.tif", values)


def watch_archive(folder):
    """Make a pass for each scene, as it arrives; return what the passes printed."""
    begin_archive(folder)
    printed = []
    for number in range(len(DAYS)):
        add_scene(folder, number)
        printed += run("monitor", "run", folder / "watch.toml").out.splitlines()
    return printed


def copied(watched, folder):
    """Copy a watch, whose state then names the maps in their new place."""
    shutil.copytree(watched, folder)
    with closing(sqlite3.connect(folder / "state" / "monitor.sqlite")) as database, database:
        moved = (str(watched), str(folder))
        database.execute("UPDATE scenes SET map = replace(map, ?, ?)", moved)
    return folder


def record_many(folder, count):
    """Record a normal scene for each of so many days from 2020 on, whose files are gone."""
    columns = (
        "site, scene, model, settings, source, status, tries, started, finished, taken, outcome"
    )
    rows = []
    for number in range(count):
        day = str(date(2020, 1, 1) + timedelta(days=number))
        time = f"{day}T03:00:00.000+00:00"
        key = ("harbour", f"s{day}@{number}", "m", "s", f"s{day}.tif")
        rows.append((*key, "done", 1, time, time, day, "normal"))
    with closing(sqlite3.connect(folder / "state" / "monitor.sqlite")) as database, database:
        database.executemany(
            f"INSERT INTO scenes ({columns}, valid, flagged, masked) "
            f"VALUES ({', '.join('?' * 11)}, 100, 1, 0)",
            rows,
        )
