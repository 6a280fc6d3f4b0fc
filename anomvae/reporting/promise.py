"""What a threshold promises, and what was measured of it."""

from __future__ import annotations

from dataclasses import dataclass

from ..stats.held_out import HeldOutRate
from ..stats.rule_text import parts_of
from ..stats.thresholds import Threshold
from ..words import NONE, counted, number, share
from .scene_report import SceneReport


@dataclass(frozen=True)
class Rate:
    """A share of pixels above a threshold."""

    name: str
    """Which one."""
    value: str
    """The share, as text."""
    note: str
    """What it is of: a sentence."""


def rates(report: SceneReport, held_out: HeldOutRate | None, known: bool) -> tuple[Rate, ...]:
    """Return the rates that are promised, and those that were measured.

    Parameters
    ----------
    report : SceneReport
        The scene.
    held_out : HeldOutRate or None
        What training measured on pixels that it did not read; None: it did not.
    known : bool
        Whether the model is at hand, so that None means that nothing was measured.
    """
    threshold, result = report.scene.result.threshold, report.scene.result
    found = [_promised(threshold), _chosen(report)]
    if held_out is not None:
        found.append(_held_out(held_out))
    elif not report.scene.fitted_to_itself:
        note = (
            "Training read all normal pixels."
            if known
            else "The model file has it: make the report with --model."
        )
        found.append(Rate("measured on held-out pixels", NONE, note))
    of = counted(result.valid, "pixel")
    found.append(
        Rate("flagged in this scene", share(report.flagged_share), f"Of {of} with a score.")
    )
    return tuple(found)


def _promised(threshold: Threshold) -> Rate:
    promise = threshold.promise
    if promise is None:
        note = f"The rule {threshold.rule} promises no rate of normal pixels."
        return Rate("promised by the rule", NONE, note)
    note = f"Of normal pixels, by the rule {threshold.rule}: these are false alarms."
    return Rate("promised by the rule", share(promise), note)


def _chosen(report: SceneReport) -> Rate:
    threshold = report.scene.result.threshold
    pixels = counted(threshold.pixels, "pixel")
    if report.scene.fitted_to_itself:
        source = f"{pixels} of this scene, anomalies among them"
    elif threshold.provisional:
        source = f"{pixels} of this scene"
    elif threshold.held_out:
        source = f"{pixels} that training did not read"
    else:
        source = f"{pixels} that the threshold was chosen from"
    return Rate("above it where it was chosen", share(threshold.fpr), f"Of {source}.")


def _held_out(held_out: HeldOutRate) -> Rate:
    ends = f"{share(held_out.low)} to {share(held_out.high)}"
    note = f"Of {counted(held_out.pixels, 'normal pixel')} that training did not read"
    note += f"; 90 % interval {ends}, from {counted(held_out.blocks, 'block')}."
    return Rate("measured on held-out pixels", share(held_out.rate), note)


def threshold_text(threshold: Threshold, unit: str, kind: str) -> str:
    """Return how a threshold flags pixels of a kind, in a sentence."""
    limit = f"{number(threshold.value)} {unit}".strip()
    text = f"A pixel is {kind} where its score is above {limit}, by the rule {threshold.rule}"
    if parts_of(threshold.rule)[1]:
        text += ", and where it stands out from its surroundings"
    return f"{text}."
