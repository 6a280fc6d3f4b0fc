"""Hostile files and broken sites of a watch: each is named, and the others are scored."""

import os
import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support import servers
from support.rasters import bands_of, land, plant, trained, write
from support.watching import START, Clock, Stub, drop, rows, run_watch, scenes, watch

from anomvae.errors import ConfigError, RasterError
from anomvae.monitoring.config import MonitorConfig
from anomvae.monitoring.scoring import scoring_of

GOOD = ("good.tif", "done")
LONG = ["x" * 245, "海" * 83, "é" * 120]


def dropped(folder, raw, content="5"):
    """Put a file with a name of any bytes into the watched folder."""
    (folder / "in").mkdir(exist_ok=True)
    path = os.path.join(os.fsencode(folder / "in"), raw)
    try:
        Path(os.fsdecode(path)).write_text(content)
    except OSError:
        pytest.skip("the file system refuses the name")
    os.utime(path, (START.timestamp() - 3600,) * 2)
    return path


def test_a_name_that_is_not_utf8_is_a_failed_scene_and_the_others_are_scored(tmp_path):
    drop(tmp_path, "good.tif", 5)
    dropped(tmp_path, b"bad\xff.tif")

    done = run_watch(watch(tmp_path), Clock())

    assert (done.done, done.failed, done.code) == (1, 1, 5)
    assert scenes(tmp_path) == [("bad\\udcff.tif", "failed"), GOOD]
    assert done.messages == [
        "harbour: bad\\udcff.tif cannot be read: its name is not encoded in UTF-8. Check the file, "
        "its name and its permissions."
    ]


def test_a_faulty_name_is_tried_again_by_the_schedule_and_given_up(tmp_path):
    path, clock = dropped(tmp_path, b"bad\xff.tif"), Clock()
    config = watch(tmp_path, retry={"tries": 2, "wait_seconds": 60})

    codes = []
    for _ in range(4):
        codes.append(run_watch(config, clock).code)
        clock.forward(minutes=10)
    os.rename(path, os.path.join(os.path.dirname(path), b"good.tif"))
    run_watch(config, clock)

    assert codes == [5, 5, 0, 0]
    assert GOOD in scenes(tmp_path)


@pytest.mark.parametrize("name", [b"a\nb.tif", b"-rf.tif", b"a..tif", b" .tif", b"a\x1b[2J.tif"])
def test_a_name_of_odd_characters_is_scored_and_stored_in_one_line(tmp_path, name):
    dropped(tmp_path, name)

    done = run_watch(watch(tmp_path), Clock())

    ((source, path),) = rows(tmp_path, "SELECT source, map FROM scenes WHERE status = 'done'")
    assert done.code == 0
    assert source.isprintable()
    assert Path(path).parent.parent == tmp_path / "maps"
    assert Path(path).parent.name.isprintable()


def test_names_that_differ_only_in_case_or_normalisation_have_folders_of_their_own(tmp_path):
    names = ["Caf\u00e9.tif", "caf\u00e9.tif", "Cafe\u0301.tif", "cafe.tif", "cafe..tif"]
    for name in names:
        dropped(tmp_path, name.encode())

    run_watch(watch(tmp_path), Clock())

    folders = [Path(path).parent.name for (path,) in rows(tmp_path, "SELECT map FROM scenes")]
    digests = {name.rpartition("-")[2].casefold() for name in folders}
    assert len(digests) == len(folders) == len(names)


