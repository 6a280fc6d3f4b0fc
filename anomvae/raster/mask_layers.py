"""A mask that a product carries, or that a user names; closed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .mask_rules import MaskRule

if TYPE_CHECKING:
    from .products import Product


@dataclass(frozen=True)
class MaskLayer:
    """A band whose values hide pixels."""

    product: Product
    """What holds the band; a coarser one is brought onto the grid of the scene."""
    rule: MaskRule
    """Which values hide a pixel."""
    title: str
    """What is hidden, for people: ``SCL: cloud, shadow, cirrus``."""
    band: int = 1
    """Number of the band, from 1."""
