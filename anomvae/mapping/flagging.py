"""The second pass: decide which pixels of an anomaly map are anomalous, window by window.

A map is read in windows that depend on its shape alone, so that the decision is the same whatever
the tiles in which it was scored.  Scores and flags have axes (row, col); NaN is no data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..objects import ScoredTile, mean_pixel_area
from ..parallel import Progress
from ..pixels.flag_classes import ANOMALOUS, COLOURS, MASKED, NO_DATA, NORMAL
from ..pixels.tiling import Tile, Window, tiles
from ..raster import Category, Georeference, MapWriter
from ..stats.local_condition import LocalCondition, log_std
from ..stats.pvalues import PValues
from ..stats.rule_text import condition_of
from ..stats.scores import NormalScores
from ..stats.thresholds import RULES, Rule, SceneScores, Threshold, parse_rule
from .options import ScoreOptions
from .quicklook import QuickLook
from .stored import StoredScores

WINDOW = (512, 2048)
"""Rows and columns that are decided at a time: whole blocks of a map."""
FLAGS = (
    Category(NORMAL, "normal", COLOURS[NORMAL]),
    Category(ANOMALOUS, "anomalous", COLOURS[ANOMALOUS]),
    Category(MASKED, "masked", COLOURS[MASKED]),
    Category(NO_DATA, "no data", COLOURS[NO_DATA]),
)

Scores = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class ScoredMap:
    """An anomaly map whose pixels all have their scores, published or not yet."""

    where: Georeference
    """Shape and location."""
    read: Callable[[Window], Scores]
    """Reads the scores of a window."""
    masked: Callable[[Window], Flags] | None = None
    """Reads which pixels of a window are masked; None: none."""

    def windows(self, halo: int = 0) -> Iterator[Tile]:
        """Cut the map into windows, row by row."""
        return tiles(self.where.grid.shape, WINDOW, halo)

    def scores(self) -> SceneScores:
        """Return the scores as a stream, for the rules of a scene."""
        return SceneScores(
            lambda: (self.read(tile.keep) for tile in self.windows()), mean_pixel_area(self.where)
        )


@dataclass(frozen=True)
class Decision:
    """What makes a pixel anomalous."""

    threshold: Threshold
    """Scores above it are."""
    condition: LocalCondition | None = None
    """What they must meet, too; None: nothing."""
    p_values: PValues | None = None
    """The p-values of scores; None where the rule has none."""

    @classmethod
    def of(cls, chosen: Threshold, scored: ScoredMap, normal: NormalScores | None) -> Decision:
        """Decide a map by the rule of a threshold; a rule of the scene chooses it anew.

        ``normal`` are scores of normal pixels; None where there are none.

        Raises
        ------
        NotEnoughPixels
            If there are too few scores for the rule.
        ConfigError
            If a budget is an area, and the map is not located on Earth.
        """
        rule = parse_rule(chosen.rule)
        if rule.kind.in_scene is not None:
            chosen = rule.threshold_in(scored.scores(), normal)
        p_values = None if normal is None else rule.p_values(normal)
        return replace(cls.at(chosen, scored), p_values=p_values)

    @classmethod
    def at(cls, threshold: Threshold, scored: ScoredMap) -> Decision:
        """Decide a map by a threshold that has been chosen, and the condition of its rule.

        Raises
        ------
        ConfigError
            If the condition is unknown.
        """
        k = condition_of(threshold.rule)
        return cls(threshold, LocalCondition(k, log_std(scored.scores())) if k else None)

    @property
    def radius(self) -> int:
        """Receptive radius, pixels."""
        return 0 if self.condition is None else self.condition.radius

    def flags(self, tile: Tile, scores: Scores) -> Flags:
        """Flag the kept pixels of a tile, given the scores of those that are read."""
        flags = self.threshold.flag(scores)
        if self.condition is not None and flags[tile.inner].any():
            flags &= self.condition.holds(scores)
        return flags[tile.inner]


def require_p_values(rule: Rule, options: ScoreOptions) -> None:
    """Require that a rule has p-values where they are wanted; raise `ConfigError` if it has none.

    To be called before the work.
    """
    if options.p_values and rule.kind.p_values is None:
        some = ", ".join(name for name, kind in RULES.items() if kind.p_values is not None)
        raise ConfigError(
            f"threshold = {rule} has no p-values. Choose a rule that has some: {some}."
        )


@dataclass(frozen=True)
class WindowWriter:
    """Decides a window, writes its flags and p-values, and adds it to the quick look."""

    decision: Decision
    """What is anomalous."""
    scored: ScoredMap
    """The scores, and which pixels are masked."""
    flags: MapWriter
    """The map of flags."""
    p_values: MapWriter | None
    """The map of p-values; None: it is not written."""
    quicklook: QuickLook
    """The images."""

    def __call__(self, tile: Tile) -> ScoredTile:
        """Return the kept pixels of a window, decided."""
        around = self.scored.read(tile.read)
        flagged, scores = self.decision.flags(tile, around), around[tile.inner]
        masked = False if self.scored.masked is None else self.scored.masked(tile.keep)
        others = np.where(masked, MASKED, NO_DATA)
        classes = np.where(np.isfinite(scores), flagged, others).astype(np.uint8)
        self.flags.write(tile.keep, classes[np.newaxis])
        if self.p_values is not None and self.decision.p_values is not None:
            self.p_values.write(tile.keep, self.decision.p_values.of(scores)[np.newaxis])
        self.quicklook.add_scores(tile.keep, scores, flagged)
        return ScoredTile(tile.keep, scores, flagged)


class Counted:
    """Windows that pass by, row by row: their flagged pixels are counted, and kept in ``store``."""

    def __init__(
        self,
        windows: Iterator[ScoredTile],
        shape: tuple[int, int],
        progress: Progress,
        store: StoredScores[np.bool_],
    ) -> None:
        """Count the flagged pixels of the windows of a map of ``shape``."""
        self.flagged = 0
        self._windows, self._shape, self._progress = windows, shape, progress
        self._store = store

    def __iter__(self) -> Iterator[ScoredTile]:
        """Yield each window, and report it."""
        for window in self._windows:
            yield window
            self.flagged += int(window.flagged.sum())
            self._store.write(window.keep, window.flagged)
            report(self._progress, "flag", window.keep, self._shape)


def threshold_tags(threshold: Threshold) -> dict[str, str]:
    """Describe a threshold in the tags of a map."""
    return {
        "ANOMVAE_THRESHOLD": repr(threshold.value),
        "ANOMVAE_THRESHOLD_RULE": threshold.rule,
    }


def report(progress: Progress, step: str, keep: Window, shape: tuple[int, int]) -> None:
    """Report that all windows up to ``keep`` are done, row by row."""
    rows, cols = keep
    done = rows.start * shape[1] + (rows.stop - rows.start) * cols.stop
    progress(step, done, math.prod(shape))
