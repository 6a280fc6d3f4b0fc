"""Servers that drip a byte at a time, and clocks that were ahead: nothing waits for ever."""

import json
import logging
from datetime import datetime, timedelta

import pytest
from support import servers
from support.dripping import dripping
from support.watching import START, Clock, Stub, drop, receiver, rows, run_watch, scenes, watch

from anomvae.errors import RasterError
from anomvae.monitoring.channels import Mail, Webhook
from anomvae.monitoring.config import HealthConfig
from anomvae.monitoring.health import send_heartbeat
from anomvae.monitoring.receivers import MailConfig, WebhookConfig
from anomvae.monitoring.records import Alert
from anomvae.monitoring.web import DeliveryFailed

HEAD = b"HTTP/1.1 200 OK\r\nX-Slow: "
BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n"
AHEAD = timedelta(days=365 * 74)
LATE = "no complete answer within"
ALERT = Alert(
    "0123456789abcdef",
    "harbour",
    "2025-06-01T03:00:00.000+00:00",
    json.dumps(
        {"site": "harbour", "scene": "a", "objects": 0, "share": 0.1, "scored": "", "flagged": 1}
        | {"valid": 9, "threshold": 4.0, "map": "m", "strongest_objects": []}
    ),
)


@pytest.mark.parametrize("start", [b"", HEAD, BODY], ids=["status", "header", "body"])
def test_a_webhook_that_drips_fails_at_its_deadline(start):
    with dripping(start) as port:
        config = WebhookConfig(url=f"http://127.0.0.1:{port}", timeout=0.3)

        with pytest.raises(DeliveryFailed, match=LATE):
            Webhook(config, {}).send(ALERT)


@pytest.mark.parametrize(
    ("security", "start"),
    [("none", b""), ("none", b"220-"), ("starttls", b"220-"), ("tls", b"\x16\x03\x03\x3f\xff\x02")],
    ids=["greeting", "second line", "before TLS", "handshake"],
)
def test_a_mail_server_that_drips_fails_at_its_deadline(security, start):
    with dripping(start) as port:
        config = MailConfig(
            host="127.0.0.1", port=port, security=security, sender="a@b.example",
            to=["c@d.example"], timeout=0.3,
        )  # fmt: skip

        with pytest.raises(DeliveryFailed, match=LATE):
            Mail(config, {}).send(ALERT)


def test_a_heartbeat_that_drips_ends_at_its_deadline(caplog):
    caplog.set_level(logging.WARNING)

    with dripping(HEAD) as port:
        send_heartbeat(HealthConfig(heartbeat=f"http://127.0.0.1:{port}", timeout=0.3), {})

    facts = [one.facts for one in caplog.records if hasattr(one, "facts")]
    assert LATE in facts[-1]["reason"]


def test_an_alert_to_a_server_that_drips_waits_for_the_next_run(tmp_path):
    drop(tmp_path, "a.tif", 30)
    hook = {"webhook": [{"url": "http://127.0.0.1:1", "timeout": 0.3}]}

    with dripping(HEAD) as port:
        hook["webhook"][0]["url"] = f"http://127.0.0.1:{port}"
        done = run_watch(watch(tmp_path, alerts={"stdout": False} | hook), Clock())

    assert (done.done, done.code) == (1, 5)
    assert LATE in done.messages[0]


@pytest.mark.parametrize("start", [HEAD, BODY], ids=["header", "body"])
def test_a_catalogue_that_drips_is_named_and_other_sites_are_scored(tmp_path, start):
    pytest.importorskip("pystac_client")
    drop(tmp_path, "a.tif", 5)

    with dripping(start) as port:
        stac = {"url": f"http://127.0.0.1:{port}/", "assets": ["data"], "timeout": 0.3}
        slow = {"name": "archive", "folder": None, "stac": stac}
        done = run_watch(watch(tmp_path, others=[slow]), Clock())

    assert (done.done, done.code) == (1, 3)
    assert LATE in done.messages[0]


def test_a_catalogue_without_end_is_left_when_its_time_is_over(tmp_path):
    pytest.importorskip("pystac_client")
    child = {"type": "Catalog", "id": "c", "description": "d", "stac_version": "1.0.0"}
    for number in range(400):
        links = [{"rel": "child", "href": f"./{number + 1}.json"}]
        (tmp_path / f"{number}.json").write_text(json.dumps(child | {"links": links}))

    with servers.served(tmp_path) as url:
        stac = {"url": f"{url}/0.json", "assets": ["data"], "max_seconds": 0.05}
        config = watch(tmp_path, site={"folder": None, "stac": stac})
        done = run_watch(config, Clock())

    assert done.code == 3
    assert "not listed within 0.05 s" in done.messages[0]


def test_an_alert_that_was_postponed_by_a_clock_ahead_is_sent(tmp_path):
    drop(tmp_path, "a.tif", 30)
    ahead, right = Clock(START + AHEAD), Clock(START)
    with receiver() as server:
        config = watch(tmp_path, alerts={"stdout": False, "webhook": [{"url": server.url}]})
        server.status = 503
        run_watch(config, ahead)
        server.status = 200

        done = run_watch(config, right)

    assert done.code == 0
    assert rows(tmp_path, "SELECT count(*) FROM deliveries WHERE sent IS NULL") == [(0,)]


def test_a_scene_that_was_postponed_by_a_clock_ahead_is_scored(tmp_path):
    drop(tmp_path, "a.tif", 5)
    config = watch(tmp_path)
    run_watch(config, Clock(START + AHEAD), Stub(RasterError("no network")))

    run_watch(config, Clock(START))

    assert scenes(tmp_path) == [("a.tif", "done")]


def test_a_postponed_scene_still_waits_while_the_clock_is_right(tmp_path):
    drop(tmp_path, "a.tif", 5)
    config, clock = watch(tmp_path), Clock()
    run_watch(config, clock, Stub(RasterError("no network")))

    clock.forward(seconds=299)
    early = run_watch(config, clock)
    clock.forward(seconds=1)
    late = run_watch(config, clock)

    assert (early.done, early.known, late.done) == (0, 1, 1)


def test_a_file_that_was_first_seen_by_a_clock_ahead_becomes_a_scene(tmp_path):
    drop(tmp_path, "a.tif", 5, START + AHEAD)
    config, clock = watch(tmp_path), Clock(START + AHEAD)
    run_watch(config, clock)  # not stable yet
    clock.time = START

    run_watch(config, clock)
    clock.forward(minutes=2)
    run_watch(config, clock)

    assert scenes(tmp_path) == [("a.tif", "done")]


def test_the_last_success_is_that_of_the_newest_run_whatever_a_clock_was(tmp_path):
    drop(tmp_path, "a.tif", 5)
    health = {"prometheus": "m.prom"}
    config = watch(tmp_path, health=health)
    run_watch(config, Clock(START + AHEAD))
    run_watch(config, Clock(START))
    drop(tmp_path, "b.tif", "bad")

    failed = run_watch(config, Clock(START + timedelta(hours=1)))

    text = (tmp_path / "m.prom").read_text()
    times = [line.split()[-1] for line in text.splitlines() if "last_success" in line]
    assert failed.code == 5
    assert datetime.fromtimestamp(float(times[-1]), START.tzinfo) == START
