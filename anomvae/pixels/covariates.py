"""Covariates of pixels, which a model may be conditioned on (``--covariates``).

On the last axis of a block, the values of covariates follow the bands.  A model is given features
of them, of three kinds::

    kind          values of a pixel                                   features
    continuous    one for each band of a raster, such as elevation    the value
    categorical   one, the class in the first band of a raster        1 for its class, else 0
    day           two, of the scene's day of the year                 sin, cos of 2 pi day / 365.25

NaN is unknown.  A class that is not among those of training has 0 in all features.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, CovariateMismatch, listed
from ..files import PathText, as_paths
from .dates import date_of

log = logging.getLogger(__name__)

CONTINUOUS, CATEGORICAL, DAY = "continuous", "categorical", "day"
RENAMED = {"numbers": CONTINUOUS, "classes": CATEGORICAL}
"""Kinds by the names that they had before 0.2."""
YEAR = 365.25  # days

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Covariate:
    """A covariate as a detector keeps it."""

    kind: str
    """``continuous``, ``categorical`` or ``day``."""
    file: str = ""
    """Name of the training scenes' raster, without its folder; empty for a day."""
    band: str = ""
    """Name of its band; empty where the raster names no bands, and for a day."""
    classes: tuple[float, ...] = ()
    """The classes of training, in ascending order; empty for other kinds."""

    @property
    def values(self) -> int:
        """Values on the last axis of a block."""
        return 2 if self.kind == DAY else 1

    @property
    def width(self) -> int:
        """Features of a pixel."""
        return len(self.classes) if self.kind == CATEGORICAL else self.values

    def features(self, values: Array) -> Array:
        """Turn values (..., value) into features (..., feature); NaN where a value is unknown."""
        if self.kind != CATEGORICAL:
            return values
        one_hot: Array = np.equal(values, np.asarray(self.classes, np.float32)).astype(np.float32)
        one_hot[np.isnan(values[..., 0])] = np.nan
        return one_hot

    def __str__(self) -> str:
        """Write it like the option, with the name of its band."""
        if self.kind == DAY:
            return DAY
        return f"{self.kind}:{self.file}{f' ({self.band})' if self.band else ''}"


Covariates = tuple[Covariate, ...]
"""In the order of their values on the last axis of a block."""


@dataclass(frozen=True)
class CovariateSpec:
    """A covariate as a user specifies it."""

    kind: str
    """``continuous``, ``categorical`` or ``day``."""
    source: str = ""
    """Path or URI of the raster, or a day such as 2024-06-01; empty: the day in a scene's name."""

    def day_of(self, scene: str) -> date:
        """Return the day of a scene.

        Raises
        ------
        CovariateMismatch
            When neither ``source`` nor the scene's name has one.
        """
        day = date.fromisoformat(self.source) if self.source else date_of(scene)
        if day is None:
            raise CovariateMismatch(
                f"{scene} has no date in its name, such as 2024-06-01 or 20240601, but its day is "
                f"a covariate. Rename it, or give the day: --covariates day:2024-06-01."
            )
        return day


def parse_covariates(texts: PathText | Sequence[PathText]) -> tuple[CovariateSpec, ...]:
    """Read one or more specifications of covariates.

    Each is ``FILE`` or ``continuous:FILE``, ``categorical:FILE``, ``day`` or ``day:2024-06-01``.

    Raises
    ------
    ConfigError
        When one names no file, or no day.

    Examples
    --------
    >>> parse_covariates(["dem.tif", "day"])
    (CovariateSpec(kind='continuous', source='dem.tif'), CovariateSpec(kind='day', source=''))
    """
    return tuple(_spec(text) for text in as_paths(texts))


def rasters_of(texts: Sequence[PathText]) -> list[str]:
    """Return the rasters among covariates, as their paths were written."""
    return [spec.source for spec in parse_covariates(texts) if spec.kind != DAY]


def values_of(covariates: Covariates) -> int:
    """Return the number of values on the last axis of a block."""
    return sum(one.values for one in covariates)


def split_values(covariates: Covariates, values: Array) -> Iterator[tuple[Covariate, Array]]:
    """Yield each covariate with its values (..., value)."""
    start = 0
    for one in covariates:
        yield one, values[..., start : start + one.values]
        start += one.values


def features_of(covariates: Covariates, values: Array) -> Array:
    """Turn the values (..., value) of a block into the features of a model, (..., feature)."""
    parts = [one.features(own) for one, own in split_values(covariates, values)]
    return np.concatenate([values[..., :0], *parts], axis=-1)


def require_covariates(found: Covariates, expected: Covariates, scene: str) -> None:
    """Require that the covariates of a scene are those of a detector.

    Raises
    ------
    CovariateMismatch
        When the count, a kind, or the name of a named band differs.
    """
    if len(found) == len(expected) and all(map(_alike, found, expected)):
        return
    given = f"the covariates {_named(found)}" if found else "no covariates"
    if not expected:
        raise CovariateMismatch(
            f"{scene} is given {given}, but this detector was trained without any. "
            f"Leave --covariates out, or train a cvae with them."
        )
    raise CovariateMismatch(
        f"{scene} is given {given}, but this detector was trained with {_named(expected)}. "
        f"Give the same in this order: {_options(expected)}."
    )


