"""The tables that say who is told of alerts, and when what was not sent is sent again."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from ..config.tables import Table
from .checks import LOCAL, Name, PathText, require_safe


class WaitConfig(Table):
    """How long to wait after failures."""

    wait_seconds: PositiveFloat = 60.0
    """After the first one; each further one doubles it."""
    max_wait_seconds: PositiveFloat = 3600.0
    """At the most."""

    def wait(self, tries: int) -> float:
        """Say how long to wait after so many failures, s."""
        return float(min(self.wait_seconds * 2.0 ** min(tries - 1, 64), self.max_wait_seconds))


class WebhookConfig(Table):
    """Someone who is told by HTTP POST."""

    name: Name = "webhook"
    """What it is called in the state."""
    url: str | None = None
    """HTTPS address ..."""
    url_env: str | None = None
    """... or the environment variable that holds it, where the address is a secret."""
    secret_env: str | None = None
    """Environment variable with the key of the signature in ``X-Anomvae-Signature``."""
    timeout: PositiveFloat = 10.0
    """To wait for an answer, s."""
    allow_http: bool = False
    """Whether an address without encryption is all right; one on this machine always is."""

    @model_validator(mode="after")
    def _one_address(self) -> WebhookConfig:
        if (self.url is None) == (self.url_env is None):
            raise ValueError(f"webhook {self.name!r}: give either `url` or `url_env`.")
        if self.url is not None:
            require_safe(self.url, allow_http=self.allow_http)
        return self


class MailConfig(Table):
    """Those who are told by e-mail."""

    name: Name = "mail"
    """What it is called in the state."""
    host: str
    """SMTP server."""
    port: Annotated[int, Field(gt=0, lt=65536)] = 587
    """Its port."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection is encrypted."""
    sender: str
    """Address that alerts come from."""
    to: Annotated[tuple[str, ...], Field(min_length=1)]
    """Addresses that alerts go to."""
    user: str | None = None
    """Name to log in with; without one nobody logs in."""
    password_env: str | None = None
    """Environment variable with the password."""
    timeout: PositiveFloat = 30.0
    """To wait for the server, s."""

    @model_validator(mode="after")
    def _safe_password(self) -> MailConfig:
        if (self.user is None) != (self.password_env is None):
            raise ValueError(f"mail {self.name!r}: give both `user` and `password_env`, or none.")
        if self.user is not None and self.security == "none" and self.host not in LOCAL:
            raise ValueError(f"mail {self.name!r} would send a password in the clear: encrypt it.")
        return self


class FeedConfig(Table):
    """A GeoJSON file of the latest alerts, for maps."""

    path: PathText
    """The file."""
    alerts: PositiveInt = 1000
    """Alerts it holds at the most, the newest."""


class AlertsConfig(Table):
    """Who is told."""

    stdout: bool = True
    """Whether a JSON line is printed."""
    feed: FeedConfig | None = None
    """A file for maps."""
    webhook: tuple[WebhookConfig, ...] = ()
    """Addresses that are posted to."""
    mail: tuple[MailConfig, ...] = ()
    """Addresses that are written to."""
    retry: WaitConfig = WaitConfig()
    """When an alert that could not be sent is tried again; it is never given up."""
