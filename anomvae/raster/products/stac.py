"""A STAC item: its assets as bands, its SCL, QA or Fmask as masks.

What the item states of scale, offset, nodata and wavelengths holds where the files are silent.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import PurePosixPath
from urllib.parse import urljoin, urlsplit

from ...addresses import concealed, displayed, existing_path, is_local, local_path
from ...documents import DocumentError, content_of, read_json
from ...errors import AnomvaeError, RasterError
from ...hosts import SCHEMES, STORE, require_allowed
from ...names import one_line
from ..access import DEFAULT, Access
from ..dataset import Dataset
from ..gdal import absolute_uri
from ..mask_layers import MaskLayer
from ..product_facts import ProductFacts
from .product import Product, ProductOptions
from .raster import Raster
from .sentinel2_bands import DEFAULT_SIDE
from .stac_assets import baseline_of, data_assets, is_sentinel2, mask_assets
from .stac_bands import AssetFile, bands_of
from .stac_item import Asset, Item, is_item, is_result, read_item
from .stack import open_stack

TIMEOUT = 30.0
"""Seconds until an item is fetched."""
MOST_BYTES = 8_000_000
"""Length of the longest item; those of Sentinel-2 have 30,000."""
NAMES = re.compile(r"\.(geo)?json$", re.IGNORECASE)
"""Names of documents of JSON."""
OF_API = re.compile(r"/collections/[^/]+/items/[^/]+$")
"""Addresses of items of an API (OGC API - Features)."""


@dataclass(frozen=True)
class StacItem(Product):
    """A STAC item, which was read."""

    origin: str
    """Path or address of the item, at which relative ones of its assets start; empty: they have
    none."""
    item: Item | None
    """The item; None where it cannot be read."""
    fault: str = ""
    """Why it cannot be read."""
    assets: tuple[str, ...] = ()
    """Keys of the assets that are the bands; empty: those that are data."""
    resolution: float | None = None
    """Side of a pixel, metres; None: that of the finest asset, of whole items of Sentinel-2 20."""

    def at(self, resolution: float) -> StacItem:
        """Return the item with pixels of a side, metres."""
        return replace(self, resolution=resolution)

    @property
    def stem(self) -> str:
        """The id of the item."""
        return concealed(self.item.id) if self.item else PurePosixPath(_path_in(self.name)).stem

    @property
    def date(self) -> date | None:
        """Day of the acquisition."""
        return self.item.date if self.item else None

    @property
    def paths(self) -> tuple[str, ...]:
        """The item, its bands and its masks."""
        own = (self.origin,) if self.origin else ()
        if self.item is None:
            return own
        try:
            used = [
                *data_assets(self.item, self.assets),
                *(one for one, _ in mask_assets(self.item)),
            ]
            return (*own, *map(self._path, used))
        except AnomvaeError:  # `open` reports it
            return own

    def absolute(self) -> StacItem:
        """Return the product with an absolute path, at which its assets' own start."""
        return replace(self, origin=absolute_uri(self.origin) if self.origin else "")

    @contextmanager
    def open(self, access: Access = DEFAULT) -> Iterator[Dataset]:
        """Open the assets as one raster; the context closes it.

        Raises
        ------
        RasterError
            When the item or an asset cannot be read, or one contradicts the other.
        GridMismatch
            When the assets do not cover the same ground.
        """
        if self.item is None:
            raise RasterError(self.fault)
        with _named(self.name):
            files = [
                AssetFile(asset, self._path(asset)) for asset in data_assets(self.item, self.assets)
            ]
            masks = self._masks(self.item)
        found = bands_of(self.item, files, access)
        side = self.resolution
        if (
            side is None
            and not self.assets
            and is_sentinel2(self.item)
            and DEFAULT_SIDE in found.sides
        ):
            side = DEFAULT_SIDE
        with open_stack(self.name, found.bands, access, resolution=side) as dataset:
            bands = replace(dataset.bands, named=found.named)
            facts = self._facts(self.item, found.notes)
            yield replace(dataset, bands=bands, masks=masks, facts=facts)

    def _path(self, asset: Asset) -> str:
        if asset.fault:
            raise RasterError(f"{asset.fault}. Correct the item.")
        return resolved(asset.href, self.origin)

    def _masks(self, item: Item) -> tuple[MaskLayer, ...]:
        return tuple(scheme.layer(Raster(self._path(asset))) for asset, scheme in mask_assets(item))

    def _facts(self, item: Item, notes: Sequence[str]) -> ProductFacts:
        details = {"collection": item.collection, "platform": item.properties.get("platform")}
        if is_sentinel2(item) and (baseline := baseline_of(item)) is not None:
            details["baseline"] = f"{baseline:05.2f}"
        known = {key: text for key, text in details.items() if isinstance(text, str) and text}
        units = {band.unit for asset in data_assets(item, self.assets) for band in asset.bands}
        unit = units.pop() if len(units) == 1 else ""
        if unit in {"", "1"} and is_sentinel2(item):
            unit = "reflectance"
        return ProductFacts(
            "STAC item",
            item.date,
            unit,
            tuple(known.items()),
            tuple(notes),
        )


