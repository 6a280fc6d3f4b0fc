"""Print what became of each scene or map of a command, and end with its exit code."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..addresses import displayed
from ..documents import to_json
from ..errors import OutOfDomain, ScenesFailed
from .output import echo
from .streams import note

if TYPE_CHECKING:
    from ..mapping import MapResult, Outcome, ScoreOptions

ANOMALY_FOUND = 10


def report(
    outcomes: Iterable[Outcome],
    count: int,
    chosen: ScoreOptions,
    *,
    as_json: bool,
    noun: str = "scenes",
) -> list[MapResult]:
    """Print the outcome of each of ``count`` scenes as it comes; return the results.

    The failure of an only scene ends the command as its own error, that of others `ScenesFailed`
    once all are done.
    """
    printed = [_printed(outcome, chosen, as_json=as_json, alone=count == 1) for outcome in outcomes]
    results = [result for result in printed if result is not None]
    failed = count - len(results)
    if failed:
        raise ScenesFailed(
            f"all {failed} {noun} failed; each is named above."
            if failed == count
            else f"{failed} of {count} {noun} failed; the others are done."
        )
    return results


def require_in_domain(results: Iterable[MapResult]) -> None:
    """Raise OutOfDomain when a scene is not like the training scenes."""
    from ..stats.domain import InDomain

    out = [
        f"{displayed(result.scene)}: {result.verdict}."
        for result in results
        if result.verdict is not None and result.verdict.in_domain is InDomain.NO
    ]
    if out:
        more = "" if len(out) == 1 else f" (And {len(out) - 1} more.)"
        raise OutOfDomain(
            f"{out[0]}{more} Give scenes of the product that the detector was trained on, or train "
            f"one on these."
        )


def _printed(
    outcome: Outcome, chosen: ScoreOptions, *, as_json: bool, alone: bool
) -> MapResult | None:
    """Print the outcome of a scene; a failure ends the run only if there is no other scene."""
    if outcome.error is not None and alone:
        raise outcome.error
    if outcome.result is None:
        note(f"Failed: {outcome.error}")
        return None
    echo(result_line(outcome.result, chosen, as_json=as_json))
    return outcome.result


def result_line(result: MapResult, chosen: ScoreOptions, *, as_json: bool) -> str:
    """Summarise the result of a scene, of these options, in one line."""
    if as_json:
        return to_json(json.loads(result.to_json()))  # one line
    share = result.flagged / max(result.valid, 1)
    note = "" if result.newly_written else "  (up to date)"
    flagged = f"{result.flagged} of {result.valid} pixels flagged ({share:.2%})"
    objects = "1 object" if result.objects == 1 else f"{result.objects} objects"
    objects += "" if chosen.lists_all else " listed"
    objects += f", {result.masked} masked" if result.masked else ""
    found = "" if result.sensitivity is None else f", finds {result.sensitivity}"
    verdict = result.verdict
    domain = "" if verdict is None or not verdict.reasons else f", in domain: {verdict.in_domain}"
    return f"{result.path}  {flagged}, {objects}{found}{domain}{note}"
