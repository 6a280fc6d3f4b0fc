"""Items of a STAC catalogue as scenes; types are checked, since anyone may have written them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ..addresses import concealed, displayed, existing_path, unsigned
from ..hosts import require_allowed
from ..names import one_line, printable
from ..raster.mask_choice import AUTO, BINARY, NamedMask, parse_mask
from ..raster.products import Product
from ..raster.products.masked import Masked
from ..raster.products.stac import StacItem, resolved
from ..raster.products.stac_assets import mask_assets, scheme_of
from ..raster.products.stac_item import Item, number_of, read_item, short, table_of, text_of
from .source_tables import StacConfig
from .sources import FoundScene

BASELINES = ("s2:processing_baseline", "processing:version", "version")
"""Properties that name the processing of an item, the first that is present."""


@dataclass(frozen=True)
class Entry:
    """An item as a catalogue lists it."""

    document: Any
    """What is read; None where that fails."""
    href: str | None = None
    """Where it is read; None in a page of an API."""
    error: Exception | None = None
    """Why it cannot be read."""

    @property
    def collection(self) -> str | None:
        """Its collection, None if there is none."""
        found = self.document.get("collection") if isinstance(self.document, dict) else None
        return found if isinstance(found, str) else None


@dataclass(frozen=True)
class CatalogueItem:
    """An item, checked."""

    name: str
    """Its id."""
    collection: str | None
    time: datetime | None
    """When the acquisition was, or began."""
    bbox: Any
    """Its box as the catalogue gives it."""
    cloud_cover: Any
    """Its clouds as the catalogue gives them."""
    assets: tuple[str, ...]
    """Names of all assets."""
    lacks: str | None
    """A configured asset that it does not have."""
    scene: FoundScene
    """To be scored, unless it ``lacks`` an asset."""

    @property
    def box(self) -> tuple[float, ...] | None:
        """West, south, east, north in degrees, perhaps with heights; None: unknown."""
        if self.bbox is None:
            return None
        if not isinstance(self.bbox, list) or len(self.bbox) not in {4, 6}:
            raise TypeError(f"its bbox is {short(self.bbox)}, expected four or six numbers")
        return tuple(number_of(number, "a number of its bbox") for number in self.bbox)

    @property
    def cloud(self) -> float | None:
        """Clouds, percent; None: unknown."""
        cover = self.cloud_cover
        return None if cover is None else number_of(cover, "its eo:cloud_cover")


def item_of(entry: Entry, config: StacConfig) -> CatalogueItem:
    """Read an item; raises anything if it is none."""
    import pystac

    if entry.error is not None:
        raise entry.error
    document, named = table_of(entry.document, "it"), _masks(config)
    assets = (*config.assets, *(one.path for one in named if one.path))
    name = text_of(document.get("id"), "its id")
    table_of(document.get("properties"), "its properties")
    given = table_of(document.get("assets"), "its assets")
    lacks = next((asset for asset in assets if asset not in given), None)
    for asset in assets if lacks is None else ():
        text_of(table_of(given[asset], f"asset {asset!r}").get("href"), f"the href of {asset!r}")
    read = read_item(document)  # before pystac changes it
    item = pystac.Item.from_dict(document, href=entry.href, preserve_dict=False)
    if entry.href is not None:
        item.set_self_href(entry.href)
    collection = (
        None if item.collection_id is None else text_of(item.collection_id, "its collection")
    )
    return CatalogueItem(
        name=_shown(name),
        collection=collection,
        time=_time(item),
        bbox=item.bbox,
        cloud_cover=item.properties.get("eo:cloud_cover"),
        assets=tuple(item.assets),
        lacks=lacks,
        scene=_scene(read, item, () if lacks else config.assets, named, config.url),
    )


def faulty(entry: Entry, error: Exception) -> FoundScene:
    """Return an item that cannot be read as a scene with a fault.

    Its identity changes with its content: it is a new scene once it is corrected.
    """
    document = entry.document if isinstance(entry.document, dict) else {}
    parts = [document[key] for key in ("collection", "id") if document.get(key) is not None]
    texts = [part if isinstance(part, str) else json.dumps(part) for part in parts]
    href = None if entry.href is None else unsigned(entry.href)
    digest = _digest(json.dumps([entry.document, href], sort_keys=True))
    named = "/".join(_shown(text)[:100] for text in texts) if "id" in document else ""
    address = f"an item without an id ({digest})" if entry.href is None else displayed(entry.href)
    name = named or printable(address)
    reason = one_line(concealed(str(error)))[:300] or type(error).__name__
    fault = f"{name} cannot be read as a STAC item: {reason}. Correct it in the catalogue."
    return FoundScene(f"{name}@faulty-{digest}", name, (), fault=fault)


def _scene(
    read: Item,
    item: Any,  # noqa: ANN401 - pystac's
    names: tuple[str, ...],
    named: tuple[NamedMask, ...],
    catalogue: str,
) -> FoundScene:
    whole = "/".join(filter(None, [read.collection, read.id]))
    versions = (read.properties.get(name) for name in BASELINES)
    baseline = next((version for version in versions if version is not None), "")
    if not isinstance(baseline, str | int | float):
        raise ValueError("its processing version is neither text nor a number")
    identity = f"{whole}@{printable(str(baseline))}" if baseline != "" else whole
    own = any(one.kind == AUTO for one in named)
    masks = [asset.key for asset, _ in mask_assets(read)] if own else []
    hrefs = {key: _absolute(item.assets[key], catalogue) for key in (*names, *masks)}
    placed = (replace(asset, href=hrefs[asset.key]) for asset in read.assets if asset.key in hrefs)
    source = _distinct(whole)
    product: Product = StacItem(source, "", replace(read, assets=tuple(placed)), assets=names)
    if names and any(one.path for one in named):
        product = Masked(source, product, tuple(_in_asset(one, item, catalogue) for one in named))
    return FoundScene(
        _distinct(identity), source, tuple(hrefs[key] for key in names), product=product
    )


def _masks(config: StacConfig) -> tuple[NamedMask, ...]:
    """Return the masks of every item, whose paths are the keys of assets.

    An asset with the name of a scheme holds its classes or bits, where nothing else is chosen.
    """
    return tuple(
        replace(one, kind=scheme_of(one.path) or BINARY) if one.kind == BINARY else one
        for one in parse_mask(config.mask_asset)
    )


def _in_asset(
    mask: NamedMask,
    item: Any,  # noqa: ANN401 - pystac's
    catalogue: str,
) -> NamedMask:
    """Return a mask with the address of its asset."""
    if not mask.path:
        return mask
    return replace(mask, path=resolved(_absolute(item.assets[mask.path], catalogue), ""))


def _absolute(asset: Any, catalogue: str) -> str:  # noqa: ANN401 - pystac's
    """Return the address of an asset; raise `FileError` if the catalogue may not name it."""
    href = existing_path(asset.get_absolute_href() or asset.href)
    require_allowed(href, catalogue)
    return href


def _shown(text: str) -> str:
    """Return a text that others chose, without secrets of addresses in it, in one line."""
    return printable(concealed(text))


def _distinct(text: str) -> str:
    """Return a text without secrets; a digest keeps it apart from others where it had any."""
    shown = _shown(text)
    return text if shown == text else f"{shown} ({_digest(text)})"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _time(item: Any) -> datetime | None:  # noqa: ANN401 - pystac's
    """Return when the acquisition of an item was, or began."""
    time: datetime | None = item.datetime or item.common_metadata.start_datetime
    if time is None:
        return None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
