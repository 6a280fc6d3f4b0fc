"""The tables of a monitoring configuration for the sources of scenes."""

from __future__ import annotations

from typing import Annotated

from ..config.table import Table
from ..config.values import Between, Entries
from .checks import Count, MaskPattern, NamedMasks, PathText, Pattern, Seconds, TimeOut

Longitude = Annotated[float, Between(least=-180, most=180)]
Latitude = Annotated[float, Between(least=-90, most=90)]


class FolderConfig(Table):
    """Scenes that arrive in a folder."""

    path: PathText
    """The folder."""
    pattern: Pattern = "*.tif"
    """Names of files and products that are scenes, as in ``*.SAFE``; ``**/*.tif`` includes
    subfolders."""
    mask_pattern: MaskPattern | None = None
    """Names of the masks beside the scenes, from the folder of each scene; ``{stem}`` is the stem
    of its name, as in ``scl:{stem}_SCL.tif``; ``auto,`` before it keeps the product's own."""
    stable_seconds: Annotated[float, Between(least=0, most=1e9)] = 60.0
    """A scene is read once none of its files has changed for this time, s."""


class UrlsConfig(Table):
    """Scenes at known addresses."""

    urls: tuple[str, ...] = ()
    """Addresses that GDAL opens."""
    file: PathText | None = None
    """A text file with an address in each line."""

    def require(self) -> None:
        """Require some addresses."""
        if not self.urls and self.file is None:
            raise ValueError("no addresses: give `urls`, or the `file` that lists them.")


class StacConfig(Table):
    """Scenes of a STAC API or a static catalogue."""

    url: PathText
    """The API, or the catalogue's file."""
    collection: str | None = None
    """Only items of this collection."""
    bbox: tuple[Longitude, Latitude, Longitude, Latitude] | None = None
    """Only items that meet this box: west, south, east, north, degrees."""
    days: Annotated[float, Between(above=0, most=36_500)] | None = None
    """Only items of the latest days."""
    max_cloud: Annotated[float, Between(least=0, most=100)] | None = None
    """Only items with at most this ``eo:cloud_cover``, percent."""
    assets: Annotated[tuple[str, ...], Entries()]
    """One asset that holds all bands, or one asset for each band, in the detector's order."""
    mask_asset: NamedMasks | None = None
    """Asset that holds the mask, ``SCHEME:ASSET`` where it holds classes; ``auto,`` before it keeps
    what the item declares; None: that alone."""
    limit: Count = 10_000
    """Most items to request."""
    timeout: TimeOut = 30.0
    """Longest time of an answer, s."""
    max_seconds: Seconds = 3600.0
    """Longest time to list the items, s."""
