"""The charts of a page: scores, spectra of objects, curves against labels, training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ..objects import ObjectExplanation
from ..pages import Axis, Histogram, Line, LineChart, Spectra
from ..stats.curves import Curve
from ..stats.sensitivity import Sensitivity
from .map_view import unit_of
from .measured import MeasuredScene
from .model import TrainingCourse
from .objects import ListedObject
from .scene_report import SceneReport

Numbers = NDArray[np.float64]
Floats = NDArray[np.float32]

STEPS = Axis("optimiser step", low=0)
FEWEST_ALARMS, MOST_ALARMS = 1e-6, 0.1
"""Where the logarithmic axis of false alarms begins, at least and at most."""


def histogram(report: SceneReport) -> Histogram | None:
    """Return the histogram of the scores of a scene; None where there are none."""
    bars = None if report.maps is None else report.maps.bars
    if bars is None:
        return None
    result = report.scene.result
    name = f"Scores of {report.scene.files.stem}"
    return Histogram(
        name,
        bars.edges,
        bars.counts,
        result.threshold.value,
        flagged=result.flagged,
        unit=unit_of(report),
    )


def spectra(report: SceneReport, listed: ListedObject) -> Spectra | None:
    """Return the spectra of an object, and its leading bands; None where it is not explained."""
    why, about = listed.item.explanation, report.objects.provenance
    if why is None or about is None or not about.bands:
        return None
    waves = _positions(about.wavelengths, len(about.bands))
    known = len(about.wavelengths) == len(waves) and None not in about.wavelengths
    order = np.argsort(waves, kind="stable")
    lines = [
        Line(name, waves[order], np.array(values, np.float32)[order], dashed=dashed)
        for name, values, dashed in _lines(why)
        if len(values) == len(waves)
    ]
    places = dict(zip(about.bands, waves, strict=True))
    leading = [band for band in why.leading if band.band in places]
    return Spectra(
        f"Spectra of object {listed.item.id}",
        tuple(lines),
        Axis("wavelength", "nm") if known else Axis("band", low=0.5, high=len(waves) + 0.5),
        Axis("value, in the unit of the data"),
        shares=[band.share for band in leading] or None,
        share_name="share of the score",
        share_x=[float(places[band.band]) for band in leading] or None,
    )


def _lines(why: ObjectExplanation) -> Iterator[tuple[str, tuple[float, ...], bool]]:
    yield "object", why.spectrum, False
    yield "expected by the model", why.reconstruction, True
    if why.annulus is not None:
        yield "surroundings", why.annulus, False


def _positions(waves: tuple[float | None, ...], bands: int) -> Numbers:
    """Return wavelengths where all are known, else the numbers of the bands, from 1."""
    known = [wave for wave in waves if wave is not None]
    return np.array(known) if len(known) == bands else np.arange(1.0, bands + 1)


def curves(measured: MeasuredScene) -> Mapping[str, LineChart]:
    """Return ROC and precision-recall curves, by ``roc`` and ``pr``; none without curves."""
    if not measured.evaluation.curves:
        return {}
    least = min(_fewest_alarms(curve) for curve in measured.evaluation.curves.values())
    roc = [Line(name, *_roc(curve, least)) for name, curve in measured.evaluation.curves.items()]
    recall = [  # the first point lies above all scores, where no precision is known
        Line(name, _short(curve.detected[1:]), _short(curve.precision[1:]))
        for name, curve in measured.evaluation.curves.items()
    ]
    share = Axis("recall: share of labelled anomalies found", low=0, high=1)
    found = Axis("detection rate", low=0, high=1)
    return {
        "roc": LineChart(
            "Detections against false alarms (ROC)",
            tuple(roc),
            Axis("false-alarm rate", log=True, low=least, high=1),
            found,
        ),
        "pr": LineChart(
            "Precision against recall", tuple(recall), share, Axis("precision", low=0, high=1)
        ),
    }


def _fewest_alarms(curve: Curve) -> float:
    """Return the power of ten below the first false alarms of a curve."""
    some = curve.false_alarms[curve.false_alarms > 0]
    least = 10 ** np.floor(np.log10(some[0])) if len(some) else MOST_ALARMS
    return float(np.clip(least, FEWEST_ALARMS, MOST_ALARMS))


def _roc(curve: Curve, least: float) -> tuple[Floats, Floats]:
    first = max(0, int(np.argmax(curve.false_alarms > 0)) - 1)
    alarms = np.maximum(curve.false_alarms[first:], least)
    return _short(alarms), _short(curve.detected[first:])


def _short(values: Numbers) -> Floats:
    """Return values as they take fewer digits on a page."""
    return values.astype(np.float32)


def sensitivity_chart(measured: Sensitivity) -> LineChart:
    """Return which share of implanted spectra is found, by how much of a pixel they fill."""
    fills = [0.0, *(100 * fill for fill in measured.fills)]
    found = [np.nan, *(100 * share for share in measured.found)]
    fill, name = Axis("part of a pixel that is filled", "%", low=0, high=100), "implanted spectra"
    return LineChart(
        "What is found, by its size",
        (Line(name, fills, found),),
        fill,
        Axis("found", "%", low=0, high=100),
    )


def course_charts(course: TrainingCourse, held_out: float | None) -> Mapping[str, LineChart]:
    """Return the course of a training, by names of its parts."""
    unit = Axis("nats per pixel")
    if course.kl is None or course.reconstruction is None:
        return {"loss": _course("Loss", course, {"loss": course.loss}, unit)}
    elbo = {"ELBO": -course.reconstruction - course.kl}
    if held_out is not None:
        elbo["held-out pixels, at the end"] = np.full(len(course.steps), held_out)
    return {
        "elbo": _course("Evidence lower bound (higher is better)", course, elbo, unit),
        "error": _course("Reconstruction error", course, {"error": course.reconstruction}, unit),
        "kl": _course("KL divergence", course, {"KL": course.kl}, unit),
    }


def _course(
    name: str,
    course: TrainingCourse,
    values: Mapping[str, Numbers],
    y: Axis,
) -> LineChart:
    lines = (
        Line(label, course.steps, each, dashed="held-out" in label)
        for label, each in values.items()
    )
    return LineChart(name, tuple(lines), STEPS, y)
