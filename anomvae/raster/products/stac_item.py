"""A STAC item as it is written: its id, date and assets, and how their bands are described.

Sources: STAC 1.0 and 1.1 item specification; extensions eo 1.1 and 2.0 (wavelengths in um), raster
1.1 and 2.0 (scale, offset), 2021 to 2024.  Anyone may have written it, so that types are checked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

from ...documents import DocumentError
from ...names import printable

MOST_CHARACTERS = 10_000
"""Length of the longest id or address; a signature has 2,000."""
MICROMETRES = 1000.0  # nm
OWN = "anomvae:detector"
"""Property of the items that anomvae writes: such an item is no scene."""


@dataclass(frozen=True)
class AssetBand:
    """What an item states about a band of an asset; None: nothing."""

    name: str = ""
    common_name: str = ""
    """Such as ``red``."""
    wavelength: float | None = None
    """Centre, nm."""
    fwhm: float | None = None
    """Full width at half maximum, nm."""
    scale: float | None = None
    offset: float | None = None
    nodata: float | None = None
    unit: str = ""

    @property
    def spectral(self) -> bool:
        """Whether it is described as a part of the spectrum."""
        return self.wavelength is not None or bool(self.common_name)


@dataclass(frozen=True)
class Asset:
    """A file of an item."""

    key: str
    """Its name in the item."""
    href: str
    """Where it is, as the item writes it."""
    roles: frozenset[str]
    media: str
    """Media type, in lower case; empty: unknown."""
    bands: tuple[AssetBand, ...] = ()
    """Its bands, empty where nothing is stated about them."""
    fault: str = ""
    """Why it cannot be used; empty: nothing is known against it."""


@dataclass(frozen=True)
class Item:
    """An item, checked."""

    id: str
    date: date | None
    """Day on which the acquisition was, or began, UTC."""
    collection: str
    properties: Mapping[str, Any] = field(hash=False)
    assets: tuple[Asset, ...]


def is_item(document: object) -> bool:
    """Return whether a document is a STAC item."""
    return (
        isinstance(document, dict)
        and document.get("type") == "Feature"
        and isinstance(document.get("stac_version"), str)
    )


def is_result(document: object) -> bool:
    """Return whether a document is an item that anomvae wrote, of results or of a model."""
    properties = document.get("properties") if isinstance(document, dict) else None
    return isinstance(properties, dict) and OWN in properties


def read_item(document: object) -> Item:
    """Read a document of JSON as an item; what is wrong with one of its assets is kept in that.

    Raises
    ------
    TypeError, ValueError
        When it is none, or a part of it is not what the specification demands.
    """
    if not is_item(document):
        raise DocumentError("it is no STAC item: it lacks type = Feature and a stac_version")
    whole = table_of(document, "it")
    properties = table_of(whole.get("properties"), "its properties")
    assets = table_of(whole.get("assets"), "its assets")
    collection = whole.get("collection")
    return Item(
        id=text_of(whole.get("id"), "its id"),
        date=_date(properties),
        collection=collection if isinstance(collection, str) else "",
        properties=dict(properties),
        assets=tuple(_asset(key, asset) for key, asset in assets.items()),
    )


def table_of(value: Any, what: str) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return an object of JSON; ``what`` names it in the TypeError of anything else."""
    if not isinstance(value, dict):
        raise TypeError(f"{what} is {short(value)}, expected an object")
    return value


def text_of(value: Any, what: str) -> str:  # noqa: ANN401 - JSON
    """Return a text of JSON that is no empty, long or unprintable one."""
    if not isinstance(value, str) or not 0 < len(value) <= MOST_CHARACTERS:
        raise TypeError(f"{what} is {short(value)}, expected a text, not too long")
    if printable(value) != value:
        raise ValueError(f"{what} holds characters that are no text")
    return value


def number_of(value: Any, what: str) -> float:  # noqa: ANN401 - JSON
    """Return a finite number of JSON."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value):
        raise TypeError(f"{what} is {short(value)}, expected a number")
    return float(value)


def short(value: Any) -> str:  # noqa: ANN401 - JSON
    """Return the start of a value, for messages."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _date(properties: Mapping[str, Any]) -> date | None:
    text = properties.get("datetime") or properties.get("start_datetime")
    if text is None:
        return None
    # A fraction may have more digits than Python reads.
    time = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text_of(text, "its datetime")))
    return (time.astimezone(UTC) if time.tzinfo else time).date()


def _asset(key: str, value: object) -> Asset:
    what = f"its asset {short(key)}"
    table = value if isinstance(value, dict) else {}
    roles, media = table.get("roles"), table.get("type")
    asset = Asset(
        key=text_of(key, "the name of an asset"),
        href="",
        roles=frozenset(filter(_is_text, roles if isinstance(roles, list) else ())),
        media=media.lower() if isinstance(media, str) else "",
    )
    try:
        href = text_of(table_of(value, what).get("href"), f"the href of {what}")
        bands = tuple(_band(each, what) for each in _band_tables(table))
    except (TypeError, ValueError) as error:
        return replace(asset, fault=str(error))
    return replace(asset, href=href, bands=bands)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _band_tables(asset: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is stated about each band, the asset's own fields included."""
    lists = [asset[key] for key in ("bands", "eo:bands", "raster:bands") if _is_tables(asset, key)]
    count = max(map(len, lists), default=0)
    own = {key: asset[key] for key in FIELDS if key in asset}
    if not count and own:
        count = 1
    tables = []
    for number in range(count):
        table = dict(own)
        for each in lists:
            table |= each[number] if number < len(each) else {}
        tables.append(table)
    return tables


def _is_tables(asset: dict[str, Any], key: str) -> bool:
    value = asset.get(key)
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


FIELDS = (
    *("eo:common_name", "eo:center_wavelength", "eo:full_width_half_max"),
    *("raster:scale", "raster:offset", "nodata", "unit"),
)
"""What STAC 1.1 states of all bands of an asset at once."""


def _band(table: dict[str, Any], what: str) -> AssetBand:
    def number(key: str, factor: float = 1.0) -> float | None:
        value = table.get(key, table.get(key.partition(":")[2]))
        return None if value is None else number_of(value, f"{key} of {what}") * factor

    def text(key: str) -> str:
        value = table.get(key, table.get(key.partition(":")[2]))
        return value if isinstance(value, str) and printable(value) == value else ""

    nodata = table.get("nodata")
    return AssetBand(
        name=text("name")[:100],
        common_name=text("eo:common_name")[:100],
        wavelength=number("eo:center_wavelength", MICROMETRES),
        fwhm=number("eo:full_width_half_max", MICROMETRES),
        scale=number("raster:scale"),
        offset=number("raster:offset"),
        # NaN and infinity are texts in JSON, and no data in any case.
        nodata=None if isinstance(nodata, str) else number("nodata"),
        unit=text("unit")[:40],
    )
