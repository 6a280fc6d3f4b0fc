"""Scenes from a STAC API or a static catalogue, by the extra ``stac``.

An API filters items by collection, box and time.  Every item, of an API or a static catalogue, is
checked against all filters here.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from ..addresses import displayed
from ..errors import FileError, hint
from .config import StacConfig
from .sources import FoundScene

log = logging.getLogger(__name__)

BASELINES = ("s2:processing_baseline", "processing:version", "version")
"""Properties that name the processing of an item, the first that is present."""


def catalogued(config: StacConfig, now: datetime) -> list[FoundScene]:
    """List the scenes of a catalogue, oldest first.

    Raises `FileError` if the catalogue cannot be read, or the extra is missing.
    """
    try:
        import pystac_client
    except ImportError as error:
        raise FileError(
            f"{config.url} is a STAC catalogue; it is read by pystac-client, which is missing. "
            f'Run: pip install "anomvae[stac]".'
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a static catalogue conforms to no API
            client = pystac_client.Client.open(config.url, timeout=config.timeout)
            items = [item for item in _items(client, config, now) if _is_wanted(item, config, now)]
    except Exception as error:  # pystac raises anything on a document that is no STAC
        raise FileError(
            f"{displayed(config.url)} cannot be read as a STAC catalogue: "
            f"{' '.join(str(error).split())[:300]}. Check the address."
        ) from error
    items.sort(key=lambda item: (str(_time(item)), item.id))
    return [_scene_of(item, config.assets) for item in _with_assets(items, config)]


def _with_assets(items: list[Any], config: StacConfig) -> list[Any]:
    """Keep the items that have all assets; raise if none has, since then a name is wrong."""
    complete = [item for item in items if all(name in item.assets for name in config.assets)]
    if items and not complete:
        missing = next(name for name in config.assets if name not in items[0].assets)
        raise FileError(
            f"{displayed(config.url)} has {len(items)} items, and none has all of the "
            f"configured assets. {items[0].id} has no {missing!r}. {hint(missing, items[0].assets)}"
        )
    if len(complete) < len(items):
        log.warning("%d items lack an asset and are dropped", len(items) - len(complete))
    return complete


def _items(client: Any, config: StacConfig, now: datetime) -> Iterable[Any]:  # noqa: ANN401
    if not client.conforms_to("ITEM_SEARCH"):
        return islice(client.get_items(recursive=True), config.limit)
    since = _since(config, now)
    search = client.search(
        collections=None if config.collection is None else [config.collection],
        bbox=config.bbox,
        datetime=None if since is None else f"{since.strftime('%Y-%m-%dT%H:%M:%SZ')}/..",
        max_items=config.limit,
    )
    items: Iterable[Any] = search.items()
    return items


def _is_wanted(item: Any, config: StacConfig, now: datetime) -> bool:  # noqa: ANN401 - pystac's
    since, time = _since(config, now), _time(item)
    cloud = item.properties.get("eo:cloud_cover")
    return (
        (config.collection is None or item.collection_id == config.collection)
        and (config.bbox is None or _overlap(config.bbox, item.bbox))
        and (since is None or (time is not None and time >= since))
        and (config.max_cloud is None or (cloud is not None and cloud <= config.max_cloud))
    )


def _since(config: StacConfig, now: datetime) -> datetime | None:
    return None if config.days is None else now - timedelta(days=config.days)


def _time(item: Any) -> datetime | None:  # noqa: ANN401 - pystac's
    """Return when the acquisition of an item was, or began."""
    time: datetime | None = item.datetime or item.common_metadata.start_datetime
    if time is None:
        return None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _overlap(one: Iterable[float], other: Iterable[float] | None) -> bool:
    """Return whether two boxes have a point in common; ``other`` may have heights."""
    if other is None:
        return False
    values = list(other)
    left, bottom = values[:2]
    right, top = values[len(values) // 2 :][:2]
    west, south, east, north = one
    return left <= east and right >= west and bottom <= north and top >= south


def _scene_of(item: Any, names: tuple[str, ...]) -> FoundScene:  # noqa: ANN401 - pystac's
    source = "/".join(filter(None, [item.collection_id, item.id]))
    versions = (item.properties.get(name) for name in BASELINES)
    baseline = next((str(version) for version in versions if version is not None), "")
    assets = [item.assets[name] for name in names]
    hrefs = tuple(asset.get_absolute_href() or asset.href for asset in assets)
    bands = names if len(names) > 1 else ()
    return FoundScene(f"{source}@{baseline}" if baseline else source, source, hrefs, bands)
