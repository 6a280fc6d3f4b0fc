"""What was found in a scene, in plain sentences: the first thing that a page states."""

from __future__ import annotations

from dataclasses import dataclass

from ..objects import AnomalyObject, LeadingBand
from ..objects.items import DEGREES
from ..pixels.picture_bands import band_label
from ..stats.domain import InDomain
from ..stats.target import LAYERS as TARGET_LAYERS
from ..words import area, counted, degrees, number, share
from .scene_report import SceneReport

LEVEL = {InDomain.YES: "good", InDomain.DOUBTFUL: "doubtful", InDomain.NO: "bad"}
"""Kinds of notices, by the verdict."""


@dataclass(frozen=True)
class Findings:
    """What was found, in sentences."""

    headline: str
    """How much is unusual."""
    strongest: str
    """The strongest object; empty where there is none."""
    verdict: str
    """Whether the scene looks like what the model learnt."""
    level: str
    """Kind of notice of the verdict: ``good``, ``doubtful``, ``bad`` or ``note``."""
    doubts: tuple[str, ...]
    """Why not, in clauses."""


def findings(report: SceneReport) -> Findings:
    """Put into sentences what was found in a scene."""
    text, level, doubts = _verdict(report)
    return Findings(_headline(report), _strongest(report), text, level, doubts)


def _headline(report: SceneReport) -> str:
    result = report.scene.result
    valid = counted(result.valid, "pixel")
    if not result.valid:
        reasons = [f"{result.masked:,} are masked", f"{result.missing:,} have no data"]
        return f"No pixel has a score: of {result.pixels:,}, {' and '.join(reasons)}."
    if not result.flagged:
        limit = number(result.threshold.value)
        return f"None of {valid} is {kind_of(report)}: no score is flagged above {limit}."
    are = "is" if result.flagged == 1 else "are"
    objects = f", in {counted(result.objects, 'object')}" if result.objects else ""
    part = share(report.flagged_share)
    return f"{result.flagged:,} of {valid} ({part}) {are} {kind_of(report)}{objects}."


def kind_of(report: SceneReport) -> str:
    """Return what flagged pixels are: unusual, or like what was looked for."""
    layers = () if report.maps is None else report.maps.layers
    return "like the target" if layers == TARGET_LAYERS else "unusual"


def _strongest(report: SceneReport) -> str:
    if not report.objects.listed:
        return ""
    item, threshold = report.objects.listed[0].item, report.scene.result.threshold.value
    size = counted(item.area_px, "pixel")
    size += f" ({area(item.area_m2)})" if item.area_m2 else ""
    times = item.score_max / threshold if threshold > 0 else 0.0
    above = f", {times:.1f} times the threshold" if times else ""
    place = place_of(report, item)
    text = f"The strongest, object {item.id}, has {size} at {place}; it scores up to "
    text += f"{number(item.score_max)}{above}."
    leader = item.explanation.leading[0] if item.explanation and item.explanation.leading else None
    return f"{text} {leading_text(leader)}" if leader else text


def leading_text(band: LeadingBand) -> str:
    """Return which band leads, in a sentence; other bands may differ in the other direction."""
    label, size = band_label(band.band, band.wavelength), abs(band.residual)
    side = "brighter" if band.residual > 0 else "darker"
    text = f"Of all bands {label} adds most to its score: there it is {side} than the model expects"
    return f"{text}, by {size:.1f} times the noise."


def place_of(report: SceneReport, item: AnomalyObject) -> str:
    """Return where an object is: its peak in the scene, and its centre on Earth if that is known.

    Longitudes across the 180th meridian continue beyond it in the file.
    """
    pixel = f"row {item.peak[0]:,}, column {item.peak[1]:,}"
    place = longitude_latitude(report, item)
    return pixel if place is None else f"{degrees(*place)} ({pixel})"


def longitude_latitude(report: SceneReport, item: AnomalyObject) -> tuple[float, float] | None:
    """Return the centre of an object on Earth, degrees; None where it is not known."""
    about = report.objects.provenance
    if about is None or about.coordinates != DEGREES or item.centroid is None:
        return None
    longitude, latitude = item.centroid
    return (longitude + 180) % 360 - 180, latitude


def _verdict(report: SceneReport) -> tuple[str, str, tuple[str, ...]]:
    verdict, scene = report.scene.result.verdict, report.scene
    learnt = "this scene itself" if scene.fitted_to_itself else "other scenes"
    if verdict is None and not scene.result.valid:
        return "Without a score, the scene cannot be compared with what was learnt.", "note", ()
    if verdict is None and scene.fitted_to_itself:
        text = "The detector was fitted to this scene itself: there is no other to compare it with."
        return text, "note", ()
    if verdict is None:
        text = "What the model learnt of its training scenes is not known, so this scene cannot be "
        return f"{text}compared with them.", "note", ()
    doubts = tuple(sentence(text) for text in verdict.reasons)
    level = LEVEL[verdict.in_domain]
    if verdict.in_domain is InDomain.YES:
        text = (
            "The model was fitted to this scene itself; nothing about the scene raised a doubt."
            if scene.fitted_to_itself
            else "The scene looks like those that the model was trained on."
        )
        return text, level, doubts
    if verdict.in_domain is InDomain.NO:
        text = f"Do not trust these results as they are: the model learnt from {learnt}, and"
        return f"{text} this is severe:", level, doubts
    return f"Look twice: the model learnt from {learnt}, and there is a doubt:", level, doubts


def sentence(clause: str) -> str:
    """Return a clause as a sentence."""
    return f"{clause[:1].upper()}{clause[1:]}." if clause else ""
