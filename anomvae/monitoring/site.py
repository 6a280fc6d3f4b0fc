"""A pass over one site: list its scenes, select those that are due, score and record each."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import (
    AnomvaeError,
    BrokenEnvironment,
    ConfigError,
    FileError,
    LockHeld,
    NotWritten,
    RasterError,
)
from ..names import fitted
from .alerts import alert_of
from .config import RetryConfig, SiteConfig
from .date_history import DateHistory
from .decisions.outcomes import Assessment, Outcome, assess
from .folder import scan_folder
from .local import digest_of_setting
from .problem import MISFITS, Problem, as_error
from .records import Alert, Key, SceneResult, SceneStatus
from .scoring import Scoring, access_of
from .sources import FoundScene, listed_urls
from .state import State, is_over

if TYPE_CHECKING:
    from ..mapping import MapResult

log = logging.getLogger(__name__)

UNREACHABLE = 3
"""Scenes in a row that cannot be read from a server until the others wait for the next pass."""
ANSWERED = re.compile(r"HTTP response code: 4(?!08|29)\d\d")
"""GDAL's words for an answer about one file, such as that it is missing: its server is reached."""


@dataclass
class SitePass:
    """A pass over a site, with its counts so far."""

    site: SiteConfig
    state: State
    retry: RetryConfig
    now: Callable[[], datetime]
    channels: tuple[str, ...]
    """Names of the channels that get alerts."""
    aside: tuple[Path, ...]
    """Folders of results, which hold no scenes."""
    done: int = 0
    """Scenes scored."""
    known: int = 0
    """Scenes not due."""
    alerts: int = 0
    problems: list[Problem] = field(default_factory=list)
    unread: int = 0
    """Scenes in a row that could not be read from a server."""
    date_history: DateHistory | None = None
    """Scenes in the order of their dates, for a model that compares dates."""

    def run(self, scoring: Callable[[SiteConfig], Scoring], deliver: Callable[[], object]) -> None:
        """Score the due scenes, and deliver alerts; an error of the site ends this pass alone."""
        try:
            due = list(self.due())
            for scene, key, tries in due:
                if scene.fault is not None:
                    self.state.begin(key, scene.source, self.now())
                    self._failed(scene, key, tries + 1, FileError(scene.fault))
            if faultless := [each for each in due if each[0].fault is None]:
                score = scoring(self.site)
                for scene, key, tries in faultless:
                    if self._score(score, scene, key, tries):
                        deliver()
        except Exception as error:
            ours = as_error(error, f"site {self.site.name}")
            self._add_problem(Problem(self.site.name, None, ours))

    def due(self) -> Iterator[tuple[FoundScene, Key, int]]:
        """Yield due scenes, keys and tries: new scenes first, then those begun longest ago."""
        model, settings = _model_digest(self.site), _settings_digest(self.site)
        statuses = self.state.scene_statuses(self.site.name, model, settings)
        offered = self._each_once(self._offered())
        if self.site.dates > 1:
            done = {scene for scene, status in statuses.items() if status.status == "done"}
            faulty = [scene for scene in offered if scene.fault is not None]
            faultless = [scene for scene in offered if scene.fault is None]
            access = access_of(self.site)
            self.date_history = DateHistory(self.site.dates, faultless, done, access)
            self.known += len(faultless) - len(self.date_history.followers)
            offered = self.date_history.followers + faulty
        unknown = SceneStatus("new", 0, "", None)
        known = [(scene, statuses.get(scene.identity, unknown)) for scene in offered]
        for scene, status in sorted(known, key=lambda pair: pair[1].started):
            key = Key(self.site.name, scene.identity, model, settings)
            if status.status == "new" and status.tries >= self.retry.tries:
                self._give_up(key, scene, status.tries)
            elif _is_due(status, self.now(), self.retry.longest):
                yield scene, key, status.tries
            else:
                self.known += 1

    def _offered(self) -> Sequence[FoundScene]:
        """List the scenes of the source; what cannot be listed is a problem of the site."""
        site = self.site
        if site.urls is not None:
            return listed_urls(site.urls)
        if site.stac is not None:
            from .catalogue import catalogued

            listing = catalogued(site.stac, self.now())
        elif site.folder is not None:
            known = self.state.file_records(site.name)
            listing = scan = scan_folder(site.folder, known, self.now(), aside=self.aside)
            if scan.records or scan.missing:
                self.state.record_files(site.name, scan.records, scan.missing)
        else:
            raise ConfigError(f"{site.name!r} has no source.")
        for error in listing.errors:
            self._add_problem(Problem(site.name, None, error))
        return listing.scenes

    def _each_once(self, scenes: Sequence[FoundScene]) -> list[FoundScene]:
        """Drop scenes of an identity that came before."""
        first: dict[str, FoundScene] = {}
        for scene in scenes:
            if first.setdefault(scene.identity, scene) is not scene:
                facts = {"site": self.site.name, "scene": scene.identity}
                log.warning("listed twice", extra={"facts": facts})
        return list(first.values())

    def _score(self, score: Scoring, scene: FoundScene, key: Key, tries: int) -> bool:
        """Score a scene and record the outcome; return whether there is an alert."""
        self.state.begin(key, scene.source, self.now())
        try:
            if self.date_history is not None:
                scene = replace(scene, before=self.date_history.before(scene))
            result = score(scene, self._folder(scene, key))
            assessment = assess(self.site, result)
            anomalous = assessment.outcome is Outcome.ANOMALOUS
            alert = alert_of(key, result, self.now()) if anomalous else None
            changed = scene.changed
        except KeyboardInterrupt:
            self.state.requeue(key, self.now())
            raise
        except Exception as error:
            self._failed(scene, key, tries + 1, as_error(error, scene.source))
            return False
        if changed:  # the map belongs to neither the old state nor the new one
            self.state.requeue(key, self.now())
            return False
        self._finished(scene, key, result, assessment, alert)
        return alert is not None

    def _finished(
        self,
        scene: FoundScene,
        key: Key,
        result: MapResult,
        assessment: Assessment,
        alert: Alert | None,
    ) -> None:
        record = SceneResult(
            pixels=result.pixels,
            valid=result.valid,
            masked=result.masked,
            missing=result.missing,
            flagged=result.flagged,
            objects=result.objects,
            threshold=result.threshold.value,
            quantiles=result.quantiles,
            seconds=result.seconds,
            map=str(result.path),
            taken=None if scene.date is None else scene.date.isoformat(),
            outcome=assessment.outcome,
            reasons=assessment.reasons,
        )
        self.state.finish(key, record, self.now(), alert=alert, channels=self.channels)
        self.done, self.unread = self.done + 1, 0
        self.alerts += alert is not None
        if self.date_history is not None:
            self.date_history.readable.add(key.scene)
        facts = {"flagged": result.flagged, "valid": result.valid, "seconds": result.seconds}
        log.info("scene done", extra={"facts": {**_facts(key), **facts, "alert": bool(alert)}})

    def _failed(self, scene: FoundScene, key: Key, tries: int, error: AnomvaeError) -> None:
        """Record a failure of a scene; one of disk, server or environment ends the site's pass."""
        now = self.now()
        if scene.vanished:
            self.state.requeue(key, now)
            log.info("scene vanished", extra={"facts": _facts(key)})
            return
        if isinstance(error, NotWritten | LockHeld | BrokenEnvironment):
            self.state.requeue(key, now, str(error))
            raise error
        last = isinstance(error, MISFITS) or tries >= self.retry.tries
        again = None if last else now + timedelta(seconds=self.retry.wait(tries))
        self.state.fail(key, str(error), now, next_try=again)
        self._add_problem(Problem(self.site.name, scene.source, error))
        if scene.remote and isinstance(error, RasterError):
            self.unread = 0 if ANSWERED.search(str(error)) else self.unread + 1
        if self.unread == UNREACHABLE:  # each may have taken minutes
            raise FileError(
                f"{UNREACHABLE} scenes in a row cannot be read from their server. The "
                f"others wait for the next run."
            )

    def _give_up(self, key: Key, scene: FoundScene, tries: int) -> None:
        error = FileError(
            f"The process ended {tries} times while this scene was scored. Score it by hand "
            f"(anomvae score), and check whether memory suffices."
        )
        self.state.fail(key, str(error), self.now(), next_try=None)
        self._add_problem(Problem(self.site.name, scene.source, error))

    def _folder(self, scene: FoundScene, key: Key) -> Path:
        """Return the scene's own folder, which no other result shares."""
        stem = Path(scene.source).stem.lstrip(".") or "scene"
        return Path(self.site.out) / f"{fitted(stem, 100)}-{key.digest[:8]}"

    def _add_problem(self, problem: Problem) -> None:
        self.problems.append(problem)
        facts = {"site": problem.site, "scene": problem.scene, "error": str(problem.error)}
        log.error("failed", extra={"facts": facts})


