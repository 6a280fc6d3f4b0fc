"""Alerts: content, channels, order and repetition; against real servers on localhost."""

import hashlib
import hmac
import io
import json
import logging
import socket
import threading
from email import message_from_bytes, policy
from pathlib import Path
from typing import ClassVar

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from support.watching import (
    START,
    Clock,
    Stub,
    drop,
    feature,
    receiver,
    result,
    rows,
    run_watch,
    watch,
)

from anomvae.monitoring.alerts import (
    MOST_OBJECTS,
    alert_of,
    feature_collection,
    plain_text,
)
from anomvae.monitoring.channels import DeliveryFailed, Mail, StdoutChannel, Webhook, email_message
from anomvae.monitoring.outbox import Outbox
from anomvae.monitoring.receivers import MailConfig, WaitConfig, WebhookConfig
from anomvae.monitoring.records import Alert, Key, SceneResult
from anomvae.monitoring.state import opened_state
from anomvae.objects.items import DEGREES, PIXELS
from anomvae.stats.domain import Doubt, DoubtKind, SceneVerdict

OBJECTS = (feature(20, 2000.0, 7.5), feature(9, None, 30.0), feature(2, 200.0, 50.0))
KEY = Key("harbour", "a.tif@1", "m", "s")
ALERT = Alert("key-1", "harbour", "2025-06-01T03:00:00.000+00:00", '{"flagged": 5}')
RESULT = SceneResult(100, 90, 5, 2, 4.0, {"1": 9.0}, 0.5, "maps/a.anomaly.tif")


def alert_from(folder, objects=OBJECTS, key=KEY, **how):
    scored = result(folder, 30, objects=objects, **how)
    return alert_of(key, scored, START)


def geometries(alert):
    return [each["geometry"] for each in json.loads(alert.body)["strongest_objects"]]


def features_of(alert):
    return json.loads(feature_collection([alert]))["features"]


def test_an_alert_has_counts_and_the_objects_with_the_highest_scores_first(tmp_path):
    body = json.loads(alert_from(tmp_path).body)
    many = alert_from(tmp_path, [feature(9)] * 50)

    strongest = body["strongest_objects"]
    assert (body["site"], body["scene"], body["key"]) == ("harbour", "a.tif@1", KEY.digest)
    assert (body["share"], body["objects"]) == (0.3, 3)
    assert body["map"].endswith("a.anomaly.tif")
    assert [(each["area_px"], each["area_m2"], each["score_max"]) for each in strongest] == [
        (2, 200.0, 50.0),
        (9, None, 30.0),
        (20, 2000.0, 7.5),
    ]
    assert {each["geometry"]["type"] for each in strongest} == {"MultiPolygon"}
    assert len(geometries(many)) == MOST_OBJECTS


def test_an_alert_has_the_margins_and_p_values_that_the_objects_have(tmp_path):
    now, before = feature(9, margin=5.5, p=1e-4, rank=1), feature(9, top=8.0)

    strongest = json.loads(alert_from(tmp_path, [now, before]).body)["strongest_objects"]

    assert [(each["margin"], each["p"]) for each in strongest] == [(5.5, 1e-4), (None, None)]


def test_an_alert_has_the_verdict_about_its_scene(tmp_path):
    doubts = (
        Doubt(DoubtKind.SHIFT, True, "all bands are higher by about 1000"),
        Doubt(DoubtKind.FLAGGED, True, "100% is flagged"),
    )
    verdict = SceneVerdict(doubts)

    alert = alert_from(tmp_path, verdict=verdict)

    body = json.loads(alert.body)
    assert (body["in_domain"], body["domain_reasons"]) == ("no", list(verdict.reasons))
    text = "In domain: no: all bands are higher by about 1000; 100% is flagged."
    assert text in plain_text(alert).splitlines()
    assert "In domain" not in plain_text(alert_from(tmp_path))


@pytest.mark.parametrize(
    ("objects", "coordinates"), [([feature(9)], PIXELS), ([feature(9, ring=None)], DEGREES)]
)
def test_pixel_coordinates_are_never_given_as_degrees(tmp_path, objects, coordinates):
    assert geometries(alert_from(tmp_path, objects, coordinates=coordinates)) == [None]


def test_a_long_outline_becomes_its_box(tmp_path):
    ring = [[number / 1000, number % 7] for number in range(1000)]

    (geometry,) = geometries(alert_from(tmp_path, [feature(9, ring=ring)]))

    assert geometry["coordinates"] == [[[0.0, 0], [0.999, 0], [0.999, 6], [0.0, 6], [0.0, 0]]]


def test_an_object_across_the_180th_meridian_is_one_feature(tmp_path):
    ring = ((179.9, 50), (180.1, 50), (180.1, 50.1), (179.9, 50))

    (only,) = features_of(alert_from(tmp_path, [feature(9, ring=ring)]))

    assert only["geometry"]["coordinates"] == [[[list(point) for point in ring]]]


