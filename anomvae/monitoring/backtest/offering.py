"""What the source of a site offers, listed once, and scored where there are no results."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from sqlite3 import Connection
from typing import TYPE_CHECKING

from ...errors import AnomvaeError
from ..config import SiteConfig
from ..date_history import DateHistory
from ..listing import listed_source
from ..scoring import Scoring, access_of, scoring_of
from ..sources import FoundScene
from ..state import read_file_records
from .archive import ArchivedScene

if TYPE_CHECKING:
    from ...mapping import MapResult


@dataclass
class Offering:
    """The scenes that the source of a site offers."""

    site: SiteConfig
    scenes: list[FoundScene]
    """Those that can be scored."""
    errors: list[AnomvaeError]
    """Why the source, or parts of it, could not be listed."""
    history: DateHistory | None
    """Scenes in the order of their dates, for a detector that compares dates."""

    def score(self, scene: ArchivedScene, folder: Path) -> MapResult:
        """Score a scene into a folder; raises what `scoring_of` and scoring do."""
        return self._scoring(scene, folder)

    @cached_property
    def _scoring(self) -> Scoring:
        return scoring_of(self.site)


def offering_of(
    site: SiteConfig, aside: tuple[Path, ...], now: datetime, database: Connection | None
) -> Offering:
    """List the source of a site; one that cannot be listed offers nothing.

    Parameters
    ----------
    site : SiteConfig
        The site.
    aside : tuple of Path
        Folders of results, which hold no scenes.
    now : datetime
        The time.
    database : Connection, optional
        The state of the watch, whose digests of files are used.
    """
    known = {} if database is None else read_file_records(database, site.name)
    try:
        listing = listed_source(site, lambda: known, now, aside)
    except AnomvaeError as error:
        return Offering(site, [], [error], None)
    scenes = [scene for scene in listing.scenes if scene.fault is None]
    if site.dates == 1:
        return Offering(site, scenes, listing.errors, None)
    history = DateHistory(site.dates, scenes, set(), access_of(site), site.grid == "warp")
    return Offering(site, history.followers, listing.errors, history)