@pytest.fixture
def in_memory(tmp_path):
    """Make a folder that holds any time, if the system has a file system in memory."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        (Path(folder) / "in").mkdir()
        yield Path(folder)


@pytest.mark.parametrize("year", [1600, 2300, 2400, 12_000])
def test_a_time_of_a_file_outside_the_calendar_is_scored_once_stable(in_memory, year):
    tmp_path, path = in_memory, drop(in_memory, "late.tif", 5)
    drop(tmp_path, "good.tif", 5)
    seconds = (year - 1970) * 31_556_952
    try:
        os.utime(path, ns=(seconds * 10**9,) * 2)
    except (OSError, OverflowError):
        pytest.skip("the file system has no such time")
    config, clock = watch(tmp_path), Clock()

    run_watch(config, clock)
    clock.forward(minutes=2)
    run_watch(config, clock)
    third = run_watch(config, clock)

    assert scenes(tmp_path) == [GOOD, ("late.tif", "done")]
    assert (third.done, third.known, third.code) == (0, 2, 0)


def test_a_link_that_leads_to_itself_is_a_failed_scene(tmp_path):
    drop(tmp_path, "good.tif", 5)
    (tmp_path / "in" / "loop.tif").symlink_to("loop.tif")
    (tmp_path / "in" / "gone.tif").symlink_to("nowhere.tif")

    done = run_watch(watch(tmp_path), Clock())

    assert scenes(tmp_path) == [GOOD, ("loop.tif", "failed")]
    assert done.code == 5


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_subfolder_that_cannot_be_listed_is_named(tmp_path):
    drop(tmp_path, "good.tif", 5)
    closed = tmp_path / "in" / "closed"
    closed.mkdir(mode=0)

    pattern = {"folder": {"path": "in", "pattern": "**/*.tif"}}
    done = run_watch(watch(tmp_path, site=pattern), Clock())
    closed.chmod(0o700)

    assert (done.done, done.code) == (1, 3)
    assert f"{closed} cannot be read: Permission denied" in done.messages[0]


def test_results_in_the_watched_folder_are_no_scenes_however_the_path_is_written(tmp_path):
    drop(tmp_path, "good.tif", 5)
    (tmp_path / "link").symlink_to("in")
    folder = {"path": "in", "pattern": "**/*.tif"}
    config = watch(tmp_path, site={"folder": folder, "out": "link/maps"})
    results = tmp_path / "in" / "maps" / "old"
    results.mkdir(parents=True)
    (results / "old.anomaly.tif").write_text("5")
    os.utime(results / "old.anomaly.tif", (START.timestamp() - 3600,) * 2)

    run_watch(config, Clock())

    assert scenes(tmp_path) == [GOOD]


@pytest.mark.parametrize(
    "error",
    [RecursionError("deep"), OverflowError("inf"), MemoryError(), OSError(5, "I/O"), KeyError("x")],
    ids=repr,
)
def test_a_site_whose_model_raises_anything_stops_no_other(tmp_path, error):
    drop(tmp_path, "good.tif", 5)
    stub = Stub()

    def scoring(site):
        if site.name == "harbour":
            raise error
        return stub.score

    config = watch(tmp_path, others=[{"name": "north"}])
    done = run_watch(config, Clock(), scoring)

    assert done.done == 1
    assert rows(tmp_path, "SELECT site, status FROM scenes") == [("north", "done")]
    assert len(done.messages) == 1
    assert "harbour" in done.messages[0]


def test_a_database_that_is_lost_still_ends_the_run(tmp_path):
    drop(tmp_path, "good.tif", 5)

    def scoring(site):
        raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(RasterError, match="cannot be written: database or disk is full"):
        run_watch(watch(tmp_path), Clock(), scoring)


def test_sites_may_share_their_scenes_and_their_output_folder(tmp_path):
    drop(tmp_path, "good.tif", 5)

    done = run_watch(watch(tmp_path, others=[{"name": "north"}]), Clock())

    maps = [path for (path,) in rows(tmp_path, "SELECT map FROM scenes")]
    assert done.done == len(set(maps)) == 2


def test_files_of_two_folders_in_a_list_are_two_scenes(tmp_path):
    for day in ("day1", "day2"):
        drop(tmp_path, f"{day}/refl.tif", 5)
    urls = [str(tmp_path / "in" / day / "refl.tif") for day in ("day1", "day2", "day1")]

    done = run_watch(watch(tmp_path, site={"folder": None, "urls": {"urls": urls}}), Clock())

    assert done.done == 2


def test_an_address_with_control_characters_is_a_failed_scene(tmp_path):
    good = drop(tmp_path, "good.tif", 5)
    urls = {"urls": [str(good), "https://eo.example/a\x00b.tif"]}

    done = run_watch(watch(tmp_path, site={"folder": None, "urls": urls}), Clock())

    assert scenes(tmp_path) == [(str(good), "done"), ("https://eo.example/a\\x00b.tif", "failed")]
    assert done.code == 5


def test_of_many_failures_the_first_have_a_line_each(tmp_path):
    for number in range(25):
        drop(tmp_path, f"{number}.tif", "bad")

    done = run_watch(watch(tmp_path), Clock())

    assert done.failed == 25
    assert len(done.messages) == 21
    assert done.messages[-1] == "harbour: 5 more scenes failed; see anomvae monitor status."


@pytest.mark.parametrize("stem", LONG, ids=["ascii", "cjk", "accents"])
def test_a_long_name_is_scored_into_shorter_ones(tmp_path, stem):
    (tmp_path / "in").mkdir()
    values = plant(land(seed=1))
    paths = [write(tmp_path / "in" / f"{stem}{n}.tif", values + n / 100) for n in (1, 2)]
    for path in paths:
        os.utime(path, (START.timestamp() - 3600,) * 2)
    trained().save(tmp_path / "model")

    done = run_watch(watch(tmp_path), Clock(), scoring_of)
    again = run_watch(watch(tmp_path), Clock(), scoring_of)

    maps = [Path(path) for (path,) in rows(tmp_path, "SELECT map FROM scenes ORDER BY source")]
    assert (done.done, done.code, again.known) == (2, 0, 2), done.messages
    assert len({path.name for path in maps}) == 2
    assert not (bands_of(maps[0])[0, 1:] == bands_of(maps[1])[0, 1:]).all()
    for path in maps:
        assert len(path.parent.name.encode()) <= 120
        assert path.name.startswith(stem[:40])


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("folder", "stable_seconds", 1e300),
        ("stac", "days", 1e300),
        ("stac", "timeout", 1e300),
        ("stac", "limit", 10**30),
        ("folder", "path", "in\x00"),
        ("folder", "path", "~nobody-of-this-name/in"),
    ],
)
def test_a_number_or_path_that_no_clock_or_system_holds_is_refused(tmp_path, table, key, value):
    base = {"path": "in"} if table == "folder" else {"url": "https://eo", "assets": ["a"]}
    change = {"folder": None, table: base | {key: value}}

    with pytest.raises(ValueError, match=rf"site\.1\.{table}\.{key}\b"):
        watch(tmp_path, site=change)


def test_a_pattern_that_is_none_is_a_problem_of_its_site(tmp_path):
    drop(tmp_path, "good.tif", 5)
    odd = {"name": "odd", "folder": {"path": "in", "pattern": "**.tif"}}

    done = run_watch(watch(tmp_path, others=[odd]), Clock())

    assert (done.done, done.code) == (1, ConfigError.exit_code)
    assert isinstance(watch(tmp_path), MonitorConfig)


@pytest.mark.parametrize(
    ("troubles", "read"), [((), 5), pytest.param(("drop:1-",), 3, marks=pytest.mark.slow)]
)
def test_a_server_that_answers_is_reached_whatever_files_it_lacks(tmp_path, troubles, read):
    (tmp_path / "srv").mkdir()
    names = [f"{number}.tif" for number in range(5)]
    for name in names if troubles else names[4:]:
        write(tmp_path / "srv" / name, plant(land(seed=1)))
    trained().save(tmp_path / "model")

    with servers.served(tmp_path / "srv", *troubles) as url:
        urls = {"urls": [f"{url}/{name}" for name in names]}
        config = watch(tmp_path, site={"folder": None, "urls": urls})
        done = run_watch(config, Clock(), scoring_of)

    assert len(scenes(tmp_path)) == read
    assert done.done == (0 if troubles else 1)