def require_values(count: int, bands: int, covariates: Covariates) -> None:
    """Require that the last axis of an array holds bands and the values of covariates.

    Raises
    ------
    CovariateMismatch
        When it has another length.
    """
    if count != bands + values_of(covariates):
        raise CovariateMismatch(
            f"The array has {count} values per pixel, but this detector was trained on {bands} "
            f"bands and {values_of(covariates)} values of covariates. Give the bands, then "
            f"{', '.join(map(_value_names, covariates))}, in this order."
        )


def day_values(day: date) -> Array:
    """Return sin and cos of the day of the year as an angle, shape (2,)."""
    angle = 2 * math.pi * day.timetuple().tm_yday / YEAR
    return np.array([math.sin(angle), math.cos(angle)], np.float32)


class CovariateReport(NamedTuple):
    """Which covariates of a block have values, and which unknown classes."""

    known: tuple[bool, ...]
    """Whether any pixel has a value."""
    unknown: tuple[frozenset[float], ...]
    """Classes that training did not have; empty for other kinds."""


def report_of(expected: Covariates, values: Array) -> CovariateReport:
    """Report on the values (..., value) of a block, given the covariates of a detector."""
    parts = list(split_values(expected, values))
    return CovariateReport(
        tuple(bool(np.isfinite(own).any()) for _, own in parts),
        tuple(_unknown_classes(one, own) for one, own in parts),
    )


def _unknown_classes(one: Covariate, values: Array) -> frozenset[float]:
    if one.kind != CATEGORICAL:
        return frozenset()
    return frozenset(np.unique(values[np.isfinite(values)]).tolist()) - set(one.classes)


class CovariateWarnings:
    """Warn of unknown classes and of covariates without any value, once for a whole scene.

    Blocks may be read by other processes: their reports come here.
    """

    def __init__(self, expected: Covariates, scene: str) -> None:
        """Start without reports; ``expected`` are the covariates of a detector."""
        self._expected, self._scene = expected, scene
        self._known = [False] * len(expected)
        self._reported: list[set[float]] = [set() for _ in expected]

    def add(self, report: CovariateReport) -> None:
        """Add the report of a block; warn of classes that no report had before."""
        self._known = [a or b for a, b in zip(self._known, report.known, strict=True)]
        parts = zip(self._expected, self._reported, report.unknown, strict=True)
        for one, reported, classes in parts:
            new = sorted(classes - reported)
            reported.update(new)
            if new:
                log.warning(
                    "%s: %s has classes that training did not have (%s); they count as none of "
                    "its classes",
                    *(self._scene, one.file, listed([f"{value:g}" for value in new])),
                )

    def finish(self) -> None:
        """Warn of covariates without a value in any block."""
        for one, known in zip(self._expected, self._known, strict=True):
            if not known:
                log.warning(
                    "%s: %s has no value at any pixel read; the mean of training stands for it",
                    *(self._scene, one),
                )


def _spec(text: str) -> CovariateSpec:
    kind, colon, source = text.partition(":")
    if kind in RENAMED and colon:
        new = RENAMED[kind]
        raise ConfigError(
            f"covariates = {text!r}: {kind} is now called {new}: write {new}:{source}."
        )
    if kind == DAY:
        if colon:
            _require_day(text, source)
        return CovariateSpec(DAY, source)
    if kind not in {CONTINUOUS, CATEGORICAL}:
        kind, source = CONTINUOUS, text
    if not source:
        raise ConfigError(
            f"covariates = {text!r} names no file: give FILE, continuous:FILE, categorical:FILE, "
            f"day or day:2024-06-01."
        )
    return CovariateSpec(kind, source)


def _require_day(text: str, day: str) -> None:
    try:
        date.fromisoformat(day)
    except ValueError as error:
        raise ConfigError(
            f"covariates = {text!r} is no day: write year, month and day, as in day:2024-06-01."
        ) from error


def _alike(found: Covariate, expected: Covariate) -> bool:
    named = bool(found.band and expected.band)
    return found.kind == expected.kind and (not named or found.band == expected.band)


def _named(covariates: Covariates) -> str:
    return listed([str(one) for one in covariates])


def _options(covariates: Covariates) -> str:
    """Return the options of covariates; one for all bands of a raster."""
    texts = [DAY if one.kind == DAY else f"{one.kind}:{one.file}" for one in covariates]
    return " ".join(f"--covariates {text}" for text in dict.fromkeys(texts))


def _value_names(one: Covariate) -> str:
    return "day (sin, cos)" if one.kind == DAY else str(one)
