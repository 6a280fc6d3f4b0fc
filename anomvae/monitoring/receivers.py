"""The tables of a monitoring configuration for the receivers of alerts."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from ..config.table import Table
from ..config.values import Between, Entries
from .checks import LOCAL, Count, Name, PathText, Seconds, TimeOut, require_safe


class WaitConfig(Table):
    """How long to wait after failures."""

    wait_seconds: Seconds = 60.0
    """After the first failure; each further failure doubles it, s."""
    max_wait_seconds: Seconds = 3600.0
    """Longest wait, s."""

    def wait(self, tries: int) -> float:
        """Return the wait after a number of failures, s."""
        return float(min(self.wait_seconds * 2.0 ** min(tries - 1, 64), self.max_wait_seconds))

    @property
    def longest(self) -> timedelta:
        """The longest wait."""
        return timedelta(seconds=self.max_wait_seconds)


class WebhookConfig(Table):
    """An address that gets alerts by HTTP POST."""

    name: Name = "webhook"
    """Its name in the state."""
    url: str | None = None
    """HTTPS address ..."""
    url_env: str | None = None
    """... or the environment variable that holds it, where the address is a secret."""
    secret_env: str | None = None
    """Environment variable with the key of the signature in ``X-Anomvae-Signature``."""
    timeout: TimeOut = 10.0
    """Longest time of a delivery, s."""
    allow_http: bool = False
    """Whether HTTP is allowed; on this machine it always is."""

    def require(self) -> None:
        """Require one address, and a safe one."""
        if (self.url is None) == (self.url_env is None):
            raise ValueError(f"webhook {self.name!r}: give either `url` or `url_env`.")
        if self.url is not None:
            require_safe(self.url, allow_http=self.allow_http)


class MailConfig(Table):
    """Addresses that get alerts by e-mail."""

    name: Name = "mail"
    """Its name in the state."""
    host: str
    """SMTP server."""
    port: Annotated[int, Between(above=0, below=65536)] = 587
    """Its port."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection is encrypted."""
    sender: str
    """Address of the sender."""
    to: Annotated[tuple[str, ...], Entries()]
    """Addresses of the receivers."""
    user: str | None = None
    """Name to log in with; None: no log-in."""
    password_env: str | None = None
    """Environment variable with the password."""
    timeout: TimeOut = 30.0
    """Longest time of a delivery, s."""

    def require(self) -> None:
        """Require that a password is encrypted."""
        if (self.user is None) != (self.password_env is None):
            raise ValueError(f"mail {self.name!r}: give both `user` and `password_env`, or none.")
        if self.user is not None and self.security == "none" and self.host not in LOCAL:
            raise ValueError(f"mail {self.name!r} would send a password in the clear: encrypt it.")


class AppriseConfig(Table):
    """Chats and phones that get alerts by Apprise, of the extra ``alerts``."""

    name: Name = "messages"
    """Its name in the state."""
    urls_env: str
    """Environment variable with the addresses of Apprise, separated by spaces: they hold
    secrets."""
    timeout: TimeOut = 30.0
    """Longest time of a delivery to all addresses, s."""


class FeedConfig(Table):
    """A GeoJSON file of the latest alerts, for maps."""

    path: PathText
    """The file."""
    alerts: Count = 1000
    """Most alerts in it, the newest."""


class AlertsConfig(Table):
    """Receivers of alerts."""

    stdout: bool = True
    """Whether to print a JSON line for each alert."""
    feed: FeedConfig | None = None
    """A file for maps."""
    webhook: tuple[WebhookConfig, ...] = ()
    """Receivers by HTTP POST."""
    mail: tuple[MailConfig, ...] = ()
    """Receivers by e-mail."""
    apprise: tuple[AppriseConfig, ...] = ()
    """Chats and phones, by Apprise."""
    retry: WaitConfig = WaitConfig()
    """When an alert that was not sent is tried again; it is never given up."""
