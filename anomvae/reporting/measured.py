"""What the scores of a scene are worth by labels, beside baselines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..addresses import file_name
from ..errors import AnomvaeError
from ..evaluation import Evaluation, evaluate
from ..files import PathText, as_path
from ..parallel import Progress, captured_warnings
from ..raster import Access
from ..raster.access import DEFAULT
from ..stats.baselines import require_baselines
from ..stats.intervals import Interval
from ..words import NONE, counted
from .results import ScoredScene

TITLES = (
    *("ROC AUC", "average precision", "at 1 % false alarms", "precision", "recall", "F1"),
    *("labelled objects found", "flagged ones true"),
)
"""Of the cells of a row, behind its name."""


@dataclass(frozen=True, eq=False)
class MeasuredScene:
    """Metrics of a scene and of baselines, against labels."""

    labels: str
    """Name of the file of labels."""
    evaluation: Evaluation
    """What was measured; the scored map first."""
    missing: str = ""
    """Why baselines are missing: a sentence; empty where none are."""

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """Names and metrics, as texts; `TITLES` are those of the metrics."""
        return tuple((name, *self._cells(name)) for name in self.evaluation.rows)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about the metrics."""
        first = next(iter(self.evaluation.rows))
        metrics, intervals = self.evaluation.rows[first], self.evaluation.intervals.get(first)
        labelled = f"{metrics.anomalous:,} of {counted(metrics.pixels, 'labelled pixel')}"
        found = [f"{labelled} are anomalous."]
        if metrics.reason:
            found.append(f"Some metrics are undefined: {metrics.reason}.")
        if intervals is not None and intervals.reason:
            found.append(f"There are no intervals: {intervals.reason}.")
        elif intervals is not None:
            blocks = counted(intervals.blocks, "block")
            found.append(f"Brackets hold 95 % intervals, by a bootstrap of {blocks}.")
        return tuple(found)

    def _cells(self, name: str) -> Iterator[str]:
        row, intervals = self.evaluation.rows[name], self.evaluation.intervals.get(name)
        yield _ranged(row.roc_auc, None if intervals is None else intervals.roc_auc)
        yield _ranged(
            row.average_precision, None if intervals is None else intervals.average_precision
        )
        for value in (row.tpr_at_fpr_1e2, row.precision, row.recall, row.f1):
            yield _text(value)
        objects = self.evaluation.objects.get(name)
        yield NONE if objects is None else f"{objects.found:,} of {objects.labelled:,}"
        yield NONE if objects is None else f"{objects.true:,} of {objects.flagged:,}"


def _text(value: float) -> str:
    return NONE if value != value else f"{value:.3f}"


def _ranged(value: float, ends: Interval | None) -> str:
    if ends is None:
        return _text(value)
    return f"{_text(value)} ({_text(ends.low)} to {_text(ends.high)})"


def measure_scene(
    scene: ScoredScene,
    labels: PathText,
    baselines: Sequence[str] = (),
    *,
    progress: Progress,
    access: Access = DEFAULT,
) -> MeasuredScene:
    """Measure the scores of a scene against labels on its grid.

    Baselines are fitted to the scene itself; where it is gone they are left out, and that is
    stated.

    Raises
    ------
    RasterError
        If the labels, or the map, cannot be read.
    GridMismatch
        If the labels are on another grid.
    ConfigError
        If a baseline is unknown.
    """
    require_baselines(baselines)
    name, missing = file_name(as_path(labels)), ""
    if baselines:
        try:
            with captured_warnings():
                beside = evaluate(
                    *(scene.files.scores, labels, scene.result.scene),
                    baselines=baselines,
                    access=access,
                    progress=progress,
                )
            return MeasuredScene(name, beside)
        except AnomvaeError as error:  # raised once more below, unless it is about the scene
            missing = f"There are no baselines: {error}"
    alone = evaluate(scene.files.scores, labels, baselines=(), access=access, progress=progress)
    return MeasuredScene(name, alone, missing)
