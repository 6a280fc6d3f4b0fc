"""The charts of a page: scores, spectra of objects, curves against labels, training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ..objects import ObjectExplanation
from ..pages import Axis, Histogram, Line, LineChart, Mark, Spectra
from ..stats.curves import Curve
from ..stats.sensitivity import Sensitivity
from .map_view import unit_of
from .measured import MeasuredScene
from .model import TrainingCourse
from .objects import ListedObject
from .scene_report import SceneReport

STEPS = Axis("optimiser step", low=0)
FEWEST_ALARMS = 1e-5
"""Least false-alarm rate that a curve shows on its logarithmic axis."""


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
    places = {band: place for band, place in zip(about.bands, waves, strict=True)}
    leading = [band for band in why.leading if band.band in places]
    return Spectra(
        f"Spectra of object {listed.item.id}",
        tuple(lines),
        Axis("wavelength", "nm") if known else Axis("band"),
        Axis("value in the data's own unit"),
        shares=[band.share for band in leading] or None,
        share_name="share of the score",
        share_x=[float(places[band.band]) for band in leading] or None,
    )


def _lines(why: ObjectExplanation) -> Iterator[tuple[str, tuple[float, ...], bool]]:
    yield "object", why.spectrum, False
    yield "expected by the model", why.reconstruction, True
    if why.annulus is not None:
        yield "surroundings", why.annulus, False


def _positions(waves: tuple[float | None, ...], bands: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return wavelengths where all are known, else the numbers of the bands, from 1."""
    known = [wave for wave in waves if wave is not None]
    return np.array(known) if len(known) == bands else np.arange(1.0, bands + 1)


def curves(measured: MeasuredScene) -> Mapping[str, LineChart]:
    """Return ROC and precision-recall curves, by ``roc`` and ``pr``; none without curves."""
    if not measured.curves:
        return {}
    roc = [Line(name, *_roc(curve)) for name, curve in measured.curves.items()]
    recall = [
        Line(name, curve.detected, curve.precision) for name, curve in measured.curves.items()
    ]
    share = Axis("recall: share of labelled anomalies found", low=0, high=1)
    found = Axis("detection rate", low=0, high=1)
    return {
        "roc": LineChart(
            "Detections against false alarms (ROC)",
            tuple(roc),
            Axis("false-alarm rate", log=True, low=FEWEST_ALARMS, high=1),
            found,
        ),
        "pr": LineChart(
            "Precision against recall", tuple(recall), share, Axis("precision", low=0, high=1)
        ),
    }


def _roc(curve: Curve) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float64]], ...]:
    kept = curve.false_alarms > 0
    first = max(0, int(np.argmax(kept)) - 1)
    alarms = np.maximum(curve.false_alarms[first:], FEWEST_ALARMS)
    return alarms, curve.detected[first:]


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
    unit = Axis("per pixel", "nats")
    marks: tuple[Mark, ...] = ()
    if course.kl is None or course.reconstruction is None:
        return {"loss": _course("Loss", course, {"loss": course.loss}, unit, marks)}
    elbo = {"ELBO": -course.reconstruction - course.kl}
    if held_out is not None:
        elbo["held-out pixels, at the end"] = np.full(len(course.steps), held_out)
    return {
        "elbo": _course("Evidence lower bound (higher is better)", course, elbo, unit, marks),
        "error": _course(
            "Reconstruction error", course, {"error": course.reconstruction}, unit, marks
        ),
        "kl": _course("KL divergence", course, {"KL": course.kl}, unit, marks),
    }


def _course(
    name: str,
    course: TrainingCourse,
    values: Mapping[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]],
    y: Axis,
    marks: tuple[Mark, ...],
) -> LineChart:
    lines = (
        Line(label, course.steps, each, dashed="held-out" in label)
        for label, each in values.items()
    )
    return LineChart(name, tuple(lines), STEPS, y, marks=marks)
