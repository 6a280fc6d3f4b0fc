"""The page of a scene: what became of it, its map, its results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...words import number, share
from ..rule_tables import DriftConfig
from .folder import PlannedFile
from .frame import Crumb, Frame, page
from .names import address_of
from .results import ResultFile, Results
from .rows import SceneRow, SiteRows
from .standing import level_of

if TYPE_CHECKING:
    from ...pages import Page

VIEWED = 100
"""Latest scenes of a site whose pages have a map at least; pages of older ones show the picture
alone.  They change in hundreds, so that a new scene changes no page of another one."""


@dataclass(frozen=True)
class ScenePage:
    """What the page of a scene is made of."""

    frame: Frame
    site: SiteRows
    row: SceneRow
    before: SceneRow | None
    """The scene of the site before it."""
    viewed: bool
    """Whether it has a map."""

    def planned(self) -> PlannedFile:
        """Plan the page."""
        results = Results.of(self.row)
        before = None if self.before is None else self.before.name
        # Where results lie from the page: it changes when the pages are moved.
        place = None if results is None else address_of(results.files.folder, self._folder)
        there = None if results is None else (results.names, results.stamp)
        inputs = (
            self.row.digest,
            before,
            self.viewed,
            self.site.watched,
            self._limits,
            place,
            there,
        )
        path = f"sites/{self.site.slug}/scenes/{self.row.name}.html"
        return self.frame.planned(path, inputs, lambda: self.made(results))

    def made(self, results: Results | None) -> Page:
        """Make the page."""
        listed = [] if results is None else list(results.listed(self._folder))
        view = None
        if self.viewed and results is not None:
            from .views import scene_view

            view = scene_view(results)
        row = self.row
        values = {
            "crumbs": (
                Crumb("All sites", "../../../index.html"),
                Crumb(self.site.name, "../index.html"),
            ),
            "row": row,
            "reasons": texts_of(row.reasons),
            "doubts": texts_of(row.doubts),
            "before": None if self.before is None else f"{self.before.name}.html",
            "files": listed,
            "gone": results is not None and results.gone,
            "some_gone": any(one.deleted for one in listed),
            "quicklook": _quicklook(listed) if view is None else None,
            "viewed": view is not None,
            "numbers": list(self._numbers()),
            "run": list(self._run()),
        }
        widgets = {} if view is None else {"map": view}
        return page(f"{row.source}", "scene.html", values, widgets)

    @property
    def _folder(self) -> Path:
        return self.frame.folder / "sites" / self.site.slug / "scenes"

    @property
    def _limits(self) -> DriftConfig:
        config = self.frame.site_config(self.site.name)
        return DriftConfig() if config is None else config.drift

    def _numbers(self) -> Iterator[tuple[str, str]]:
        """Yield what was measured, with its words."""
        row = self.row
        if row.status != "done":
            return
        yield "Flagged", _part(row.flagged, row.valid, "valid pixels")
        yield "Objects", _number(row.objects)
        yield "Masked", _part(row.masked, (row.valid or 0) + (row.masked or 0), "pixels with data")
        yield "Without data", _part(row.missing, row.pixels, "pixels")
        yield "Threshold", "unknown" if row.threshold is None else number(row.threshold)
        level = level_of(row, self._limits)
        yield "Drift", "not measured" if level is None else f"{100 * level:.0f} % of its limit"
        yield "Like the training scenes", row.in_domain or "no verdict"

    def _run(self) -> Iterator[tuple[str, str]]:
        """Yield when and by what it was scored."""
        row = self.row
        yield "Acquired", row.taken or "day unknown"
        yield "Scoring began", f"{clock(row.started)} (try {row.tries})"
        if row.finished is not None:
            word = "Failed" if row.status == "failed" else "Ended"
            yield word, clock(row.finished)
        if row.status == "failed":
            yield (
                "Tried again",
                f"from {clock(row.next_try)}" if row.next_try else "no, it was given up",
            )
        if row.seconds is not None:
            yield "Took", f"{row.seconds:.1f} s"
        yield "Model", row.model
        yield "Settings", row.settings
        yield "Known as", row.scene


def scene_pages(frame: Frame, site: SiteRows) -> Iterator[PlannedFile]:
    """Plan the pages of all scenes of a site, the oldest first."""
    first = max(0, len(site.scenes) - VIEWED) // VIEWED * VIEWED
    before: SceneRow | None = None
    for place, row in enumerate(site.scenes):
        yield ScenePage(frame, site, row, before, place >= first).planned()
        before = row if row.status == "done" else before


def clock(time: str) -> str:
    """Return a recorded time for people.

    Examples
    --------
    >>> clock("2025-06-01T03:00:00.000+00:00")
    '2025-06-01 03:00:00 UTC'
    """
    return f"{time[:19].replace('T', ' ')} UTC"


def texts_of(text: str | None) -> Sequence[str]:
    """Return the texts of a list that the state keeps as JSON."""
    return [] if text is None else [str(one) for one in json.loads(text)]


def _quicklook(files: Sequence[ResultFile]) -> str | None:
    return next((one.address for one in files if one.name.endswith(".png")), None)


def _part(part: int | None, whole: int | None, of: str) -> str:
    if part is None:
        return "not counted"
    return f"{part:,} of {whole:,} {of} ({share(part / whole)})" if whole else f"{part:,}"


def _number(value: int | None) -> str:
    return "not counted" if value is None else f"{value:,}"
