"""``anomvae monitor`` from the shell: one line and an exit code for every error."""

import json
import sqlite3
import subprocess
import time
from contextlib import closing
from datetime import date
from io import StringIO

import pandas as pd
import pytest
from support.imports import after
from support.rasters import land, plant, run, trained, write
from support.scorers import content
from support.servers import served
from support.watching import receiver

from anomvae.objects import read_objects

HEAVY = {"torch", "sklearn", "scipy", "pandas", "matplotlib"}
WATCH = """
[[site]]
name = "harbour"
model = "model.safetensors"
out = "maps"
[site.folder]
path = "in"
stable_seconds = 0
[site.alert]
min_area_px = 4
confirm = "1 of 1"
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    trained().save(tmp_path / "model.safetensors")
    write(tmp_path / "in" / "a.tif", plant(land(seed=1)))
    (tmp_path / "watch.toml").write_text(WATCH)
    return tmp_path


def change(folder, before, now):
    path = folder / "watch.toml"
    path.write_text(path.read_text().replace(before, now))


def add_health(folder, *lines):
    with (folder / "watch.toml").open("a") as file:
        file.write("\n".join(["[health]", *lines]))


def monitor(folder, command="run", *options):
    return run("monitor", command, folder / "watch.toml", *options)


def test_a_new_scene_is_scored_gives_an_alert_and_is_then_known(folder):
    first, second = monitor(folder), monitor(folder)

    alert, *_ = map(json.loads, first.out.splitlines())
    assert (first.code, first.err, second.code, second.out, second.err) == (0, "", 0, "", "")
    assert alert["site"] == "harbour"
    assert alert["flagged"] >= 4
    assert (folder / "maps").joinpath(*alert["map"].split("/")[-2:]).exists()


def test_a_scene_unlike_the_training_scenes_is_not_comparable_and_no_warning(folder):
    write(folder / "in" / "a.tif", 5 * land(seed=2))

    ran = monitor(folder)

    (scene,) = json.loads(monitor(folder, "history", "--json").out)
    assert (ran.code, scene["outcome"]) == (0, "not comparable")
    assert "training scenes:" not in ran.err


def test_an_alert_describes_an_object_of_the_objects_file(folder):
    alerts = [json.loads(line) for line in monitor(folder).out.splitlines()]

    objects = read_objects(next((folder / "maps").rglob("*.objects.geojson")))
    (row,) = json.loads(monitor(folder, "history", "--json").out)
    assert {each["objects"] for each in alerts} == {len(objects.items), row["objects"]}
    assert len(alerts) == len(objects.items)
    margins = {each.margin: each for each in objects.items}
    for alert in alerts:
        same = margins[alert["margin"]]
        assert (alert["area_px"], alert["p"]) == (same.area_px, same.p)
        assert alert["area_m2"] == pytest.approx(same.area_m2, rel=1e-6)
        assert [band["band"] for band in alert["bands"]] == [
            band.band for band in same.explanation.leading
        ]
        outline = alert["geometry"]["coordinates"][0][0]
        assert all(14 < longitude < 16 for longitude, _ in outline)


def test_status_and_history_report_scenes_and_runs(folder):
    monitor(folder)
    (folder / "in" / "bad.tif").write_text("no raster")
    monitor(folder)

    status, table = monitor(folder, "status"), monitor(folder, "history")
    summary = json.loads(monitor(folder, "status", "--json").out)
    rows = json.loads(monitor(folder, "history", "--json").out)
    csv = pd.read_csv(StringIO(monitor(folder, "history", "--csv").out))

    assert "harbour: 1 done, 1 failed" in status.out
    assert "failed: harbour: bad.tif, 1 tries, again from" in status.out
    assert "0 normal, 1 anomalous, 0 not comparable; open events: 0 provisional" in status.out
    assert (summary["last_run"]["code"], summary["last_run"]["failed"]) == (5, 1)
    assert summary["last_success"] is not None
    assert [row["source"] for row in rows] == list(csv["source"]) == ["bad.tif", "a.tif"]
    assert rows[1]["valid"] == csv["valid"][1] == 39 * 48
    assert "a.tif" in table.out
    assert rows[1]["outcome"] == "anomalous"
    assert rows[1]["reasons"] in table.out
    assert "of 4 pixels or more" in rows[1]["reasons"]
    assert len(json.loads(monitor(folder, "history", "--json", "--last", "1").out)) == 1
    assert monitor(folder, "history", "--site", "elsewhere").out == "no scenes\n"
    assert monitor(folder, "history", "--csv", "--json").code == 2
    old = monitor(folder, "history", "--place", "harbour")
    assert (old.code, "--place is now called --site." in old.err) == (2, True)
    assert "--place" not in monitor(folder, "history", "--help").out


def test_a_dry_run_lists_what_a_run_would_do_and_changes_nothing(folder):
    before = monitor(folder, "run", "--dry-run")
    first = list((folder / "in").parent.iterdir())
    monitor(folder)
    write(folder / "in" / "b_2025-06-01.tif", plant(land(seed=2)))
    trained().save(folder / "model.safetensors")
    change(folder, "min_area_px = 4", "min_area_px = 5")
    state = content(folder)

    dry, back = (monitor(folder, "run", "--dry-run", *more) for more in ([], ["--backfill"]))
    (folder / "model.safetensors").unlink()
    wrong = monitor(folder, "run", "--dry-run")

    assert folder / "state" not in first
    model = folder / "model.safetensors"
    assert before.out == f"harbour: 1 to score with {model}; 0 known\n  a.tif\n"
    assert dry.out == f"harbour: 1 to score with {model}; 1 known\n  b_2025-06-01.tif\n"
    assert back.out.splitlines()[1:] == ["  b_2025-06-01.tif", "  a.tif"]
    assert {path: data for path, data in content(folder).items() if "-" not in path.suffix} == {
        path: data for path, data in state.items() if path != model
    }
    assert (wrong.code, wrong.err.count("\n")) == (3, 1)


def test_events_are_listed_with_status_days_passes_area_and_answer(folder):
    monitor(folder)
    monitor(folder, "ack", "harbour-1", "--reason", "a pier")

    listed = monitor(folder, "events")
    found = json.loads(monitor(folder, "events", "--json").out)
    elsewhere = monitor(folder, "events", "--site", "elsewhere", "--all")

    day = date.today().isoformat()
    first = listed.out.splitlines()[0]
    assert first.startswith(f"harbour-1: confirmed, {day} to {day}, 1 of 1 passes, ")
    assert " m2), acknowledged by " in first
    assert first.endswith(": a pier")
    assert len(found) == len(listed.out.splitlines())
    assert (found[0]["event"], found[0]["answer"]) == ("harbour-1", "acknowledged")
    assert [one["reason"] for one in found[0]["answers"]] == ["a pier"]
    assert elsewhere.out == "no events\n"


def test_without_an_open_event_the_closed_ones_are_counted(folder):
    monitor(folder)
    with closing(sqlite3.connect(folder / "state" / "monitor.sqlite")) as database, database:
        count = database.execute("UPDATE events SET status = 'closed'").rowcount

    assert monitor(folder, "events").out == (f"no open events; {count} closed, which --all lists\n")


def test_without_a_scene_to_score_no_torch_is_loaded(folder):
    monitor(folder)
    config = folder / "watch.toml"

    for command in ("run", "status"):
        assert not after("monitor", command, config) & HEAVY
    assert "rasterio" not in after("monitor", "status", config)
    assert "torch" not in after("monitor", "history", config)


@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        (lambda folder: change(folder, "model =", "modle ="), 2, "Did you mean 'model'?"),
        (lambda folder: change(folder, '"in"', "in"), 2, "is not valid TOML"),
        (lambda folder: (folder / "watch.toml").unlink(), 3, "cannot be read"),
        (lambda folder: (folder / "model.safetensors").unlink(), 3, "harbour: "),
        (lambda folder: (folder / "model.safetensors").write_text("half"), 3, "damaged"),
        (lambda folder: write(folder / "in" / "a.tif", land(bands=4)), 4, "harbour: "),
        (lambda folder: change(folder, '"in"', '"gone"'), 3, "gone cannot be read"),
        (lambda folder: (folder / "maps").write_text("a file"), 3, "a file stands where"),
        (lambda folder: (folder / "state").write_text("a file"), 3, "a file stands where"),
        (lambda folder: (folder / "in" / "a.tif").write_text("no raster"), 5, "harbour: "),
        (
            lambda folder: add_health(folder, 'log = "gone/watch.jsonl"'),
            3,
            "watch.jsonl cannot be written",
        ),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(folder, spoil, code, words):
    spoil(folder)

    ran = monitor(folder)

    assert ran.code == code, ran.err
    (line,) = ran.err.splitlines()
    assert line.startswith("Error: ")
    assert words in line


def test_a_full_disk_is_one_line_and_nothing_is_lost(folder):
    disk = folder / "maps"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk cannot be mounted here")
    try:
        codes = [monitor(folder).code for _ in range(3)]
        lines = monitor(folder).err.splitlines()
    finally:
        subprocess.run(["umount", str(disk)], check=True)

    assert codes == [3] * 3
    assert len(lines) == 1
    assert "cannot be written" in lines[0]
    assert monitor(folder).code == 0
    assert "1 done, 0 failed" in monitor(folder, "status").out


def test_a_server_that_fails_fails_its_scene_and_the_other_site_goes_on(folder):
    with served(folder / "in", "403:1-") as url:
        remote = (
            WATCH.replace("harbour", "remote")
            .replace("folder]", "urls]")
            .replace('path = "in"\nstable_seconds = 0', f'urls = ["{url}/a.tif"]')
        )
        (folder / "watch.toml").write_text(remote + WATCH)
        ran = monitor(folder)

    errors = [line for line in ran.err.splitlines() if line.startswith("Error: ")]
    assert (ran.code, len(errors)) == (5, 1)
    assert f"{url}/a.tif cannot be" in errors[0]
    assert "remote: 0 done, 1 failed" in monitor(folder, "status").out
    assert "harbour: 1 done, 0 failed" in monitor(folder, "status").out


def test_without_a_state_the_reports_name_the_command_that_makes_it(folder):
    for command in ("status", "history"):
        ran = monitor(folder, command)
        assert ran.code == 3
        assert "Run `anomvae monitor run` first" in ran.err
        assert not (folder / "state").exists()


def test_every_event_is_logged_as_json_with_the_run(folder):
    (folder / "in" / "bad.tif").write_text("no raster")
    add_health(folder, 'log = "watch.jsonl"')

    monitor(folder)
    monitor(folder)

    lines = [json.loads(line) for line in (folder / "watch.jsonl").read_text().splitlines()]
    assert len({line["run"] for line in lines}) == 2
    assert {"run began", "scene done", "failed", "alert sent", "run ended"} == {
        line["event"] for line in lines
    }
    assert lines[-1] | {"code": 0, "known": 2} == lines[-1]


def metrics(folder):
    lines = (folder / "watch.prom").read_text().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


def test_metrics_and_heartbeat_distinguish_success_from_failure(folder):
    with receiver() as server:
        add_health(folder, 'prometheus = "watch.prom"', f'heartbeat = "{server.url}/alive"')
        monitor(folder)
        good, calls = metrics(folder), len(server.requests)
        (folder / "in" / "bad.tif").write_text("no raster")
        time.sleep(0.01)
        monitor(folder)
        bad = metrics(folder)

        assert [request[:2] for request in server.requests] == [("GET", "/alive")] * calls
    assert calls == 1
    assert good['anomvae_monitor_scenes{site="harbour",status="done"}'] == "1"
    assert bad['anomvae_monitor_scenes{site="harbour",status="failed"}'] == "1"
    assert good['anomvae_monitor_scene_outcomes{site="harbour",outcome="anomalous"}'] == "1"
    assert float(good['anomvae_monitor_events{site="harbour",status="confirmed"}']) > 0
    assert float(good['anomvae_monitor_flagged_share{site="harbour"}']) > 0
    assert float(good["anomvae_monitor_run_seconds"]) > 0
    success, ended = (
        f"anomvae_monitor_{name}_timestamp_seconds" for name in ("last_success", "last_run")
    )
    assert good[success] == good[ended]
    assert float(bad[success]) == pytest.approx(float(good[success]), abs=0.01)
    assert float(bad[success]) < float(bad[ended])


def test_metrics_that_cannot_be_written_are_an_error(folder):
    add_health(folder, 'prometheus = "watch.toml/watch.prom"')

    ran = monitor(folder)

    assert ran.code == 3
    assert "a file stands where a folder is expected" in ran.err
    assert json.loads(monitor(folder, "status", "--json").out)["last_run"]["code"] == 3


def test_a_heartbeat_without_an_answer_is_no_failure(folder):
    add_health(folder, 'heartbeat = "http://127.0.0.1:1/"')

    assert monitor(folder).code == 0


def test_a_configuration_of_a_watch_can_be_checked(folder):
    fits = run("config", "check", folder / "watch.toml")
    change(folder, "path =", "pth =")
    wrong = run("config", "check", folder / "watch.toml")

    assert (fits.code, wrong.code) == (0, 2)
    assert "Did you mean 'path'?" in wrong.err
