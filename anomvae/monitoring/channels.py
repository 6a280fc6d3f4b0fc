"""Channels that take alerts: stdout, a GeoJSON feed, a webhook by HTTP POST, e-mail.

A channel takes one alert or raises `DeliveryFailed`.  It may get the same alert twice, so each
forwards the key: ``Idempotency-Key`` of a POST, ``Message-ID`` of an e-mail, ``id`` in the feed.
"""

from __future__ import annotations

import hmac
import json
import logging
import smtplib
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from functools import partial
from typing import Protocol, TextIO

from ..calls import within
from ..documents import DocumentError
from ..errors import AnomvaeError
from ..files import write_atomically
from .alerts import body_of, feature_collection, picture_of, plain_text, title_of
from .checks import require_safe
from .receivers import MailConfig, WebhookConfig
from .records import Alert
from .web import DeliveryFailed, call

log = logging.getLogger(__name__)

Environment = Mapping[str, str]
"""Environment variables, which hold the secrets."""


class Channel(Protocol):
    """A receiver of alerts."""

    @property
    def name(self) -> str:
        """Its name in the state."""

    def send(self, alert: Alert) -> None:
        """Send an alert; raises `DeliveryFailed` if the channel does not take it."""


@dataclass(frozen=True)
class StdoutChannel:
    """A JSON line for each alert."""

    stream: TextIO
    name: str = "stdout"

    def send(self, alert: Alert) -> None:
        """Write the line, and flush the stream."""
        try:
            self.stream.write(alert.body + "\n")
            self.stream.flush()
        except (OSError, ValueError) as error:
            raise DeliveryFailed(f"stdout cannot be written: {error}") from error


@dataclass(frozen=True)
class Feed:
    """A GeoJSON file of the latest alerts, replaced whole."""

    path: str
    latest: Callable[[], Sequence[Alert]]
    """Returns the alerts from the state, oldest first."""
    name: str = "feed"

    def send(self, alert: Alert) -> None:
        """Write the file; the state already holds the alert."""
        self.write()

    def write(self) -> None:
        """Write the file."""
        try:
            write_atomically(self.path, feature_collection(self.latest()).encode())
        except (AnomvaeError, DocumentError) as error:
            raise DeliveryFailed(str(error)) from error


@dataclass(frozen=True)
class Webhook:
    """An address that gets alerts by HTTP POST."""

    config: WebhookConfig
    environment: Environment

    @property
    def name(self) -> str:
        """Its name in the state."""
        return self.config.name

    def send(self, alert: Alert) -> None:
        """Post the alert; any answer but 2xx is a failure."""
        body = alert.body.encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "anomvae",
            "Idempotency-Key": alert.key,
        }
        if self.config.secret_env is not None:
            secret = secret_of(self.environment, self.config.secret_env)
            digest = hmac.new(secret.encode(), body, "sha256").hexdigest()
            headers["X-Anomvae-Signature"] = f"sha256={digest}"
        call(self._url(), timeout=self.config.timeout, body=body, headers=headers)

    def _url(self) -> str:
        if self.config.url is not None:
            return self.config.url
        url = secret_of(self.environment, str(self.config.url_env))
        try:
            return require_safe(url, allow_http=self.config.allow_http)
        except ValueError as error:
            raise DeliveryFailed(f"{self.config.url_env} holds no safe address") from error


@dataclass(frozen=True)
class Mail:
    """Addresses that get alerts by e-mail."""

    config: MailConfig
    environment: Environment

    @property
    def name(self) -> str:
        """Its name in the state."""
        return self.config.name

    def send(self, alert: Alert) -> None:
        """Hand the e-mail to the server."""
        try:
            refused = within(self.config.timeout, partial(self._hand_over, alert))
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise DeliveryFailed(f"{self.config.host} does not take it: {_plain(error)}") from error
        if refused:  # another try would send it to the others again
            facts = {"channel": self.name, "refused": sorted(refused)}
            log.warning("mail refused", extra={"facts": facts})

    def _hand_over(self, alert: Alert) -> dict[str, tuple[int, bytes]]:
        """Return the addresses that the server refuses."""
        with self._server() as server:
            return server.send_message(email_message(alert, self.config))

    def _server(self) -> smtplib.SMTP:
        config, context = self.config, ssl.create_default_context()
        tls = partial(smtplib.SMTP_SSL, context=context)
        connect = tls if config.security == "tls" else smtplib.SMTP
        server = connect(config.host, config.port, timeout=config.timeout)
        try:
            if config.security == "starttls":
                server.starttls(context=context)
            if config.user is not None:
                server.login(config.user, secret_of(self.environment, str(config.password_env)))
        except BaseException:
            server.close()
            raise
        return server


def email_message(alert: Alert, config: MailConfig) -> EmailMessage:
    """Write an alert as an e-mail; its Message-ID depends on the alert alone."""
    message = EmailMessage()
    message["Subject"] = f"[anomvae] {title_of(alert)}"
    message["From"], message["To"] = config.sender, ", ".join(config.to)
    message["Date"] = format_datetime(datetime.fromisoformat(alert.made))
    message["Message-ID"] = f"<{alert.key}@anomvae.invalid>"
    message.set_content(plain_text(alert))
    text = json.dumps(body_of(alert), indent=2)
    message.add_attachment(text.encode(), "application", "json", filename=f"{alert.key}.json")
    if (picture := picture_of(alert)) is not None:
        png = picture.read_bytes()
        message.add_attachment(png, "image", "png", filename=picture.name)
    return message


def secret_of(environment: Environment, name: str) -> str:
    """Return a secret; raises `DeliveryFailed` if the environment variable is not set."""
    if not environment.get(name):
        raise DeliveryFailed(f"the environment variable {name} is not set")
    return environment[name]


def _plain(error: BaseException) -> str:
    """Return the reason of a failure in one line."""
    text = str(error)
    if isinstance(error, smtplib.SMTPResponseException):
        answer = error.smtp_error
        reason = answer.decode(errors="replace") if isinstance(answer, bytes) else str(answer)
        text = f"{error.smtp_code} {reason}"
    return " ".join(text.split())
