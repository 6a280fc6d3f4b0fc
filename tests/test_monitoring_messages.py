"""Messages by Apprise, to a real service on localhost."""

import json
import logging
from datetime import UTC, datetime

import pytest
from support.events import event
from support.watching import receiver

from anomvae.monitoring.alerts import alert_of, title_of
from anomvae.monitoring.decisions.event import EventChange
from anomvae.monitoring.messenger import Messenger
from anomvae.monitoring.receivers import AppriseConfig
from anomvae.monitoring.web import DeliveryFailed

pytest.importorskip("apprise")
CONFIG = AppriseConfig(urls_env="MESSAGES", timeout=10)


@pytest.fixture
def alert():
    return alert_of(event(3), EventChange.CONFIRMED, datetime(2025, 6, 1, tzinfo=UTC))


def test_every_address_gets_title_and_text(alert):
    with receiver() as one, receiver() as other:
        addresses = " ".join(each.url.replace("http", "json", 1) for each in (one, other))
        Messenger(CONFIG, {"MESSAGES": addresses}).send(alert)

    for each in (one, other):
        ((_, _, _, body),) = each.requests
        message = json.loads(body)
        assert message["title"] == title_of(alert)
        assert alert.key in message["message"]


@pytest.mark.parametrize(
    ("addresses", "reason"),
    [
        ("", "the environment variable MESSAGES is not set"),
        ("json://localhost:1/ nonsense://secret", "address 2 of MESSAGES is none"),
        ("json://localhost:1/secret", "a service of MESSAGES does not take it"),
    ],
)
def test_a_message_that_is_not_taken_fails_without_its_secrets(alert, addresses, reason, caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(DeliveryFailed, match=reason) as failure:
        Messenger(CONFIG, {"MESSAGES": addresses}).send(alert)

    assert "secret" not in f"{failure.value} {caplog.text}"


def test_a_service_that_refuses_fails(alert):
    with receiver() as service:
        service.status = 500
        url = service.url.replace("http", "json", 1)
        with pytest.raises(DeliveryFailed, match="does not take it"):
            Messenger(CONFIG, {"MESSAGES": url}).send(alert)
