"""What is told, to whom, in which order, and how often; against real servers on localhost."""

import hashlib
import hmac
import io
import json
import logging
import socket
import threading
from email import message_from_bytes, policy
from pathlib import Path

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

from anomvae.monitoring.alerts import MOST_OBJECTS, alert_of, feature_collection, is_unusual
from anomvae.monitoring.channels import DeliveryFailed, Mail, StdoutChannel, Webhook, email_message
from anomvae.monitoring.config import AlertRule
from anomvae.monitoring.outbox import Outbox
from anomvae.monitoring.receivers import MailConfig, WebhookConfig
from anomvae.monitoring.state import Alert, Key
from anomvae.objects.items import DEGREES, PIXELS

OBJECTS = (feature(20, 2000.0, 7.5), feature(9, None, 30.0), feature(2, 200.0, 50.0))
ALERT = Alert("key-1", "harbour", "2025-06-01T03:00:00.000+00:00", '{"flagged": 5}')


def alert_from(folder, rule=AlertRule(), objects=OBJECTS, **how):  # noqa: B008 - frozen
    given = result(folder, 30, objects=objects, **how)
    return alert_of(Key("harbour", "a.tif@1", "m", "s"), given, rule, START)


def geometries(alert):
    return [each["geometry"] for each in json.loads(alert.body)["strongest_objects"]]


# --- what is worth telling ---


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({}, True),
        ({"min_objects": 3}, True),
        ({"min_objects": 4}, False),
        ({"min_objects": 9, "min_share": 0.3}, True),
        ({"min_objects": 9, "min_share": 0.31}, False),
    ],
)
def test_so_many_objects_or_such_a_share_are_unusual(tmp_path, rule, told):
    assert is_unusual(AlertRule(**rule), result(tmp_path, 30, objects=OBJECTS)) is told


def test_a_scene_without_data_is_not_unusual(tmp_path):
    assert not is_unusual(AlertRule(min_share=0.01), result(tmp_path, 0, valid=0))


def test_of_a_scene_that_is_not_unusual_no_objects_are_read(tmp_path):
    given = result(tmp_path, 30)
    given.outputs.objects.unlink()

    assert alert_of(Key("harbour", "a.tif@1", "m", "s"), given, AlertRule(), START) is None


def test_an_alert_says_where_what_and_how_much(tmp_path):
    body = json.loads(alert_from(tmp_path).body)

    assert (body["site"], body["scene"], body["share"], body["objects"]) == (
        "harbour",
        "a.tif@1",
        0.3,
        3,
    )
    assert body["map"].endswith("a.anomaly.tif")


def test_an_alert_tells_of_the_objects_with_the_highest_scores_first(tmp_path):
    told = json.loads(alert_from(tmp_path).body)["strongest_objects"]
    many = alert_from(tmp_path, objects=[feature(9)] * 50)

    assert [(each["area_px"], each["area_m2"], each["score_max"]) for each in told] == [
        (2, 200.0, 50.0),
        (9, None, 30.0),
        (20, 2000.0, 7.5),
    ]
    assert {each["geometry"]["type"] for each in told} == {"MultiPolygon"}
    assert len(geometries(many)) == MOST_OBJECTS


@pytest.mark.parametrize(
    ("objects", "coordinates"), [([feature(9)], PIXELS), ([feature(9, ring=None)], DEGREES)]
)
def test_pixel_coordinates_are_never_passed_off_as_degrees(tmp_path, objects, coordinates):
    alert = alert_from(tmp_path, objects=objects, coordinates=coordinates)

    assert geometries(alert) == [None]


def test_a_long_outline_becomes_its_box(tmp_path):
    ring = [[number / 1000, number % 7] for number in range(1000)]

    (found,) = geometries(alert_from(tmp_path, objects=[feature(9, ring=ring)]))

    assert found["coordinates"] == [[[0.0, 0], [0.999, 0], [0.999, 6], [0.0, 6], [0.0, 0]]]


def test_an_object_across_the_180th_meridian_is_told_in_one_piece(tmp_path):
    ring = ((179.9, 50), (180.1, 50), (180.1, 50.1), (179.9, 50))

    alert = alert_from(tmp_path, objects=[feature(9, ring=ring)])

    (found,) = json.loads(feature_collection([alert]))["features"]
    assert found["geometry"]["coordinates"] == [[[list(site) for site in ring]]]


# --- webhook ---


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
def test_what_keeps_a_webhook_from_posting_is_told_without_secrets(config, environment, words):
    with pytest.raises(DeliveryFailed, match=words) as error:
        Webhook(WebhookConfig(**config), environment).send(ALERT)

    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_only_success_counts_as_arrived(server, status):
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


def test_an_address_that_does_not_answer_is_left_in_time(server):
    server.delay = threading.Event()

    with pytest.raises(DeliveryFailed, match="timed out"):
        Webhook(hook(server, timeout=0.2), {}).send(ALERT)
    server.delay.set()


# --- e-mail ---


