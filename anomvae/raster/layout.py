"""Layout: what an output raster holds, independent of the scene."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .band_tags import BandTags
from .pools import POOLS


@dataclass(frozen=True)
class Category:
    """One value of a raster of classes."""

    value: int
    """From 0 to 255."""
    name: str
    """Name for people, stored in the tag ``CATEGORY_<value>`` of the band."""
    colour: tuple[int, int, int]
    """Red, green, blue, from 0 to 255; the nodata value is transparent."""


@dataclass(frozen=True)
class Layout:
    """Content of an output raster, independent of the scene.

    Raises
    ------
    ValueError
        When ``overviews`` names no row of `anomvae.raster.pools.POOLS`.
    """

    dtype: str
    """Type of the values."""
    nodata: float
    """Value of no data, and of pixels that are never written; NaN for floats."""
    descriptions: tuple[str, ...]
    """Description of each band; their number is the number of bands."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of the dataset."""
    categories: tuple[Category, ...] = ()
    """Names and colours of the values of a one-band uint8 raster."""
    overviews: str = "average"
    """What a pixel of an overview shows of its cell: average, maximum, minimum, mode, nearest."""
    predictor: bool = True
    """Whether to store differences of neighbours: smaller for measurements, not for classes."""
    bands: tuple[BandTags, ...] = ()
    """Tags of each band; empty: none has any."""
    max_error: float | None = None
    """Largest error of a stored value, which makes files smaller (LERC); None: none."""

    def __post_init__(self) -> None:
        """Refuse overviews that nothing computes."""
        if self.overviews not in POOLS:
            raise ValueError(f"overviews = {self.overviews!r} is none of {', '.join(POOLS)}.")
