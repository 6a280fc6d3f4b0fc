"""Alerts: content, channels, order and repetition; against real servers on localhost."""

import hashlib
import hmac
import io
import json
import logging
import socket
import threading
from datetime import date
from email import message_from_bytes, policy
from pathlib import Path
from typing import ClassVar

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from support.events import OUTLINE, cluster, event, evidence
from support.watching import (
    START,
    Clock,
    Stub,
    drop,
    feature,
    receiver,
    rows,
    run_watch,
    watch,
)

from anomvae.monitoring.alerts import alert_of, feature_collection, plain_text
from anomvae.monitoring.channels import DeliveryFailed, Mail, StdoutChannel, Webhook, email_message
from anomvae.monitoring.decisions.event import EventChange
from anomvae.monitoring.outbox import Outbox
from anomvae.monitoring.receivers import MailConfig, WaitConfig, WebhookConfig
from anomvae.monitoring.records import Alert
from anomvae.monitoring.state import opened_state

OBJECTS = (feature(20, 2000.0, 7.5), feature(9, None, 30.0), feature(2, 200.0, 50.0))
ALERT = Alert("key-1", "harbour", "2025-06-01T03:00:00.000+00:00", '{"flagged": 5}')
CONFIRMED, CONTINUED, CLOSED = EventChange.CONFIRMED, EventChange.CONTINUED, EventChange.CLOSED


def alert_from(change=CONFIRMED, **fields):
    return alert_of(event(3, **fields), change, START)


def test_an_alert_holds_the_event_its_change_and_what_the_newest_scene_shows():
    body = json.loads(alert_from().body)

    expected = {"version": 2, "site": "harbour", "event": "harbour-3", "change": "confirmed"}
    expected |= {"status": "confirmed", "first": "2025-06-01", "last": "2025-06-09"}
    expected |= {"agreed": 2, "passes": 3, "area_px": 12, "area_m2": 1200.0, "share": 0.3}
    expected |= {"margin": 5.5, "p": 1e-4, "geometry": OUTLINE, "quicklook": "maps/a.png"}
    expected |= {"scene": "site_2025-06-09.tif", "map": "maps/a.anomaly.tif", "in_domain": "yes"}
    expected |= {"reasons": ["3 objects of 9 pixels or more"]}
    expected |= {"bands": [{"band": "nir", "wavelength": 842.0, "residual": 12.0, "share": 0.7}]}
    assert body | expected == body


def test_a_text_reports_how_an_event_stands_and_why():
    doubts = ("all bands are higher by about 1000", "100% is flagged")
    shown = plain_text(alert_from(evidence=evidence(in_domain="doubtful", doubts=doubts)))
    closing = {"closed": date(2025, 6, 30), "reason": "none of the last 3 valid passes exceeds"}
    ended = plain_text(alert_from(CLOSED, status="closed", **closing))

    assert shown.splitlines()[0] == "harbour-3 confirmed: 12 pixels (1200 m2) since 2025-06-01."
    for line in (
        "2 of the last 3 valid passes show it, the last one on 2025-06-09.",
        "Its highest score lies 5.5 above the threshold, p = 0.0001.",
        "Bands: nir higher than expected (70% of the score).",
        "In domain: doubtful: all bands are higher by about 1000; 100% is flagged.",
    ):
        assert line in shown.splitlines()
    assert "Closed on 2025-06-30: none of the last 3 valid passes exceeds." in ended


def test_the_key_is_of_site_event_and_change_alone():
    usual = alert_from().key
    later = cluster(3, last=date(2025, 7, 1), agreed=3)
    continued = {alert_from(CONTINUED, cluster=each).key for each in (cluster(3), later)}

    assert alert_from(cluster=later, evidence=evidence(scene="b.tif")).key == usual
    others = {alert_from(CLOSED).key, alert_from(site="fields").key, alert_from(origin="b@1").key}
    assert len({usual, *others, *continued}) == 6


def features_of(*alerts):
    return json.loads(feature_collection(alerts))["features"]


def test_the_feed_holds_a_feature_for_each_event_in_its_newest_state():
    away = alert_of(event(4, cluster=cluster(4, geometry=None)), CONFIRMED, START)

    first, second = features_of(alert_from(), away, alert_from(CLOSED))

    assert (first["id"], first["geometry"]) == ("harbour-3", OUTLINE)
    assert (first["properties"]["change"], second["geometry"]) == ("closed", None)


