"""Train a successor of a site's model on its confirmed-normal scenes, and put it in service.

Normal are the pixels of scenes whose outcome is normal that are neither flagged nor of an open
event.  The successor lies beside the model until it is accepted; then it replaces the model, which
is kept under a name with the day.  Scenes that are done stay as they are.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from ..addresses import displayed
from ..config import Config
from ..detector.modelfile import read_card
from ..detector.settings import settings_of
from ..errors import AnomvaeError, ConfigError, FileError
from ..files import write_atomically, writing
from ..parallel import Progress, captured_warnings, quiet
from .config import MonitorConfig, SiteConfig
from .decisions.event import Answer
from .decisions.outcomes import Outcome
from .decisions.passes import ScenePass
from .due import Agenda, Scheduler
from .lock import only_run
from .normal_pixels import write_normal
from .scoring import Scoring, access_of, product_of, scoring_of
from .sources import FoundScene
from .state import State, opened_state
from .successors import Accepted, ComparedScene, RetrainOptions, SceneEffect, Successor

if TYPE_CHECKING:
    from ..detector import Detector
    from ..detector.card import Card
    from ..mapping import MapResult
    from ..raster import Selection

FEWEST = 3
"""Normal scenes below which nothing is trained: what differs from day to day would be unknown."""


@dataclass(frozen=True)
class Retraining:
    """The retraining of a site's model, while the lock of the watch is held."""

    config: MonitorConfig
    site: SiteConfig
    model: Path
    state: State
    now: datetime

    @property
    def successor(self) -> Path:
        """Where the successor lies."""
        return self.model.with_name(f"{self.model.stem}.successor{self.model.suffix}")

    @property
    def waiting(self) -> bool:
        """Whether there is a successor of the model as it is, which is newer."""
        path = self.successor
        return path.exists() and path.stat().st_mtime_ns > self.model.stat().st_mtime_ns

    def train(self, options: RetrainOptions, progress: Progress = quiet) -> Successor:
        """Train a successor, write it beside the model, and compare both.

        Raises
        ------
        ConfigError
            If there are too few normal scenes, or the model keeps no configuration.
        FileError
            If the source no longer offers enough of them.
        """
        card = read_card(self.model)
        agenda = self._agenda()
        offered = agenda.offered
        chosen = self._chosen(offered, options)
        with TemporaryDirectory(prefix="anomvae-") as name:
            folder = Path(name)
            masks, excluded = self._masks(folder, chosen, one=card.training.dates > 1)
            fitted = self._fitted(
                card, [offered[one.source] for one in chosen], masks, options, progress
            )
            fitted.save(self.successor)
            compared = tuple(self._compared(folder, agenda, options.compare))
        threshold = fitted.threshold
        return Successor(
            path=str(self.successor),
            scenes=tuple(one.source for one in chosen),
            pixels=fitted.card.training.pixels,
            excluded=excluded,
            before=0.0 if card.threshold is None else card.threshold.value,
            after=threshold.value,
            rule=threshold.rule,
            compared=compared,
        )

    def accept(self) -> Accepted:
        """Put the successor in service; raises `NotWritten` if a file cannot be written."""
        bands = [card.bands.names for card in map(read_card, (self.model, self.successor))]
        if bands[0] != bands[1]:
            raise ConfigError(
                f"{self.successor} has other bands than {self.model}: it is no successor. Remove "
                f"it and run `anomvae monitor retrain` again."
            )
        kept = _free_name(self.model, self.now.date())
        with writing(kept):
            write_atomically(kept, self.model.read_bytes())
            write_atomically(self.model, self.successor.read_bytes())
            self.successor.unlink()
        also = (
            site.name
            for site in self.config.site
            if site.name != self.site.name and site.model == self.site.model
        )
        return Accepted(str(self.model), str(kept), tuple(also))

    def _agenda(self) -> Agenda:
        """List the scenes of the source."""
        aside = self.config.result_folders
        return Scheduler(self.site, self.state, self.config.retry, aside).agenda(self.now)

    def _chosen(
        self, offered: Mapping[str, FoundScene], options: RetrainOptions
    ) -> list[ScenePass]:
        """Choose the scenes to train on."""
        normal = self.state.passes(self.site.name, (Outcome.NORMAL,))
        comparable = self.state.passes(self.site.name)
        passes = comparable if options.anomalous else normal
        there = [one for one in passes if one.source in offered and one.files.flags.exists()]
        if len(passes) < FEWEST:
            raise ConfigError(
                f"{self.site.name} has {len(passes)} scenes to train on, but a successor needs at "
                f"least {FEWEST}. Wait for more, or let the {len(comparable) - len(normal)} "
                f"anomalous ones count without what is flagged in them (--with-anomalous)."
            )
        if len(there) < FEWEST:
            raise FileError(
                f"{self.site.name}: of {len(passes)} scenes to train on, the source still offers "
                f"{len(there)} that have their results, but a successor needs at least {FEWEST}. "
                f"Put them back, or train by hand (anomvae train)."
            )
        return there if options.last is None else there[-max(options.last, FEWEST) :]

    def _masks(
        self, folder: Path, chosen: Sequence[ScenePass], *, one: bool
    ) -> tuple[list[str], int]:
        """Write masks of the normal pixels: one for each scene, or ``one`` for all dates."""
        events = [
            event.cluster
            for event in self.state.events(self.site.name)
            if event.open and event.answer != Answer.REJECTED
        ]
        groups = [chosen] if one else [[scene] for scene in chosen]
        paths, excluded = [], 0
        for number, group in enumerate(groups):
            path = folder / f"normal-{number}.tif"
            excluded += write_normal(path, [scene.files for scene in group], events)
            paths.append(str(path))
        return paths, excluded

    def _fitted(
        self,
        card: Card,
        scenes: Sequence[FoundScene],
        masks: Sequence[str],
        options: RetrainOptions,
        progress: Progress,
    ) -> Detector:
        from ..fitting import train

        select = _selection(self.site, masks)
        config = _configuration(card, self.model, self.site.device)
        products = [product_of(scene, self.site.resolution) for scene in scenes]
        return train(products, config, options.seed, select=select, progress=progress)

    def _compared(self, folder: Path, agenda: Agenda, count: int) -> Iterator[ComparedScene]:
        """Score the newest scenes by both models."""
        successor = replace(self.site, model=str(self.successor))
        models = {"before": scoring_of(self.site), "after": scoring_of(successor)}
        done = self.state.done_scenes(self.site.name)
        known = (scene for scene in agenda.offered.values() if scene.identity in done)
        newest = sorted(known, key=lambda scene: (str(scene.date), scene.source))[-count:]
        for number, scene in enumerate(newest):
            if agenda.date_history is not None:
                scene = replace(scene, before=agenda.date_history.before(scene))
            target, pair = folder / str(number), []
            for name, score in models.items():
                pair.append(self._figures(score, scene, target / name))
            shutil.rmtree(target)
            yield ComparedScene(displayed(scene.source), *pair)

    def _figures(self, score: Scoring, scene: FoundScene, folder: Path) -> SceneEffect:
        with captured_warnings():  # they were given when it was scored
            result: MapResult = score(scene, folder)
        limits, drift = self.site.drift, result.drift
        levels = (
            [] if drift is None else [part.level(limits.psi, limits.ks) for part in drift.parts]
        )
        return SceneEffect(
            result.flagged / max(1, result.valid), result.objects, max(levels, default=None)
        )


