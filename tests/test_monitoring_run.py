"""One pass over all sites: each new scene is scored once, whatever happens; a stub scores."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from hashlib import sha256

import pytest
from support.watching import START, Clock, Stub, drop, rows, run_watch, scenes, watch

from anomvae.errors import (
    BandMismatch,
    BrokenEnvironment,
    CovariateMismatch,
    GridMismatch,
    LockHeld,
    ModelFileError,
    NotWritten,
    RasterError,
)
from anomvae.monitoring import history, overview
from anomvae.monitoring.lock import only_run

RETRY = {"tries": 3, "wait_seconds": 60, "max_wait_seconds": 100}


@pytest.fixture
def clock():
    return Clock()


def test_a_scene_is_scored_once_and_its_result_is_in_the_history(tmp_path, clock):
    drop(tmp_path, "a.tif", 5)
    config = watch(tmp_path)

    first = run_watch(config, clock)
    second = run_watch(config, clock, lambda site: pytest.fail("a detector was loaded"))

    assert (first.done, first.known, first.code) == (1, 0, 0)
    assert (second.done, second.known, second.code) == (0, 1, 0)
    (row,) = history(tmp_path / "state").to_dict("records")
    assert (row["site"], row["source"], row["status"]) == ("harbour", "a.tif", "done")
    assert (row["valid"], row["flagged"], row["tries"]) == (100, 5, 1)
    assert json.loads(row["quantiles"]) == {"1": 9.5}
    assert row["map"].endswith("a.anomaly.tif")
    assert row["finished"] == "2025-06-01T03:00:00.000+00:00"


def test_a_changed_model_scores_what_arrives_from_then_on_and_a_backfill_the_rest(tmp_path, clock):
    drop(tmp_path, "a.tif", 5)
    config, scoring = watch(tmp_path), Stub()
    run_watch(config, clock, scoring)
    (tmp_path / "model").write_text("model 2")
    drop(tmp_path, "b.tif", 5)

    after, later = run_watch(config, clock, scoring), run_watch(config, clock, scoring)
    back, again = (run_watch(config, clock, scoring, backfill=True) for _ in range(2))

    assert scoring.scored == ["a.tif", "b.tif", "a.tif"]
    assert [(done.done, done.known) for done in (after, later, back, again)] == [
        (1, 1),
        (0, 2),
        (1, 1),
        (0, 2),
    ]
    assert len(list((tmp_path / "maps").glob("*-*"))) == 3  # the earlier map is kept
    assert len(rows(tmp_path, "SELECT * FROM services")) == 2


def test_new_scenes_are_scored_in_the_order_of_their_acquisition(tmp_path, clock):
    for number, day in enumerate(("2025-05-03", "2025-05-01", "2025-05-02")):
        drop(tmp_path, f"site_{day}.tif", 5, START - timedelta(hours=9 - number))
    scoring = Stub()

    run_watch(watch(tmp_path), clock, scoring)

    assert scoring.scored == [f"site_2025-05-0{day}.tif" for day in (1, 2, 3)]


@pytest.mark.parametrize(
    ("change", "times"),
    [
        ({"threshold": "sigma:4"}, 2),
        ({"mask": "mask.tif"}, 2),
        ({"radiometry": "as-stored"}, 2),
        ({"resolution": 10}, 2),
        ({"alert": {"min_area_px": 4}}, 2),
        ({"alert": {"min_objects": 3}}, 1),
    ],
)
def test_a_backfill_with_other_settings_of_the_score_scores_again_once(
    tmp_path, clock, change, times
):
    drop(tmp_path, "a.tif", 5)
    scoring, mask = Stub(), tmp_path / "mask.tif"
    mask.write_text("a mask")
    run_watch(watch(tmp_path), clock, scoring)

    run_watch(watch(tmp_path, site=change), clock, scoring, backfill=True)
    os.utime(mask, (0, 0))
    run_watch(watch(tmp_path, site=change), clock, scoring, backfill=True)

    assert len(scoring.scored) == times


def test_a_renamed_rule_does_not_score_the_scenes_of_earlier_databases_again(tmp_path, clock):
    drop(tmp_path, "a.tif", 5)

    run_watch(watch(tmp_path, site={"threshold": "sigma-clip:3"}), clock)

    before = sha256(b"1\nmonitor\nclipped:3\n\nmin_area=9").hexdigest()[:16]
    assert rows(tmp_path, "SELECT settings FROM scenes") == [(before,)]


def test_scenes_of_the_databases_of_earlier_versions_stay_finished(tmp_path, clock):
    drop(tmp_path, "a.tif", 5)

    run_watch(watch(tmp_path), clock)

    before = sha256(b"1\nmonitor\n\n\nmin_area=9").hexdigest()[:16]  # by anomvae 0.1
    assert rows(tmp_path, "SELECT settings FROM scenes") == [(before,)]


def test_a_scene_that_fails_does_not_stop_the_others_and_is_named(tmp_path, clock):
    for name, content in (("a.tif", "bad"), ("b.tif", 5), ("c.tif", "no number")):
        drop(tmp_path, name, content)

    done = run_watch(watch(tmp_path), clock)
    summary = overview(tmp_path / "state")

    assert scenes(tmp_path) == [("a.tif", "failed"), ("b.tif", "done"), ("c.tif", "failed")]
    assert (done.done, done.failed, done.code) == (1, 2, 5)
    damaged, internal = done.messages
    assert damaged == f"harbour: {tmp_path / 'in' / 'a.tif'} is damaged. Fetch it again."
    assert "c.tif: internal error (ValueError" in internal
    last = summary.last_run
    assert (last.done, last.failed, last.code) == (1, 2, 5)
    assert (summary.last_success, summary.owner) == (None, None)
    assert [(site.site, site.done, site.failed) for site in summary.sites] == [("harbour", 1, 2)]


def test_a_failed_scene_is_tried_again_after_growing_waits_and_then_given_up(tmp_path, clock):
    drop(tmp_path, "a.tif", "bad")
    config, begun = watch(tmp_path, retry=RETRY), []

    for _ in range(30):
        scoring = Stub()
        code = run_watch(config, clock, scoring).code
        assert code == (5 if scoring.scored else 0)  # between tries it is no failure of the run
        begun += [clock() - START] * len(scoring.scored)
        clock.forward(seconds=20)

    assert begun == [timedelta(seconds=wait) for wait in (0, 60, 160)]
    (failure,) = overview(tmp_path / "state").failures
    assert (failure.tries, failure.next_try) == (3, None)


def test_a_damaged_file_that_is_replaced_is_scored(tmp_path, clock):
    drop(tmp_path, "a.tif", "bad")
    config = watch(tmp_path, retry=RETRY)
    run_watch(config, clock)
    drop(tmp_path, "a.tif", 5, START + timedelta(hours=1))
    clock.forward(hours=2)

    run_watch(config, clock)

    assert scenes(tmp_path) in (
        [("a.tif", "replaced"), ("a.tif", "done")],
        [("a.tif", "done"), ("a.tif", "replaced")],
    )
    assert not overview(tmp_path / "state").failures


@pytest.mark.parametrize("kind", [BandMismatch, CovariateMismatch, GridMismatch])
def test_scenes_that_do_not_fit_the_model_are_one_line_and_not_tried_again(tmp_path, clock, kind):
    for name in ("a.tif", "b.tif"):
        drop(tmp_path, name, 5)
    config, scoring = watch(tmp_path), Stub(error=kind("It lacks B8."))

    first = run_watch(config, clock, scoring)
    clock.forward(days=30)
    second = run_watch(config, clock, scoring)

    assert (first.code, first.messages) == (4, ["harbour: It lacks B8. (so do 1 more)"])
    assert (second.code, len(scoring.scored)) == (0, 2)


def test_a_scene_that_did_not_fit_is_scored_with_another_model_and_its_failure_ends(
    tmp_path, clock
):
    drop(tmp_path, "a.tif", 5)
    run_watch(watch(tmp_path), clock, Stub(error=BandMismatch("It lacks B8.")))
    (tmp_path / "model").write_text("model 2")

    assert run_watch(watch(tmp_path), clock).done == 1
    assert not overview(tmp_path / "state").failures


def test_a_failure_that_another_model_replaced_stays_so_unless_a_backfill_tries_it(tmp_path, clock):
    drop(tmp_path, "a.tif", "bad")
    run_watch(watch(tmp_path), clock)
    (tmp_path / "model").write_text("model 2")
    run_watch(watch(tmp_path), clock, Stub(flagged=0))
    (tmp_path / "model").write_text("model 1")

    known, tried = (run_watch(watch(tmp_path), clock, backfill=each) for each in (False, True))

    assert (known.known, known.code, tried.code) == (1, 0, 5)
    assert len(overview(tmp_path / "state").failures) == 1


def two_sites(tmp_path, **other):
    """Configure two sites."""
    fields, harbour = (
        {"name": name, "out": f"maps/{name}", "folder": {"path": f"in/{name}"}}
        for name in ("fields", "harbour")
    )
    for name in ("fields", "harbour"):
        drop(tmp_path, f"{name}/a.tif", 5)
    return watch(tmp_path, site=fields | other, others=[harbour])


@pytest.mark.parametrize("bad", [2, 3, 5])
def test_after_three_unreadable_scenes_in_a_row_a_server_waits_for_the_next_run(
    tmp_path, clock, bad
):
    urls = [f"https://eo.example/{number}.tif" for number in range(6)]

    class Down(Stub):
        def score(self, scene, folder):
            made = super().score(scene, folder)
            if urls.index(scene.source) < bad:
                raise RasterError(f"{scene.source} cannot be opened.")
            return made

    scoring = Down(flagged=0)
    done = run_watch(watch(tmp_path, site={"folder": None, "urls": {"urls": urls}}), clock, scoring)

    assert (len(scoring.scored), done.code) == ((6, 5) if bad < 3 else (3, 5))
    assert ("wait for the next run" in done.messages[-1]) is (bad >= 3)


def test_three_damaged_local_files_in_a_row_do_not_stop_the_site(tmp_path, clock):
    for name in "abc":
        drop(tmp_path, f"{name}.tif", "bad")
    drop(tmp_path, "d.tif", 5)

    assert run_watch(watch(tmp_path), clock).done == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "gone"}, "gone, the model, cannot be read: No such file"),
        ({"mask": "gone"}, "gone, the mask, cannot be read: No such file"),
        ({"folder": {"path": "gone"}}, "gone cannot be read: No such file"),
        ({"urls": {"file": "gone"}, "folder": None}, "gone cannot be read"),
    ],
)
def test_an_error_of_one_site_does_not_stop_another(tmp_path, clock, change, words):
    done = run_watch(two_sites(tmp_path, **change), clock)

    assert (done.done, done.code) == (1, 3)
    (line,) = done.messages
    assert line.startswith("fields: ")
    assert words in line
    assert rows(tmp_path, "SELECT site FROM scenes") == [("harbour",)]


def test_a_damaged_model_takes_no_try_from_its_scenes(tmp_path, clock):
    config = two_sites(tmp_path)

    def loading(site):
        if site.name == "fields":
            raise ModelFileError("model is damaged. Copy it again.")
        return Stub().score

    done = run_watch(config, clock, loading)
    again = run_watch(config, clock)

    assert (done.done, done.code) == (1, 3)
    assert done.messages == ["fields: model is damaged. Copy it again."]
    assert (again.done, again.code) == (1, 0)


def test_problems_of_several_kinds_are_a_line_each_and_exit_with_5(tmp_path, clock):
    config = two_sites(tmp_path, model="gone")
    drop(tmp_path, "harbour/b.tif", "bad")

    done = run_watch(config, clock)

    assert (done.code, len(done.messages)) == (5, 2)


@pytest.mark.parametrize(
    "error", [NotWritten("maps: disk is full."), BrokenEnvironment("PROJ: unset PROJ_DATA.")]
)
def test_a_full_disk_or_a_broken_environment_takes_no_try_and_every_scene_gets_its_turn(
    tmp_path, clock, error
):
    for name in ("a.tif", "b.tif"):
        drop(tmp_path, name, 5)
    config, full = watch(tmp_path, retry=RETRY), Stub(error=error)

    codes = [run_watch(config, clock, full).code for _ in range(9)]
    done = run_watch(config, clock)

    assert codes == [3] * 9
    assert set(full.scored) == {"a.tif", "b.tif"}
    assert (done.done, done.code) == (2, 0)


def test_a_file_that_vanishes_before_it_is_read_is_no_failure(tmp_path, clock):
    path = drop(tmp_path, "a.tif", 5)
    drop(tmp_path, "b.tif", 5)

    class Vanishing(Stub):
        def score(self, scene, folder):
            path.unlink(missing_ok=True)
            if scene.source == "a.tif":
                raise RasterError("a.tif does not exist.")
            return super().score(scene, folder)

    done = run_watch(watch(tmp_path), clock, Vanishing())

    assert (done.done, done.code) == (1, 0)
    assert scenes(tmp_path) == [("b.tif", "done")]


def test_a_file_that_changes_while_it_is_scored_is_scored_again(tmp_path, clock):
    drop(tmp_path, "a.tif", 5)
    config = watch(tmp_path)

    class Changing(Stub):
        def score(self, scene, folder):
            result = super().score(scene, folder)
            drop(tmp_path, "a.tif", 7, START + timedelta(seconds=1))
            return result

    during = run_watch(config, clock, Changing())
    clock.forward(hours=1)
    after = run_watch(config, clock)

    assert (during.done, after.done) == (0, 1)
    assert rows(tmp_path, "SELECT status, flagged FROM scenes") == [("done", 7)]


def test_a_damaged_objects_file_is_named_and_gives_no_alert(tmp_path, clock):
    drop(tmp_path, "a.tif", 50)

    class Damaging(Stub):
        def score(self, scene, folder):
            made = super().score(scene, folder)
            made.files.objects.write_text("{")
            return made

    done = run_watch(watch(tmp_path), clock, Damaging())

    assert (done.alerts, done.code, scenes(tmp_path)) == (0, 5, [("a.tif", "failed")])
    assert "a.objects.geojson is no file of objects" in done.messages[0]


def test_an_interrupted_run_leaves_its_scene_as_it_was(tmp_path, clock):
    drop(tmp_path, "a.tif", 5)
    config = watch(tmp_path)

    with pytest.raises(KeyboardInterrupt):
        run_watch(config, clock, Stub(error=KeyboardInterrupt()))

    assert scenes(tmp_path) == []
    assert overview(tmp_path / "state").last_run.code == 130
    assert not (tmp_path / "state" / "running.json").exists()
    assert run_watch(config, clock).done == 1


DYING = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from support.watching import Clock, Stub, run_watch, watch

class Dying(Stub):
    def score(self, scene, folder):
        if sys.argv[3] == "after":
            super().score(scene, folder)
        os.kill(os.getpid(), signal.SIGKILL)

run_watch(watch(Path(sys.argv[1]), retry={"tries": 2}), Clock(), Dying())
"""


