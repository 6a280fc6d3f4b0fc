"""The results of archived scenes in a temporary folder, decided by any threshold.

Maps stay where they are: a link leads to each.  What a replay writes beside one, such as
candidates, lies in the temporary folder.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import AnomvaeError, RasterError
from ...mapping import ScoreOptions
from ...mapping.cache import digest_of
from ...mapping.deliverables import Deliverables
from ...mapping.result import read_summary
from ...mapping.rethresholding import rethreshold
from ...stats.thresholds import Rule, parse_rule
from ..config import SiteConfig
from ..date_history import DateHistory
from .archive import ArchivedScene

if TYPE_CHECKING:
    from ...mapping import MapResult


@dataclass
class Results:
    """The results of the scenes of a site; each is scored, or decided by a rule, once."""

    site: SiteConfig
    folder: Path
    """A temporary folder."""
    score: Callable[[ArchivedScene, Path], MapResult]
    """Scores a scene into a folder."""
    history: DateHistory | None = None
    """Scenes in the order of their dates, for a detector that compares dates."""
    failures: dict[str, AnomvaeError] = field(default_factory=dict)
    """Scenes that could not be scored, by identity."""

    def of(self, scene: ArchivedScene, rule: str | None = None) -> MapResult:
        """Return the result of a scene; ``rule`` decides its map anew.

        Raises
        ------
        AnomvaeError
            As scoring, every time.
        RasterError
            If results that were there cannot be read.
        """
        if scene.identity in self.failures:
            raise self.failures[scene.identity]
        try:
            files = self._files(scene)
            if scene.flags_differ and rule is None:
                rule = self._site_rule
            if rule is not None:
                files = self._decided(scene, files, rule)
        except AnomvaeError as error:
            self.failures[scene.identity] = error
            raise
        result = read_summary(files)
        if result is None:
            raise RasterError(f"{files.summary} is damaged or of another version. Score it again.")
        return result

    def history_for(self, scene: ArchivedScene) -> DateHistory | None:
        """Return the history of a scene that is still to be scored; None: it needs none."""
        known = scene.map is not None or self._folder(scene, "").exists()
        return None if known or scene.identity in self.failures else self.history

    @cached_property
    def _site_rule(self) -> str:
        """The rule that decides maps as the site does."""
        return rule_for_maps(self.site, self.site.threshold)

    def _files(self, scene: ArchivedScene) -> Deliverables:
        """Return the results as they are, scored or linked."""
        folder = self._folder(scene, "")
        if scene.map is None:
            there = sorted(folder.glob("*.json"))
            if there:
                return Deliverables(folder, there[0].stem)
            return self.score(scene, folder).files
        source = Deliverables.of_map(scene.map)
        if source is None:
            raise RasterError(f"{scene.map} is not called <scene>.anomaly.tif. Score it again.")
        files = Deliverables(folder, source.stem)
        if not folder.exists():
            folder.mkdir(parents=True)
            for path in (source.scores, source.flags, source.objects, source.summary):
                (folder / path.name).symlink_to(path.absolute())
        return files

    def _decided(self, scene: ArchivedScene, files: Deliverables, rule: str) -> Deliverables:
        decided = Deliverables(self._folder(scene, rule), files.stem)
        if not decided.summary.exists():
            decided.folder.mkdir(parents=True, exist_ok=True)
            for path in (files.flags, files.summary):
                shutil.copyfile(path, decided.folder / path.name)
            decided.scores.symlink_to(files.scores.resolve())
            options = ScoreOptions(
                min_area=self.site.alert.min_area_px, overwrite=True, picture=False
            )
            rethreshold(decided.scores, rule, None, options)
        return decided

    def _folder(self, scene: ArchivedScene, rule: str) -> Path:
        return self.folder / digest_of("backtest", scene.identity, rule)


def rule_for_maps(site: SiteConfig, rule: str | None) -> str:
    """Return the rule for finished maps that decides as a site does by a rule; None: the model's.

    A site chooses thresholds from the scores that its model keeps, a map only from its own.

    Raises
    ------
    ConfigError, NotEnoughPixels
        If the model has no such threshold.
    """
    from ...detector import Detector

    if rule is not None and (site.model is None or _is_of_maps(parse_rule(rule))):
        return rule
    threshold = Detector.load(str(site.model), threshold=rule).threshold
    condition = parse_rule(threshold.rule).condition
    return f"fixed:{threshold.value}{condition}"


def _is_of_maps(rule: Rule) -> bool:
    """Whether a rule needs no scores but those of the map."""
    return rule.kind.in_scene is not None or rule.kind.given
