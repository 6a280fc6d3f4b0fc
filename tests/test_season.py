"""A short season: its arrivals, and that killed monitoring ends as undisturbed monitoring."""

from collections import Counter
from dataclasses import replace
from multiprocessing import get_all_start_methods

import numpy as np
import pytest

from anomvae.testing.season import SENSOR, Season, arrivals, normal
from benchmarks.nights import file_of, play, shows_change, train
from benchmarks.season import alerted, differences, measure_idle, report

SHORT = Season(
    scenes=12,
    before=12,
    places=("fields", "harbour"),
    shape=(24, 24),
    sensor=replace(SENSOR, wavelengths=(490.0, 560.0, 665.0, 842.0, 1610.0, 2205.0)),
    faults=0.25,
)


def drawn(season=SHORT, seed=0):
    return list(arrivals(season, seed))


def apart(one, other):
    return np.nanmean(np.abs(one - other))


def test_equal_arguments_give_equal_seasons_and_another_seed_other_land():
    for one, again, other in zip(drawn(), drawn(), drawn(seed=1), strict=True):
        assert one.scene.block.tobytes() == again.scene.block.tobytes()
        assert (one.place, one.fault) == (again.place, again.fault)
        assert apart(one.scene.block, other.scene.block) > 0


def test_the_days_before_differ_in_light_and_not_in_land():
    fields, harbour = (
        [scene.block for scene in normal(replace(SHORT, before=2), name, 0)]
        for name in SHORT.places
    )

    assert 0 < apart(*fields) < apart(fields[0], harbour[0])


def test_places_take_turns_and_the_first_scene_of_each_has_no_fault():
    season = drawn()

    assert [arrival.place for arrival in season[:4]] == ["fields", "harbour"] * 2
    assert {arrival.fault for arrival in season[:2]} == {"none"}
    assert {arrival.fault for arrival in season} == {"none", "damaged", "half"}


def test_scenes_of_one_site_differ_less_than_those_of_two():
    season = drawn(replace(SHORT, clouds=0.0, changed="nowhere"))

    fields, harbour, later_fields, *_ = (arrival.scene.block for arrival in season)

    assert 0 < apart(fields, later_fields) < apart(fields, harbour)


def test_one_site_changes_for_good_in_the_middle():
    changed = [(arrival.place, arrival.number) for arrival in drawn() if arrival.scene.labels.any()]

    assert changed == [("harbour", number) for number in (7, 9, 11)]
    assert drawn()[7].scene.labels.sum() == 25


def test_clouds_are_no_data():
    cover = [1 - arrival.scene.valid.mean() for arrival in drawn()]
    clear = [1 - arrival.scene.valid.mean() for arrival in drawn(replace(SHORT, clouds=0.0))]

    assert np.mean(cover) > np.mean(clear) + 0.05
    assert np.std(cover) > 0.02


@pytest.fixture(scope="module")
def seasons(tmp_path_factory):
    """Monitor a season undisturbed, and again while runs are killed."""
    if "forkserver" not in get_all_start_methods():
        pytest.skip("a process cannot be copied here")
    roots = [tmp_path_factory.mktemp(name) for name in ("calm", "killed")]
    train(roots[0], SHORT, 0)
    for model in roots[0].glob("*.safetensors"):
        (roots[1] / model.name).write_bytes(model.read_bytes())
    return play(roots[0], SHORT, 0), play(roots[1], SHORT, 0, kills=8)


@pytest.mark.slow
def test_every_good_scene_is_scored_once_and_the_others_are_named(seasons):
    calm = seasons[0]
    faults = Counter(arrival.fault for arrival in drawn())

    rows = calm.end.scenes
    done = [row["source"] for row in rows if row["status"] == "done"]
    failed = {row["source"] for row in rows if row["status"] == "failed"}
    names = {file_of(each): each.fault for each in drawn()}
    assert sorted(done) == sorted(name for name, fault in names.items() if fault != "damaged")
    assert failed == {name for name, fault in names.items() if fault == "damaged"}
    assert Counter(row["status"] for row in rows)["replaced"] == faults["half"]
    assert all(row["error"] for row in rows if row["status"] != "done")


@pytest.mark.slow
def test_alerts_report_the_scenes_that_show_the_change_and_no_other(seasons):
    changed = {file_of(each) for each in drawn() if shows_change(each)}

    found = alerted(seasons[0].end)

    assert changed
    assert found == changed


@pytest.mark.slow
def test_a_season_that_is_killed_ends_as_one_that_is_not(seasons):
    calm, killed = seasons

    assert killed.kills >= 8
    assert differences(calm.end, killed.end) == []
    assert killed.end.delivered == [key for key, _ in calm.end.alerts]
    assert calm.calls == len(calm.end.alerts)


@pytest.mark.slow
def test_the_report_states_whether_the_ends_are_equal(seasons, tmp_path):
    calm, killed = seasons
    other = replace(killed, end=replace(killed.end, delivered=[]))
    idle = measure_idle(tmp_path / "idle", 20)

    good, bad = report(SHORT, calm, killed, idle, 0), report(SHORT, calm, other, None, 0)

    assert "of both are equal" in good
    assert "Alerts report 3 of 3 scenes" in good
    assert "A pass over 20 known files" in good
    assert "**The ends differ in delivered.**" in bad