def test_an_alert_that_waits_since_an_earlier_version_is_still_sent():
    body = {"site": "harbour", "scene": "a.tif", "share": 0.3, "flagged": 27, "valid": 90}
    body |= {"threshold": None, "map": "maps/a.anomaly.tif", "domain_reasons": []}
    alert = Alert("key", "harbour", ALERT.made, json.dumps(body))

    assert plain_text(alert).startswith("harbour: 30.00% flagged in a.tif.\n")
    assert features_of(alert) == []


@pytest.fixture
def server():
    with receiver() as running:
        yield running


def hook(server, **config):
    return WebhookConfig(name="duty", url=f"{server.url}/hook?team=a", **config)


def test_a_webhook_posts_the_alert_with_its_key_and_a_signature(server):
    webhook = Webhook(hook(server, secret_env="SECRET"), {"SECRET": "swordfish"})

    webhook.send(ALERT)

    ((method, path, headers, body),) = server.requests
    expected = hmac.new(b"swordfish", ALERT.body.encode(), hashlib.sha256).hexdigest()
    assert (method, path, body) == ("POST", "/hook?team=a", ALERT.body.encode())
    assert headers["X-Anomvae-Signature"] == f"sha256={expected}"
    assert headers["Idempotency-Key"] == "key-1"
    assert headers["Content-Type"] == "application/json"


def test_the_address_itself_may_be_a_secret(server):
    webhook = Webhook(WebhookConfig(url_env="HOOK"), {"HOOK": f"{server.url}/secret"})

    webhook.send(ALERT)

    assert server.requests[0][1] == "/secret"


@pytest.mark.parametrize(
    ("config", "environment", "words"),
    [
        ({"url_env": "HOOK"}, {}, "environment variable HOOK is not set"),
        ({"url_env": "HOOK"}, {"HOOK": "http://eo.example/s3cret"}, "HOOK holds no safe address"),
        ({"url": "http://127.0.0.1:1/", "secret_env": "KEY"}, {}, "variable KEY is not set"),
        ({"url": "http://127.0.0.1:1/"}, {}, "refused"),
    ],
)
def test_the_error_of_a_webhook_names_the_reason_without_secrets(config, environment, words):
    with pytest.raises(DeliveryFailed, match=words) as error:
        Webhook(WebhookConfig(**config), environment).send(ALERT)

    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("status", [400, 503])
def test_only_an_answer_of_success_counts_as_sent(server, status):
    server.status = status

    with pytest.raises(DeliveryFailed, match=f"answers {status}"):
        Webhook(hook(server), {}).send(ALERT)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_so_that_secrets_stay(server, status):
    with receiver() as other:
        server.status, server.headers = status, {"Location": f"{other.url}/x?token=secret"}

        with pytest.raises(DeliveryFailed, match="redirects to") as error:
            Webhook(hook(server, secret_env="K"), {"K": "k"}).send(ALERT)

    assert not other.requests
    assert "token" not in str(error.value)


def test_an_address_that_does_not_answer_times_out(server):
    server.delay = threading.Event()

    with pytest.raises(DeliveryFailed, match="no complete answer within"):
        Webhook(hook(server, timeout=0.2), {}).send(ALERT)
    server.delay.set()


class Mailbox:
    """The e-mails that an SMTP server has taken."""

    def __init__(self):
        self.mails, self.refused = [], set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.refused:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.mails.append((envelope.rcpt_tos, envelope.content))
        return "250 OK"


@pytest.fixture
def mailbox():
    box = Mailbox()

    def log_in(server, session, envelope, mechanism, data):
        known = (data.login, data.password) == (b"anomvae", b"swordfish")
        return AuthResult(success=known, handled=known)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        box.port = free.getsockname()[1]
    options = {"authenticator": log_in, "auth_require_tls": False}
    controller = Controller(box, hostname="127.0.0.1", port=box.port, **options)
    controller.start()
    yield box
    controller.stop()


def mail(mailbox, **config):
    config = {"security": "none", "sender": "watch@eo.example", "to": ["duty@eo.example"]} | config
    return MailConfig(**{"host": "127.0.0.1", "port": mailbox.port} | config)