class Mailbox:
    """What an SMTP server has taken."""

    def __init__(self):
        self.letters, self.refuses = [], set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.refuses:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.letters.append((envelope.rcpt_tos, envelope.content))
        return "250 OK"


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def mailbox():
    box = Mailbox()

    def log_in(server, session, envelope, mechanism, data):
        known = (data.login, data.password) == (b"anomvae", b"swordfish")
        return AuthResult(success=known, handled=known)

    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=free_port(),
        authenticator=log_in,
        auth_require_tls=False,
    )
    controller.start()
    box.port = controller.port
    yield box
    controller.stop()


def mail(mailbox, **config):
    asked = {"security": "none", "sender": "watch@eo.example", "to": ["duty@eo.example"]} | config
    return MailConfig(host="127.0.0.1", port=mailbox.port, **asked)


def test_a_mail_says_what_was_found_and_is_known_by_its_key(tmp_path, mailbox):
    alert = alert_from(tmp_path)

    Mail(mail(mailbox, to=["duty@eo.example", "team@eo.example"]), {}).send(alert)

    ((to, content),) = mailbox.letters
    message = message_from_bytes(content, policy=policy.default)
    text = message.get_body().get_content()
    attached = next(message.iter_attachments())
    assert to == ["duty@eo.example", "team@eo.example"]
    assert message["Subject"] == "[anomvae] harbour: 3 objects, 30.00% flagged in a.tif@1"
    assert message["Message-ID"] == f"<{alert.key}@anomvae.invalid>"
    assert message["Date"].datetime == START
    assert "20 pixels (2000 m2), score up to 7.5" in text
    assert json.loads(attached.get_content()) == json.loads(alert.body)


def test_a_mail_logs_in_with_a_password_from_the_environment(tmp_path, mailbox):
    config = mail(mailbox, user="anomvae", password_env="PASSWORD")

    Mail(config, {"PASSWORD": "swordfish"}).send(alert_from(tmp_path))

    assert len(mailbox.letters) == 1


@pytest.mark.parametrize(
    ("config", "environment", "words"),
    [
        ({"user": "anomvae", "password_env": "P"}, {}, "variable P is not set"),
        ({"user": "anomvae", "password_env": "P"}, {"P": "wrong-one"}, "535"),
        ({"security": "starttls"}, {}, "STARTTLS"),
        ({"to": ["nobody@eo.example"]}, {}, "no such user"),
    ],
)
def test_what_keeps_a_mail_from_leaving_is_told_without_secrets(
    tmp_path, mailbox, config, environment, words
):
    mailbox.refuses.add("nobody@eo.example")

    with pytest.raises(DeliveryFailed, match=words) as error:
        Mail(mail(mailbox, **config), environment).send(alert_from(tmp_path))

    assert "wrong-one" not in str(error.value)


def test_a_mail_that_reached_someone_has_arrived_and_who_refused_is_logged(
    tmp_path, mailbox, caplog
):
    mailbox.refuses.add("nobody@eo.example")
    config = mail(mailbox, to=["duty@eo.example", "nobody@eo.example"])

    with caplog.at_level(logging.WARNING):
        Mail(config, {}).send(alert_from(tmp_path))

    assert [to for to, _ in mailbox.letters] == [["duty@eo.example"]]
    assert caplog.records[0].facts["refused"] == ["nobody@eo.example"]


def test_a_server_that_is_down_is_told(tmp_path):
    config = MailConfig(host="127.0.0.1", port=1, security="none", sender="a@b", to=["c@d"])

    with pytest.raises(DeliveryFailed, match="refused"):
        Mail(config, {}).send(alert_from(tmp_path))


def test_a_scene_s_name_cannot_write_headers_of_a_mail(tmp_path):
    key = Key("harbour", "a\nBcc: all@eo.example\n.tif", "m", "s")
    alert = alert_of(key, result(tmp_path, 30, objects=OBJECTS), AlertRule(), START)

    message = email_message(alert, MailConfig(host="h", sender="a@b.c", to=["c@d.e"]))

    assert message["Bcc"] is None
    assert "\n" not in message["Subject"]


# --- stdout, feed ---


def test_an_alert_is_a_line_of_json():
    stream = io.StringIO()

    StdoutChannel(stream).send(ALERT)

    assert stream.getvalue() == '{"flagged": 5}\n'


def test_a_stdout_that_is_closed_is_told():
    stream = io.StringIO()
    stream.close()

    with pytest.raises(DeliveryFailed, match="stdout"):
        StdoutChannel(stream).send(ALERT)


class WithObjects(Stub):
    """Finds three objects in every scene."""

    def score(self, found, folder):
        made = super().score(found, folder)
        return result(folder, made.flagged, stem=made.outputs.stem, objects=OBJECTS)


def feed_of(folder):
    return json.loads((folder / "feed.geojson").read_text())["features"]


