"""What a configuration of a watch names, opened before the first run; nothing is written.

A step does what a run would do, as far as it can without a score: it loads the detector of a site,
lists its scenes, opens the newest of them, and looks for variables of the environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, FileError, NotWritten
from ..names import one_line, printable
from .channels import Environment, secret_of
from .checks import require_safe
from .config import MonitorConfig, SiteConfig
from .listing import listed_source
from .notices import Report
from .problem import as_error
from .scoring import scene_at, scoring_of
from .sources import FoundScene, Listing
from .web import DeliveryFailed

if TYPE_CHECKING:
    from ..raster import OpenScene

OK, NOTE, PROBLEM = "ok", "note", "problem"


@dataclass(frozen=True)
class Checked:
    """What a step of the check found out."""

    level: str
    """``ok``, ``note`` (what a run would note) or ``problem``."""
    subject: str
    """A site, or a table of the configuration."""
    text: str
    """One line."""
    code: int = 0
    """Exit code of a problem."""

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.level + ':':8} {self.subject}: {self.text}"


def checked_deeply(
    config: MonitorConfig, environment: Environment, now: datetime
) -> Iterator[Checked]:
    """Open everything that a watch names, and yield what is found, in the order of the file."""
    yield from _steps("state", [lambda: _writable(config.state)])
    for site in config.site:
        yield from _SiteCheck(site, config.result_folders, now).findings()
    yield from _receivers(config, environment)


def _steps(subject: str, steps: list[Callable[[], str]]) -> Iterator[Checked]:
    """Take steps; what one raises is a problem, and the next is taken."""
    for step in steps:
        try:
            yield Checked(OK, subject, one_line(step()))
        except DeliveryFailed as error:
            yield Checked(PROBLEM, subject, one_line(f"{error}."), ConfigError.exit_code)
        except Exception as error:
            yield _problem(subject, error)


def _problem(subject: str, error: Exception) -> Checked:
    ours = as_error(error, subject)
    return Checked(PROBLEM, subject, one_line(str(ours)), ours.exit_code)


@dataclass
class _SiteCheck:
    """The steps of a site."""

    site: SiteConfig
    aside: tuple[Path, ...]
    """Folders of results."""
    now: datetime
    listing: Listing = field(default_factory=lambda: Listing([], [], []))

    def findings(self) -> Iterator[Checked]:
        name = self.site.name
        yield from _steps(name, [self._detector, lambda: _writable(self.site.out), self._source])
        for error in self.listing.errors:
            yield _problem(name, error)
        for notice in self.listing.notices:
            quiet = notice.report is Report.NEVER
            yield Checked(NOTE, name, notice.text if quiet else f"{notice.text.rstrip('.')}.")
        for scene in self.listing.scenes:
            if scene.fault is not None:
                yield _problem(name, FileError(scene.fault))
        if faultless := [scene for scene in self.listing.scenes if scene.fault is None]:
            yield from _steps(name, [lambda: self._scene(faultless[-1])])

    def _detector(self) -> str:
        """Load the detector as a run does: the file, the rule, the dates."""
        from ..detector.modelfile import read_card

        scoring_of(self.site)
        if self.site.model is None:
            return f"{self.site.fitted_config} is fitted to each scene"
        rule = "" if self.site.threshold is None else f"; here threshold = {self.site.threshold}"
        return f"model {self.site.model}: {read_card(self.site.model).summary}{rule}"

    def _source(self) -> str:
        # The content of files only identifies them, and an archive of them takes hours to read.
        self.listing = listed_source(self.site, dict, self.now, self.aside, lambda _: "unread")
        count = len(self.listing.scenes)
        return f"{self._place}: {count} {'scene' if count == 1 else 'scenes'}"

    @property
    def _place(self) -> str:
        if self.site.folder is not None:
            return f"folder {printable(self.site.folder.path)}"
        return "addresses" if self.site.urls is not None else "catalogue"

    def _scene(self, found: FoundScene) -> str:
        """Open a scene as a run does."""
        from ..detector.modelfile import read_card

        site = self.site
        card = None if site.model is None else read_card(site.model)
        bands, covariates = (None, None) if card is None else (card.bands, card.covariates)
        with scene_at(site, found).open(bands, covariates) as opened:
            self._require_areas(opened)
            rows, cols = opened.grid.shape
            masks = "; ".join(layer.title for layer in opened.dates[-1].masks.layers)
            fit = f"{len(opened.bands)} bands" + (" of the model" if card is not None else "")
            return f"scene {found.source}: {rows} x {cols} pixels, {fit}, masks: {masks or 'none'}"

    def _require_areas(self, opened: OpenScene) -> None:
        from ..raster.polygons import read_polygons

        area, date = self.site.area, opened.dates[-1]
        for path, elsewhere in ((area.only, False), (area.exclude, True)):
            if path is not None:
                read_polygons(path, date.georeference, date.name, elsewhere=elsewhere)


def _receivers(config: MonitorConfig, environment: Environment) -> Iterator[Checked]:
    """Look for the variables and folders that receivers and health need."""
    alerts, health = config.alerts, config.health
    for webhook in alerts.webhook:
        for name in filter(None, (webhook.url_env, webhook.secret_env)):
            yield from _steps(webhook.name, [_set(environment, name)])
        if webhook.url_env is not None and environment.get(webhook.url_env):
            yield from _steps(
                webhook.name, [_safe(environment, webhook.url_env, webhook.allow_http)]
            )
    named = [(mail.name, mail.password_env) for mail in alerts.mail]
    named += [(each.name, each.urls_env) for each in alerts.apprise]
    named += [("health", health.heartbeat_env)]
    for subject, variable in named:
        if variable is not None:
            yield from _steps(subject, [_set(environment, variable)])
    files = [("feed", alerts.feed.path)] if alerts.feed is not None else []
    files += [("health", path) for path in (health.log, health.prometheus) if path is not None]
    for subject, path in files:
        yield from _steps(subject, [_writable_file(path)])


def _set(environment: Environment, name: str) -> Callable[[], str]:
    def step() -> str:
        secret_of(environment, name)
        return f"the environment variable {name} is set"

    return step


def _safe(environment: Environment, name: str, allow_http: bool) -> Callable[[], str]:
    def step() -> str:
        try:
            require_safe(environment[name], allow_http=allow_http)
        except ValueError as error:
            raise DeliveryFailed(f"{name} holds no safe address") from error
        return f"{name} holds a safe address"

    return step


def _writable_file(path: str) -> Callable[[], str]:
    return lambda: _writable(str(Path(path).parent), made=False)


def _writable(folder: str, *, made: bool = True) -> str:
    """Require that files can be written into a folder, which a run makes or not."""
    path = Path(folder)
    existing = next(each for each in (path, *path.absolute().parents) if each.exists())
    if existing != path and not made:
        raise NotWritten(f"{folder} does not exist. Make the folder.")
    if not (existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)):
        raise NotWritten(f"{folder} cannot be written. Check the path and its permissions.")
    return f"{folder} can be {'written' if existing == path else 'made'}"
