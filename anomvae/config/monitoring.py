"""The tables of a monitoring configuration: what is watched, and who is told.

Paths are told from the folder of the file, so that cron finds them wherever it starts.  A secret is
the name of an environment variable, never a value.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    model_validator,
)

from ..errors import listed
from ..thresholds import parse_rule
from .tables import Table

SOURCES = ("folder", "urls", "stac")
LOCAL = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])([:/]|$)")
NAME = re.compile(r"[\w.-]+")


def _beside(text: str, info: ValidationInfo) -> str:
    """Complete a path; an address, or one of GDAL's virtual files, stays as it is."""
    if not text:
        raise ValueError("a path is empty: give one.")
    folder = (info.context or {}).get("folder", Path())
    return text if re.match(r"\w{2,}://|/vsi", text) else str(folder / Path(text).expanduser())


def _within(pattern: str) -> str:
    if not pattern or Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise ValueError(f"pattern = {pattern!r}: expected names in the folder, such as '*.tif'.")
    return pattern


def _named(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(f"name = {text!r}: expected letters, digits, '.', '-' and '_' alone.")
    return text


def require_safe(url: str, *, allow_http: bool) -> str:
    """Make sure that what is sent to an address cannot be read on the way.

    Raises
    ------
    ValueError
        If it is neither HTTPS, nor this machine, nor allowed.
    """
    safe = url.startswith("https://") or LOCAL.match(url)
    if not (safe or (allow_http and url.startswith("http://"))):
        shown = url.partition("?")[0]
        raise ValueError(
            f"{shown!r} is not a safe address: give https://, or set allow_http = true."
        )
    return url


PathText = Annotated[str, AfterValidator(_beside)]
Name = Annotated[str, AfterValidator(_named)]
Longitude = Annotated[float, Field(ge=-180, le=180)]
Latitude = Annotated[float, Field(ge=-90, le=90)]


class FolderConfig(Table):
    """Scenes that arrive in a folder."""

    path: PathText
    """The folder."""
    pattern: Annotated[str, AfterValidator(_within)] = "*.tif"
    """Which names in it are scenes; ``**/*.tif`` looks into its folders, too."""
    stable_seconds: NonNegativeFloat = 60.0
    """A file is taken when its size and time have not changed for so long, s."""


class UrlsConfig(Table):
    """Scenes at known addresses."""

    urls: tuple[str, ...] = ()
    """Addresses that GDAL opens."""
    file: PathText | None = None
    """A text file with an address in each line."""

    @model_validator(mode="after")
    def _some(self) -> UrlsConfig:
        if not self.urls and self.file is None:
            raise ValueError("no addresses: give `urls`, or the `file` that lists them.")
        return self


class StacConfig(Table):
    """Scenes of a STAC API or a static catalogue."""

    url: PathText
    """The API, or the catalogue's file."""
    collection: str | None = None
    """Only items of this collection."""
    bbox: tuple[Longitude, Latitude, Longitude, Latitude] | None = None
    """Only items that meet this box: west, south, east, north, degrees."""
    days: PositiveFloat | None = None
    """Only items of so many days until now."""
    max_cloud: Annotated[float, Field(ge=0, le=100)] | None = None
    """Only items with at most this ``eo:cloud_cover``, percent."""
    assets: Annotated[tuple[str, ...], Field(min_length=1)]
    """One asset that holds all bands, or one asset for each band, in the detector's order."""
    limit: PositiveInt = 10_000
    """Items to look at, at the most."""
    timeout: PositiveFloat = 30.0
    """To wait for an answer, s."""


class AlertRule(Table):
    """When someone is told of a scene."""

    min_objects: PositiveInt = 1
    """So many objects ..."""
    min_area_px: PositiveInt = 9
    """... of so many pixels each, at least; connected, also at corners."""
    min_share: Annotated[float, Field(gt=0, le=1)] | None = None
    """Or at least this share of the valid pixels flagged, whatever the objects."""


class PlaceConfig(Table):
    """A place that is watched."""

    name: Name
    """What it is called in the state, in alerts and in metrics."""
    model: PathText
    """The detector's file."""
    out: PathText
    """Folder for the deliverables; each scene has a folder of its own in it."""
    mask: PathText | None = None
    """Raster on the grid of the scenes; 0 = ignore."""
    threshold: str | None = None
    """Rule that chooses the cut-off anew from the scores that the model keeps."""
    folder: FolderConfig | None = None
    """Scenes from a folder ..."""
    urls: UrlsConfig | None = None
    """... or from a list of addresses ..."""
    stac: StacConfig | None = None
    """... or from a catalogue."""
    alert: AlertRule = AlertRule()
    """When someone is told."""

    @model_validator(mode="after")
    def _one_source(self) -> PlaceConfig:
        if self.threshold is not None:
            parse_rule(self.threshold)
        given = [name for name in SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"{self.name!r} has {len(given)} sources: give one of "
                f"{', '.join(f'[place.{name}]' for name in SOURCES)}."
            )
        return self


class WaitConfig(Table):
    """How long to wait after failures."""

    wait_seconds: PositiveFloat = 60.0
    """After the first one; each further one doubles it."""
    max_wait_seconds: PositiveFloat = 3600.0
    """At the most."""

    def wait(self, tries: int) -> float:
        """Say how long to wait after so many failures, s."""
        return float(min(self.wait_seconds * 2.0 ** min(tries - 1, 64), self.max_wait_seconds))


class RetryConfig(WaitConfig):
    """When a scene that failed is tried again."""

    wait_seconds: PositiveFloat = 300.0
    """After the first failure; each further one doubles it."""
    max_wait_seconds: PositiveFloat = 86_400.0
    """At the most."""
    tries: PositiveInt = 5
    """Times a scene is tried before it is given up."""


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
        if (
            self.user is not None
            and self.security == "none"
            and not LOCAL.match(f"http://{self.host}")
        ):
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


class HealthConfig(Table):
    """How the watch itself is watched."""

    log: PathText | None = None
    """File that a JSON line is added to for everything that happens."""
    prometheus: PathText | None = None
    """Textfile for the node exporter, ``*.prom``."""
    heartbeat: str | None = None
    """Address that is called after a run without failures ..."""
    heartbeat_env: str | None = None
    """... or the environment variable that holds it."""
    timeout: PositiveFloat = 10.0
    """To wait for an answer, s."""


class MonitorConfig(Table):
    """Everything that a pass over new scenes needs."""

    state: PathText = Field("state", validate_default=True)
    """Folder of the database and the lock."""
    place: Annotated[tuple[PlaceConfig, ...], Field(min_length=1)]
    """The places that are watched."""
    retry: RetryConfig = RetryConfig()
    """When a scene that failed is tried again."""
    alerts: AlertsConfig = AlertsConfig()
    """Who is told."""
    health: HealthConfig = HealthConfig()
    """How the watch itself is watched."""

    @model_validator(mode="after")
    def _own_names(self) -> MonitorConfig:
        posted = [webhook.name for webhook in self.alerts.webhook]
        written = [mail.name for mail in self.alerts.mail]
        _require_once("places", [place.name for place in self.place])
        _require_once("receivers of alerts", ["stdout", "feed", *posted, *written])
        return self


def _require_once(what: str, names: list[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"several {what} are called {listed(twice)}: give each its own name.")