def test_the_feed_holds_the_objects_of_the_latest_alerts(tmp_path):
    config = watch(tmp_path, alerts={"feed": {"path": "feed.geojson", "alerts": 2}})
    for number in range(3):
        drop(tmp_path, f"{number}.tif", 50)
        run_watch(config, Clock(), WithObjects())

    features = feed_of(tmp_path)

    assert [feature["properties"]["scene"][0] for feature in features] == ["1"] * 3 + ["2"] * 3
    assert len({feature["id"] for feature in features}) == 6
    assert features[0]["geometry"]["type"] == "MultiPolygon"
    assert rows(tmp_path, "SELECT objects FROM scenes")[0] == (3,)


def test_an_alert_without_objects_is_a_feature_without_a_place(tmp_path):
    drop(tmp_path, "a.tif", 5)
    rule = {"alert": {"min_share": 0.05}}

    run_watch(watch(tmp_path, site=rule, alerts={"feed": {"path": "feed.geojson"}}), Clock())

    assert [feature["geometry"] for feature in feed_of(tmp_path)] == [None]


def test_a_feed_that_is_missing_is_written_even_if_nothing_was_unusual(tmp_path):
    config = watch(tmp_path, alerts={"feed": {"path": "feed.geojson"}})

    run_watch(config, Clock())

    assert feed_of(tmp_path) == []


def test_the_feed_opens_in_gdal(tmp_path):
    pyogrio = pytest.importorskip("pyogrio")
    drop(tmp_path, "a.tif", 50)
    run_watch(watch(tmp_path, alerts={"feed": {"path": "feed.geojson"}}), Clock(), WithObjects())

    facts = pyogrio.read_info(tmp_path / "feed.geojson")

    assert (facts["features"], facts["crs"]) == (3, "EPSG:4326")


def test_a_feed_that_cannot_be_written_waits(tmp_path):
    drop(tmp_path, "a.tif", 50)
    (tmp_path / "feed").write_text("a file")
    config = watch(tmp_path, alerts={"feed": {"path": "feed/feed.geojson"}})

    done = run_watch(config, Clock())

    assert done.code == 5
    assert any("1 alerts wait for 'feed'" in line for line in done.messages)


# --- order, and how often ---


def watched(folder, server):
    webhook = {"name": "duty", "url": f"{server.url}/hook"}
    return watch(folder, alerts={"stdout": True, "webhook": [webhook]})


def test_nobody_is_told_of_a_scene_that_is_not_unusual(tmp_path, server):
    drop(tmp_path, "a.tif", 5)

    done = run_watch(watched(tmp_path, server), Clock())

    assert (done.done, done.alerts, server.requests) == (1, 0, [])


def test_everyone_is_told_once(tmp_path, server):
    drop(tmp_path, "a.tif", 50)
    stream, config = io.StringIO(), watched(tmp_path, server)

    for _ in range(3):
        run_watch(config, Clock(), stream=stream)

    assert len(server.requests) == 1
    assert len(stream.getvalue().splitlines()) == 1


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
    assert len(stream.getvalue().splitlines()) == 10  # the others do not wait for it
    assert 0 < tries <= 20


def test_a_channel_that_failed_is_left_alone_for_a_while(tmp_path, server):
    drop(tmp_path, "a.tif", 50)
    config, clock, asked = watched(tmp_path, server), Clock(), []
    server.status = 503

    for _ in range(20):
        before = len(server.requests)
        run_watch(config, clock)
        asked += [(clock() - START).total_seconds()] * (len(server.requests) - before)
        clock.forward(seconds=30)

    assert asked == [0, 60, 180, 420]


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


def test_an_alert_that_arrived_but_was_not_marked_comes_again_with_the_same_key(
    tmp_path, server, monkeypatch
):
    drop(tmp_path, "a.tif", 50)
    config, mark = watched(tmp_path, server), Outbox._mark_sent

    def dying(*arguments):
        if len(server.requests) == 1:
            raise KeyboardInterrupt
        mark(*arguments)

    monkeypatch.setattr(Outbox, "_mark_sent", dying)
    with pytest.raises(KeyboardInterrupt):
        run_watch(
            watch(tmp_path, alerts=config.alerts.model_copy(update={"stdout": False})), Clock()
        )
    monkeypatch.setattr(Outbox, "_mark_sent", mark)

    done = run_watch(config, Clock())

    keys = [headers["Idempotency-Key"] for _, _, headers, _ in server.requests]
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert (done.done, done.code) == (0, 0)


def test_an_alert_names_no_secret_in_the_state(tmp_path):
    drop(tmp_path, "a.tif", 50)
    webhook = {"url_env": "HOOK", "secret_env": "KEY"}
    secrets = {"HOOK": "http://127.0.0.1:1/s3cret", "KEY": "swordfish"}

    done = run_watch(watch(tmp_path, alerts={"webhook": [webhook]}), Clock(), environment=secrets)

    kept = b"".join(path.read_bytes() for path in Path(tmp_path / "state").iterdir())
    assert done.code == 5
    assert b"s3cret" not in kept
    assert b"swordfish" not in kept
    assert "s3cret" not in " ".join(done.messages)
