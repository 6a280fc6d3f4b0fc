"""The state: one transaction per change, migrations, and errors of the file."""

import resource
import sqlite3
from dataclasses import replace
from hashlib import sha256

import pytest
from support.events import cluster, event
from support.watching import START

from anomvae.errors import FileError, NotWritten
from anomvae.monitoring.database import FILE, MIGRATIONS, opened, opened_to_read
from anomvae.monitoring.event_records import read_events, write_events
from anomvae.monitoring.outbox import latest
from anomvae.monitoring.records import Alert, FileRecord, Key, SceneResult, SceneStatus
from anomvae.monitoring.state import opened_state, stamp

KEY = Key("harbour", "a.tif@1", "model", "settings")
RESULT = SceneResult(100, 90, 5, 2, 4.0, {"1": 9.0}, 0.5, "maps/a.anomaly.tif")
ALERT = Alert(KEY.digest, "harbour", "2025-06-01T03:00:00.000+00:00", "{}")


@pytest.fixture
def state(tmp_path):
    with opened_state(tmp_path) as state:
        yield state


@pytest.fixture
def begun(state):
    state.begin(KEY, "a.tif", START)
    return state


def column(state, name):
    return state.database.execute(f"SELECT {name} FROM scenes").fetchone()[0]


def count(state, table):
    return state.database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_a_scene_is_new_until_it_is_done_and_both_outlive_the_process(tmp_path):
    with opened_state(tmp_path) as state:
        state.begin(KEY, "a.tif", START)
    with opened_state(tmp_path) as state:
        assert column(state, "status") == "new"
        state.finish(KEY, RESULT, START)
        state.announce((), [ALERT], ["duty", "team"])

    with opened_state(tmp_path) as state:
        status = state.scene_statuses("harbour", "model", "settings")["a.tif@1"]
        assert (status.status, status.tries) == ("done", 1)
        assert (count(state, "alerts"), count(state, "deliveries")) == (1, 2)


def test_an_alert_and_its_deliveries_are_stored_in_one_transaction(begun):
    with pytest.raises(sqlite3.IntegrityError):  # the same channel twice
        begun.announce((), [ALERT], ["duty", "duty"])

    assert count(begun, "alerts") == 0


def test_an_alert_is_made_once_by_its_key(begun):
    assert [begun.announce((), [ALERT], ["duty"]) for _ in range(2)] == [1, 0]
    assert (count(begun, "alerts"), count(begun, "deliveries")) == (1, 1)


def test_another_model_or_other_settings_are_another_scene(begun):
    other = [replace(KEY, model="other"), replace(KEY, settings="other")]

    assert len({key.digest for key in (KEY, *other)}) == 3
    assert not any(begun.scene_statuses(key.site, key.model, key.settings) for key in other)


def test_a_requeued_scene_keeps_its_tries_and_without_an_error_it_is_forgotten(begun):
    begun.requeue(KEY, START, "the disk is full")
    assert (column(begun, "tries"), column(begun, "status")) == (0, "failed")

    begun.begin(KEY, "a.tif", START)
    begun.requeue(KEY, START)
    assert count(begun, "scenes") == 0


def test_a_whole_file_replaces_the_damaged_one(begun):
    whole = replace(KEY, scene="a.tif@2")
    begun.fail(KEY, "damaged\nbadly", START, next_try=START)
    error, again = column(begun, "error"), column(begun, "next_try")
    begun.begin(whole, "a.tif", START)
    begun.finish(whole, RESULT, START)

    known = begun.scene_statuses("harbour", "model", "settings")

    assert (error, again) == ("damaged badly", stamp(START))
    assert (known["a.tif@1"].status, known["a.tif@2"].status) == ("replaced", "done")


def test_records_of_files_are_kept_by_site_until_the_files_are_missing(state):
    records = {"a.tif": FileRecord(1, 2, "now"), "b.tif": FileRecord(3, 4, "then", "digest")}

    state.record_files("harbour", records, missing=[])
    before = state.file_records("harbour")
    state.record_files("harbour", {}, missing=["a.tif"])

    assert before == records
    assert set(state.file_records("harbour")) == {"b.tif"}
    assert state.file_records("elsewhere") == {}


def test_a_report_reads_while_a_run_writes_and_changes_nothing(tmp_path, begun):
    with opened_to_read(tmp_path) as database:
        begun.finish(KEY, RESULT, START)
        assert database.execute("SELECT status FROM scenes").fetchone()[0] == "done"
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            database.execute("DELETE FROM scenes")


