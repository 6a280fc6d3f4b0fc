"""Scenes that sources offer, and those of lists of addresses.

A local scene is identified by its path and content (`folder`), an address by itself, without its
signature, an item of a catalogue by its id and processing baseline (`items`).
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ..addresses import displayed, local_path, normalised, unsigned
from ..documents import DocumentError, content_of, text_of
from ..errors import AnomvaeError, FileError
from ..identity import FileIdentity, identify
from ..names import printable
from ..pixels.dates import date_of
from .local import LocalScene
from .notices import Report, SourceNotice, counted
from .source_tables import UrlsConfig

if TYPE_CHECKING:
    from ..raster import Product


TWICE = ("scene is listed twice", "scenes are listed twice")


@dataclass(frozen=True)
class FoundScene:
    """A scene that a source offers."""

    identity: str
    """Identifies the scene in its present state."""
    source: str
    """Name of the scene in any state; without a signature."""
    read: tuple[str, ...]
    """The raster or product to open, or the rasters of its bands."""
    product: Product | None = None
    """What was recognised; None: it is recognised when it is scored."""
    state: FileIdentity | None = None
    """State of a local scene at the scan."""
    before: tuple[FoundScene, ...] = ()
    """Scenes of earlier dates that its score is conditioned on, oldest first."""
    flags: str | None = None
    """Map of its candidates, which are hidden where a newer date is compared with it; None: it has
    none."""
    fault: str | None = None
    """Why it cannot be scored; None where nothing is known against it."""

    @property
    def remote(self) -> bool:
        """Whether it lies on a server."""
        from ..raster.gdal import is_remote

        return any(map(is_remote, self.read))

    @property
    def vanished(self) -> bool:
        """Whether it was a local scene that no longer exists."""
        return self.state is not None and not Path(self.read[0]).exists()

    @property
    def changed(self) -> bool:
        """Whether it, or a scene before it, is a local one that has changed since the scan."""
        changed = self.state is not None and _state_now(self.read[0], self.product) != self.state
        return changed or any(earlier.changed for earlier in self.before)

    @property
    def date(self) -> date | None:
        """Day of the acquisition, as its product or its name states; None: unknown."""
        known = None if self.product is None else self.product.date
        return known or date_of(self.source)


@dataclass(frozen=True)
class Listing:
    """The scenes that a source offers."""

    scenes: list[FoundScene]
    """Oldest first, then those with a fault."""
    errors: list[AnomvaeError]
    """Why parts of the source could not be listed."""
    notices: list[SourceNotice]
    """What of the source is no scene, or none yet."""

    @property
    def each_once(self) -> Self:
        """The scenes of which none has the identity of one before."""
        first: dict[str, FoundScene] = {}
        for scene in self.scenes:
            first.setdefault(scene.identity, scene)
        kept = {id(scene) for scene in first.values()}
        twice = [scene.identity for scene in self.scenes if id(scene) not in kept]
        notices = [*self.notices, SourceNotice(counted(twice, *TWICE))] if twice else self.notices
        return replace(self, scenes=list(first.values()), notices=notices)


def listed_urls(config: UrlsConfig) -> Listing:
    """List the scenes at configured addresses, in their order.

    Raises `FileError` if the file that lists them cannot be read.
    """
    urls = [*config.urls, *([] if config.file is None else _addresses(config.file))]
    empty = [] if urls else [SourceNotice(f"{config.file} lists no address", Report.AT_FIRST)]
    return Listing([_at(url) for url in urls], [], empty)


def _state_now(path: str, product: Product | None) -> FileIdentity | None:
    try:
        return LocalScene(Path(path), product).state()
    except (OSError, ValueError):
        return None


def _identity_of(url: str) -> str:
    """Identify an address without its signature, by a digest where a query is part of it."""
    one = normalised(url)
    whole, shown = unsigned(one), displayed(one)
    if whole == shown:
        return shown
    return f"{shown}?{hashlib.sha256(whole.encode(errors='surrogateescape')).hexdigest()[:16]}"


def _at(url: str) -> FoundScene:
    source = printable(displayed(url))
    if printable(url) != url:
        return FoundScene(
            source, source, (), fault=f"{source} holds characters that no address has. Remove them."
        )
    url = local_path(url)
    try:
        state = identify(url)
    except OSError as error:
        return unreadable(source, error)
    # The name of a local file lacks its folder: files of two folders may have one.
    identity = _identity_of(url) if state.path is None else os.path.normpath(state.path)
    return FoundScene(identity, source, (url,))


def unreadable(name: str, error: OSError | ValueError) -> FoundScene:
    """Return a scene that cannot be read, with its fault."""
    reason = (isinstance(error, OSError) and error.strerror) or str(error)
    fault = f"{name} cannot be read: {reason}. Check the file, its name and its permissions."
    return FoundScene(f"{name}@unreadable", name, (), fault=fault)


def _addresses(file: str) -> list[str]:
    try:
        text = text_of(content_of(file), errors="surrogateescape")
    except OSError as error:
        raise FileError(f"{file} cannot be read: {error.strerror}. Check the path.") from error
    except DocumentError as error:
        raise FileError(f"{file} cannot be read: {error}. Save it as UTF-8.") from error
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]
