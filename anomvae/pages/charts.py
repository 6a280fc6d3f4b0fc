"""Charts of a page: a histogram with a threshold to drag, lines, spectra, and what time brought.

Numbers that are NaN are gaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Numbers = Sequence[float | None] | NDArray[np.floating[Any]] | NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Mark:
    """A value with a name, drawn as a thin line across a chart."""

    value: float
    name: str


@dataclass(frozen=True)
class Axis:
    """What an axis measures; limits that are None follow the data."""

    label: str
    unit: str = ""
    log: bool = False
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Histogram:
    """How many pixels have which score; the threshold is dragged, and the flagged share follows.

    Fine bins (512, say) make the share exact; bars join them.
    """

    name: str
    edges: Numbers
    """Of the bins, one more than counts, ascending."""
    counts: Numbers
    threshold: float | None
    flagged: int | None = None
    """Pixels that the results flag at ``threshold``; counted from the bins if None."""
    unit: str = "nats"
    scale: Literal["log1p", "linear"] = "log1p"
    marks: Sequence[Mark] = ()
    kind: Literal["histogram"] = field(default="histogram", init=False)


@dataclass(frozen=True)
class Line:
    """One line of a chart."""

    name: str
    x: Numbers
    y: Numbers
    dashed: bool = False
    low: Numbers | None = None
    """Lower ends of an interval around each value, which is shaded."""
    high: Numbers | None = None


@dataclass(frozen=True)
class LineChart:
    """Lines over numbers: ROC and precision-recall, the course of training."""

    name: str
    lines: Sequence[Line]
    x: Axis
    y: Axis
    diagonal: bool = False
    """Draw y = x: what chance does in a ROC."""
    marks: Sequence[Mark] = ()
    """On the horizontal axis."""
    kind: Literal["lines"] = field(default="lines", init=False)


@dataclass(frozen=True)
class Spectra:
    """Spectra over wavelengths or numbers of bands, with what each band contributes as bars."""

    name: str
    lines: Sequence[Line]
    x: Axis
    y: Axis
    shares: Numbers | None = None
    """Of each band, from 0 to 1."""
    share_name: str = "contribution"
    share_x: Numbers | None = None
    """Positions of the bars; those of the first line if None."""
    kind: Literal["spectra"] = field(default="spectra", init=False)


@dataclass(frozen=True)
class Dated:
    """A series of values over dates."""

    name: str
    dates: Sequence[str]
    """As ISO 8601."""
    values: Numbers
    kinds: Sequence[str] | None = None
    """Outcome of each: normal, anomalous, not comparable, failed; each has its own sign."""
    links: Sequence[str] | None = None
    """Addresses relative to the page."""
    notes: Sequence[str] | None = None


@dataclass(frozen=True)
class Event:
    """What lasted from a date to another, or until now."""

    name: str
    start: str
    end: str | None = None
    kind: Literal["provisional", "confirmed", "closed"] = "confirmed"
    link: str = ""


@dataclass(frozen=True)
class Timeline:
    """Series over dates, limits across them, and events below."""

    name: str
    series: Sequence[Dated]
    y: Axis
    events: Sequence[Event] = ()
    limits: Sequence[Mark] = ()
    """On the vertical axis."""
    kind: Literal["timeline"] = field(default="timeline", init=False)


Chart = Histogram | LineChart | Spectra | Timeline
