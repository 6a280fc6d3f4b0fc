"""Events: what passes change about them, which changes are alerts, and that none is made twice."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.events import cluster, event, evidence, scene_pass
from support.watching import START, Clock, Stub, drop, rows, run_watch, watch

from anomvae.monitoring import events as recorded_events
from anomvae.monitoring.alerts import key_of
from anomvae.monitoring.announcing import MOST_ALERTS, announced
from anomvae.monitoring.answers import Answer, Remark, give_answer
from anomvae.monitoring.decisions.event import EventChange, EventStatus
from anomvae.monitoring.decisions.events import AddedPass
from anomvae.monitoring.rule_tables import AlertRule
from anomvae.stats.domain import Doubt, DoubtKind, SceneVerdict

ALL = ("opened", "confirmed", "continued", "closed")
OPENED, CONFIRMED, CONTINUED, CLOSED = map(EventChange, ALL)


def added(day, rule=None, continues=True):
    scene = scene_pass(day)
    shown = evidence(scene=scene.source)
    return AddedPass("harbour", scene, continues, rule or AlertRule(), lambda _: shown)


def after(recorded, clusters, day, merged=None, **how):
    return added(day, **how).events(recorded, clusters, merged or {})


def active(number, day, confirmed=0):
    last = date(2025, 6, day)
    return cluster(number, first=last, last=last, confirmed_px=confirmed)


# A site: at each pass the numbers that are active, with their confirmed pixels, and exceedances.
passes = st.lists(
    st.dictionaries(st.integers(1, 4), st.tuples(st.integers(0, 12), st.booleans()), max_size=4),
    min_size=1,
    max_size=9,
)


@given(passes)
def test_open_events_are_the_clusters_of_the_map_and_no_change_is_sent_twice(site):
    known, keys, rule = {}, [], AlertRule(on=ALL)
    for day, found in enumerate(site, start=1):
        clusters = [
            active(number, day if exceeds else max(day - 1, 1), confirmed)
            for number, (confirmed, exceeds) in sorted(found.items())
        ]
        before = dict(known)
        opened = [each for each in known.values() if each.open]

        changed = after(opened, clusters, day)
        known |= {each.number: each for each in changed}

        assert {each.number for each in known.values() if each.open} == set(found)
        assert all(each != before.get(each.number) for each in changed)
        for each in changed:
            earlier = before.get(each.number)
            if earlier is not None and earlier.status is EventStatus.CONFIRMED and earlier.open:
                assert each.status is not EventStatus.PROVISIONAL
            confirmed = found.get(each.number, (0, False))[0] >= rule.min_area_px
            assert not confirmed or each.status is EventStatus.CONFIRMED
        made = announced([each for each in known.values() if each.pending], rule, START)
        known |= {each.number: each for each in made.events}
        keys += [alert.key for alert in made.alerts]
        assert not any(each.pending for each in known.values())
    assert len(set(keys)) == len(keys)


def test_an_event_keeps_its_origin_and_shows_the_newest_scene_of_it():
    (opened,) = after([], [active(1, 1)], 1)
    (continued,) = after([opened], [active(1, 2, confirmed=9)], 2)

    assert opened.pending == (OPENED,)
    assert continued.pending == (OPENED, CONTINUED, CONFIRMED)
    assert (continued.origin, continued.confirmed) == (opened.origin, date(2025, 6, 2))
    assert continued.evidence.scene == "site_2025-06-02.tif"


def test_a_late_scene_continues_nothing():
    (opened,) = after([], [active(1, 5)], 5)

    assert after([opened], [opened.cluster], 3, continues=False) == ()


def test_of_events_that_grow_together_the_others_are_closed_with_the_reason():
    known = after([], [active(1, 1), active(2, 1)], 1)

    _, closed = after(known, [active(1, 2)], 2, merged={2: 1})

    assert (closed.status, closed.reason) == ("closed", "it is part of harbour-1")


def test_least_areas_decide_when_an_event_is_confirmed():
    found = [active(1, 1, confirmed=9)]  # 900 of 1200 m2

    statuses = [
        after([], found, 1, rule=AlertRule(**rule))[0].status
        for rule in ({}, {"min_area_px": 10}, {"min_area_m2": 900}, {"min_area_m2": 901})
    ]

    assert statuses == ["confirmed", "provisional", "confirmed", "provisional"]


@pytest.mark.parametrize(("box", "answer"), [((4, 5, 10, 11), "rejected"), ((6, 7, 10, 11), None)])
def test_what_opens_on_the_ground_of_a_rejected_event_is_rejected(box, answer):
    rejected = event(1, "closed", cluster=cluster(1, box=(4, 5, 10, 13)), answer=Answer.REJECTED)

    (opened,) = after([rejected], [cluster(2, box=box)], 1)

    assert opened.answer == answer


@pytest.mark.parametrize(
    ("pending", "fields", "on", "sent"),
    [
        ([OPENED], {}, ALL, OPENED),
        ([OPENED, CONTINUED, CONFIRMED], {}, ALL, CONFIRMED),
        ([OPENED], {}, ["confirmed"], None),
        ([CONTINUED], {"answer": "acknowledged"}, ALL, None),
        ([CONFIRMED], {"answer": "acknowledged"}, ALL, CONFIRMED),
        ([CONFIRMED], {"answer": "muted"}, ALL, None),
        ([CONFIRMED], {"answer": "rejected"}, ALL, None),
        ([CLOSED], {"status": "closed", "answer": "muted", "alerted": "then"}, ALL, CLOSED),
        ([CLOSED], {"status": "closed", "answer": "rejected", "alerted": "then"}, ALL, None),
        ([CLOSED], {"status": "closed"}, ["confirmed", "closed"], None),  # nobody knew of it
        ([CLOSED], {"status": "closed", "confirmed": date(2025, 6, 1)}, ["closed"], CLOSED),
        ([OPENED, CONFIRMED, CLOSED], {"status": "closed"}, ["confirmed"], CONFIRMED),
        ([OPENED, CLOSED], {"status": "closed"}, ["confirmed", "closed"], None),
    ],
)
def test_rule_and_answer_choose_the_change_that_is_sent(pending, fields, on, sent):
    one = event(1, **{"pending": tuple(pending), **fields})

    made = announced([one], AlertRule(on=on), START)

    assert [alert.key for alert in made.alerts] == ([] if sent is None else [key_of(one, sent)])
    assert made.events[0].pending == ()


def test_a_run_that_catches_up_sends_no_event_that_opened_and_closed_meanwhile():
    gone = event(1, "closed", pending=(OPENED, CONFIRMED, CLOSED))
    known = event(2, "closed", pending=(CLOSED,), alerted="then")
    lasting = event(3, pending=(OPENED, CONFIRMED))

    made = announced([gone, known, lasting], AlertRule(on=ALL), START, catching_up=True)

    names = [json.loads(alert.body)["event"] for alert in made.alerts]
    assert names == ["harbour-2", "harbour-3"]


def test_a_pause_holds_all_but_the_end_of_an_event_back():
    rule, recently = AlertRule(on=ALL, cool_down_days=2), "2025-05-31T03:00:00.000+00:00"
    one = event(1, pending=(CONTINUED, CONFIRMED), alerted=recently)
    ended = event(2, "closed", pending=(CLOSED,), alerted=recently)

    held = announced([one, ended], rule, START)
    later = announced([held.events[0]], rule, START + timedelta(days=1))

    assert [json.loads(alert.body)["event"] for alert in held.alerts] == ["harbour-2"]
    assert held.events[0].pending == (CONFIRMED,)
    assert [json.loads(alert.body)["change"] for alert in later.alerts] == ["confirmed"]
    assert later.events[0].alerted == "2025-06-02T03:00:00.000+00:00"


def test_of_very_many_events_the_largest_get_an_alert_and_the_number_of_others_is_noted():
    many = [
        event(number, cluster=cluster(number, area_px=number), pending=(CONFIRMED,))
        for number in range(1, MOST_ALERTS + 4)
    ]

    made = announced(many, AlertRule(), START)

    names = {json.loads(alert.body)["event"] for alert in made.alerts}
    assert names == {f"harbour-{number}" for number in range(4, MOST_ALERTS + 4)}
    assert made.unsent.startswith("3 more events changed")
    assert not any(each.pending for each in made.events)


CONFIRMING = {"confirm": "2 of 3", "on": ["confirmed", "closed"]}


def name_of(day):
    return f"harbour_2025-05-{day:02}.tif"


def arrive(folder, flagged, first=1):
    """Put scenes with these numbers of flagged pixels into a site, a day each."""
    for day, count in enumerate(flagged, start=first):
        drop(folder, name_of(day), count)


def sent(folder):
    bodies = [json.loads(body) for (body,) in rows(folder, "SELECT body FROM alerts")]
    return [(body["event"], body["change"], body["day"]) for body in bodies]


def standing(folder):
    """What the state records of events, but for alerts."""
    everything = recorded_events(folder / "state", closed=True)
    return [replace(each, pending=(), alerted=None) for each in everything]


def comparable(folder):
    return str(standing(folder)).replace(str(folder), "")


def run_each(folder, flagged, first=1, **how):
    """Let scenes arrive one by one, with a pass after each."""
    config, clock = watch(folder, site={"alert": CONFIRMING}), Clock()
    run_watch(config, clock, **how)
    for day, count in enumerate(flagged, start=first):
        arrive(folder, [count], day)
        run_watch(config, clock, **how)


def test_what_two_of_three_passes_show_is_confirmed_once_and_closed_at_its_end(tmp_path):
    run_each(tmp_path, [50, 0, 50, 50, 50, 0, 0, 0, 0])

    assert sent(tmp_path) == [
        ("harbour-1", "confirmed", "2025-05-03"),
        ("harbour-1", "closed", "2025-05-05"),
    ]
    (one,) = standing(tmp_path)
    assert (one.cluster.first, one.cluster.last) == (date(2025, 5, 1), date(2025, 5, 5))
    assert (one.confirmed, one.closed) == (date(2025, 5, 3), date(2025, 5, 8))
    assert one.reason == "none of the last 3 valid passes over it exceeds"


def test_what_one_pass_shows_is_never_sent(tmp_path):
    run_each(tmp_path, [50, 0, 0, 0, 50, 0])

    assert sent(tmp_path) == []
    assert [each.status for each in standing(tmp_path)] == ["closed", "provisional"]


def test_an_archive_has_the_same_events_as_scenes_that_come_one_by_one_but_fewer_alerts(tmp_path):
    flagged = [50, 50, 0, 0, 0, 30, 30]
    one_by_one, archive = tmp_path / "each", tmp_path / "archive"
    for folder in (one_by_one, archive):
        folder.mkdir()
    run_each(one_by_one, flagged)
    config = watch(archive, site={"alert": CONFIRMING})
    arrive(archive, flagged)
    run_watch(config, Clock())

    assert comparable(archive) == comparable(one_by_one)
    assert sent(archive) == [("harbour-2", "confirmed", "2025-05-07")]
    assert set(sent(archive)) < set(sent(one_by_one))


def test_a_backfill_with_another_model_sends_only_what_it_changes(tmp_path):
    run_each(tmp_path, [50, 50, 50])
    (tmp_path / "model").write_text("model 2")
    config = watch(tmp_path, site={"alert": CONFIRMING})

    same = run_watch(config, Clock(), backfill=True)
    before = sent(tmp_path)
    (tmp_path / "model").write_text("model 3")
    none = run_watch(config, Clock(), Stub(flagged=0), backfill=True)

    assert (same.done, same.alerts, none.alerts) == (3, 0, 1)
    assert sent(tmp_path) == [*before, ("harbour-1", "closed", "2025-05-03")]


def test_a_scene_that_is_not_comparable_opens_nothing_and_counts_for_nothing(tmp_path):
    haze = SceneVerdict((Doubt(DoubtKind.SCORES, severe=True, reason="90% lie above"),))

    class Hazy(Stub):
        def score(self, scene, folder):
            result = super().score(scene, folder)
            result.verdict = haze if result.flagged == 90 else SceneVerdict(())
            return result

    run_each(tmp_path, [90, 50, 90, 90, 50], scoring=Hazy())

    assert sent(tmp_path) == [("harbour-1", "confirmed", "2025-05-05")]
    (one,) = standing(tmp_path)
    assert one.cluster.passes == 2
    outcomes = "SELECT outcome, reasons, in_domain, doubts FROM scenes ORDER BY source"
    assert (
        rows(tmp_path, outcomes)[2:4]
        == [("not comparable", '["90% lie above"]', "no", '["90% lie above"]')] * 2
    )


def test_what_people_reject_gives_no_alert_again_at_its_ground(tmp_path):
    run_each(tmp_path, [50, 0, 0, 0])
    remark = Remark("a person", "a crane", START)
    give_answer(tmp_path / "state", ["harbour-1"], Answer.REJECTED, remark)
    run_each(tmp_path, [50, 50, 0, 0, 0, 50, 50], first=5)

    assert sent(tmp_path) == []
    assert [each.answer for each in standing(tmp_path)] == ["rejected"] * 3


DYING = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from support.watching import Clock, run_watch, watch
from test_monitoring_events import CONFIRMING
from anomvae.monitoring.decisions.persistence import StagedMap
from anomvae.monitoring.state import State

def die(*_, **how):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(*{"map": (StagedMap, "publish"), "alerts": (State, "announce")}[sys.argv[3]], die)
run_watch(watch(Path(sys.argv[1]), site={"alert": CONFIRMING}), Clock())
"""


@pytest.mark.parametrize("moment", ["map", "alerts"])
def test_a_kill_before_the_map_or_the_alerts_loses_and_repeats_nothing(tmp_path, moment):
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    for folder in (calm, killed):
        folder.mkdir()
        run_each(folder, [50])
        arrive(folder, [30], 2)
    tests = os.path.dirname(__file__)

    died = subprocess.run([sys.executable, "-c", DYING, killed, tests, moment], check=False)
    for folder in (calm, killed):
        run_each(folder, [0, 30], first=3)

    assert died.returncode == -9
    assert comparable(killed) == comparable(calm)
    assert sent(killed) == sent(calm) == [("harbour-1", "confirmed", "2025-05-02")]