def test_an_alert_without_objects_is_a_feature_without_a_geometry(tmp_path):
    (only,) = features_of(alert_from(tmp_path, []))

    assert only["geometry"] is None


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


def test_a_mail_has_the_alert_as_text_and_json_and_its_key_as_id(tmp_path, mailbox):
    alert = alert_from(tmp_path)
    to = ["duty@eo.example", "team@eo.example"]
    config = mail(mailbox, to=to, user="anomvae", password_env="PASSWORD")

    Mail(config, {"PASSWORD": "swordfish"}).send(alert)

    ((receivers, content),) = mailbox.mails
    message = message_from_bytes(content, policy=policy.default)
    text = message.get_body().get_content()
    attachment = next(message.iter_attachments())
    assert receivers == to
    assert message["Subject"] == "[anomvae] harbour: 3 objects, 30.00% flagged in a.tif@1"
    assert message["Message-ID"] == f"<{alert.key}@anomvae.invalid>"
    assert message["Date"].datetime == START
    assert "20 pixels (2000 m2), score up to 7.5" in text
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
def test_the_error_of_a_mail_names_the_reason_without_secrets(
    tmp_path, mailbox, config, environment, words
):
    mailbox.refused.add("nobody@eo.example")

    with pytest.raises(DeliveryFailed, match=words) as error:
        Mail(mail(mailbox, **config), environment).send(alert_from(tmp_path))

    assert "wrong-one" not in str(error.value)


def test_a_mail_that_one_receiver_took_counts_as_sent_and_refusals_are_logged(
    tmp_path, mailbox, caplog
):
    mailbox.refused.add("nobody@eo.example")
    config = mail(mailbox, to=["duty@eo.example", "nobody@eo.example"])

    with caplog.at_level(logging.WARNING):
        Mail(config, {}).send(alert_from(tmp_path))

    assert [to for to, _ in mailbox.mails] == [["duty@eo.example"]]
    facts = [one.facts for one in caplog.records if "refused" in getattr(one, "facts", {})]
    assert facts[0]["refused"] == ["nobody@eo.example"]


def test_the_name_of_a_scene_cannot_add_headers_to_a_mail(tmp_path):
    alert = alert_from(tmp_path, key=Key("harbour", "a\nBcc: all@eo.example\n.tif", "m", "s"))

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


def test_the_feed_holds_the_objects_of_the_latest_alerts(tmp_path):
    config = watch(tmp_path, alerts={"feed": {"path": "feed.geojson", "alerts": 2}})
    run_watch(config, Clock())
    before = feed_of(tmp_path)
    for number in range(3):
        drop(tmp_path, f"{number}.tif", 50)
        run_watch(config, Clock(), Stub(objects=OBJECTS))

    features = feed_of(tmp_path)

    assert before == []  # the file is there even if nothing was unusual
    assert [feature["properties"]["scene"][0] for feature in features] == ["1"] * 3 + ["2"] * 3
    assert len({feature["id"] for feature in features}) == 6
    assert features[0]["geometry"]["type"] == "MultiPolygon"
    assert rows(tmp_path, "SELECT objects FROM scenes")[0] == (3,)


def test_the_feed_opens_in_gdal(tmp_path):
    pyogrio = pytest.importorskip("pyogrio")
    drop(tmp_path, "a.tif", 50)
    run_watch(
        watch(tmp_path, alerts={"feed": {"path": "feed.geojson"}}), Clock(), Stub(objects=OBJECTS)
    )

    facts = pyogrio.read_info(tmp_path / "feed.geojson")

    assert (facts["features"], facts["crs"]) == (3, "EPSG:4326")


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
    drop(tmp_path, "a.tif", 50)
    drop(tmp_path, "b.tif", 5)
    stream, config = io.StringIO(), watched(tmp_path, server)

    passes = [run_watch(config, Clock(), stream=stream) for _ in range(3)]

    assert [(done.done, done.alerts) for done in passes] == [(2, 1), (0, 0), (0, 0)]
    assert len(server.requests) == len(stream.getvalue().splitlines()) == 1


def test_after_ten_runs_without_an_answer_every_alert_arrives_in_order_and_once(tmp_path, server):
    config, clock, stream = watched(tmp_path, server), Clock(), io.StringIO()
    server.status, codes = 503, []
    for number in range(10):
        drop(tmp_path, f"{number}.tif", 50 + number)
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
    drop(tmp_path, "a.tif", 50)
    run_watch(config, clock)
    server.status = 200
    drop(tmp_path, "b.tif", 51)

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
        state.begin(KEY, "a.tif", START)
        state.finish(KEY, RESULT, START, alert=ALERT, channels=["duty"])
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
