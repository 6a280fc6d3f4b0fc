"""The styles of the deliverables, by which QGIS shows them: one of each layer, beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..documents import DocumentError, read_json
from ..errors import RasterError
from ..objects.explanations import SPECTRA
from ..pixels.flag_classes import NO_DATA, NORMAL, hex_of
from ..pixels.picture_bands import band_label
from ..raster import UNLIMITED, open_raster
from ..stats.thresholds import Threshold
from .deliverables import Deliverables
from .explanation import BANDS_TAG
from .flagging import FLAGS
from .qml import Stop, classes_style, outlines_style, ramp_style
from .result import MapResult

NORMAL_RAMP = ("#0f1626", "#1b2a45", "#2a4261", "#40607f", "#5f7f9e")
"""Scores of normal pixels: cold, and lighter where they are higher."""
ANOMALOUS_RAMP = ("#e2552b", "#ed7a2a", "#f59a2e", "#fbc55c", "#fff2a8")
"""Scores above the threshold: warm; lightness rises on."""
BANDS_RAMP = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")
"""Bands in their order."""
MOST_BANDS = 12
"""Bands that a legend names."""
SMALLEST = 1e-3
"""Lowest stop, in thresholds: scores of 0 have no place on a scale of logarithms."""
P_VALUES = (1e-8, 1e-6, 1e-4, 1e-3, 0.01, 0.05, 0.2, 1.0)
"""Stops of p-values."""


def styles_of(result: MapResult, explanation: Path) -> dict[Path, str]:
    """Return the style of each layer of a result, by its place.

    ``explanation`` is the map of why pixels score as they do, where there is one.
    """
    files, unit = result.files, unit_of(result.meaning)
    styles = {
        files.scores: score_style(result.quantiles, result.threshold, unit),
        files.flags: flags_style(),
        files.objects: objects_style(),
    }
    if result.p_values:
        styles[files.p_values] = p_values_style(result.threshold)
    if result.explained:
        styles[files.explanation] = explanation_style(_bands_of(explanation))
    return {Deliverables.style_of(path): text for path, text in styles.items()}


def score_style(quantiles: Mapping[str, float], threshold: Threshold, unit: str = "") -> str:
    """Return the style of an anomaly map: cold up to the threshold, warm above it.

    ``quantiles`` are those of the scores by level (`anomvae.mapping.statistics`).  Stops are even
    in logarithms, but where the threshold is not above 0.
    """
    at = threshold.value
    if not math.isfinite(at):  # no score is above it
        ends = (quantiles.get("0.01", 0.0), quantiles.get("1", 1.0))
        values = _steps(*ends, len(NORMAL_RAMP))
        return ramp_style(
            [Stop(v, c, _number(v, unit)) for v, c in zip(values, NORMAL_RAMP, strict=True)]
        )
    low, high = (quantiles.get(level, at) for level in ("0.01", "1"))
    above = max(high, at + max(abs(at), SMALLEST))
    cold = _steps(min(low, at), at, len(NORMAL_RAMP))
    warm = _steps(at, above, len(ANOMALOUS_RAMP))
    # A score that equals the threshold is normal; the next number is not.
    warm[0] = float(np.nextafter(np.float32(at), np.float32(np.inf)))
    rule = f"{_number(at, unit)}: threshold ({threshold.rule})"
    labels = [*(_number(value, unit) for value in cold[:-1]), rule]
    labels += [f"above {_number(at, unit)}", *(_number(value, unit) for value in warm[1:])]
    return ramp_style(
        [
            Stop(value, colour, label)
            for value, colour, label in zip(
                [*cold, *warm], NORMAL_RAMP + ANOMALOUS_RAMP, labels, strict=True
            )
        ]
    )


def flags_style() -> str:
    """Return the style of a map of flags, in its own colours; normal pixels are transparent."""
    hidden = {NORMAL, NO_DATA}
    return classes_style(
        Stop(one.value, hex_of(one.colour), one.name, 0 if one.value in hidden else 255)
        for one in FLAGS
    )


def p_values_style(threshold: Threshold) -> str:
    """Return the style of a map of p-values: warm up to the rate of the rule, cold above it."""
    rate = min(max(threshold.promise or threshold.fpr, P_VALUES[0]), 0.5)
    warm = [value for value in P_VALUES if value < rate]
    cold = [value for value in P_VALUES if value > rate]
    below = _spaced(ANOMALOUS_RAMP, len(warm) + 1)[::-1]
    above = _spaced(NORMAL_RAMP, len(cold) + 1)[::-1]
    stops = [Stop(value, colour, f"{value:g}") for value, colour in zip(warm, below, strict=False)]
    stops += [Stop(rate, below[-1], f"{rate:.4g}: rate of {threshold.rule}")]
    stops += [Stop(rate * (1 + 1e-6), above[0], f"above {rate:.4g}")]
    stops += [
        Stop(value, colour, f"{value:g}") for value, colour in zip(cold, above[1:], strict=True)
    ]
    return ramp_style(stops)


def objects_style(*, profiles: bool = False) -> str:
    """Return the style of objects: outlines with their ranks; ``profiles``: of a GeoPackage."""
    return outlines_style("rank", SPECTRA if profiles else ())


def explanation_style(bands: Sequence[str]) -> str:
    """Return the style of a map of explanations, which shows the leading band by its number."""
    count = max(len(bands), 1)
    numbers = sorted({round(n) for n in np.linspace(1, count, min(count, MOST_BANDS)).tolist()})
    colours = _spaced(BANDS_RAMP, len(numbers))
    named = zip(numbers, colours, strict=True)
    stops = [
        Stop(float(number), colour, bands[number - 1] if bands else str(number))
        for number, colour in named
    ]
    return ramp_style(stops)


def unit_of(meaning: str) -> str:
    """Return the unit of a score by its meaning; empty: it has none."""
    return "nats" if ", nats," in meaning else ""


def _steps(low: float, high: float, count: int) -> list[float]:
    """Return values from ``low`` to ``high``, even in logarithms if these are above 0."""
    if high <= 0:
        return np.linspace(low, high, count).tolist() if low < high else _below(high, count)
    low = min(max(low, SMALLEST * high), 0.9 * high)
    values: list[float] = np.geomspace(low, high, count).tolist()
    return [*(float(f"{value:.4g}") for value in values[:-1]), high]


def _below(high: float, count: int) -> list[float]:
    return [high - step for step in range(count - 1, -1, -1)]


def _spaced(ramp: Sequence[str], count: int) -> list[str]:
    """Return so many colours of a ramp, evenly spaced."""
    anchors = np.array([list(bytes.fromhex(colour[1:])) for colour in ramp], np.float64)
    places = np.linspace(0, len(ramp) - 1, count) if count > 1 else np.array([len(ramp) - 1.0])
    bands = [np.interp(places, np.arange(len(ramp)), band) for band in anchors.T]
    return [hex_of(colour) for colour in np.rint(np.stack(bands, axis=-1)).astype(int).tolist()]


def _number(value: float, unit: str) -> str:
    text = f"{value:.4g}" if math.isfinite(value) else "unknown"
    return f"{text} {unit}".rstrip()


def _bands_of(path: Path) -> list[str]:
    """Return the names of the bands that a map of explanations numbers; none: it lacks them."""
    try:
        with open_raster(path, access=UNLIMITED) as dataset:
            bands: Any = read_json(dataset.tags.get(BANDS_TAG, "[]"))
        return [band_label(str(band["name"]), band["wavelength_nm"]) for band in bands]
    except (RasterError, DocumentError, TypeError, KeyError):
        return []
