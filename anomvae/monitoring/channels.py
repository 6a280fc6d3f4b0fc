"""Who is told: a line on stdout, a file for maps, an address by HTTP POST, people by e-mail.

A channel takes one alert, or says why not.  It may be given the same alert twice, so each passes
the key on: ``Idempotency-Key`` of a POST, ``Message-ID`` of a mail, ``id`` in the feed.
"""

from __future__ import annotations

import hashlib
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
from typing import Protocol, TextIO

from ..errors import AnomvaeError
from ..files import write_atomically
from .alerts import feature_collection, headline, told
from .checks import require_safe
from .receivers import MailConfig, WebhookConfig
from .state import Alert
from .web import CallFailed, call

log = logging.getLogger(__name__)

Environment = Mapping[str, str]
"""Where secrets are: variables of the environment."""


class DeliveryFailed(Exception):
    """An alert that a channel could not take; the message says why, without secrets."""


class Channel(Protocol):
    """Someone who is told."""

    @property
    def name(self) -> str:
        """What it is called in the state."""

    def send(self, alert: Alert) -> None:
        """Tell of an alert.

        Raises
        ------
        DeliveryFailed
            If it did not arrive.
        """


@dataclass(frozen=True)
class StdoutChannel:
    """A JSON line for each alert."""

    stream: TextIO
    """Where it goes, such as stdout."""
    name: str = "stdout"
    """What it is called in the state."""

    def send(self, alert: Alert) -> None:
        """Write the line, and make sure that it is out."""
        try:
            self.stream.write(alert.body + "\n")
            self.stream.flush()
        except (OSError, ValueError) as error:
            raise DeliveryFailed(f"stdout cannot be written: {error}") from error


@dataclass(frozen=True)
class Feed:
    """A GeoJSON file of the latest alerts, replaced whole."""

    path: str
    """The file."""
    latest: Callable[[], Sequence[Alert]]
    """Lists them from the state, oldest first."""
    name: str = "feed"
    """What it is called in the state."""

    def send(self, alert: Alert) -> None:
        """Write the file; the state holds the alert already."""
        self.write()

    def write(self) -> None:
        """Write the file."""
        try:
            write_atomically(self.path, feature_collection(self.latest()).encode())
        except AnomvaeError as error:
            raise DeliveryFailed(str(error)) from error


@dataclass(frozen=True)
class Webhook:
    """An address that is posted to."""

    config: WebhookConfig
    """Where, and how."""
    environment: Environment
    """Holds its secrets."""

    @property
    def name(self) -> str:
        """What it is called in the state."""
        return self.config.name

    def send(self, alert: Alert) -> None:
        """Post the alert; only an answer of success counts as arrived."""
        body = alert.body.encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "anomvae",
            "Idempotency-Key": alert.key,
        }
        if self.config.secret_env is not None:
            secret = secret_of(self.environment, self.config.secret_env)
            headers["X-Anomvae-Signature"] = signature(secret, body)
        try:
            call(self._url(), timeout=self.config.timeout, body=body, headers=headers)
        except CallFailed as error:
            raise DeliveryFailed(str(error)) from error

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
    """People who are written to."""

    config: MailConfig
    """Whom, and by which server."""
    environment: Environment
    """Holds the password."""

    @property
    def name(self) -> str:
        """What it is called in the state."""
        return self.config.name

    def send(self, alert: Alert) -> None:
        """Hand the mail to the server."""
        try:
            with self._server() as server:
                refused = server.send_message(email_message(alert, self.config))
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise DeliveryFailed(f"{self.config.host} does not take it: {_plain(error)}") from error
        if refused:  # the others have it: another try would write to them again
            facts = {"channel": self.name, "refused": sorted(refused)}
            log.warning("mail refused", extra={"facts": facts})

    def _server(self) -> smtplib.SMTP:
        """Connect, encrypt and log in, as far as asked for."""
        config, context = self.config, ssl.create_default_context()
        server: smtplib.SMTP
        if config.security == "tls":
            server = smtplib.SMTP_SSL(
                config.host, config.port, timeout=config.timeout, context=context
            )
        else:
            server = smtplib.SMTP(config.host, config.port, timeout=config.timeout)
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
    """Write an alert as a mail; its Message-ID is always the same."""
    message = EmailMessage()
    message["Subject"] = f"[anomvae] {headline(alert)}"
    message["From"], message["To"] = config.sender, ", ".join(config.to)
    message["Date"] = format_datetime(datetime.fromisoformat(alert.made))
    message["Message-ID"] = f"<{alert.key}@anomvae.invalid>"
    message.set_content(told(alert))
    text = json.dumps(json.loads(alert.body), indent=2)
    message.add_attachment(text.encode(), "application", "json", filename=f"{alert.key}.json")
    return message


def signature(secret: str, body: bytes) -> str:
    """Sign a body: ``sha256=`` and the HMAC in hexadecimal digits.

    Examples
    --------
    >>> signature("key", b"{}")[:20]
    'sha256=a777724d943eb'
    """
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def secret_of(environment: Environment, name: str) -> str:
    """Look a secret up.

    Raises
    ------
    DeliveryFailed
        If the environment does not hold it.
    """
    if not environment.get(name):
        raise DeliveryFailed(f"the environment variable {name} is not set")
    return environment[name]


def _plain(error: BaseException) -> str:
    """Say what a mail server said, in one line."""
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        return f"{error.smtp_code} {' '.join(text.split())}"
    return " ".join(str(error).split())