def test_a_mail_has_the_alert_as_text_and_json_and_its_key_as_id(mailbox):
    alert = alert_from()
    to = ["duty@eo.example", "team@eo.example"]
    config = mail(mailbox, to=to, user="anomvae", password_env="PASSWORD")

    Mail(config, {"PASSWORD": "swordfish"}).send(alert)

    ((receivers, content),) = mailbox.mails
    message = message_from_bytes(content, policy=policy.default)
    text = message.get_body().get_content()
    attachment = next(message.iter_attachments())
    assert receivers == to
    assert (
        message["Subject"] == "[anomvae] harbour-3 confirmed: 12 pixels (1200 m2) since 2025-06-01"
    )
    assert message["Message-ID"] == f"<{alert.key}@anomvae.invalid>"
    assert message["Date"].datetime == START
    assert "2 of the last 3 valid passes show it" in text
    assert json.loads(attachment.get_content()) == json.loads(alert.body)


@pytest.mark.parametrize(
    ("config", "environment", "words"),
    [
        ({"user": "anomvae", "password_env": "P"}, {}, "variable P is not set"),
        ({"user": "anomvae", "password_env": "P"}, {"P": "wrong-one"}, "535"),
        ({"security": "starttls"}, {}, "STARTTLS"),
        ({"to": ["nobody@eo.example"]}, {}, "no such user"),
        ({"port": 1}, {}, "refused"),
    ],
)
def test_the_error_of_a_mail_names_the_reason_without_secrets(mailbox, config, environment, words):
    mailbox.refused.add("nobody@eo.example")

    with pytest.raises(DeliveryFailed, match=words) as error:
        Mail(mail(mailbox, **config), environment).send(alert_from())

    assert "wrong-one" not in str(error.value)


def test_a_mail_that_one_receiver_took_counts_as_sent_and_refusals_are_logged(mailbox, caplog):
    mailbox.refused.add("nobody@eo.example")
    config = mail(mailbox, to=["duty@eo.example", "nobody@eo.example"])

    with caplog.at_level(logging.WARNING):
        Mail(config, {}).send(alert_from())

    assert [to for to, _ in mailbox.mails] == [["duty@eo.example"]]
    facts = [one.facts for one in caplog.records if "refused" in getattr(one, "facts", {})]
    assert facts[0]["refused"] == ["nobody@eo.example"]


def test_a_name_cannot_add_headers_to_a_mail():
    alert = alert_from(site="a\nBcc: all@eo.example\n")

    message = email_message(alert, MailConfig(host="h", sender="a@b.c", to=["c@d.e"]))

    assert message["Bcc"] is None
    assert "\n" not in message["Subject"]


def test_an_alert_is_a_line_of_json_on_stdout_until_that_is_closed():
    stream = io.StringIO()

    StdoutChannel(stream).send(ALERT)

    assert stream.getvalue() == '{"flagged": 5}\n'
    stream.close()
    with pytest.raises(DeliveryFailed, match="stdout"):
        StdoutChannel(stream).send(ALERT)


def feed_of(folder):
    return json.loads((folder / "feed.geojson").read_text())["features"]


def test_the_feed_is_there_from_the_first_run_and_opens_in_gdal(tmp_path):
    pyogrio = pytest.importorskip("pyogrio")
    config = watch(tmp_path, alerts={"feed": {"path": "feed.geojson", "alerts": 2}})
    run_watch(config, Clock())
    before = feed_of(tmp_path)
    drop(tmp_path, "a.tif", 50)
    run_watch(config, Clock(), Stub(objects=OBJECTS))

    facts = pyogrio.read_info(tmp_path / "feed.geojson")

    assert before == []
    assert (facts["features"], facts["crs"]) == (1, "EPSG:4326")
    assert rows(tmp_path, "SELECT objects FROM scenes") == [(3,)]


def test_alerts_wait_for_a_feed_that_cannot_be_written(tmp_path):
    drop(tmp_path, "a.tif", 50)
    (tmp_path / "feed").write_text("a file")
    config = watch(tmp_path, alerts={"feed": {"path": "feed/feed.geojson"}})

    done = run_watch(config, Clock())

    assert done.code == 5
    assert any("1 alert waits for 'feed'" in message for message in done.messages)


