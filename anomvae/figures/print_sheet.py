"""A page of a figure whose parts are placed in millimetres, from its upper left corner."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.textpath import TextPath

from ..names import printable

INCH = 25.4
"""mm."""
POINT = INCH / 72
"""mm."""
LETTER = 0.56
"""Width of a letter in its size: more than the mean."""
LINE = 1.3
"""Height of a line in sizes of letters."""


@dataclass(frozen=True)
class PrintSheet:
    """A figure of a size in millimetres."""

    figure: Figure
    """The figure, without a layout of its own."""
    width: float
    """mm."""
    height: float
    """mm."""

    @classmethod
    def of(cls, width: float, height: float, dpi: float) -> PrintSheet:
        """Begin an empty figure."""
        size = width / INCH, height / INCH
        figure = Figure(figsize=size, dpi=dpi)
        figure.set_layout_engine("none")
        return cls(figure, width, height)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Add axes at a place and of a size, mm."""
        bottom = self.height - top - height
        place = left / self.width, bottom / self.height, width / self.width, height / self.height
        return self.figure.add_axes(place)

    def ruled(self, left: float, top: float, width: float, height: float) -> Axes:
        """Add axes without a frame whose coordinates are mm from their upper left corner."""
        axes = self.axes(left, top, width, height)
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.set_axis_off()
        return axes

    def text(self, left: float, top: float, text: str, size: float, **style: Any) -> Text:  # noqa: ANN401
        """Write lines that begin below a place; ``style`` is that of `Figure.text`."""
        given: dict[str, Any] = {"va": "top", "ha": "left", "parse_math": False} | style
        at = left / self.width, 1 - top / self.height
        return self.figure.text(*at, printable(text), fontsize=size, **given)


def text_width(text: str, size: float) -> float:
    """Return about how wide a text is, mm; its size is in points."""
    return LETTER * size * POINT * len(text)


def drawn_width(text: str, size: float) -> float:
    """Return how wide a text is drawn, mm; its size is in points."""
    plain = text.replace("$", r"\$")  # it is no formula
    return float(TextPath((0, 0), plain, size=size, usetex=False).get_extents().width) * POINT


def line_height(size: float) -> float:
    """Return the height of a line, mm."""
    return LINE * size * POINT


def broken(text: str, width: float, size: float, indent: str = "") -> list[str]:
    """Break a text into lines of a width, mm; all but the first are indented."""
    letters = max(8, int(width / (LETTER * size * POINT)))
    return textwrap.wrap(printable(text), letters, subsequent_indent=indent)
