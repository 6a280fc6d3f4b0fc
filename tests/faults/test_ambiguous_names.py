"""Names that GDAL reads as something else than a file: their maps are written all the same."""

import os
from pathlib import Path

import pytest
from support.rasters import land, plant, run, trained, write
from support.watching import START, Clock, Stub, rows, run_watch, scenes, watch

from anomvae.errors import NotWritten, RasterError
from anomvae.monitoring.scoring import scoring_of
from anomvae.names import fitted
from anomvae.pixels.grid import Grid
from anomvae.raster import Layout, MapWriter
from anomvae.raster.georeference import Georeference

STEMS = ["<VRTDataset>", "<GDAL_WMS>", "HDF5:x", "NETCDF:a:b", "WMS:x", "http:x", "GTIFF_DIR:1:x"]
STEMS += ["a|b", 'a"b', "a?b", "a*b", "a\\b"]
RESERVED = '<>:"|?*\\/'

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no such names")


def scene_at(path, seed=1):
    """Write a scene under another name, since GDAL may not write one under its own."""
    return write(path.with_name("plain.tif"), plant(land(seed=seed))).rename(path)


@pytest.mark.parametrize("stem", STEMS)
def test_a_made_name_has_no_character_of_another_meaning_and_stays_apart(stem):
    made = fitted(stem, 100)

    assert not set(made) & set(RESERVED)
    assert made != fitted(made[:-13], 100)


@pytest.mark.parametrize("stem", ["<VRTDataset>", "NETCDF:a:b", "GTIFF_DIR:1:x", 'a"b', "a\\b"])
def test_a_scene_of_such_a_name_is_scored_by_the_watch_and_the_next_one_too(tmp_path, stem):
    (tmp_path / "in").mkdir()
    for name in (stem, "good"):
        path = scene_at(tmp_path / "in" / f"{name}.tif", seed=len(name))
        os.utime(path, (START.timestamp() - 3600,) * 2)
    trained().save(tmp_path / "model")

    done = run_watch(watch(tmp_path), Clock(), scoring_of)

    maps = [Path(path) for (path,) in rows(tmp_path, "SELECT map FROM scenes")]
    assert (done.done, done.code) == (2, 0), done.messages
    assert all(path.is_file() for path in maps)
    assert not any(set(part) & set(RESERVED) for path in maps for part in path.parts[-2:])


@pytest.mark.parametrize("stem", ["<VRTDataset>", "HDF5:x"])
@pytest.mark.parametrize("command", ["score", "detect"])
def test_a_path_of_such_a_name_is_scored_by_hand(tmp_path, stem, command):
    scene = scene_at(tmp_path / f"{stem}.tif")
    trained().save(tmp_path / "m.safetensors")
    options = ["-m", tmp_path / "m.safetensors"]
    if command == "detect":
        options = ["--set", "training.max_steps=5"]

    done = run(command, scene, *options, "-o", tmp_path / "out")

    assert done.code == 0, done.err
    (path,) = (tmp_path / "out").glob("*.anomaly.tif")
    assert not set(path.name) & set(RESERVED)


@pytest.mark.parametrize("stem", ["<VRTDataset>", "HDF5:x", "http:x"])
def test_a_relative_path_of_such_a_name_is_the_file_that_exists(tmp_path, monkeypatch, stem):
    scene_at(tmp_path / f"{stem}.tif")
    trained().save(tmp_path / "m.safetensors")
    monkeypatch.chdir(tmp_path)

    done = run("score", f"{stem}.tif", "-m", "m.safetensors", "-o", "out")

    assert done.code == 0, done.err
    assert len(list((tmp_path / "out").glob("*.anomaly.tif"))) == 1


@pytest.fixture
def odd_folder(tmp_path):
    folder = tmp_path / "<VRTDataset>"
    folder.mkdir()
    return folder


def writer_in(folder):
    place = Georeference(Grid((4, 4)))
    return MapWriter(folder / "a.tif", place, Layout("float32", float("nan"), ("score",)))


def test_what_gdal_does_not_create_where_files_are_written_is_not_blamed_on_the_place(odd_folder):
    with pytest.raises(RasterError, match="GDAL cannot create") as caught, writer_in(odd_folder):
        pass

    assert not isinstance(caught.value, NotWritten)
    assert not list(odd_folder.iterdir())


def test_a_folder_that_is_missing_is_still_blamed_on_the_place(tmp_path):
    with pytest.raises(NotWritten, match="No such file"), writer_in(tmp_path / "missing"):
        pass


def test_a_map_that_cannot_be_created_counts_a_try_and_stops_no_other_scene(tmp_path):
    (tmp_path / "in").mkdir()
    for name in "ab":
        path = scene_at(tmp_path / "in" / f"{name}.tif")
        os.utime(path, (START.timestamp() - 3600,) * 2)
    trained().save(tmp_path / "model")

    done = run_watch(watch(tmp_path, site={"out": "<VRTDataset>"}), Clock(), scoring_of)

    assert scenes(tmp_path) == [("a.tif", "failed"), ("b.tif", "failed")]
    assert rows(tmp_path, "SELECT tries FROM scenes") == [(1,), (1,)]
    assert done.failed == 2


def test_an_ordinary_scene_keeps_its_name(tmp_path):
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "S2A_T32UNA (Café).tif"
    path.write_text("5")
    os.utime(path, (START.timestamp() - 3600,) * 2)

    run_watch(watch(tmp_path), Clock(), Stub())

    ((made,),) = rows(tmp_path, "SELECT map FROM scenes")
    assert Path(made).parent.name.startswith("S2A_T32UNA (Café)-")
