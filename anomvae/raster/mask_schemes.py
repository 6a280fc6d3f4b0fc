"""Schemes of masks: what the classes and bits of agencies mean, and which of them hide a pixel.

A row of `SCHEMES` is a scheme that ``--mask NAME:FILE`` takes, and that products with such a mask
use.  Hidden by default is what is not the ground (clouds, their shadows and surroundings, cirrus),
what changes by the day and would be flagged everywhere (snow and ice), and what is no measurement
(saturated, dropped, behind terrain).  What may be the anomaly itself is not: water, bare or dark
ground, smoke and haze (aerosol).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .mask_layers import MaskLayer
from .mask_rules import Bits, Classes, MaskRule

if TYPE_CHECKING:
    from .products import Product


@dataclass(frozen=True)
class MaskScheme:
    """What the numbers of a mask mean."""

    title: str
    """Name, for people."""
    source: str
    """Document that defines it, with its year."""
    meanings: Mapping[int, str]
    """Meaning of each class, or of each bit, from 0, the least significant."""
    hidden: tuple[int, ...]
    """Classes or bits that hide a pixel by default."""
    fills: tuple[int, ...]
    """Classes, or whole numbers of bits, of pixels without data."""
    bitwise: bool = False
    """Whether ``meanings`` and ``hidden`` are bits."""
    fill_bits: tuple[int, ...] = ()
    """Bits of pixels without data."""

    @property
    def rule(self) -> MaskRule:
        """Return the rule that hides pixels by default."""
        known = tuple(self.meanings)
        if self.bitwise:
            return Bits(self.hidden, self.fill_bits, self.fills, known)
        return Classes(self.hidden, self.fills, known)

    def hiding(self, numbers: tuple[int, ...]) -> MaskScheme:
        """Return the scheme with other classes or bits hidden; none given: as it is."""
        fills = tuple(one for one in self.fills if self.bitwise or one not in numbers)
        return replace(self, hidden=numbers, fills=fills) if numbers else self

    def layer(self, product: Product) -> MaskLayer:
        """Return the mask whose first band has these numbers."""
        return MaskLayer(product, self.rule, f"{self.title}: {self.hides}")

    @property
    def lacking(self) -> str:
        """What is not masked where a product lacks the file, in words."""
        return f"no {self.title}, so not masked: {self.hides}"

    @property
    def hides(self) -> str:
        """What is hidden, in words."""
        return ", ".join(self.meanings[one] for one in self.hidden)


GUIDE = (
    "USGS, Landsat 8-9 Collection 2 Level 2 Science Product Guide 6.0 (LSDS-1619, 2024); "
    "Landsat 4-7 (LSDS-1618, 2021)"
)

SCL = MaskScheme(
    title="SCL",
    source="ESA, Sentinel-2 Level-2A Algorithm Theoretical Basis Document 2.10 (2021)",
    meanings={
        0: "no data",
        1: "saturated or defective",
        2: "dark area or shadow of terrain",  # before baseline 04.00: dark water, burnt ground
        3: "cloud shadow",
        4: "vegetation",
        5: "not vegetated",
        6: "water",
        7: "unclassified",
        8: "cloud of medium probability",
        9: "cloud of high probability",
        10: "thin cirrus",
        11: "snow or ice",
    },
    hidden=(1, 3, 8, 9, 10, 11),
    fills=(0,),
)

QA_PIXEL = MaskScheme(
    title="QA_PIXEL",
    source=GUIDE,
    meanings={
        0: "fill",
        1: "dilated cloud",
        2: "cirrus",
        3: "cloud",
        4: "cloud shadow",
        5: "snow or ice",
        6: "clear",
        7: "water",
        8: "confidence of cloud, low bit",
        9: "confidence of cloud, high bit",
        10: "confidence of cloud shadow, low bit",
        11: "confidence of cloud shadow, high bit",
        12: "confidence of snow or ice, low bit",
        13: "confidence of snow or ice, high bit",
        14: "confidence of cirrus, low bit",
        15: "confidence of cirrus, high bit",
    },
    hidden=(1, 2, 3, 4, 5),
    fills=(),
    bitwise=True,
    fill_bits=(0,),
)

QA_RADSAT = MaskScheme(
    title="QA_RADSAT",
    source=GUIDE,
    meanings={
        **{bit: f"band {bit + 1} saturated" for bit in range(7)},
        8: "band 9 (Landsat 7: band 6, high gain) saturated",
        9: "dropped pixel",
        11: "hidden by terrain",
    },
    hidden=(0, 1, 2, 3, 4, 5, 6, 8, 9, 11),
    fills=(),
    bitwise=True,
)

FMASK = MaskScheme(
    title="Fmask",
    source="NASA, Harmonized Landsat Sentinel-2 (HLS) Product User Guide 2.0 (2023)",
    meanings={
        0: "cirrus",
        1: "cloud",
        2: "adjacent to cloud or shadow",
        3: "cloud shadow",
        4: "snow or ice",
        5: "water",
        6: "aerosol, low bit",
        7: "aerosol, high bit",
    },
    hidden=(0, 1, 2, 3, 4),
    fills=(255,),
    bitwise=True,
)

SCHEMES: Mapping[str, MaskScheme] = {
    "scl": SCL,
    "qa_pixel": QA_PIXEL,
    "qa_radsat": QA_RADSAT,
    "fmask": FMASK,
}
