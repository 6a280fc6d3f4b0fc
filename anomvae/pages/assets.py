"""Style and scripts of pages: written into a page, or once beside the pages of a site."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from ..files import write_atomically

KIT = "anomvae.pages"
STYLE = "style.css"
SCRIPTS = {
    "viewer": ("core.js", "layers.js", "controls.js", "drawing.js", "gestures.js", "viewer.js"),
    "histogram": ("core.js", "axes.js", "histogram.js"),
    "lines": ("core.js", "axes.js", "lines.js"),
    "spectra": ("core.js", "axes.js", "lines.js"),
    "timeline": ("core.js", "axes.js", "timeline.js"),
    "table": ("core.js", "tables.js"),
}
"""What each kind of widget needs, in the order in which it runs."""
ORDER = tuple(dict.fromkeys(name for names in SCRIPTS.values() for name in names))
START = "start.js"
"""The last of the kit's scripts: it starts the widgets."""


@dataclass(frozen=True)
class Assets:
    """Where the pages of a site find style and scripts."""

    names: Mapping[str, str]
    """Name of each asset -> name of its file, which holds a digest of the content."""
    prefix: str = ""
    """Leads from a page to the folder of the files."""

    def at(self, prefix: str) -> Assets:
        """Return the same files as seen from pages elsewhere, such as ``../assets/``."""
        return replace(self, prefix=prefix)

    def address(self, name: str) -> str:
        """Return the address of an asset."""
        return self.prefix + self.names[name]


def write_assets(folder: Path, room: str = KIT, own: Iterable[str] = ()) -> Assets:
    """Write style and scripts beside the pages of a site, and the ``own`` assets of a room.

    A file that is there already is left as it is.  A name holds a digest of the content, so that
    pages which another version wrote keep the files they were made with.
    """
    contents = {name: asset(KIT, name) for name in (STYLE, *ORDER, START)}
    contents |= {name: asset(room, name) for name in own}
    names = {name: _digested(name, text) for name, text in contents.items()}
    for name, text in contents.items():
        path = folder / names[name]
        if not path.is_file():
            write_atomically(path, text.encode())
    return Assets(names)


def _digested(name: str, text: str) -> str:
    stem, _, suffix = name.rpartition(".")
    return f"{stem}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.{suffix}"


@lru_cache
def asset(room: str, name: str) -> str:
    """Return the text of an asset of a room."""
    return (files(room) / "assets" / name).read_text(encoding="utf-8")


def digest(text: str) -> str:
    """Return the source expression by which a content security policy allows a text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
