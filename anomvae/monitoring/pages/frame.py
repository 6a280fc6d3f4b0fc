"""What all pages of a site of pages share: where they lie, and how they are made of a template."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path

from ... import __version__
from ...pages import Assets, Page, render
from ...pages.rendering import Widget
from ..config import MonitorConfig, SiteConfig
from .folder import PlannedFile
from .rows import SiteRows, WatchRows, digest_of

ROOM = "anomvae.monitoring.pages"
STYLES = ("watch.css",)
ASSETS = "assets"
MakePage = Callable[[], Page]


@dataclass(frozen=True)
class Crumb:
    """A step on the way from the start page to a page."""

    text: str
    address: str


@dataclass(frozen=True)
class Frame:
    """A site of pages that is being made."""

    config: MonitorConfig
    rows: WatchRows
    folder: Path
    """Of the pages, absolute."""
    assets: Assets

    @cached_property
    def edition(self) -> str:
        """Identifies the makers of pages: version, templates, style and scripts, and code."""
        texts = [__version__, *map(str, sorted(self.assets.names.items()))]
        for room in (ROOM, f"{ROOM}.templates", "anomvae.pages", "anomvae.pages.templates"):
            texts += _digests(room)
        return digest_of(texts)

    def site_config(self, name: str) -> SiteConfig | None:
        """Return the configuration of a site; None: it has none any more."""
        return next((site for site in self.config.site if site.name == name), None)

    def planned(
        self,
        path: str,
        inputs: object,
        make: MakePage,
    ) -> PlannedFile:
        """Plan a page at a path, which is made again when its inputs or their makers change."""
        depth = path.count("/")
        assets = self.assets.at("../" * depth + f"{ASSETS}/")
        return PlannedFile(
            path, digest_of([self.edition, path, inputs]), lambda: render(make(), assets)
        )


def page(
    title: str,
    template: str,
    values: Mapping[str, object],
    widgets: Mapping[str, Widget] | None = None,
) -> Page:
    """Return a page of one of our templates."""
    return Page(title, ROOM, template, values, widgets or {}, styles=STYLES)


def site_address(site: SiteRows) -> str:
    """Return the address of the page of a site, relative to the start page."""
    return f"sites/{site.slug}/index.html"


def _digests(room: str) -> list[str]:
    """Return digests of the files of a package that make pages."""
    entries = sorted(files(room).iterdir(), key=lambda entry: entry.name)
    kinds = (".py", ".html", ".css", ".js")
    return [
        hashlib.sha256(entry.read_bytes()).hexdigest()
        for entry in entries
        if entry.is_file() and entry.name.endswith(kinds)
    ]
