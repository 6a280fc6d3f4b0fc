"""The result of a comparison: several maps, or folders of maps, against the same labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ..documents import to_json
from ..notebooks import html_table, short
from ..stats.block_bootstrap import FEWEST, interval_of_mean
from ..stats.intervals import Interval
from ..stats.metrics import ratio
from .evaluation import Evaluation
from .options import EvaluateOptions

Rates = NDArray[np.float64]


@dataclass(frozen=True)
class Summary:
    """One contestant over all scenes; a scene where a metric is undefined does not count for it."""

    scenes: int
    """Scenes with an area under the ROC."""
    roc_auc: float
    """Mean area under the ROC."""
    average_precision: float
    """Mean average precision."""
    f1: float
    """Mean F1 of pixels at the threshold; NaN without thresholds."""
    object_recall: float
    """Share of the labelled objects of all scenes that are found; NaN without thresholds."""
    object_precision: float
    """Share of the flagged objects of all scenes that are true; NaN without thresholds."""
    rank: float
    """Mean rank by the area under the ROC, 1 = best; equal areas share a rank."""
    difference: float
    """Mean difference of the area under the ROC to the first contestant."""
    interval: Interval | None = None
    """95 % interval of ``difference``: over scenes, or of the blocks of a single one."""
    reason: str = ""
    """Why there is no interval."""


@dataclass(frozen=True)
class Comparison:
    """Maps, or folders of maps, against the same labels."""

    scenes: tuple[Evaluation, ...]
    """What was measured of each scene; its rows are the contestants, on the same pixels."""
    summaries: Mapping[str, Summary]
    """The contestants over all scenes, in their order; differences are to the first."""

    @classmethod
    def of(cls, scenes: tuple[Evaluation, ...], options: EvaluateOptions) -> Comparison:
        """Sum up scenes, whose rows have the same names."""
        names = list(scenes[0].rows)
        areas = np.array([[scene.rows[name].roc_auc for scene in scenes] for name in names])
        ranks = _ranks(areas)
        return cls(
            scenes,
            {
                name: _summary(name, scenes, areas[number] - areas[0], ranks[number], options)
                for number, name in enumerate(names)
            },
        )

    def __repr__(self) -> str:
        """Return one line: how many scenes, and the mean area of each contestant."""
        named = (f"{short(name)} AUC {each.roc_auc:.3f}" for name, each in self.summaries.items())
        return f"Comparison({len(self.scenes)} scenes: {', '.join(named)})"

    def _repr_html_(self) -> str:
        """Return the contestants as a table for notebooks."""
        rows = [
            (name, each.roc_auc, each.average_precision, each.f1, each.rank, each.difference)
            for name, each in self.summaries.items()
        ]
        header = ("map", "ROC AUC", "AP", "F1", "rank", "difference of AUC")
        return html_table(f"{len(self.scenes)} scenes", rows, header)

    def to_json(self) -> str:
        """Return all metrics as JSON; an undefined one is null."""
        data = {
            "maps": {name: asdict(each) for name, each in self.summaries.items()},
            "scenes": [scene.to_dict() for scene in self.scenes],
        }
        return to_json(data, indent=2) + "\n"


def _summary(
    name: str,
    scenes: tuple[Evaluation, ...],
    apart: Rates,
    ranks: Rates,
    options: EvaluateOptions,
) -> Summary:
    rows = [scene.rows[name] for scene in scenes]
    objects = [scene.objects[name] for scene in scenes if name in scene.objects]
    interval, reason = _interval(name, scenes, apart, options)
    return Summary(
        scenes=int(np.isfinite([row.roc_auc for row in rows]).sum()),
        roc_auc=_mean([row.roc_auc for row in rows]),
        average_precision=_mean([row.average_precision for row in rows]),
        f1=_mean([row.f1 for row in rows]),
        object_recall=_pooled([(each.found, each.labelled) for each in objects]),
        object_precision=_pooled([(each.true, each.flagged) for each in objects]),
        rank=_mean(ranks),
        difference=_mean(apart),
        interval=interval,
        reason=reason,
    )


def _interval(
    name: str, scenes: tuple[Evaluation, ...], apart: Rates, options: EvaluateOptions
) -> tuple[Interval | None, str]:
    """Return the interval of the mean difference, or why there is none."""
    if name == next(iter(scenes[0].rows)):
        return None, "the others are compared with it"
    if len(scenes) == 1:
        difference = scenes[0].differences.get(name)
        interval = None if difference is None else difference.roc_auc_interval
        known = scenes[0].intervals.get(name)
        reason = scenes[0].rows[name].reason if known is None else known.reason
        return interval, "" if interval else reason or "every draw gives the same difference"
    known_scenes = apart[np.isfinite(apart)]
    if not options.draws:
        return None, "no draws are wanted"
    if len(known_scenes) < FEWEST:
        return None, f"an interval over scenes needs {FEWEST}, and there are {len(known_scenes)}"
    interval = interval_of_mean(known_scenes, options.draws, options.seed)
    return interval, "" if interval else "the difference is the same in every scene"


def _ranks(areas: Rates) -> Rates:
    """Rank the contestants of each scene, axes (contestant, scene); NaN where any is undefined."""
    higher = (areas[np.newaxis] > areas[:, np.newaxis]).sum(axis=1)
    equal = (areas[np.newaxis] == areas[:, np.newaxis]).sum(axis=1)
    ranks = higher + (equal + 1) / 2
    return np.asarray(np.where(np.isfinite(areas).all(axis=0), ranks, np.nan))


def _mean(values: list[float] | Rates) -> float:
    known = np.asarray(values)[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _pooled(counts: list[tuple[int, int]]) -> float:
    parts, wholes = (sum(each) for each in zip(*counts, strict=True)) if counts else (0, 0)
    return ratio(parts, wholes)