def recognise_stac(name: str, options: ProductOptions) -> StacItem | None:
    """Recognise a STAC item in a file, by its content, or at an address, by its name."""
    path = local_path(name)
    if is_local(path):
        return _in_file(path, options) if NAMES.search(path) and os.path.isfile(path) else None
    try:
        address = urlsplit(path)
    except ValueError:  # no address: opening it as a raster names the fault
        return None
    item = NAMES.search(address.path) or OF_API.search(address.path)
    return product_of(path, options) if item and address.scheme in {"http", "https"} else None


def product_of(name: str, options: ProductOptions) -> StacItem:
    """Read the item at a path or address; one that cannot be read is a product with a fault."""
    try:
        document = read_json(_content(name))
    except (OSError, ValueError) as error:
        return StacItem(name, name, None, _fault(name, error))
    return item_product(name, document, options)


def item_product(name: str, document: object, options: ProductOptions) -> StacItem:
    """Return the product of an item that was read at a path or address."""
    try:
        item, fault = read_item(document), ""
    except (TypeError, ValueError) as error:
        item, fault = None, _fault(name, error)
    options.require_no_axis(name, "a STAC item")
    return StacItem(name, name, item, fault, resolution=options.resolution)


def resolved(href: str, origin: str) -> str:
    """Return the path or address of an asset of the item at ``origin``.

    Raises
    ------
    FileError
        When the item may not name it: see `hosts.require_allowed`.
    """
    if is_local(origin):
        path = local_path(href)
        if is_local(path):
            return existing_path(os.path.join(os.path.dirname(origin), path))
    elif is_local(href):
        href = urljoin(origin, href)
    if href.partition(":")[0].lower() not in SCHEMES and not STORE.match(href):
        raise RasterError(
            f"{displayed(href)} is not read: an item names paths, and addresses of "
            f"{', '.join(sorted(SCHEMES))}. Correct the item."
        )
    require_allowed(href, origin)
    return href


def _in_file(path: str, options: ProductOptions) -> StacItem | None:
    try:
        document = read_json(_content(path))
    except (OSError, ValueError):
        return None  # a raster or not, it is no item
    if not is_item(document) or is_result(document):
        return None
    return item_product(path, document, options)


def _content(name: str) -> bytes:
    if not is_local(name):
        from ...fetching import fetched_document  # with all of HTTP

        return fetched_document(name, timeout=TIMEOUT, most=MOST_BYTES)
    content = content_of(name, MOST_BYTES)
    if len(content) > MOST_BYTES:
        raise DocumentError(f"it has more than {MOST_BYTES} bytes")
    return content


def _path_in(name: str) -> str:
    return name if is_local(name) else urlsplit(name).path


def _fault(name: str, error: Exception) -> str:
    reason = one_line(concealed(str(error)))[:300] or type(error).__name__
    return f"{displayed(name)} cannot be read as a STAC item: {reason}. Check it, and its address."


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Add the name of the item to messages about it."""
    try:
        yield
    except RasterError as error:
        raise RasterError(f"{displayed(name)}: {error}") from error