def die(folder, moment="before"):
    """Make a pass in a process that is killed while it scores."""
    tests = os.path.dirname(__file__)
    died = subprocess.run([sys.executable, "-c", DYING, folder, tests, moment], check=False)
    assert died.returncode == -9


@pytest.mark.parametrize("moment", ["before", "after"])
def test_after_a_killed_run_the_lock_is_free_and_the_scene_is_scored(tmp_path, clock, moment):
    drop(tmp_path, "a.tif", 5)

    die(tmp_path, moment)
    left = scenes(tmp_path)
    assert (tmp_path / "state" / "running.json").exists()
    resumed = run_watch(watch(tmp_path), clock)

    assert left == [("a.tif", "new")]
    assert overview(tmp_path / "state").last_run.done == 1
    assert (resumed.done, resumed.code) == (1, 0)


def test_a_scene_at_which_the_process_dies_is_given_up_and_others_come_first(tmp_path, clock):
    drop(tmp_path, "a.tif", 5)
    die(tmp_path)
    drop(tmp_path, "b.tif", 5)
    scoring = Stub()

    run_watch(watch(tmp_path, retry={"tries": 9}), clock, scoring)
    drop(tmp_path, "c.tif", 5)
    die(tmp_path)
    die(tmp_path)
    given_up = run_watch(watch(tmp_path, retry={"tries": 2}), clock)
    again = run_watch(watch(tmp_path, retry={"tries": 2}), clock)

    assert scoring.scored == ["b.tif", "a.tif"]
    assert given_up.code == 5
    assert "The process ended 2 times" in given_up.messages[0]
    assert again.code == 0


def test_a_second_run_ends_at_once_and_names_the_first(tmp_path, clock):
    config = watch(tmp_path)
    owner = rf"process {os.getpid()} on \S+, since 2025-06-01T03:00:00"

    with (
        only_run(tmp_path / "state", "first", START),
        pytest.raises(LockHeld, match=owner) as error,
    ):
        run_watch(config, clock)

    assert error.value.exit_code == 6
    assert run_watch(config, clock).code == 0
    assert not (tmp_path / "state" / "running.json").exists()


def test_progress_is_reported_before_each_scene_that_is_due(tmp_path, clock):
    drop(tmp_path, "a.tif", 5)
    config, reports = watch(tmp_path), []
    run_watch(config, clock)
    drop(tmp_path, "b.tif", 5)
    drop(tmp_path, "c.tif", 5)

    run_watch(config, clock, progress=lambda *report: reports.append(report))

    assert reports == [("harbour", 0, 2), ("harbour", 1, 2)]