def watched(folder, server):
    webhook = {"name": "duty", "url": f"{server.url}/hook"}
    return watch(folder, alerts={"stdout": True, "webhook": [webhook]})


def test_an_unusual_scene_is_sent_once_to_every_channel_and_any_other_never(tmp_path, server):
    stream, config = io.StringIO(), watched(tmp_path, server)
    run_watch(config, Clock())
    drop(tmp_path, "a.tif", 50)
    drop(tmp_path, "b.tif", 5)

    passes = [run_watch(config, Clock(), stream=stream) for _ in range(3)]

    assert [(done.done, done.alerts) for done in passes] == [(2, 1), (0, 0), (0, 0)]
    assert len(server.requests) == len(stream.getvalue().splitlines()) == 1


def test_after_ten_runs_without_an_answer_every_alert_arrives_in_order_and_once(tmp_path, server):
    config, clock, stream = watched(tmp_path, server), Clock(), io.StringIO()
    server.status, codes = 503, []
    for number in range(10):
        drop(tmp_path, f"harbour_2025-05-1{number}.tif", 50 + number)
        codes.append(run_watch(config, clock, stream=stream).code)
        clock.forward(hours=2)
    tries = len(server.requests)
    server.status = 200
    server.requests.clear()

    last = run_watch(config, clock, stream=stream)

    keys = [headers["Idempotency-Key"] for _, _, headers, _ in server.requests]
    flagged = [json.loads(body)["flagged"] for *_, body in server.requests]
    assert codes == [5] * 10
    assert last.code == 0
    assert flagged == list(range(50, 60))
    assert len(set(keys)) == 10
    assert len(stream.getvalue().splitlines()) == 10  # other channels do not wait
    assert 0 < tries <= 20


def test_the_pause_of_a_channel_that_failed_doubles(tmp_path, server):
    drop(tmp_path, "a.tif", 50)
    config, clock, sent = watched(tmp_path, server), Clock(), []
    server.status = 503

    for _ in range(20):
        before = len(server.requests)
        run_watch(config, clock)
        sent += [(clock() - START).total_seconds()] * (len(server.requests) - before)
        clock.forward(seconds=30)

    assert sent == [0, 60, 180, 420]


def test_a_newer_alert_never_overtakes_one_that_waits(tmp_path, server):
    config, clock = watched(tmp_path, server), Clock()
    server.status = 503
    drop(tmp_path, "harbour_2025-05-01.tif", 50)
    run_watch(config, clock)
    server.status = 200
    drop(tmp_path, "harbour_2025-05-02.tif", 51)

    run_watch(config, clock)  # the first one is not due yet
    early = [json.loads(body)["flagged"] for *_, body in server.requests]
    clock.forward(hours=1)
    run_watch(config, clock)
    late = [json.loads(body)["flagged"] for *_, body in server.requests]

    assert early == [50]
    assert late == [50, 50, 51]


def test_an_alert_taken_just_before_a_crash_is_sent_again_with_the_same_key(tmp_path):
    class Dying:
        name = "duty"
        taken: ClassVar = []

        def send(self, alert):
            self.taken.append(alert)
            if len(self.taken) == 1:
                raise KeyboardInterrupt  # before the outbox has marked it

    with opened_state(tmp_path) as state:
        state.announce((), [ALERT], ["duty"])
        outbox = Outbox(state.database, WaitConfig())

        with pytest.raises(KeyboardInterrupt):
            outbox.send([Dying()], Clock())

        assert outbox.waiting("duty") == 1
        assert [outbox.send([Dying()], Clock()) for _ in range(2)] == [1, 0]
    assert Dying.taken == [ALERT, ALERT]


def test_the_state_and_messages_hold_no_secrets(tmp_path):
    drop(tmp_path, "a.tif", 50)
    webhook = {"url_env": "HOOK", "secret_env": "KEY"}
    secrets = {"HOOK": "http://127.0.0.1:1/s3cret", "KEY": "swordfish"}

    done = run_watch(watch(tmp_path, alerts={"webhook": [webhook]}), Clock(), environment=secrets)

    kept = b"".join(path.read_bytes() for path in Path(tmp_path / "state").iterdir())
    assert done.code == 5
    assert b"s3cret" not in kept
    assert b"swordfish" not in kept
    assert "s3cret" not in " ".join(done.messages)
