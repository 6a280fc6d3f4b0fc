"""The map viewer of a page: layers of pictures, scores and classes, with outlines of objects.

Positions are pixels of the full grid of the scene, (row, column), the outer corner of the first
pixel being (0, 0).  `layers` makes the layers of arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ..pixels.grid import IDENTITY

if TYPE_CHECKING:
    from ..raster import Georeference

LONGEST_CRS = 40
"""Characters of the name of a coordinate reference system that is shown; others are WKT."""
Box = tuple[float, float, float, float]
"""First row, first column, last row, last column; half-open, pixels of the full grid."""
Affine = tuple[float, float, float, float, float, float]
"""a, b, c, d, e, f in the order of rasterio: x = a col + b row + c, y = d col + e row + f."""


@dataclass(frozen=True)
class ImageLayer:
    """A layer that is only looked at."""

    name: str
    source: str
    """A data URI, or a path relative to the page."""
    shown: bool = True
    opacity: float = 1.0
    box: Box | None = None
    """What it covers; all of the scene if None."""
    kind: Literal["picture"] = field(default="picture", init=False)


@dataclass(frozen=True)
class Scores:
    """A layer of numbers: coloured, thresholded and read out in the browser.

    The source is a PNG: red and green are the high and the low byte of ``1 + round(levels *
    (t(score) - t(low)) / (t(high) - t(low)))``, where t is log(1 + score) or the score itself; 0
    is no data.
    """

    name: str
    source: str
    """A data URI."""
    low: float
    high: float
    scale: Literal["log1p", "linear"] = "log1p"
    unit: str = "nats"
    shown: bool = False
    opacity: float = 1.0
    box: Box | None = None
    levels: int = 65_534
    """Steps between the lowest and the highest score."""
    kind: Literal["scores"] = field(default="scores", init=False)


@dataclass(frozen=True)
class Class:
    """What a value of a layer of classes means."""

    value: int
    name: str
    colour: str | None
    """As ``#rrggbb``; transparent if None."""


@dataclass(frozen=True)
class Classes:
    """A layer of classes: flags, masks.

    Where a screen pixel covers several cells, the class that is listed first of those with a
    colour shows.
    """

    name: str
    source: str
    """A data URI of a PNG of grey values, which are the values of the classes."""
    classes: Sequence[Class]
    shown: bool = True
    opacity: float = 0.8
    follows: str | None = None
    """Name of a layer of scores: 0 and 1 follow the threshold that is dragged."""
    box: Box | None = None
    kind: Literal["classes"] = field(default="classes", init=False)


Layer = ImageLayer | Scores | Classes


@dataclass(frozen=True)
class MapObject:
    """An object with its outlines; a row of a table leads to it by its ``id``."""

    id: str
    outlines: Sequence[Sequence[Sequence[float]]]
    """Rings of positions (row, column)."""
    label: str = ""
    note: str = ""


@dataclass(frozen=True)
class Viewer:
    """A map with zoom, pan, layers, a pixel read-out and objects.

    Layers of one name are parts of one layer, such as an overview and crops at full resolution:
    they share a switch, and the one on top is read out.
    """

    rows: int
    columns: int
    layers: Sequence[Layer]
    """The first lies at the bottom."""
    name: str = "Map"
    objects: Sequence[MapObject] = ()
    affine: Affine | None = None
    crs: str | None = None
    threshold: float | None = None
    """That of the first layer of scores."""
    height: Literal["tall", "low"] = "tall"
    unit: str = ""
    """Of coordinates; ``m`` draws a scale bar."""

    @classmethod
    def of(
        cls,
        where: Georeference,
        layers: Sequence[Layer],
        *,
        name: str,
        objects: Sequence[MapObject] = (),
        threshold: float | None = None,
    ) -> Viewer:
        """Show layers of a raster with the coordinates that it has."""
        grid = where.grid
        located = grid.transform != IDENTITY
        return cls(
            *grid.shape,
            tuple(layers),
            name=name,
            objects=tuple(objects),
            affine=grid.transform if located else None,
            crs=_crs(where) if located else None,
            threshold=threshold,
            unit="m" if where.in_metres else "",
        )


def _crs(where: Georeference) -> str | None:
    name = where.crs_name
    return name if name is None or len(name) <= LONGEST_CRS else "its own coordinate system"
