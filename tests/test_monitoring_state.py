"""The state: one transaction per change, versions, and what can be wrong with the file."""

import resource
import sqlite3
import subprocess
from contextlib import suppress

import pytest
from support.watching import START

from anomvae.errors import FileError, NotWritten
from anomvae.monitoring import database as tables
from anomvae.monitoring.database import FILE, opened_to_read
from anomvae.monitoring.state import Alert, FileRecord, Key, SceneResult, opened_state

KEY = Key("harbour", "a.tif@1", "model", "settings")
FINDING = SceneResult(100, 90, 5, 2, 4.0, {"1": 9.0}, 0.5, "maps/a.anomaly.tif")
ALERT = Alert(KEY.digest, "harbour", "2025-06-01T03:00:00.000+00:00", "{}")


def column(state, name):
    return state.database.execute(f"SELECT {name} FROM scenes").fetchone()[0]


def count(state, table):
    return state.database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_a_scene_that_was_begun_is_new_until_it_is_done(tmp_path):
    with opened_state(tmp_path) as state:
        state.begin(KEY, "a.tif", START)
        begun = column(state, "status")
        state.finish(KEY, FINDING, START)
        done = column(state, "status")

    assert (begun, done) == ("new", "done")


def test_what_is_committed_is_there_after_the_process(tmp_path):
    with opened_state(tmp_path) as state:
        state.begin(KEY, "a.tif", START)
        state.finish(KEY, FINDING, START, alert=ALERT, channels=["duty", "team"])

    with opened_state(tmp_path) as state:
        standing = state.scene_statuses("harbour", "model", "settings")["a.tif@1"]
        assert (standing.status, standing.tries) == ("done", 1)
        assert count(state, "alerts") == 1
        assert count(state, "deliveries") == 2


def test_a_scene_is_done_and_told_of_in_one_transaction(tmp_path):
    with opened_state(tmp_path) as state:
        state.begin(KEY, "a.tif", START)

        with pytest.raises(sqlite3.IntegrityError):  # the same channel twice
            state.finish(KEY, FINDING, START, alert=ALERT, channels=["duty", "duty"])

        assert column(state, "status") == "new"
        assert count(state, "alerts") == 0


def test_an_alert_is_made_once_by_its_key(tmp_path):
    with opened_state(tmp_path) as state:
        state.begin(KEY, "a.tif", START)
        state.finish(KEY, FINDING, START, alert=ALERT, channels=["duty"])

        with pytest.raises(sqlite3.IntegrityError):
            state.finish(KEY, FINDING, START, alert=ALERT, channels=["duty"])


def test_another_model_or_other_settings_are_another_scene(tmp_path):
    keys = {
        Key(*parts).digest
        for parts in [("p", "s", "m", "t"), ("p", "s", "m2", "t"), ("p", "s", "m", "t2")]
    }

    with opened_state(tmp_path) as state:
        state.begin(KEY, "a.tif", START)
        assert not state.scene_statuses("harbour", "other", "settings")

    assert len(keys) == 3


def test_a_scene_that_could_not_be_tried_keeps_its_tries(tmp_path):
    with opened_state(tmp_path) as state:
        state.begin(KEY, "a.tif", START)
        state.requeue(KEY, START, "the disk is full")
        tries, status = column(state, "tries"), column(state, "status")
        state.requeue(KEY, START)

    assert (tries, status) == (0, "failed")


def test_a_scene_that_was_only_begun_and_put_back_is_forgotten(tmp_path):
    with opened_state(tmp_path) as state:
        state.begin(KEY, "a.tif", START)
        state.requeue(KEY, START)

        assert count(state, "scenes") == 0


def test_a_whole_file_replaces_the_damaged_one(tmp_path):
    whole = Key("harbour", "a.tif@2", "model", "settings")
    with opened_state(tmp_path) as state:
        state.begin(KEY, "a.tif", START)
        state.fail(KEY, "damaged\nbadly", START, next_try=START)
        error = column(state, "error")
        state.begin(whole, "a.tif", START)
        state.finish(whole, FINDING, START)
        scene_statuses = state.scene_statuses("harbour", "model", "settings")

    assert error == "damaged badly"
    assert {name: known.status for name, known in scene_statuses.items()} == {
        "a.tif@1": "replaced",
        "a.tif@2": "done",
    }


def test_files_are_remembered_as_they_were_seen(tmp_path):
    seen = {"a.tif": FileRecord(1, 2, "now"), "b.tif": FileRecord(3, 4, "then", "digest")}

    with opened_state(tmp_path) as state:
        state.record_files("harbour", seen, missing=[])
        before = state.file_records("harbour")
        state.record_files("harbour", {}, missing=["a.tif"])

        assert before == seen
        assert set(state.file_records("harbour")) == {"b.tif"}
        assert state.file_records("elsewhere") == {}


