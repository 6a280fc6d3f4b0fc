"""Write the pages of a watch: those that changed, the start page last."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ...files import PathText, as_path, writing
from ...pages import Assets, write_assets
from ...parallel import Progress, quiet
from ..config import MonitorConfig
from .event_page import event_pages
from .folder import PlannedFile, opened_folder
from .frame import ASSETS, ROOM, STYLES, Frame
from .index_page import index_page
from .reading import read_watch
from .scene_page import scene_pages
from .site_page import SitePage

DIGESTED = re.compile(r".+-[0-9a-f]{12}\.(css|js)")


@dataclass(frozen=True)
class PagesWritten:
    """What `write_pages` did."""

    index: Path
    """The start page."""
    written: int
    """Files that are new or have changed."""
    kept: int
    """Files that are as they were."""
    removed: int
    """Files about what is gone."""


def write_pages(
    config: MonitorConfig, folder: PathText, *, progress: Progress = quiet
) -> PagesWritten:
    """Write the site of a watch into a folder, or bring it up to date.

    Parameters
    ----------
    config : MonitorConfig
        The watch.
    folder : path
        A new or empty folder, or one of earlier pages of this watch.
    progress : callable, optional
        Called before each page that is written.

    Returns
    -------
    PagesWritten
        Numbers of files; a page whose content would be the same is not touched.

    Raises
    ------
    FileError
        If there is no state that can be read.
    OutputExists
        If the folder holds other files, or the pages of another watch.
    NotWritten
        If the folder cannot be written.
    LockHeld
        If another run writes it.
    """
    path = Path(as_path(folder)).absolute()
    rows = read_watch(config)
    with opened_folder(path, Path(config.state).absolute()) as site:
        with writing(path):
            assets = write_assets(path / ASSETS, ROOM, STYLES)
        done = site.publish(planned_pages(Frame(config, rows, path, assets)), progress)
        _remove_old(path / ASSETS, assets)
    return PagesWritten(path / "index.html", len(done.written), done.kept, len(done.removed))


def planned_pages(frame: Frame) -> list[PlannedFile]:
    """Return all pages of a watch; those that others lead to come first."""
    plan: list[PlannedFile] = []
    standings = []
    for site in frame.rows.sites:
        plan += scene_pages(frame, site)
        plan += event_pages(frame, site)
        its_page = SitePage(frame, site)
        plan += its_page.planned()
        standings.append(its_page.standing)
    return [*plan, index_page(frame, standings)]


def _remove_old(folder: Path, assets: Assets) -> None:
    """Remove style and scripts that no page links to any more."""
    kept = set(assets.names.values())
    with writing(folder):
        for path in folder.iterdir():
            if DIGESTED.fullmatch(path.name) and path.name not in kept:
                path.unlink()
