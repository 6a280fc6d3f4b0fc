"""Scenes from a STAC API or a static catalogue, by the extra ``stac``.

An API filters items by collection, box and time.  Every item, of an API or a static catalogue, is
checked against all filters here.  Items are read one by one: one that is no valid item is a scene
with a fault, and stops no other (`items` reads them).
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..addresses import displayed, existing_path
from ..documents import DocumentError, checked
from ..errors import AnomvaeError, FileError, hint
from ..names import one_line
from .items import CatalogueItem, Entry, faulty, item_of
from .notices import Report, SourceNotice, counted
from .source_tables import StacConfig
from .sources import FoundScene, Listing

if TYPE_CHECKING:
    from .stac_io import BoundedIO

LACKING = ("item lacks an asset and is dropped", "items lack an asset and are dropped")


def catalogued(config: StacConfig, now: datetime) -> Listing:
    """List the scenes of a catalogue, oldest first.

    Raises `FileError` if nothing of the catalogue can be read, or the extra is missing.
    """
    try:
        from .stac_io import BoundedIO
    except ImportError as error:
        raise FileError(
            f"{config.url} is a STAC catalogue; it is read by pystac-client, which is missing. "
            f'Run: pip install "anomvae[stac]".'
        ) from error
    config = replace(config, url=existing_path(config.url))
    io = BoundedIO(config)
    found = _Found(config, None if config.days is None else now - timedelta(days=config.days))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a static catalogue conforms to no API
            found.add_all(_entries(io, config, found.since))
    except Exception as error:  # pystac raises anything on a document that is no STAC
        found.errors.append(_unread(config.url, error))
    found.errors += io.faults.values()
    return found.listing()


@dataclass
class _Found:
    """The items that are wanted, and what is wrong with others."""

    config: StacConfig
    since: datetime | None
    """Only items since then."""
    items: list[CatalogueItem] = field(default_factory=list)
    faults: list[FoundScene] = field(default_factory=list)
    errors: list[AnomvaeError] = field(default_factory=list)
    entries: int = 0
    """Items and errors so far."""
    unwanted: Counter[str] = field(default_factory=Counter)
    """Items by the key of the filter that they do not pass."""

    def add_all(self, entries: Iterable[Entry | AnomvaeError]) -> None:
        """Add entries of a catalogue until their number is reached."""
        for entry in islice(entries, self.config.limit):
            self.entries += 1
            if isinstance(entry, AnomvaeError):
                self.errors.append(entry)
            else:
                self._add(entry)

    def _add(self, entry: Entry) -> None:
        wanted, collection = self.config.collection, entry.collection
        if wanted is not None and collection is not None and collection != wanted:
            self.unwanted["collection"] += 1  # whatever is wrong with it
            return
        try:
            item = item_of(entry, self.config)
            filtered = _filtered(item, self.config, self.since)
            if filtered is None:
                self.items.append(item)
            else:
                self.unwanted[filtered] += 1
        except Exception as error:
            self.faults.append(faulty(entry, error))

    def listing(self) -> Listing:
        """Return the scenes; raise the error of a catalogue that has none."""
        self.items.sort(key=lambda item: (str(item.time), item.name))
        complete = [item for item in self.items if item.lacks is None]
        if self.items and not complete:
            self.errors.append(_lacking(self.config.url, self.items))
        scenes = [item.scene for item in complete] + self.faults
        if self.errors and not scenes:
            raise self.errors[0]
        return Listing(scenes, self.errors, list(self._notices(scenes)))

    def _notices(self, scenes: list[FoundScene]) -> Iterator[SourceNotice]:
        if lacking := [f"{item.name} ({item.lacks})" for item in self.items if item.lacks]:
            yield SourceNotice(counted(lacking, *LACKING), Report.IF_NEW)
        if self.entries == self.config.limit:
            yield SourceNotice(
                f"limit = {self.config.limit} items is reached, others may be left out",
                Report.IF_NEW,
            )
        if self.unwanted or not scenes:
            total = self.entries - len(self.errors)
            by_key = ", ".join(f"{count} by {key}" for key, count in self.unwanted.items())
            dropped = f", filters drop {self.unwanted.total()} ({by_key})" if by_key else ""
            report = Report.NEVER if scenes else Report.AT_FIRST
            yield SourceNotice(f"{total} items are listed{dropped}", report)


def _unread(url: str, error: Exception) -> FileError:
    reason = one_line(str(error))[:300]
    return FileError(
        f"{displayed(url)} cannot be read as a STAC catalogue: {reason}. Check the address."
    )


def _lacking(url: str, items: list[CatalogueItem]) -> FileError:
    """Return the error of a catalogue in which no item has all assets: then a name is wrong."""
    missing, first = str(items[0].lacks), items[0]
    return FileError(
        f"{displayed(url)} has {len(items)} items, and none has all of the configured assets. "
        f"{first.name} has no {missing!r}. {hint(missing, first.assets)}"
    )


def _entries(
    io: BoundedIO, config: StacConfig, since: datetime | None
) -> Iterator[Entry | AnomvaeError]:
    import pystac_client

    client = pystac_client.Client.open(config.url, stac_io=io, timeout=config.timeout)
    if not client.conforms_to("ITEM_SEARCH"):
        yield from _walk(io, client.get_self_href() or config.url)
        return
    search = client.search(
        collections=None if config.collection is None else [config.collection],
        bbox=config.bbox,
        datetime=None if since is None else f"{since.strftime('%Y-%m-%dT%H:%M:%SZ')}/..",
        max_items=config.limit,
    )
    for document in search.items_as_dicts():
        io.require_time()
        yield _entry(document)


def _entry(document: Any) -> Entry:  # noqa: ANN401 - JSON
    """Return an item of a page; of one that is beyond the limits no more than its name."""
    try:
        return Entry(checked(document))
    except DocumentError as error:
        members = document if isinstance(document, dict) else {}
        names = {key: members.get(key) for key in ("collection", "id")}
        texts = {key: name for key, name in names.items() if isinstance(name, str)}
        return Entry(texts, error=error)


def _walk(io: BoundedIO, root: str) -> Iterator[Entry | AnomvaeError]:
    """Yield the items of a static catalogue and of those below it; each document is read once."""
    seen, catalogues = {root}, [root]
    while catalogues:
        io.require_time()
        href = catalogues.pop()
        try:
            links = _links(io.read_json(href), href)
        except Exception as error:
            if href == root:
                raise
            yield _unread(href, error)
            continue
        new = [(rel, target) for rel, target in links if target not in seen]
        seen.update(target for _, target in new)
        catalogues += [target for rel, target in new if rel == "child"][::-1]
        for target in dict.fromkeys(target for rel, target in new if rel == "item"):
            io.require_time()
            try:
                yield Entry(checked(io.read_json(target)), target)
            except Exception as error:
                yield Entry(None, target, error)


def _links(document: dict[str, Any], href: str) -> list[tuple[str, str]]:
    """Return the relations and absolute addresses of the children and items of a catalogue."""
    from pystac.utils import make_absolute_href

    links = [link for link in document.get("links", []) if link.get("rel") in {"child", "item"}]
    return [(link["rel"], existing_path(make_absolute_href(link["href"], href))) for link in links]


def _filtered(item: CatalogueItem, config: StacConfig, since: datetime | None) -> str | None:
    """Return the key of the filter that an item does not pass; None: it is wanted."""
    if config.collection is not None and item.collection != config.collection:
        return "collection"
    if config.bbox is not None and not _overlap(config.bbox, item.box):
        return "bbox"
    if since is not None and (item.time is None or item.time < since):
        return "days"
    if config.max_cloud is not None and (item.cloud is None or item.cloud > config.max_cloud):
        return "max_cloud"
    return None


def _overlap(one: Iterable[float], other: tuple[float, ...] | None) -> bool:
    """Return whether two boxes have a point in common; ``other`` may have heights."""
    if other is None:
        return False
    left, bottom = other[:2]
    right, top = other[len(other) // 2 :][:2]
    west, south, east, north = one
    return left <= east and right >= west and bottom <= north and top >= south
