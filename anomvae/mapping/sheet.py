"""A white picture with panels of one size under a title, drawn by Pillow.

Positions are pixels (x, y) from its upper left corner.  Panels stand side by side; those of a scene
that is much wider than high lie one above the other.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from ..names import printable

PANEL = 400
"""Width of a panel; wider for a wider image."""
NARROWEST, TALLEST, FLATTEST = 190, 1000, 12
"""Least width, and largest and least height of a panel."""
WIDE_PANEL, WIDE_SHAPE = 1200, 3
"""Width of a panel where a scene is so many times as wide as high."""
MARGIN, GAP = 12, 24
TITLE, HEADING, SMALL = 17, 15, 12
"""Sizes of letters."""
LINE = 1.35
"""Height of a line in sizes of letters."""
WIDE = 0.62
"""Width of a letter in its size: more than the mean."""

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


class Frame(NamedTuple):
    """Where an image lies in a picture."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Sheet:
    """A picture with panels."""

    picture: Image.Image
    """The picture."""
    size: tuple[int, int]
    """Width and height of a panel."""
    tops: tuple[int, ...]
    """Where each panel begins, y."""
    lefts: tuple[int, ...]
    """Where each panel begins, x."""

    @classmethod
    def of(cls, title: str, shape: Sequence[int], feet: Sequence[int], bar: int) -> Sheet:
        """Begin a picture for images of a shape (rows, cols).

        ``feet`` are the heights that are free below each panel, and ``bar`` the width left of the
        last panel, where panels stand side by side.
        """
        width, height = size_of(shape)
        head, stacked = line_height("-", HEADING) + MARGIN // 2, is_wide(shape)
        count = len(feet)
        across = 2 * MARGIN + (width if stacked else count * width + (count - 1) * GAP + bar)
        heading = wrapped(title, across, TITLE)
        top = MARGIN + line_height(heading, TITLE) + head
        if stacked:
            ends = list(accumulate(height + foot + head + MARGIN for foot in feet))
            lefts, tops = [MARGIN] * count, [top, *(top + end for end in ends[:-1])]
        else:
            lefts = [MARGIN + number * (width + GAP) for number in range(count)]
            lefts[-1] += bar
            tops = [top] * count
        down = tops[-1] + height + (feet[-1] if stacked else max(feet)) + MARGIN
        blank = Image.new("RGB", (across, down), "white")
        sheet = cls(blank, (width, height), tuple(tops), tuple(lefts))
        sheet.text((across // 2, MARGIN // 2), heading, TITLE)
        return sheet

    @property
    def is_stacked(self) -> bool:
        """Whether panels lie one above the other."""
        return len(set(self.tops)) > 1

    @property
    def pen(self) -> ImageDraw.ImageDraw:
        """What draws on it."""
        return ImageDraw.Draw(self.picture)

    def panel(self, number: int, heading: str, image: NDArray[np.float32]) -> Frame:
        """Paint an image in [0, 1] in the middle of a panel; -1 is the last panel."""
        (width, height), (rows, cols) = self.size, image.shape[:2]
        left, top = self.lefts[number], self.tops[number]
        scale = min(width / cols, height / rows)
        size = max(1, round(cols * scale)), max(1, round(rows * scale))
        if is_wide(image.shape):
            size = width, height
        painted = painted_as(image, size)
        frame = Frame(left + (width - size[0]) // 2, top + (height - size[1]) // 2, *size)
        self.picture.paste(painted, frame[:2])
        self.outline(frame)
        above = top - MARGIN // 2 - line_height("-", HEADING)
        self.text((left + width // 2, above), heading, HEADING)
        return frame

    def below(self, number: int) -> tuple[int, int, int]:
        """Return where the space below a panel begins, x and y, and its width."""
        return self.lefts[number], self.tops[number] + self.size[1] + MARGIN // 2, self.size[0]

    def outline(self, frame: Frame) -> None:
        """Draw a line around a frame."""
        left, top, width, height = frame
        self.pen.rectangle((left - 1, top - 1, left + width, top + height), outline="black")

    def text(self, place: tuple[int, int], text: str, size: int, anchor: str = "ma") -> None:
        """Write lines below a place, around it, or where else the ``anchor`` of Pillow says."""
        self.pen.text(
            place, text, "black", font_of(size), anchor, spacing=size // 3, align="center"
        )

    def png(self, **notes: str) -> bytes:
        """Return the picture as a file, with notes for programs that read it."""
        file, info = BytesIO(), PngInfo()
        for name, text in notes.items():
            info.add_itxt(f"anomvae:{name}", text)
        self.picture.save(file, "PNG", pnginfo=info)
        return file.getvalue()


def is_wide(shape: Sequence[int]) -> bool:
    """Return whether a scene is so wide that its panels lie one above the other."""
    return shape[1] >= WIDE_SHAPE * shape[0]


def size_of(shape: Sequence[int]) -> tuple[int, int]:
    """Return width and height of a panel, in which pixels are square unless it is very flat."""
    rows, cols = shape[:2]
    if is_wide(shape):
        return WIDE_PANEL, max(FLATTEST, round(WIDE_PANEL * rows / cols))
    scale = min(max(PANEL, cols) / cols, TALLEST / rows)
    return max(NARROWEST, round(cols * scale)), max(FLATTEST, round(rows * scale))


def painted_as(image: NDArray[np.float32], size: tuple[int, int]) -> Image.Image:
    """Return an image in [0, 1], axes (row, col, 3), enlarged to a width and height."""
    whole = Image.fromarray(np.rint(image * 255).astype(np.uint8))
    return whole.resize(size, Image.Resampling.NEAREST)


def wrapped(text: str, width: int, size: int) -> str:
    """Break a text into lines of a width."""
    return textwrap.fill(printable(text), max(1, int(width / (WIDE * size))))


def line_height(text: str, size: int) -> int:
    """Return the height of lines of text."""
    return round(LINE * size) * (text.count("\n") + 1)


def rgb(colour: Sequence[float]) -> tuple[int, ...]:
    """Return a colour of [0, 1] as Pillow has it."""
    return tuple(round(255 * part) for part in colour)


def font_of(size: int) -> Font:
    """Return matplotlib's font, which has the letters of most languages, or Pillow's own."""
    package = find_spec("matplotlib")
    if package is not None and package.origin is not None:
        file = Path(package.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if file.is_file():
            return ImageFont.truetype(str(file), size)
    return ImageFont.load_default(size)
