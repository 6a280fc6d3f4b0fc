"""The quick look as a picture: scene, score and flags, a PNG.

Pillow draws it, which loads in a hundredth of the time of matplotlib.  Colours are in [0, 1], axes
(row, col, 3), until they are painted.  No image is made smaller, so that no flagged cell fades.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..pixels.flag_classes import ANOMALOUS, COLOURS
from ..stats.thresholds import Threshold
from .label_places import Box, label_places
from .location import Location, ScaleBar
from .log_scale import NO_DATA, LogScale, tick_label
from .quicklook import ObjectMark, QuickLook
from .sheet import (
    MARGIN,
    SMALL,
    Frame,
    Sheet,
    font_of,
    is_wide,
    line_height,
    painted_as,
    rgb,
    size_of,
    wrapped,
)

STRETCH = (2, 98)  # percent
FLAG = tuple(part / 255 for part in COLOURS[ANOMALOUS])
BAR, LABELS = 20, 56
"""Width of the colour bar, and of its labels."""
FLAT_BAR = 14
"""Height of a colour bar below its panel."""
FOOT = 48
"""Height below a panel for scale and north."""
ARROW = 15
"""Half of the length of the north arrow."""
SHARE = 0.4
"""Of the width of a panel that the scale bar fills at most."""
THIN = 60
"""Sides of an image from here on have room for numbers."""
HALO = 2
"""Width of the white line around a number."""

Array = NDArray[np.float32]


def draw(
    title: str, quicklook: QuickLook, threshold: Threshold, marks: Sequence[ObjectMark] = ()
) -> bytes:
    """Draw scene, score and flags as a PNG; the threshold is marked in the colour bar.

    A threshold outside the colours is marked at their end.  Without bands of the scene, the flags
    lie over the scores.  The ``marks`` number objects; weaker ones have none where there is no
    room.
    """
    with np.errstate(all="ignore"):
        scores, spec = quicklook.scores, quicklook.spec
        shown = quicklook.image.shape[-1] > 0
        image = stretched(quicklook.image if shown else greys_of(scores))
        scale, wide = LogScale.of(scores), is_wide(scores.shape)
        caption = wrapped(spec.caption, size_of(scores.shape)[0], SMALL) if shown else ""
        feet = [line_height(caption, SMALL) + MARGIN // 2] if shown else []
        place = FOOT if spec.location else 0
        flat = line_height("-", SMALL) if size_of(scores.shape)[1] < THIN else 0
        feet += [FOOT if wide else place, flat + line_height("\n" if place else "-", SMALL)]
        sheet = Sheet.of(title, scores.shape, feet, BAR + LABELS)
        notes = {}
        if shown:
            frame = sheet.panel(0, "scene", image)
            left, top, width = sheet.below(0)
            sheet.text((left + width // 2, top), caption, SMALL)
            notes = {"scene": ",".join(map(str, frame)), "caption": spec.caption}
            notes["cells"] = ",".join(map(str, scores.shape))
        frame = sheet.panel(-2, "score (log scale)", scale.colours(scores))
        if spec.location:
            _scale_and_north(sheet, frame, spec.location, quicklook.grid.grid[1])
        (_flat_bar if wide else _bar)(sheet, scale, threshold.value)
        heading = f"above {threshold.value:.4g} ({threshold.rule})"
        frame = sheet.panel(-1, heading, overlay(image, quicklook.flags))
        notes["flags"] = ",".join(map(str, frame))
        _numbers(sheet, frame, marks, quicklook.grid.grid)
        if spec.location:
            _corners(sheet, spec.location)
        return sheet.png(**notes)


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


def greys_of(scores: Array) -> Array:
    """Return the logarithms of scores (row, col) as an image of three equal bands."""
    return np.repeat(np.log1p(scores)[..., np.newaxis], 3, axis=-1)


def _bar(sheet: Sheet, scale: LogScale, threshold: float) -> None:
    """Paint the colours of scores beside their panel, with a line at the threshold."""
    (width, height), pen = sheet.size, sheet.pen
    frame = Frame(sheet.lefts[-2] + width + MARGIN, sheet.tops[-2], BAR, height)
    column = painted_as(scale.ramp(height)[::-1, np.newaxis], (BAR, height))
    sheet.picture.paste(column, frame[:2])
    sheet.outline(frame)
    right = frame.left + BAR

    def y_of(score: float) -> int:
        return frame.top + round((1 - float(scale.place(score))) * (height - 1))

    for tick in scale.small_ticks():
        pen.line((right, y_of(tick), right + 2, y_of(tick)), "black")
    for tick in scale.ticks(max(0.08, 1.5 * SMALL / height)):
        pen.line((right, y_of(tick), right + 4, y_of(tick)), "black")
        sheet.text((right + 7, y_of(tick)), tick_label(tick), SMALL, anchor="lm")
    y = y_of(threshold)
    pen.line((frame.left, y, right - 1, y), rgb(FLAG), 3)


def _flat_bar(sheet: Sheet, scale: LogScale, threshold: float) -> None:
    """Paint the colours of scores below their panel, with a line at the threshold."""
    (left, top, across), pen = sheet.below(-2), sheet.pen
    frame = Frame(left + across // 2, top + 2, across // 2, FLAT_BAR)
    row = painted_as(scale.ramp(frame.width)[np.newaxis], (frame.width, FLAT_BAR))
    sheet.picture.paste(row, frame[:2])
    sheet.outline(frame)
    bottom = frame.top + FLAT_BAR

    def x_of(score: float) -> int:
        return frame.left + round(float(scale.place(score)) * (frame.width - 1))

    for tick in scale.small_ticks():
        pen.line((x_of(tick), bottom, x_of(tick), bottom + 2), "black")
    for tick in scale.ticks():
        pen.line((x_of(tick), bottom, x_of(tick), bottom + 4), "black")
        end = frame.left + frame.width
        anchor = "ra" if x_of(tick) > end - 3 * SMALL else "ma"
        sheet.text((min(end, x_of(tick)), bottom + 6), tick_label(tick), SMALL, anchor)
    x = x_of(threshold)
    pen.line((x, frame.top, x, bottom - 1), rgb(FLAG), 3)


def _scale_and_north(sheet: Sheet, frame: Frame, location: Location, cols: int) -> None:
    """Draw a scale bar and an arrow to the north below the score panel."""
    left, top, across = sheet.below(-2)
    middle, pixel = top + FOOT // 2, location.ground.col * cols / frame.width
    room = min(across, across // 2 if sheet.is_stacked else across)
    bar = ScaleBar.fitting(SHARE * room * pixel)
    right = left + max(2, round(bar.length / pixel))
    pen = sheet.pen
    pen.line((left, middle + 6, right, middle + 6), "black", 3)
    for x in (left, right):
        pen.line((x, middle, x, middle + 7), "black")
    sheet.text(
        ((left + right) // 2 if right - left > 40 else left, middle - 3),
        bar.label,
        SMALL,
        "ms" if right - left > 40 else "ls",
    )
    bearing = location.ground.bearing_of_north(1.0)
    if bearing is not None:
        _arrow(sheet, (left + round(0.62 * room), middle + 2), bearing)


def _arrow(sheet: Sheet, middle: tuple[int, int], bearing: float) -> None:
    """Draw an arrow that points so many degrees clockwise from up."""
    angle = math.radians(bearing)

    def at(right: float, up: float) -> tuple[float, float]:
        x = right * math.cos(angle) + up * math.sin(angle)
        y = right * math.sin(angle) - up * math.cos(angle)
        return middle[0] + x, middle[1] + y

    left, right = ([at(0, ARROW - 6), at(side, -ARROW), at(0, -ARROW + 5)] for side in (-7, 7))
    sheet.pen.polygon(left, outline="black", fill="black")
    sheet.pen.polygon(right, outline="black", fill="white")
    x, y = at(0, ARROW + 1)
    sheet.text((round(x), round(y)), "N", SMALL, "mm")


def _corners(sheet: Sheet, location: Location) -> None:
    """Write the coordinates of the corners below the last panel."""
    left, top, across = sheet.below(-1)
    first, last = location.corners
    if first and last:
        text = f"upper left {first}\nlower right {last}"
        flat = line_height("-", SMALL) if sheet.size[1] < THIN else 0
        sheet.text((left + across // 2, top + 2 + flat), text, SMALL)


def _numbers(
    sheet: Sheet, frame: Frame, marks: Sequence[ObjectMark], shape: tuple[int, int]
) -> None:
    """Write the numbers of objects beside their peaks, of a thin image beside the image."""
    font, boxes = font_of(SMALL), list[Box]()
    thin_x, thin_y = frame.width < THIN, frame.height < THIN
    beside = (sheet.size[0] - frame.width) // 2 if thin_x else 0
    below = line_height("-", SMALL) if thin_y else 0
    across, down = frame.width / shape[1], frame.height / shape[0]
    half = max(across, down, 2) / 2 + 1
    for mark in marks:
        x, y = (mark.peak[1] + 0.5) * across + beside, (mark.peak[0] + 0.5) * down
        left, right = (beside, beside + frame.width) if thin_x else (x - half, x + half)
        top, bottom = (0, frame.height) if thin_y else (y - half, y + half)
        boxes.append((left, top, right, bottom))
    sizes = [(font.getlength(str(mark.number)) + 2 * HALO, SMALL + 2.0) for mark in marks]
    room = frame.width + 2 * beside, frame.height + below
    for mark, place in zip(marks, label_places(boxes, sizes, room), strict=True):
        if place is not None:
            x, y = (place[0] + place[2]) / 2 - beside, (place[1] + place[3]) / 2
            at, text = (frame.left + x, frame.top + y), str(mark.number)
            sheet.pen.text(at, text, "black", font, "mm", stroke_width=HALO, stroke_fill="white")
