"""What was recognised about a product, for people: ``anomvae info`` and the log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class ProductFacts:
    """What a product is, in words."""

    kind: str = "raster"
    """Product and level, such as ``Sentinel-2 L2A``."""
    date: date | None = None
    """Day of the acquisition, UTC; None: unknown."""
    unit: str = ""
    """Physical unit of the values: ``reflectance`` (1), or a radiance with its unit; empty:
    unknown."""
    details: tuple[tuple[str, str], ...] = ()
    """Name and value of further facts: tile, path and row, processing baseline."""
    guessed: tuple[str, ...] = ()
    """What the files leave open, and what was guessed or is not masked for it: sentences without a
    full stop.  The log warns of them when a scene is opened."""
    picture: tuple[int, ...] = ()
    """Numbers of the bands that the files show as red, green and blue, from 1; empty: none."""