def test_a_report_reads_while_a_run_writes(tmp_path):
    with opened_state(tmp_path) as state:
        state.begin(KEY, "a.tif", START)
        with opened_to_read(tmp_path) as database:
            state.finish(KEY, FINDING, START)
            assert database.execute("SELECT status FROM scenes").fetchone()[0] == "done"


def test_a_report_changes_nothing(tmp_path):
    with opened_state(tmp_path):
        pass

    with pytest.raises(NotWritten), opened_to_read(tmp_path) as database:
        database.execute("DELETE FROM scenes")


def test_an_older_file_is_brought_up_to_date_and_keeps_what_it_holds(tmp_path, monkeypatch):
    with opened_state(tmp_path) as state:
        state.begin(KEY, "a.tif", START)
    step = "ALTER TABLE scenes ADD COLUMN note TEXT;"
    monkeypatch.setattr(tables, "MIGRATIONS", (*tables.MIGRATIONS, step))

    with pytest.raises(FileError, match=r"older version\. The next"), opened_to_read(tmp_path):
        pass
    with opened_state(tmp_path) as state:
        version = state.database.execute("PRAGMA user_version").fetchone()[0]
        kept = state.database.execute("SELECT scene, note FROM scenes").fetchone()

    assert version == len(tables.MIGRATIONS)
    assert tuple(kept) == ("a.tif@1", None)


def test_a_step_that_fails_leaves_the_version_before_it(tmp_path, monkeypatch):
    with opened_state(tmp_path):
        pass
    step = "ALTER TABLE scenes ADD COLUMN note TEXT; SELECT nonsense;"
    before = len(tables.MIGRATIONS)
    monkeypatch.setattr(tables, "MIGRATIONS", (*tables.MIGRATIONS, step))

    with pytest.raises(NotWritten), opened_state(tmp_path):
        pass

    with sqlite3.connect(tmp_path / FILE) as database:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        columns = [row[1] for row in database.execute("PRAGMA table_info(scenes)")]
    database.close()
    assert version == before
    assert "note" not in columns


def test_a_file_of_a_newer_version_is_refused_and_untouched(tmp_path):
    with opened_state(tmp_path) as state:
        state.database.execute("PRAGMA user_version = 99")
    before = (tmp_path / FILE).read_bytes()

    for way in (opened_state, opened_to_read):
        with (
            pytest.raises(FileError, match=r"version 99, written by a newer.*Update"),
            way(tmp_path),
        ):
            pass

    assert (tmp_path / FILE).read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_untouched(tmp_path):
    (tmp_path / FILE).write_text("notes, not tables " * 100)

    told = r"monitor\.sqlite is damaged or no database"
    with pytest.raises(FileError, match=told), opened_state(tmp_path):
        pass

    assert (tmp_path / FILE).read_text().startswith("notes")


def test_without_a_state_a_report_says_what_to_do(tmp_path):
    with pytest.raises(FileError, match="monitor run` first"), opened_to_read(tmp_path):
        pass

    assert not list(tmp_path.iterdir())


def test_a_full_disk_takes_back_the_whole_change(tmp_path):
    with opened_state(tmp_path) as state:
        state.begin(KEY, "a.tif", START)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    big = Alert("key", "harbour", "now", "x" * 3_000_000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, before[1]))
    try:
        with pytest.raises(NotWritten, match="free space"), opened_state(tmp_path) as state:
            state.finish(KEY, FINDING, START, alert=big, channels=["duty"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    with opened_state(tmp_path) as state:
        assert column(state, "status") == "new"
        assert count(state, "alerts") == 0


@pytest.fixture
def small_disk(tmp_path):
    """Mount a disk of 300 kB; only root may."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(path):
    """Write until the disk is full."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


def test_on_a_disk_that_is_really_full_nothing_is_lost(small_disk):
    with opened_state(small_disk) as state:
        state.begin(KEY, "a.tif", START)
    rest = small_disk / "rest"
    fill(rest)

    with pytest.raises(NotWritten, match="free space"), opened_state(small_disk) as state:
        state.begin(Key("harbour", "b.tif", "model", "settings"), "b.tif", START)
    rest.unlink()

    with opened_state(small_disk) as state:
        assert list(state.scene_statuses("harbour", "model", "settings")) == ["a.tif@1"]
        state.finish(KEY, FINDING, START)
