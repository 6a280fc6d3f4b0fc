"""A pass over one place: list its scenes, choose those that are due, score and record each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import (
    AnomvaeError,
    BandMismatch,
    ConfigError,
    CovariateMismatch,
    FileError,
    GridMismatch,
    LockHeld,
    NotWritten,
    RasterError,
    ScenesFailed,
)
from .alerts import alert_of
from .config import PlaceConfig, RetryConfig
from .past import Past
from .scoring import Scoring
from .sources import Found, digest_of_file, listed_urls, look_into
from .state import Alert, Finding, Key, Standing, State, stamp

if TYPE_CHECKING:
    from ..mapping.outputs import MapResult

log = logging.getLogger(__name__)

UNREACHABLE = 3
"""So many scenes of a server in a row cannot be read: the others wait for the next pass."""
MISFITS = (BandMismatch, CovariateMismatch, GridMismatch, ConfigError)
"""What no other try will change: only another model, or other settings, will."""


@dataclass(frozen=True)
class Problem:
    """Something that failed."""

    place: str | None
    """Name of the place, if it is about one."""
    scene: str | None
    """The scene, if it is about one."""
    error: AnomvaeError
    """Why."""

    @property
    def misfit(self) -> bool:
        """Whether a scene and a model do not fit each other."""
        return self.scene is not None and isinstance(self.error, MISFITS)

    @property
    def code(self) -> int:
        """Exit code: a scene is one of a batch, unless it does not fit the model."""
        batch = self.scene is not None and not self.misfit
        return ScenesFailed.exit_code if batch else self.error.exit_code

    def __str__(self) -> str:
        """Say it in one line."""
        told = str(self.error)
        scene = None if self.scene is None or self.scene in told else self.scene
        return ": ".join([*filter(None, [self.place, scene]), told])


@dataclass
class PlacePass:
    """A pass over a place, and what has come of it so far."""

    place: PlaceConfig
    """The place."""
    state: State
    """What is known."""
    retry: RetryConfig
    """When what failed is tried again."""
    now: Callable[[], datetime]
    """The clock."""
    channels: tuple[str, ...]
    """Who is told."""
    aside: tuple[Path, ...]
    """Folders of results: no scenes lie there."""
    done: int = 0
    """Scenes that were scored."""
    known: int = 0
    """Scenes that are not due."""
    alerts: int = 0
    """Alerts that were made."""
    problems: list[Problem] = field(default_factory=list)
    """What failed."""
    unread: int = 0
    """Scenes in a row that could not be read from a server."""
    past: Past | None = None
    """Scenes in the order of their dates, where a scene is scored given those before it."""

    def run(self, scoring: Callable[[PlaceConfig], Scoring], tell: Callable[[], object]) -> None:
        """Score what is due; what is wrong with the place stops its own pass alone."""
        try:
            due = list(self.due())
            score = scoring(self.place) if due else None
            for found, key, tries in due:
                if score is not None and self._score(score, found, key, tries):
                    tell()
        except AnomvaeError as error:
            self._note(Problem(self.place.name, None, error))

    def due(self) -> Iterator[tuple[Found, Key, int]]:
        """Choose the scenes to score: new ones first, then those begun longest ago."""
        model, settings = _model_digest(self.place), _settings_digest(self.place)
        standings = self.state.standings(self.place.name, model, settings)
        offered = self._offered()
        if self.place.dates > 1:
            done = {scene for scene, standing in standings.items() if standing.status == "done"}
            self.past = Past(self.place.dates, offered, done)
            self.known += len(offered) - len(self.past.followers)
            offered = self.past.followers
        ordered = sorted(offered, key=lambda found: _started(standings.get(found.identity)))
        for found in ordered:
            key = Key(self.place.name, found.identity, model, settings)
            standing = standings.get(found.identity)
            if standing is not None and standing.status == "new":
                if standing.tries >= self.retry.tries:
                    self._give_up(key, found, standing.tries)
                    continue
            elif standing is not None and not _is_due(standing, self.now()):
                self.known += 1
                continue
            yield found, key, 0 if standing is None else standing.tries

    def _offered(self) -> Sequence[Found]:
        """List what the source offers."""
        place = self.place
        if place.urls is not None:
            return listed_urls(place.urls)
        if place.stac is not None:
            from .catalogue import catalogued

            return catalogued(place.stac, self.now())
        if place.folder is None:
            raise ConfigError(f"{place.name!r} has no source.")
        known = self.state.sightings(place.name)
        look = look_into(place.folder, known, self.now(), aside=self.aside)
        if look.seen or look.gone:
            self.state.see(place.name, look.seen, look.gone)
        return look.found

    def _score(self, score: Scoring, found: Found, key: Key, tries: int) -> bool:
        """Score a scene and record what came of it; say whether there is something to tell."""
        self.state.begin(key, found.source, self.now())
        try:
            given = self._with_past(found)
            result = score(given, self._folder(found, key))
            alert = alert_of(key, result, self.place.alert, self.now())
        except AnomvaeError as error:
            self._failed(found, key, tries + 1, error)
            return False
        except KeyboardInterrupt:
            self.state.put_back(key, self.now())
            raise
        except Exception as error:
            log.exception("internal error", extra={"facts": _facts(key)})
            told = f"{found.source}: internal error ({type(error).__name__}: {error})."
            self._failed(found, key, tries + 1, AnomvaeError(told))
            return False
        if given.changed:  # the map is of neither the old state nor the new one
            self.state.put_back(key, self.now())
            return False
        self._finished(key, result, alert)
        return alert is not None

    def _with_past(self, found: Found) -> Found:
        return found if self.past is None else replace(found, before=self.past.before(found))

    def _finished(self, key: Key, result: MapResult, alert: Alert | None) -> None:
        finding = Finding(
            pixels=result.pixels,
            valid=result.valid,
            flagged=result.flagged,
            objects=result.objects,
            threshold=result.threshold.value,
            quantiles=result.quantiles,
            seconds=result.seconds,
            map=str(result.path),
        )
        self.state.finish(key, finding, self.now(), alert=alert, channels=self.channels)
        self.done, self.unread = self.done + 1, 0
        self.alerts += alert is not None
        if self.past is not None:
            self.past.readable.add(key.scene)
        facts = {"flagged": result.flagged, "valid": result.valid, "seconds": result.seconds}
        log.info("scene done", extra={"facts": {**_facts(key), **facts, "alert": bool(alert)}})

    def _failed(self, found: Found, key: Key, tries: int, error: AnomvaeError) -> None:
        """Record a failure: the place's, a passing one, or one that another try will not change."""
        now = self.now()
        if found.vanished:
            self.state.put_back(key, now)
            log.info("scene vanished", extra={"facts": _facts(key)})
            return
        if isinstance(error, NotWritten | LockHeld):
            self.state.put_back(key, now, str(error))
            raise error
        last = isinstance(error, MISFITS) or tries >= self.retry.tries
        again = None if last else now + timedelta(seconds=self.retry.wait(tries))
        self.state.fail(key, str(error), now, next_try=again)
        self._note(Problem(self.place.name, found.source, error))
        self.unread += found.remote and isinstance(error, RasterError)
        if self.unread == UNREACHABLE:  # each may have cost minutes
            raise FileError(
                f"{UNREACHABLE} scenes in a row cannot be read from their server. Those that are "
                f"left wait for the next run."
            )

    def _give_up(self, key: Key, found: Found, tries: int) -> None:
        """End the tries of a scene at which the process has died time and again."""
        error = FileError(
            f"The process ended {tries} times while this scene was scored. Score it by hand "
            f"(anomvae score), and look whether memory suffices."
        )
        self.state.fail(key, str(error), self.now(), next_try=None)
        self._note(Problem(self.place.name, found.source, error))

    def _folder(self, found: Found, key: Key) -> Path:
        """Give each scene a folder of its own: no other result ever takes its place."""
        stem = Path(found.source).stem.lstrip(".") or "scene"
        return Path(self.place.out) / f"{stem[:100]}-{key.digest[:8]}"

    def _note(self, problem: Problem) -> None:
        self.problems.append(problem)
        facts = {"place": problem.place, "scene": problem.scene, "error": str(problem.error)}
        log.error("failed", extra={"facts": facts})


def _is_due(standing: Standing, now: datetime) -> bool:
    if standing.status == "replaced":  # and what replaced it is gone, or asked for no more
        return True
    again = standing.next_try
    return standing.status == "failed" and again is not None and again <= stamp(now)


def _started(standing: Standing | None) -> str:
    return "" if standing is None else standing.started


def _facts(key: Key) -> dict[str, object]:
    return {"place": key.place, "scene": key.scene}


def _model_digest(place: PlaceConfig) -> str:
    return _digest(place.model, "model")


def _settings_digest(place: PlaceConfig) -> str:
    """Sum up what is asked for besides the model, with the version of what a score is."""
    from ..mapping.outputs import digest_of

    mask = "" if place.mask is None else _digest(place.mask, "mask")
    area, dates = place.alert.min_area_px, place.dates
    return digest_of(
        "monitor",
        place.threshold or "",
        mask,
        *([] if area == 1 else [f"min_area={area}"]),
        *([] if dates == 1 else [f"dates={dates}"]),
    )


def _digest(path: str, what: str) -> str:
    try:
        return digest_of_file(path)
    except OSError as error:
        raise FileError(
            f"{path}, the {what}, cannot be read: {error.strerror}. Check the path."
        ) from error