def _is_due(status: SceneStatus, now: datetime, longest: timedelta) -> bool:
    if status.status in {"new", "replaced"}:  # replaced by a scene that is no longer offered
        return True
    again = status.next_try
    return status.status == "failed" and again is not None and is_over(again, now, longest)


def _facts(key: Key) -> dict[str, object]:
    return {"site": key.site, "scene": key.scene}


def _settings_digest(site: SiteConfig) -> str:
    """Return the digest of all settings but the model.

    It is the same in every version of anomvae: an update scores no finished scene again, and sends
    no alert again.
    """
    from ..mapping.cache import digest_of

    mask = "" if site.mask is None else _mask_digest(site.mask)
    numbers = {"min_area": site.alert.min_area_px, "dates": site.dates}
    changed = [f"{name}={number}" for name, number in numbers.items() if number != 1]
    changed += [f"mask_dilate={site.mask_dilate}"] if site.mask_dilate else []
    changed += [f"nodata={site.nodata}"] if site.nodata else []
    changed += [f"resolution={site.resolution:g}"] if site.resolution is not None else []
    changed += [f"radiometry={site.radiometry}"] if site.radiometry != "auto" else []
    # The word of before, so that scenes in the databases of before stay known.
    threshold = (site.threshold or "").replace("sigma-clip", "clipped")
    return digest_of("monitor", threshold, mask, *changed, definition=1)


def _model_digest(site: SiteConfig) -> str:
    """Return the digest of the model, or of the configuration that is fitted to each scene."""
    from ..mapping.cache import digest_of

    if site.model is None:
        return digest_of("config", site.config or "timeseries")
    return digest_of_setting(site.model, "model")


def _mask_digest(mask: str) -> str:
    """Return what decides which pixels are hidden; empty where that is the product alone."""
    from ..raster.mask_choice import AUTO, NONE, parse_mask

    parts = [
        ":".join(filter(None, [one.setting, one.path and digest_of_setting(one.path, "mask")]))
        for one in parse_mask(mask)
    ]
    return "" if parts == [AUTO] else ",".join(parts) or NONE
