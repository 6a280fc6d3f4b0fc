"""The page of a site: how it stands, its course over time, what lasts, events and scenes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from ...pages import Column, Table, rows_script
from ...pages.rendering import Widget
from ..config import SiteConfig
from ..decisions.map_file import map_path
from ..rule_tables import DriftConfig
from .courses import address_in_site, by_matter, charts_of, percent
from .event_tables import MOST_EVENTS, closed_table, open_table
from .folder import PlannedFile
from .frame import Crumb, Frame, page
from .results import Results
from .rows import SceneRow, SiteRows, comparable, digest_of
from .scene_page import texts_of
from .standing import SiteStanding, level_of, standing_of

if TYPE_CHECKING:
    from ...pages import Page, Viewer

LATEST = 400
"""Scenes on the charts of the page of a site at most; each year has a page of charts."""
MOST_OF_A_YEAR = 3000
"""Scenes on the charts of a year at most."""
BLOCK = 500
"""Rows of a table in a file beside the page; the newest are on it, a fifth of that at least."""
LONGEST = 90
"""Letters of a reason in a table."""
SCENES = "scenes"
COLUMNS = (
    Column("day", "Day", "date"),
    Column("scene", "Scene", "link"),
    Column("state", "Outcome", "state", choices=True),
    Column("flagged", "Flagged", "number", unit="%", digits=3),
    Column("objects", "Objects", "number"),
    Column("masked", "Masked", "number", unit="%", digits=3),
    Column("drift", "Drift", "number", unit="% of limit", digits=3),
    Column("why", "Why", "text"),
)


@dataclass(frozen=True)
class Year:
    """A page of charts."""

    year: str
    scenes: int
    address: str


@dataclass(frozen=True)
class SitePage:
    """What the page of a site is made of."""

    frame: Frame
    site: SiteRows

    @property
    def folder(self) -> str:
        """Where its pages lie."""
        return f"sites/{self.site.slug}"

    @cached_property
    def standing(self) -> SiteStanding:
        """How the site stands."""
        return standing_of(self.site, self.frame.site_config(self.site.name))

    def planned(self) -> Iterator[PlannedFile]:
        """Plan the rows beside the page, the years, and the page."""
        rows, whole = self.site.scenes, self._in_files
        for number in range(whole // BLOCK):
            part = rows[number * BLOCK : (number + 1) * BLOCK]
            yield self._rows_file(number, part)
        years = self.years
        for year in years:
            yield self._year_file(year)
        newest = self._shown_scene
        results = None if newest is None else Results.of(newest)
        stamp = _stamp(self._map)
        inputs = (
            self.site.digest,
            self._config_inputs,
            [self.frame.rows.answers.get(event.name, ()) for event in self.site.events],
            stamp,
            None if newest is None or results is None else (newest.digest, results.names),
        )
        yield self.frame.planned(
            f"{self.folder}/index.html", inputs, lambda: self.made(results, years)
        )

    @property
    def years(self) -> list[Year]:
        """The years of its scenes, the newest first; none where the page has all scenes."""
        if len(self.site.scenes) <= LATEST:
            return []
        counts = [(year, len(list(rows))) for year, rows in groupby(self.site.scenes, _year_of)]
        return [Year(year, count, f"year-{year}.html") for year, count in reversed(counts)]

    def made(self, results: Results | None, years: Sequence[Year]) -> Page:
        """Make the page."""
        site, standing = self.site, self.standing
        view = self._view(results)
        newest = site.newest
        charts = charts_of(site, self._config, site.scenes[-LATEST:])
        table = self._table()
        open_events = by_matter(site.open_events)
        closed = [event for event in reversed(site.events) if not event.open]
        values = {
            "crumbs": (Crumb("All sites", "../../index.html"),),
            "site": site,
            "standing": standing,
            "newest": newest,
            "newest_address": None if newest is None else address_in_site(newest),
            "reasons": () if newest is None else texts_of(newest.reasons),
            "notices": site.notices,
            "failures": [(row, address_in_site(row)) for row in reversed(site.failures[-20:])],
            "failed": len(site.failures),
            "open": len(open_events),
            "closed": len(closed),
            "charts": tuple(charts),
            "years": years,
            "latest": LATEST,
            "viewed": view is not None,
            "scored": len(site.scored),
        }
        widgets: dict[str, Widget] = {**charts, SCENES: table}
        if open_events:
            widgets["open"] = open_table(open_events)
        if closed:
            widgets["closed"] = closed_table(closed)
        if view is not None:
            widgets["map"] = view
        return page(site.name, "site.html", values, widgets)

    @property
    def _in_files(self) -> int:
        """How many rows are in files beside the page: whole blocks, which no new scene changes."""
        return max(0, len(self.site.scenes) - BLOCK // 5) // BLOCK * BLOCK

    @property
    def _config(self) -> SiteConfig | None:
        return self.frame.site_config(self.site.name)

    @property
    def _config_inputs(self) -> object:
        config = self._config
        return None if config is None else (config.drift, config.max_masked, str(self._map))

    @property
    def _limits(self) -> DriftConfig:
        return DriftConfig() if self._config is None else self._config.drift

    @property
    def _map(self) -> Path | None:
        return None if self._config is None else map_path(self._config)

    @property
    def _shown_scene(self) -> SceneRow | None:
        """The newest comparable scene whose results are there."""
        for row in reversed(self.site.scenes[-LATEST:]):
            if comparable(row):
                results = Results.of(row)
                if results is not None and results.has(results.files.quicklook):
                    return row
        return None

    def _view(self, results: Results | None) -> Viewer | None:
        from .views import read_site_map, site_view

        site_map = None if self._map is None else read_site_map(self._map)
        if site_map is None:
            return None
        return site_view(site_map, tuple(by_matter(self.site.open_events)[:MOST_EVENTS]), results)

    def _rows_file(self, number: int, rows: Sequence[SceneRow]) -> PlannedFile:
        digest = digest_of([self.frame.edition, [row.digest for row in rows], self._limits])
        return PlannedFile(
            f"{self.folder}/rows-{number}.js",
            digest,
            lambda: rows_script(SCENES, [self._cells(row) for row in reversed(rows)]),
        )

    def _year_file(self, year: Year) -> PlannedFile:
        rows = [row for row in self.site.scenes if _year_of(row) == year.year]
        inputs = (
            digest_of(row.digest for row in rows),
            self._config_inputs,
            [
                (event.number, event.status, event.cluster.first, event.cluster.last, event.answer)
                for event in self.site.events
                if str(event.cluster.first.year) <= year.year <= str(event.cluster.last.year)
            ],
        )
        return self.frame.planned(
            f"{self.folder}/{year.address}", inputs, lambda: self._year_page(year, rows)
        )

    def _year_page(self, year: Year, rows: Sequence[SceneRow]) -> Page:
        charts = charts_of(self.site, self._config, rows[-MOST_OF_A_YEAR:])
        values = {
            "crumbs": (
                Crumb("All sites", "../../index.html"),
                Crumb(self.site.name, "index.html"),
            ),
            "charts": tuple(charts),
            "scenes": len(rows),
            "most": MOST_OF_A_YEAR,
        }
        return page(f"{self.site.name} in {year.year}", "year.html", values, charts)

    def _table(self) -> Table:
        rows, files = self.site.scenes[self._in_files :], self._in_files // BLOCK
        return Table(
            "Scenes",
            COLUMNS,
            [self._cells(row) for row in reversed(rows)],
            page=25,
            more=tuple(f"rows-{number}.js" for number in reversed(range(files))),
        )

    def _cells(self, row: SceneRow) -> list[object]:
        level = level_of(row, self._limits)
        return [
            row.day,
            [row.source, address_in_site(row)],
            row.state,
            percent(row.flagged_share),
            row.objects,
            percent(row.masked_share),
            percent(level),
            shortened(row.error or "; ".join(texts_of(row.reasons))),
        ]


def shortened(text: str) -> str:
    """Return the beginning of a text that a cell of a table holds."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"


def _year_of(row: SceneRow) -> str:
    return row.day[:4]


def _stamp(path: Path | None) -> tuple[int, int] | None:
    """Return size and time of a file; None where it is not there."""
    try:
        status = None if path is None else os.stat(path)
    except OSError:
        return None
    return None if status is None else (status.st_size, status.st_mtime_ns)