@contextmanager
def retraining(
    config: MonitorConfig, site: str, run: str, now: Callable[[], datetime]
) -> Iterator[Retraining]:
    """Hold the lock of a watch to retrain the model of a site.

    Raises
    ------
    LockHeld
        If another run is at work.
    ConfigError
        If there is no such site, or it has no model.
    FileError
        If the state or the model is missing.
    """
    found = config.site_called(site)
    if found.model is None:
        raise ConfigError(
            f"{site} has no model: its detector is fitted to each scene anew, so there is nothing "
            f"to retrain."
        )
    folder, model = Path(config.state), Path(found.model)
    read_card(model)
    if not folder.exists():
        raise FileError(f"{folder} does not exist. Run `anomvae monitor run` first.")
    with only_run(folder, run, now()), opened_state(folder) as state:
        yield Retraining(config, found, model, state, now())


def _selection(site: SiteConfig, masks: Sequence[str]) -> Selection:
    from ..raster import Selection

    return Selection(
        mask=site.mask,
        mask_dilate=site.mask_dilate,
        normal=tuple(masks),
        access=access_of(site),
        nodata=site.nodata,
        radiometry=site.radiometry,
    )


def _configuration(card: Card, model: Path, device: Literal["cpu", "cuda"]) -> Config:
    """Return the settings that a model was fitted with, as resolved then."""
    config = settings_of(card, str(model))
    if config is None:
        raise ConfigError(
            f"{model} is of an earlier version and keeps no configuration. Train it once more by "
            f"hand (anomvae train); its successors follow."
        )
    return replace(config, device=device)


def _free_name(model: Path, day: date) -> Path:
    """Return a name with the day for a model that leaves service."""
    names = (
        f"{model.stem}.{day}{end}{model.suffix}" for end in ("", *(f"-{n}" for n in range(2, 1000)))
    )
    for name in names:
        if not model.with_name(name).exists():
            return model.with_name(name)
    raise AnomvaeError(f"{model} was replaced a thousand times today.")
