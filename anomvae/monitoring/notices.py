"""Notices: what of a source is no scene, or none yet, and why.

A notice is no error.  Every run replaces those of a site in the state, for `monitor status`, and
logs them.  What may mean that something is set up wrongly is reported once, until it changes.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from ..errors import listed
from ..names import one_line
from .state import State

log = logging.getLogger(__name__)

LISTED = 3
"""Names that a notice gives."""


class Report(Enum):
    """When a run reports a notice, beyond the state and the log."""

    NEVER = "never"
    """It is the usual course, such as a file that rests."""
    AT_FIRST = "at first"
    """If it is new, and the site has never had a scene: a source is empty now and then."""
    IF_NEW = "if new"


@dataclass(frozen=True)
class SourceNotice:
    """What a source offers and is no scene, or none yet."""

    text: str
    """One line."""
    report: Report = Report.NEVER


def counted(names: Sequence[str], one: str, many: str) -> str:
    """Return how many things there are, and the first ones.

    Examples
    --------
    >>> counted(["a.tif", "b.tif"], "file rests", "files rest")
    '2 files rest: a.tif, b.tif'
    """
    what = one if len(names) == 1 else many
    return one_line(f"{len(names)} {what}: {listed(sorted(names), LISTED)}")


def resting(names: Sequence[str], seconds: float, now: datetime) -> SourceNotice:
    """Return the notice of files of which the last is stable in so many seconds."""
    wait = max(1, math.ceil(seconds))
    until = (now + timedelta(seconds=wait)).astimezone(UTC)
    ready = f"ready in {wait} s (at {until:%Y-%m-%d %H:%M:%S} UTC)"
    return SourceNotice(counted(names, f"file rests, {ready}", f"files rest, {ready}"))


def reported(state: State, site: str, found: Sequence[SourceNotice]) -> list[str]:
    """Log the notices of a site, and return those that a run reports, a line each."""
    for one in found:
        log.info("note", extra={"facts": {"site": site, "note": one.text}})
    rows = state.database.execute("SELECT text FROM notices WHERE site = ?", (site,))
    known = {text for (text,) in rows}
    scenes = state.database.execute("SELECT 1 FROM scenes WHERE site = ? LIMIT 1", (site,))
    wanted = {Report.IF_NEW} if scenes.fetchone() else {Report.IF_NEW, Report.AT_FIRST}
    return [
        f"{site}: {one.text}" for one in found if one.report in wanted and one.text not in known
    ]
