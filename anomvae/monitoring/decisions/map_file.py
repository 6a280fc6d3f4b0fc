"""The persistence map of a site as a file: layers of whole numbers, and tags about its scenes.

``<site>.persistence.tif`` is a COG on the grid of the site.  Its layers are those of
`anomvae.stats.persistence.History`, and the number of the event of each pixel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import RasterError
from ...names import fitted
from ...pixels.tiling import Window
from ...raster import UNLIMITED, BandTags, Layout, open_raster
from ...raster.raster_dataset import RasterDataset
from ...stats.persistence import History, Numbers
from ..config import SiteConfig
from .site_grid import SiteGrid, read_shifted

END = ".persistence.tif"
EVENT = "event"
LAYERS = (*History._fields, EVENT)
NODATA = -(2**31)
"""Pixels without a valid pass; and days of pixels without an episode."""
MEANINGS = {
    "status": "0 none, 1 provisional, 2 confirmed, 3 finished",
    "exceedances": "of the episode, passes",
    "first": "day of the first exceedance of the episode, days since 1970-01-01",
    "last": "day of the last exceedance of the episode, days since 1970-01-01",
    "consecutive": "exceedances in a row up to the newest valid pass",
    "recent": "whether the last n valid passes exceed, as bits, the newest lowest",
    "passes": "valid passes",
    EVENT: "number of the event at this site; 0 none",
}
VERSION = "1"
"""Of the layers; a map of another one is made again."""


@dataclass(frozen=True)
class MapFacts:
    """What the tags of a map hold."""

    site: str
    rules: str
    """Digest of everything but scenes that decides the map."""
    scenes: str
    """Digest of its scenes in their order."""
    count: int
    """Number of these scenes."""
    next_number: int
    """Number of the next new event."""
    base: tuple[int, int]
    """Rows and columns of the site's first scene."""
    origin: tuple[int, int]
    """Row and column where that begins."""
    confirm: str
    """K of N."""
    settled: tuple[int, ...]
    """Numbers of its events that are settled (`numbering`)."""

    def tags(self) -> dict[str, str]:
        """Return the tags of the file."""
        values = {**vars(self), "version": VERSION}
        for name in ("base", "origin", "settled"):
            values[name] = " ".join(map(str, values[name]))
        return {f"ANOMVAE_{name.upper()}": str(value) for name, value in values.items()}

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> MapFacts:
        """Read the tags of a file; raises `KeyError` or `ValueError` where they are not those."""
        given = {"ANOMVAE_SETTLED": "", **tags}  # GDAL keeps no empty tag
        values = {name: given[f"ANOMVAE_{name.upper()}"] for name in cls.__dataclass_fields__}
        if tags["ANOMVAE_VERSION"] != VERSION:
            raise ValueError(f"version {tags['ANOMVAE_VERSION']}")
        return cls(
            site=values["site"],
            rules=values["rules"],
            scenes=values["scenes"],
            confirm=values["confirm"],
            count=int(values["count"]),
            next_number=int(values["next_number"]),
            base=_pair(values["base"]),
            origin=_pair(values["origin"]),
            settled=tuple(map(int, values["settled"].split())),
        )


@dataclass(frozen=True)
class MapFile:
    """An open persistence map."""

    dataset: RasterDataset
    facts: MapFacts
    grid: SiteGrid

    def read(self, window: Window, grid: SiteGrid) -> StoredLayers:
        """Read a window of a canvas that may have grown since.

        Raises
        ------
        DamagedMap
            If the file is damaged there.
        """
        here, there = grid.origin, self.facts.origin
        at = here[0] - there[0], here[1] - there[1]
        try:
            values = read_shifted(self.dataset, self.dataset.bands, at, window)
        except RasterError as error:
            raise DamagedMap(*error.args) from error
        values[np.isnan(values)] = 0
        layers = np.moveaxis(values, -1, 0).astype(np.int32, order="C")
        return StoredLayers(History(*layers[:-1]), layers[-1])


class DamagedMap(RasterError):
    """A persistence map cannot be read: it is made again from the scenes."""


class StoredLayers(NamedTuple):
    """A window of a map."""

    history: History
    event: Numbers
    """Number of the event of each pixel; 0 none."""


def map_path(site: SiteConfig) -> Path:
    """Return the path of a site's map."""
    return Path(site.out) / f"{fitted(site.name, 200)}{END}"


def layout_of(facts: MapFacts) -> Layout:
    """Return the content of a map."""
    bands = tuple(BandTags({"MEANING": MEANINGS[name]}) for name in LAYERS)
    return Layout("int32", NODATA, LAYERS, facts.tags(), overviews="nearest", bands=bands)


def stored_values(history: History, event: Numbers) -> Numbers:
    """Return what a map stores of pixels, axes (layer, row, col)."""
    values = np.stack([*history, event])
    episode = history.exceedances > 0
    for name in ("first", "last"):
        values[LAYERS.index(name), ~episode] = NODATA
    values[:, history.passes == 0] = NODATA
    return values


@contextmanager
def opened_map(path: Path | None) -> Iterator[MapFile | None]:
    """Open a map; yield None where there is none, or no map of this version is readable."""
    with ExitStack() as stack:
        yield None if path is None else _map_file(stack, path)


def _map_file(stack: ExitStack, path: Path) -> MapFile | None:
    try:
        dataset = stack.enter_context(open_raster(path, access=UNLIMITED))
        facts = MapFacts.of(dataset.tags)
        with dataset.describing():
            where = dataset.georeference
    except (RasterError, KeyError, ValueError):
        return None
    if dataset.bands.names != LAYERS:
        return None
    return MapFile(dataset, facts, SiteGrid(where, facts.base, facts.origin))


def _pair(text: str) -> tuple[int, int]:
    first, second = text.split()
    return int(first), int(second)
