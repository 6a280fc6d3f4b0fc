"""The quick look as a picture: scene, score and flags side by side, a PNG.

Pillow draws it, which loads in a hundredth of the time of matplotlib.  Colours are in [0, 1], axes
(row, col, 3), until they are painted; positions on the picture are pixels (x, y) from its upper
left corner.  No image is made smaller, so that no flagged cell fades.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from ..names import printable
from ..stats.thresholds import Threshold
from .quicklook import QuickLook

STRETCH = (2, 98)  # percent
RANGE = (1, 99.8)  # percent of the scores that differ in colour
FLAG = (0.84, 0.10, 0.11)
NO_DATA = (0.75, 0.75, 0.75)
VIRIDIS = (
    "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c "
    "1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725"
)
"""Colours of van der Walt & Smith (2015) at equal steps: their lightness rises evenly."""

PANEL = 400
"""Width of a panel; wider for a wider image."""
PANELS = "anomvae-panels"
"""Text in the file: for each panel a line of its left, top, width and height, and the rows and
columns of its image."""
NARROWEST, TALLEST = 0.25, 2.5
"""Least and largest height of a panel in widths: pixels are square, and a strip is readable."""
MARGIN, GAP = 12, 24
BAR, LABELS = 20, 56
"""Width of the colour bar, and of its labels."""
MOST_LABELS = 9
TITLE, HEADING, SMALL = 17, 15, 12
"""Sizes of letters."""
LINE = 1.35
"""Height of a line in sizes of letters."""
WIDE = 0.62
"""Width of a letter in its size: more than the mean."""

Array = NDArray[np.float32]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def draw(title: str, quicklook: QuickLook, threshold: Threshold) -> bytes:
    """Draw scene, score and flags as a PNG; the threshold is marked in the colour bar.

    A threshold outside the colours is marked at their end.  Without bands of the scene, the flags
    lie over the scores.
    """
    with np.errstate(all="ignore"):
        scores = quicklook.scores
        shown = quicklook.image.shape[-1] > 0
        image = stretched(quicklook.image if shown else _greys(scores))
        scale = LogScale.of(scores)
        flags = overlay(image, quicklook.flags)
        sheet = Sheet.of(title, scores.shape, 3 if shown else 2, quicklook.spec.caption)
        if shown:
            sheet.panel(0, "scene", image)
        sheet.panel(-2, "score (log scale)", scale.colours(scores))
        sheet.panel(-1, f"above {threshold.value:.4g} ({threshold.rule})", flags)
        sheet.bar(scale, threshold.value)
        return sheet.png()


def stretched(image: Array) -> Array:
    """Stretch each band of an image (row, col, 3) from its 2 and 98 % to [0, 1]; grey = no data."""
    valid = np.isfinite(image).all(axis=-1)
    result = np.full(image.shape, NO_DATA, np.float32)
    if valid.any():
        low, high = np.percentile(image[valid], STRETCH, axis=0)
        span = np.where(high > low, high - low, 1)
        result[valid] = np.clip((image[valid] - low) / span, 0, 1)
    return result


def overlay(image: Array, flags: NDArray[np.bool_]) -> Array:
    """Lay flags in red over a pale grey version of an image in [0, 1]."""
    grey = 0.4 + 0.6 * image.mean(axis=-1, keepdims=True)
    return np.asarray(np.where(flags[..., None], FLAG, grey), np.float32)


def _greys(scores: Array) -> Array:
    """Return the logarithms of scores (row, col) as an image of three equal bands."""
    return np.repeat(np.log1p(scores)[..., np.newaxis], 3, axis=-1)


@dataclass(frozen=True)
class LogScale:
    """Colours of scores, even in their logarithm."""

    low: float
    """The score of the darkest colour, above 0."""
    high: float
    """The score of the lightest colour."""

    @classmethod
    def of(cls, scores: Array) -> LogScale:
        """Choose the range by the scores that there are; NaN = no data."""
        valid = scores[np.isfinite(scores)]
        low, high = np.percentile(valid, RANGE) if valid.size else (0.1, 1.0)
        low = max(float(low), 1e-3)
        return cls(low, max(float(high), low * 1.01))

    def place(self, scores: Array | float) -> NDArray[np.float64]:
        """Return where scores lie between lowest and highest, in [0, 1]; NaN stays."""
        logs = np.log(np.clip(scores, self.low, self.high) / self.low)
        return np.asarray(logs / math.log(self.high / self.low))

    def colours(self, scores: Array) -> Array:
        """Return the colours of scores; grey = no data."""
        anchors = np.array([list(bytes.fromhex(colour)) for colour in VIRIDIS.split()]) / 255
        places = self.place(scores)
        steps = np.linspace(0, 1, len(anchors))
        rgb = np.stack([np.interp(places, steps, band) for band in anchors.T], axis=-1)
        return np.where(np.isfinite(scores)[..., np.newaxis], rgb, NO_DATA).astype(np.float32)

    def ticks(self) -> list[float]:
        """Return round scores of the range: 1, 2 and 5, or fewer, of each power of 10."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for digits in ((1, 2, 5), (1,)):
            ticks = [digit * 10.0**power for power in powers for digit in digits]
            ticks = [tick for tick in ticks if self.low <= tick <= self.high]
            if len(ticks) <= MOST_LABELS:
                break
        ticks = ticks[:: -(-len(ticks) // MOST_LABELS) or 1]
        return ticks if len(ticks) > 1 else [self.low, self.high]


@dataclass(frozen=True)
class Sheet:
    """A white picture with panels of one size in a row, under a title."""

    picture: Image.Image
    """The picture."""
    size: tuple[int, int]
    """Width and height of a panel."""
    panels: int
    """How many there are; the colour bar stands right of the last but one."""
    top: int
    """Where panels begin, y."""
    caption: str
    """Lines under the first panel."""

    @classmethod
    def of(cls, title: str, shape: tuple[int, ...], panels: int, caption: str) -> Sheet:
        """Begin a picture for images of a shape (rows, cols)."""
        width = max(PANEL, shape[1])
        height = round(width * min(max(shape[0] / shape[1], NARROWEST), TALLEST))
        across = 2 * MARGIN + panels * width + (panels - 1) * GAP + BAR + LABELS
        heading = _wrapped(title, across, TITLE)
        below = _wrapped(caption, width, SMALL)
        top = MARGIN + _lines(heading, TITLE) + _lines("-", HEADING) + MARGIN // 2
        down = top + height + MARGIN + _lines(below or "-", SMALL)
        sheet = cls(Image.new("RGB", (across, down), "white"), (width, height), panels, top, below)
        sheet.text((across // 2, MARGIN // 2), heading, TITLE)
        return sheet

    def panel(self, number: int, heading: str, image: Array) -> None:
        """Paint an image in the middle of a panel, with square pixels; -1 is the last panel."""
        (width, height), (rows, cols) = self.size, image.shape[:2]
        scale = min(width / cols, height / rows)
        painted = Image.fromarray(np.rint(image * 255).astype(np.uint8)).resize(
            (max(1, round(cols * scale)), max(1, round(rows * scale))), Image.Resampling.NEAREST
        )
        left = self._left(number)
        x, y = left + (width - painted.width) // 2, self.top + (height - painted.height) // 2
        self.picture.paste(painted, (x, y))
        places = self.picture.info.setdefault(PANELS, [])
        places.append(f"{x} {y} {painted.width} {painted.height} {rows} {cols}")
        frame = (x - 1, y - 1, x + painted.width, y + painted.height)
        ImageDraw.Draw(self.picture).rectangle(frame, outline="black")
        middle = left + width // 2
        self.text((middle, self.top - MARGIN // 2 - _lines("-", HEADING)), heading, HEADING)
        if number == 0:
            self.text((middle, self.top + height + MARGIN // 2), self.caption, SMALL)

    def bar(self, scale: LogScale, threshold: float) -> None:
        """Paint the colours of scores beside their panel, with a line at the threshold."""
        pen, (width, height) = ImageDraw.Draw(self.picture), self.size
        left = self._left(-2) + width + GAP // 2
        shares = np.linspace(1, 0, height)[:, np.newaxis]
        scores = scale.low * (scale.high / scale.low) ** shares
        colours = np.rint(scale.colours(scores.astype(np.float32)) * 255).astype(np.uint8)
        column = Image.fromarray(colours).resize((BAR, height), Image.Resampling.NEAREST)
        self.picture.paste(column, (left, self.top))
        pen.rectangle((left - 1, self.top - 1, left + BAR, self.top + height), outline="black")
        for tick in scale.ticks():
            y = self._height_of(scale, tick)
            pen.line((left + BAR, y, left + BAR + 4, y), "black")
            self.text((left + BAR + 7, y), f"{tick:.3g}", SMALL, anchor="lm")
        y = self._height_of(scale, threshold)
        pen.line((left, y, left + BAR - 1, y), _rgb(FLAG), 3)

    def text(self, place: tuple[int, int], text: str, size: int, anchor: str = "ma") -> None:
        """Write lines below a place, around it, or where else the ``anchor`` of Pillow says."""
        pen = ImageDraw.Draw(self.picture)
        pen.text(place, text, "black", _font(size), anchor, spacing=size // 3, align="center")

    def png(self) -> bytes:
        """Return the picture as a file."""
        file, texts = BytesIO(), PngInfo()
        texts.add_text(PANELS, "\n".join(self.picture.info.get(PANELS, [])))
        self.picture.save(file, "PNG", pnginfo=texts)
        return file.getvalue()

    def _left(self, number: int) -> int:
        """Return where a panel begins, x."""
        number %= self.panels
        after = BAR + LABELS if number == self.panels - 1 else 0
        return MARGIN + number * (self.size[0] + GAP) + after

    def _height_of(self, scale: LogScale, score: float) -> int:
        """Return the height of a score in the colour bar, y."""
        return self.top + round((1 - float(scale.place(score))) * (self.size[1] - 1))


def _wrapped(text: str, width: int, size: int) -> str:
    return textwrap.fill(printable(text), max(1, int(width / (WIDE * size))))


def _lines(text: str, size: int) -> int:
    """Return the height of lines of text."""
    return round(LINE * size) * (text.count("\n") + 1)


def _rgb(colour: Sequence[float]) -> tuple[int, ...]:
    return tuple(round(255 * part) for part in colour)


def _font(size: int) -> Font:
    """Return matplotlib's font, which has the letters of most languages, or Pillow's own."""
    package = find_spec("matplotlib")
    if package is not None and package.origin is not None:
        file = Path(package.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if file.is_file():
            return ImageFont.truetype(str(file), size)
    return ImageFont.load_default(size)
