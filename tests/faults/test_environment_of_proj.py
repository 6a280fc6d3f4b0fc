"""PROJ_DATA and PROJ_LIB of another installation: an error, never a local system."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from support.rasters import NODATA, land, plant, trained, write
from support.scene_files import make

from anomvae.raster.crs import BUNDLED


def foreign(folder, kind):
    """Make the folder of a PROJ that is not rasterio's."""
    folder.mkdir()
    if kind == "older":
        with sqlite3.connect(folder / "proj.db") as database:
            database.execute("create table metadata (key text, value text)")
            rows = [("DATABASE.LAYOUT.VERSION.MAJOR", "1"), ("DATABASE.LAYOUT.VERSION.MINOR", "0")]
            database.executemany("insert into metadata values (?, ?)", rows)
        database.close()
    return folder


def anomvae(*arguments, **variables):
    """Run the command line in a process of its own: PROJ reads its environment once."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PROJ_")}
    return subprocess.run(
        [sys.executable, "-m", "anomvae", *map(str, arguments)],
        env=inherited | {name: str(value) for name, value in variables.items()},
        capture_output=True,
        text=True,
        check=False,
    )


def last_line(done):
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("variable", "kind", "crs"),
    [
        ("PROJ_DATA", "empty", "EPSG:2193"),
        ("PROJ_DATA", "older", "EPSG:32633"),
        ("PROJ_LIB", "older", "EPSG:2193"),
        ("PROJ_LIB", "empty", "EPSG:32633"),
    ],
)
def test_a_scene_is_refused_with_the_name_of_the_variable(tmp_path, variable, kind, crs):
    folder = foreign(tmp_path / "proj", kind)
    scene = write(tmp_path / "scene.tif", land(), crs=crs)

    done = anomvae("info", scene, **{variable: folder})

    assert (done.returncode, done.stdout) == (3, "")
    assert last_line(done).startswith("Error: PROJ knows no coordinate reference system")
    assert f"unset {variable}" in last_line(done)
    assert str(folder) in last_line(done)


def test_a_batch_ends_at_once_because_no_scene_is_at_fault(tmp_path):
    model, folder = tmp_path / "m.safetensors", foreign(tmp_path / "proj", "empty")
    trained().save(model)
    scenes = [write(tmp_path / f"{name}.tif", plant(land(seed=1))) for name in "ab"]

    done = anomvae("score", *scenes, "-m", model, "-o", tmp_path / "out", PROJ_DATA=folder)

    assert done.returncode == 3
    assert "unset PROJ_DATA" in last_line(done)
    assert "Failed:" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_scene_without_a_system_needs_no_proj(tmp_path):
    scene = make(tmp_path / "scene.tif", land(), nodata=NODATA)

    done = anomvae("info", scene, PROJ_DATA=foreign(tmp_path / "proj", "empty"))

    assert done.returncode == 0
    assert "no coordinate reference system" in done.stdout


@pytest.mark.skipif(not BUNDLED.exists(), reason="this rasterio has no database of its own")
def test_a_database_that_lacks_the_system_of_a_scene_makes_it_no_local_one(tmp_path):
    folder = tmp_path / "proj"
    folder.mkdir()
    shutil.copy(BUNDLED, folder)
    with closing(sqlite3.connect(folder / "proj.db")) as database, database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            database.execute(f"DROP TRIGGER {name}")
        database.execute("DELETE FROM projected_crs WHERE code = '25833'")
    scene = write(tmp_path / "scene.tif", land(), crs="EPSG:25833")
    local = write(tmp_path / "local.tif", land(), crs='LOCAL_CS["my hall",UNIT["metre",1]]')

    refused, read = (anomvae("info", path, PROJ_DATA=folder) for path in (scene, local))

    assert refused.returncode == 3
    assert "PROJ does not know 'ETRS89 / UTM zone 33N'" in last_line(refused)
    assert "unset PROJ_DATA" in last_line(refused)
    assert read.returncode == 0


def test_a_variable_that_is_empty_is_named_too(tmp_path):
    done = anomvae("info", write(tmp_path / "scene.tif", land()), PROJ_LIB="", PROJ_DATA="")

    assert done.returncode in {0, 3}
    if done.returncode:
        assert "unset PROJ_" in last_line(done)
