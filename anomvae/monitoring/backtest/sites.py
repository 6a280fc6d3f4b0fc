"""Back-test the sites of a watch over a span of days; nothing of the watch itself changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from ...errors import ConfigError, FileError, NotEnoughPixels
from ...files import PathText
from ...parallel import Progress, captured_warnings, quiet
from ..config import MonitorConfig, SiteConfig, read_monitoring
from ..database import FILE, opened_to_read
from .answered import AnsweredEvents
from .archive import Archive, Span, archive_of
from .offering import Offering, offering_of
from .outlook import Advice, Outlook, advise, outlook_of
from .replay import FAILED, Replay, replay
from .results import Results, rule_for_maps
from .variants import AS_CONFIGURED, NOT_VARIED, Variant, variants_of


@dataclass(frozen=True)
class SiteBacktest:
    """What replays of a site show."""

    site: str
    first: str
    """First day of the span."""
    last: str
    scenes: int
    outlooks: tuple[Outlook, ...]
    """As configured, then with each rule that differs."""
    advice: tuple[Advice, ...]
    notes: tuple[str, ...]
    """What the figures leave out."""
    problems: tuple[str, ...]
    """Why scenes failed, and which are missing."""


def backtest_sites(
    path: PathText,
    span: Span,
    now: datetime,
    *,
    only: str | None = None,
    settings: Sequence[str] = (),
    vary: bool = True,
    progress: Progress = quiet,
) -> list[SiteBacktest]:
    """Back-test the sites of a monitoring configuration.

    Parameters
    ----------
    path : path
        The configuration.
    span : Span
        The days to replay.
    now : datetime
        The time, for sources.
    only : str, optional
        Name of the only site.
    settings : sequence of str
        ``key=value`` pairs that override keys of the sites.
    vary : bool, default True
        Whether to replay rules that differ from the configuration.
    progress : Progress, optional
        Called for every scene, and for every rule that is changed.

    Raises
    ------
    ConfigError
        If the configuration, a setting or a site does not fit, or a span holds no scene.
    FileError
        If the state or a model cannot be read, or no scene can be replayed.
    """
    watch, configured = read_monitoring(str(path), settings), read_monitoring(str(path))
    sites = watch.site if only is None else (watch.site_called(only),)
    return [
        _backtest(watch, site, configured.site_called(site.name), span, now, vary, progress)
        for site in sites
    ]


def _backtest(
    watch: MonitorConfig,
    site: SiteConfig,
    configured: SiteConfig,
    span: Span,
    now: datetime,
    vary: bool,
    progress: Progress,
) -> SiteBacktest:
    """Back-test a site in a temporary folder."""
    answered = AnsweredEvents()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="anomvae-backtest-")))
        database = None
        if Path(watch.state, FILE).exists():
            database = stack.enter_context(opened_to_read(watch.state))
            answered = AnsweredEvents.of(database, site.name, span)
        offering = offering_of(site, watch.result_folders, now, database)
        archive = archive_of(site, configured, offering.scenes, database, span)
        _require_scenes(site, archive, offering, span)
        results = Results(site, folder / "results", offering.score, offering.history)
        replays = _Replays(site, archive, results, answered, span, folder, progress)
        return replays.backtest([str(error) for error in offering.errors], vary=vary)


def _require_scenes(site: SiteConfig, archive: Archive, offering: Offering, span: Span) -> None:
    if archive.scenes:
        return
    if offering.errors:
        raise offering.errors[0]
    if archive.gone:
        raise FileError(
            f"{site.name!r}: the results of all {len(archive.gone)} scenes from {span} are gone, "
            f"or of other settings, and its source offers them no longer. Put the scenes back."
        )
    other = "It knows no scene with a date."
    if archive.known is not None:
        other = f"Its scenes are from {archive.known}."
    raise ConfigError(f"{site.name!r} has no scene from {span}. {other}")


@dataclass(frozen=True)
class _Replays:
    """The replays of a site."""

    site: SiteConfig
    archive: Archive
    results: Results
    answered: AnsweredEvents
    span: Span
    folder: Path
    progress: Progress

    def backtest(self, errors: Sequence[str], *, vary: bool) -> SiteBacktest:
        """Replay the site as configured, and with each rule that differs."""
        scenes, notes = self.archive.scenes, [NOT_VARIED] if vary else []
        base = self._replay(Variant(AS_CONFIGURED, self.site), self.progress)
        if base.outcomes.get(FAILED) == len(scenes):
            raise FileError(f"{base.errors[0]} No scene of the span can be replayed.")
        outlooks = [outlook_of(AS_CONFIGURED, base, self.answered, self.span)]
        variants = list(variants_of(self.site, self._rule())) if vary else []
        for done, variant in enumerate(variants, start=1):
            try:
                other = self._replay(variant)
            except (ConfigError, NotEnoughPixels) as error:
                notes.append(f"{variant.change} cannot be replayed: {error}")
            else:
                outlooks.append(outlook_of(variant.change, other, self.answered, self.span))
            self.progress("rules", done, len(variants))
        now, *others = outlooks
        return SiteBacktest(
            site=self.site.name,
            first=str(self.span.first),
            last=str(self.span.last),
            scenes=len(scenes),
            outlooks=tuple(outlooks),
            advice=tuple(advise(now, others)) if vary else (),
            notes=(*notes, *_left_out(self.archive)),
            problems=(*errors, *base.errors, *_gone(self.archive)),
        )

    def _replay(self, variant: Variant, progress: Progress = quiet) -> Replay:
        """Replay the archive with a rule that differs."""
        rule = None if variant.rule is None else rule_for_maps(self.site, variant.rule)
        with (
            captured_warnings(),  # what failed is in the replay; the rest is about trials
            TemporaryDirectory(dir=self.folder) as folder,
        ):
            scenes, results = self.archive.scenes, self.results
            return replay(variant.site, scenes, results, Path(folder), rule, progress)

    def _rule(self) -> str:
        """Return the rule of the site's thresholds."""
        if self.site.threshold is not None:
            return self.site.threshold
        scene = next(
            each for each in self.archive.scenes if each.identity not in self.results.failures
        )
        return self.results.of(scene).threshold.rule


def _left_out(archive: Archive) -> Iterator[str]:
    scored = sum(scene.map is None for scene in archive.scenes)
    if scored:
        yield f"{scored} scenes had no results: whether they lie beside others was not measured"
    if archive.undated:
        yield f"{archive.undated} scenes without a date are not replayed"


def _gone(archive: Archive) -> Iterator[str]:
    for name in archive.gone:
        yield (
            f"{name}: its results are gone, or of other settings, and the source does not offer it."
        )