def test_a_state_of_version_1_is_brought_up_to_date_and_keeps_its_rows(tmp_path):
    with opened(tmp_path, MIGRATIONS[:1]) as database:
        database.executescript("""
            INSERT INTO scenes (place, scene, model, settings, source, status, tries, started)
            VALUES ('harbour', 'a.tif@1', 'model', 'settings', 'a.tif', 'new', 1, 'then');
            INSERT INTO files VALUES ('harbour', 'a.tif', 1, 2, 'then', 'digest');
            INSERT INTO alerts VALUES (7, 'key', 'harbour', 'then', '{}');
            INSERT INTO deliveries (alert, channel) VALUES (7, 'duty');
        """)

    with pytest.raises(FileError, match=r"older version\. The next"), opened_to_read(tmp_path):
        pass
    with opened_state(tmp_path) as state:
        assert state.database.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
        assert state.scene_statuses("harbour", "model", "settings") == {
            "a.tif@1": SceneStatus("new", 1, "then", None)
        }
        assert state.file_records("harbour") == {"a.tif": FileRecord(1, 2, "then", "digest")}
        assert latest(state.database, 9) == [Alert("key", "harbour", "then", "{}")]
        state.finish(KEY, RESULT, START)
        assert column(state, "status") == "done"


def test_steps_that_states_have_taken_stay_as_they_are():
    taken = [sha256(step.encode()).hexdigest()[:8] for step in MIGRATIONS]
    # A change of tables is a new step at the end: states do not take an earlier one again.
    assert taken == ["21ce0995", "f359b5b6", "d1ce294a", "2f14b22d", "a47035aa"]


def test_events_of_version_4_are_read_with_all_of_their_pixels_tested(tmp_path):
    before = event(cluster=cluster(area_px=9, tested_px=4))
    with opened_state(tmp_path) as state:
        write_events(state.database, [before])
        state.database.executescript(
            "ALTER TABLE events DROP COLUMN tested_px; PRAGMA user_version = 4"
        )

    with opened_state(tmp_path) as state:
        [event_read] = read_events(state.database)
    assert event_read == replace(before, cluster=replace(before.cluster, tested_px=9))


def test_a_migration_that_fails_leaves_the_version_before_it(tmp_path):
    step = "ALTER TABLE scenes ADD COLUMN note TEXT; SELECT nonsense;"
    with opened_state(tmp_path):
        pass

    with pytest.raises(NotWritten), opened_state(tmp_path, (*MIGRATIONS, step)):
        pass

    with opened_to_read(tmp_path) as database:  # refuses any other version
        columns = [row["name"] for row in database.execute("PRAGMA table_info(scenes)")]
    assert "note" not in columns


def test_a_file_of_a_newer_version_is_refused_and_untouched(tmp_path):
    with opened_state(tmp_path) as state:
        state.database.execute("PRAGMA user_version = 99")
    before = (tmp_path / FILE).read_bytes()

    for open_ in (opened_state, opened_to_read):
        with (
            pytest.raises(FileError, match=r"version 99, written by a newer.*Update"),
            open_(tmp_path),
        ):
            pass

    assert (tmp_path / FILE).read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_untouched(tmp_path):
    (tmp_path / FILE).write_text("notes, not tables " * 100)

    with pytest.raises(FileError, match="sqlite is damaged or no database"), opened_state(tmp_path):
        pass

    assert (tmp_path / FILE).read_text().startswith("notes")


def test_a_full_disk_rolls_the_whole_change_back(tmp_path):
    with opened_state(tmp_path) as state:
        state.begin(KEY, "a.tif", START)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    big = replace(RESULT, reasons=("x" * 3_000_000,))
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, before[1]))
    try:
        with pytest.raises(NotWritten, match="free space"), opened_state(tmp_path) as state:
            state.finish(KEY, big, START)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    with opened_state(tmp_path) as state:
        assert column(state, "status") == "new"
        assert count(state, "alerts") == 0


@pytest.mark.parametrize("instead", ["nothing", "another file"])
def test_a_state_whose_file_was_taken_away_records_nothing_as_done(tmp_path, instead):
    away = tmp_path / "away.sqlite"
    with opened_state(tmp_path) as state:
        state.begin_run("run", START)
        state.begin(KEY, "a.tif", START)
        (tmp_path / FILE).rename(away)
        if instead == "another file":
            (tmp_path / FILE).touch()

        with pytest.raises(NotWritten, match="Put it back"):
            state.finish(KEY, RESULT, START)
        with pytest.raises(NotWritten, match="Put it back"):
            state.end_run("run", START, 0)

        assert column(state, "status") == "new"
        assert state.database.execute("SELECT code FROM runs").fetchone()[0] is None
