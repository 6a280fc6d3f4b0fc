"""The result of an evaluation: what was measured of a map and its baselines on one scene."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..addresses import displayed
from ..documents import to_json
from ..files import PathText
from ..notebooks import html_table, short
from ..stats.curves import Curve
from ..stats.intervals import Difference, Intervals
from ..stats.metrics import Metrics, table
from ..stats.roc3d import Roc3D
from .found import ObjectMetrics
from .row import Row
from .table import interval_text

if TYPE_CHECKING:
    import pandas as pd

LONGEST_ROWS = 60
"""Characters of all rows of an evaluation in a line."""
SHOWN = {"roc_auc": "ROC AUC", "average_precision": "AP", "f1": "F1", "best_f1": "best F1"}
"""Metrics that a notebook shows, with their titles."""


@dataclass(frozen=True)
class Evaluation:
    """Metrics of a detector and its baselines on one scene."""

    scene: str
    """The scene as it was named, without secrets."""
    labels: str
    """The labels as they were named, without secrets."""
    rows: Mapping[str, Metrics]
    """Metrics by detector; the first row is the evaluated one."""
    curves: Mapping[str, Curve] = field(default_factory=dict, repr=False, compare=False)
    """Curves by detector; none of one whose labelled pixels are all anomalous, or all normal."""

    intervals: Mapping[str, Intervals] = field(default_factory=dict, repr=False)
    """95 % intervals by detector, or why there are none; of one class of labels there are none."""
    objects: Mapping[str, ObjectMetrics] = field(default_factory=dict, repr=False)
    """Precision and recall of objects by detector; of one without a threshold there are none."""
    roc3d: Mapping[str, Roc3D] = field(default_factory=dict, repr=False)
    """Areas under the projections of the 3D ROC by detector."""
    differences: Mapping[str, Difference] = field(default_factory=dict, repr=False)
    """How each other detector differs from the first one."""

    @classmethod
    def of(cls, scene: PathText, labels: PathText, measured: Mapping[str, Row]) -> Evaluation:
        """Collect what was measured of each detector; scene and labels as they were named."""
        first = next(iter(measured.values())).drawn
        others = [(name, each.drawn) for name, each in measured.items()][1:]
        return cls(
            displayed(scene),
            displayed(labels),
            {name: each.metrics for name, each in measured.items()},
            {name: each.curve for name, each in measured.items() if each.curve is not None},
            {name: each.intervals for name, each in measured.items() if each.intervals is not None},
            {name: each.objects for name, each in measured.items() if each.objects is not None},
            {name: each.roc3d for name, each in measured.items()},
            {name: each.difference(first) for name, each in others if each and first},
        )

    def __repr__(self) -> str:
        """Return one line: the scene, and the area under the ROC of each detector."""
        named = (f"{short(name)} AUC {each.roc_auc:.3f}" for name, each in self.rows.items())
        text = ", ".join(named)
        text = text if len(text) <= LONGEST_ROWS else f"{text[: LONGEST_ROWS - 3]}..."
        return f"Evaluation({short(self.scene)}: {text})"

    def _repr_html_(self) -> str:
        """Return the metrics as a table for notebooks."""
        rows = [
            (
                name,
                *(getattr(each, column) for column in SHOWN),
                self._interval(name),
                self._found(name),
                f"{each.anomalous:,}",
            )
            for name, each in self.rows.items()
        ]
        header = ("detector", *SHOWN.values(), "95 % of AUC", "objects found", "anomalous pixels")
        return html_table(self.scene, rows, header)

    def _interval(self, name: str) -> str:
        known = self.intervals.get(name)
        return interval_text(None if known is None else known.roc_auc)

    def _found(self, name: str) -> str:
        known = self.objects.get(name)
        return "-" if known is None else f"{known.found:,} of {known.labelled:,}"

    def table(self) -> pd.DataFrame:
        """Return one row per detector, one column per metric: the area under the ROC first."""
        return table(self.rows)

    def to_json(self) -> str:
        """Return all metrics as JSON; an undefined one is null, with the reason beside it."""
        return to_json(self.to_dict(), indent=2) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Return all metrics as objects of JSON; NaN where one is undefined."""
        rows = {
            name: asdict(metrics) | dict(self._more(name)) for name, metrics in self.rows.items()
        }
        return {"scene": self.scene, "labels": self.labels, "detectors": rows}

    def _more(self, name: str) -> Iterator[tuple[str, Any]]:
        """Yield what is measured of a detector beyond its metrics of pixels."""
        if name in self.intervals:
            yield "intervals", _fields(self.intervals[name], "band")
        if name in self.objects:
            yield "objects", self.objects[name].measures()
        if name in self.roc3d:
            known = _fields(self.roc3d[name], "curve")
            yield "roc3d", known | self.roc3d[name].measures()
        if name in self.differences:
            yield "difference", asdict(self.differences[name])


def _fields(value: Intervals | Roc3D, without: str) -> dict[str, Any]:
    """Return the fields of a result by name, without one that holds arrays."""
    fields = asdict(replace(value, **{without: None}))  # type: ignore[arg-type]
    return {name: each for name, each in fields.items() if name != without}
