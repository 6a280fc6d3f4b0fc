"""A back-test finds what a watch did, and what it would have done by other rules."""

import hashlib
import json
import sqlite3
from contextlib import closing

import pytest
from support.archives import DAYS, add_scene, begin_archive
from support.rasters import run
from support.watching import rows

from anomvae.monitoring.backtest.outlook import Outlook, advise
from anomvae.monitoring.decisions.registration import DISPLACED


@pytest.fixture(scope="module")
def found(watched):
    """Replay all rules of the watch; return the outlook of each by its change."""
    before, result = tree(watched), backtest(watched, "--json")
    assert (result.code, result.err, tree(watched) == before) == (0, "", True)
    (site,) = json.loads(result.out)
    return {each["change"]: each for each in site["outlooks"]}


def backtest(folder, *options, first="2025-06-01", last="2025-06-30"):
    return run(
        "monitor", "backtest", folder / "watch.toml", "--from", first, "--to", last, *options
    )


def replayed(folder, *options, **span):
    """Return the outlook of the rules as they are."""
    result = backtest(folder, "--as-is", "--json", *options, **span)
    assert (result.code, result.err) == (0, "")
    ((now,),) = (site["outlooks"] for site in json.loads(result.out))
    return now


def tree(folder):
    """Return a digest of each file below a folder, but for what SQLite keeps while it reads."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    files = [path for path in files if not path.name.endswith(("-shm", "-wal"))]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_rules_as_configured_do_in_a_replay_what_the_watch_did(watched, found):
    now = found["as configured"]

    outcomes = dict(rows(watched, "SELECT outcome, count(*) FROM scenes GROUP BY outcome"))
    assert {"normal": now["normal"], "anomalous": now["anomalous"]} == outcomes
    assert [(now["alerts"],)] == rows(watched, "SELECT count(*) FROM alerts") == [(1,)]
    assert (now["opened"], now["confirmed"], now["closed"]) == (2, 1, 0)
    assert (now["delay_days"], now["delay_passes"]) == (5, 2)
    assert now["alerts_per_month"] == pytest.approx(365.25 / 12 / 30, abs=1e-4)


def test_each_rule_is_changed_alone(watched, found):
    at_once, slow, large = (
        found[change] for change in ('confirm = "1 of 1"', 'confirm = "3 of 4"', "min_area_px = 8")
    )

    assert (at_once["alerts"], at_once["delay_days"], at_once["delay_passes"]) == (2, 0, 1)
    assert (slow["alerts"], slow["delay_days"], slow["delay_passes"]) == (1, 10, 3)
    assert (large["alerts"], large["opened"], large["normal"]) == (0, 0, 6)
    alone = replayed(watched, "--set", "alert.confirm=1 of 1")
    assert alone == {**at_once, "change": "as configured"}


def test_the_table_has_a_row_for_each_rule_and_advice(watched):
    lines = backtest(watched, "--as-is").out.splitlines()

    assert lines[0] == (
        "harbour, 2025-06-01 to 2025-06-30: 6 scenes: 1 normal, 5 anomalous, 0 not comparable, "
        "0 failed"
    )
    titles = ["alerts", "a", "month", "opened", "confirmed", "closed", "days", "passes"]
    assert lines[2].split() == " ".join(titles).split()
    assert lines[3].split() == ["as", "configured", "1", "1.01", "2", "1", "0", "5", "2"]


def test_only_scenes_of_the_span_are_replayed(watched):
    now = replayed(watched, first=str(DAYS[1]), last=str(DAYS[2]))

    assert (now["normal"], now["anomalous"], now["opened"], now["confirmed"]) == (0, 2, 2, 0)


def test_scenes_are_scored_where_there_are_no_results(found, tmp_path):
    begin_archive(tmp_path)
    for number in range(len(DAYS)):
        add_scene(tmp_path, number)
    before = tree(tmp_path)

    assert replayed(tmp_path) == found["as configured"]

    assert tree(tmp_path) == before


def test_another_threshold_decides_finished_maps_as_the_watch_would(watched, found, tmp_path):
    begin_archive(tmp_path, threshold="log-sigma:3")
    for number in range(len(DAYS)):
        add_scene(tmp_path, number)

    scored = replayed(tmp_path)

    assert replayed(watched, "--set", "threshold=log-sigma:3") == scored
    change = 'threshold = "log-sigma:3"'
    assert found[change] == {**scored, "change": change}


def test_a_scene_that_lay_beside_others_stays_not_comparable(own):
    with closing(sqlite3.connect(own / "state" / "monitor.sqlite")) as database, database:
        reasons = json.dumps([f"it lies 2.0 pixels further down, {DISPLACED}"])
        database.execute(
            "UPDATE scenes SET outcome = 'not comparable', reasons = ? WHERE source LIKE ?",
            (reasons, f"%{DAYS[3]}%"),
        )

    now = replayed(own)

    assert (now["not_comparable"], now["delay_days"], now["delay_passes"]) == (1, 10, 2)


def test_answers_count_as_hits_and_false_alarms(own):
    (own / "in").rename(own / "elsewhere")  # finished results are enough
    (own / "in").mkdir()
    larger = "alert.min_area_px=8"

    run("monitor", "reject", own / "watch.toml", "harbour-2", "--reason", "harvest")
    rejected = replayed(own), replayed(own, "--set", larger)
    table = backtest(own, "--as-is").out
    run("monitor", "ack", own / "watch.toml", "harbour-2", "--reason", "pier")
    acknowledged = replayed(own), replayed(own, "--set", larger)

    names = ("false_alarms", "rejected", "hits", "acknowledged")
    counts = [tuple(each[name] for name in names) for each in (*rejected, *acknowledged)]
    assert counts == [(1, 1, 0, 0), (0, 1, 0, 0), (0, 0, 1, 1), (0, 0, 0, 1)]
    assert "0 of 0  1 of 1" in " ".join(table.split("as configured")[1].split("\n")[0].split("  "))


@pytest.mark.parametrize(
    ("options", "span", "code", "words"),
    [
        ((), {"first": "2025-06-31"}, 2, "'2025-06-31' does not match the format"),
        ((), {"first": "2025-06-02", "last": "2025-06-01"}, 2, "lies after --to 2025-06-01"),
        ((), {"first": "2024-01-01", "last": "2024-02-01"}, 2, "from 2025-06-01 to 2025-06-26"),
        (("--site", "harbor"), {}, 2, "Did you mean 'harbour'?"),
        (("--set", "alert.min_area=3"), {}, 2, "Did you mean 'min_area_px'?"),
        (("--set", "alert.confirm"), {}, 2, "write it as key=value"),
    ],
)
def test_what_cannot_be_replayed_is_one_line(watched, options, span, code, words):
    result = backtest(watched, *options, **span)

    assert (result.code, result.out, words in result.err) == (code, "", True)
    assert len(result.err.strip().splitlines()[-1:]) == 1


def test_results_that_are_gone_are_named(own):
    for path in (own / "in").iterdir():
        path.unlink()
    maps = sorted((own / "maps").glob("site_*/*.anomaly.tif"))

    maps[0].unlink()
    some = backtest(own, "--as-is")
    for path in maps[1:]:
        path.unlink()
    none = backtest(own)

    assert (some.code, "5 scenes" in some.out) == (5, True)
    assert f"Error: harbour: site_{DAYS[0]}.tif: its results are gone" in some.err
    assert (none.code, none.out) == (3, "")
    assert "the results of all 6 scenes from 2025-06-01 to 2025-06-30 are gone" in none.err


def outlook(change, alerts, delay, hits=0):
    """Make an outlook of so many alerts in a month, and so many days of delay."""
    counts = dict.fromkeys(["normal", "anomalous", "not_comparable", "failed", "closed"], 0)
    counts |= {"opened": alerts, "confirmed": alerts, "false_alarms": 0, "rejected": 0}
    passes = None if delay is None else 2
    return Outlook(
        change, alerts=alerts, alerts_per_month=alerts, delay_days=delay, delay_passes=passes,
        hits=hits, acknowledged=hits, **counts,
    )  # fmt: skip


def test_advice_loses_no_acknowledged_event_and_costs_least():
    now = outlook("now", 8, 16, hits=2)
    others = [
        outlook("deaf", 1, 16, hits=0),
        outlook("slow", 2, 48, hits=2),
        outlook("quiet", 4, 16, hits=2),
        outlook("nervous", 90, 0, hits=2),
        outlook("quick", 12, 8, hits=2),
    ]

    fewer, shorter = map(str, advise(now, others))

    assert fewer == (
        "for fewer alerts: quiet (4 alerts a month instead of 8; confirmed after 16 days)"
    )
    assert shorter == (
        "for a shorter delay: quick (confirmed after 8 days instead of 16; 12 alerts a month "
        "instead of 8)"
    )


def test_without_a_better_rule_the_advice_is_to_keep_the_rules():
    fewer, shorter = map(str, advise(outlook("now", 4, 16), [outlook("other", 4, 16)]))
    none, never = map(str, advise(outlook("now", 0, None), [outlook("other", 4, 16)]))

    assert (
        fewer
        == "for fewer alerts: keep the rules (no single change keeps some of 4 alerts a month)"
    )
    assert (
        shorter == "for a shorter delay: keep the rules (no single change is faster than 16 days)"
    )
    assert none == "for fewer alerts: keep the rules (there are none)"
    assert never == "for a shorter delay: keep the rules (no event is confirmed)"
