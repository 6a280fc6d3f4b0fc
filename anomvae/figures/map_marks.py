"""What lies over a map, and below it: outlines and numbers of objects, scale bar, north, colours.

Keys are drawn in axes whose coordinates are millimetres (`PrintSheet.ruled`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse, PathPatch, Polygon, Rectangle
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from ..mapping.label_places import Box, label_places
from ..mapping.location import Location, ScaleBar
from ..mapping.log_scale import LogScale, tick_label
from ..mapping.object_outlines import ObjectOutline
from ..pixels.flag_classes import ANOMALOUS, COLOURS, hex_of
from ..stats.thresholds import Threshold
from .print_sheet import line_height, text_width

Style = dict[str, Any]

FREE: Style = {"edgecolor": "black", "clip_on": False}
"""Of a patch in a key."""
OUTLINE = "#FFE100"
"""Of objects; with a dark line around it, it shows on any ground."""
FLAG = hex_of(COLOURS[ANOMALOUS])
SMALL = 5.5
"""Size of letters in keys, and of numbers, points."""
TINY, RING = 1.6, 1.2
"""Size of an object too small to be outlined, and radius of the circle around it, mm."""
LINE, EDGE = 0.5, 0.5
"""Width of an outline, and of the dark line around it, points."""
APART = (4.5, 5.5, 6.5, 8.0, 12.0)
"""Spaces between labels of the colour bar, mm, the first that suffices counts."""
SHARE = 0.45
"""Of a key that the scale bar fills at most."""


def draw_outlines(
    axes: Axes, outlines: Sequence[ObjectOutline], scale: tuple[float, float], *, strong: int = 0
) -> int:
    """Draw outlines and numbers of objects, the strongest first; return how many have no number.

    ``scale`` is mm for a column and a row.  The object of the number ``strong`` has a wider line.
    """
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    room = (right - left) * scale[0], (bottom - top) * scale[1]
    boxes: list[Box] = []
    for outline in outlines:
        box, is_small = _box_of(outline, (left, top), scale)
        boxes.append(box)
        width = 2 * LINE if outline.item.id == strong else LINE
        if outline.whole and not is_small:
            _draw_rings(axes, outline, width)
        elif is_small:
            _draw_circle(axes, outline, scale, width)
    texts = [str(outline.item.id) for outline in outlines]
    sizes = [(text_width(text, SMALL) + 0.6, line_height(SMALL)) for text in texts]
    places = label_places(boxes, sizes, room)
    for text, place in zip(texts, places, strict=True):
        if place is not None:
            x, y = (place[0] + place[2]) / 2 / scale[0], (place[1] + place[3]) / 2 / scale[1]
            effects = [withStroke(linewidth=1.4, foreground="white")]
            axes.text(
                left + x,
                top + y,
                text,
                fontsize=SMALL,
                ha="center",
                va="center_baseline",
                path_effects=effects,
            )
    return sum(place is None for place in places)


def _box_of(
    outline: ObjectOutline, origin: tuple[float, float], scale: tuple[float, float]
) -> tuple[Box, bool]:
    """Return the place of an object in the axes, mm, and whether it is too small to be seen."""
    rows, cols = outline.window
    box = (
        (cols.start - origin[0]) * scale[0],
        (rows.start - origin[1]) * scale[1],
        (cols.stop - origin[0]) * scale[0],
        (rows.stop - origin[1]) * scale[1],
    )
    is_small = max(box[2] - box[0], box[3] - box[1]) < TINY
    if not is_small:
        return box, False
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return (x - RING, y - RING, x + RING, y + RING), True


def _draw_rings(axes: Axes, outline: ObjectOutline, width: float) -> None:
    codes: list[np.ndarray[tuple[int], np.dtype[np.uint8]]] = []
    points = []
    for ring in outline.rings:
        closed = np.concatenate([ring, ring[:1]])
        code = np.full(len(closed), Path.LINETO, np.uint8)
        code[0], code[-1] = Path.MOVETO, Path.CLOSEPOLY
        points.append(closed)
        codes.append(code)
    path = Path(np.concatenate(points), np.concatenate(codes))
    for colour, extra in (("black", EDGE), (OUTLINE, 0.0)):
        style: Style = {"facecolor": "none", "edgecolor": colour, "joinstyle": "miter"}
        axes.add_patch(PathPatch(path, linewidth=width + extra, **style))


def _draw_circle(
    axes: Axes, outline: ObjectOutline, scale: tuple[float, float], width: float
) -> None:

    rows, cols = outline.window
    middle = (cols.start + cols.stop) / 2, (rows.start + rows.stop) / 2
    size = 2 * RING / scale[0], 2 * RING / scale[1]
    for colour, extra in (("black", EDGE), (OUTLINE, 0.0)):
        style: Style = {
            "facecolor": "none",
            "edgecolor": colour,
            "linewidth": width + extra,
        }
        axes.add_patch(Ellipse(middle, *size, **style))


def draw_scale(key: Axes, location: Location, column: float, aspect: float) -> None:
    """Draw a scale bar and an arrow to true north.

    ``column`` is the width of a column in the map, mm, and ``aspect`` how many times as high a row
    is drawn.
    """
    width, height = key.get_xlim()[1], key.get_ylim()[0]
    metres = location.ground.col / column  # for a mm of the page
    bar = ScaleBar.fitting(max(8.0, SHARE * width) * metres)
    length, middle = bar.length / metres, height * 0.72
    style: Style = {"color": "black", "solid_capstyle": "butt", "clip_on": False}
    key.plot([0.2, 0.2 + length], [middle, middle], linewidth=1.6, gid="scale-bar", **style)
    for x in (0.2, 0.2 + length):
        key.plot([x, x], [middle - 0.8, middle + 0.28], linewidth=0.5, **style)
    key.text(
        0.2 + length / 2 if length > text_width(bar.label, SMALL) else 0.2,
        middle - 0.9,
        bar.label,
        fontsize=SMALL + 0.5,
        ha="center" if length > text_width(bar.label, SMALL) else "left",
        va="bottom",
    )
    bearing = location.ground.bearing_of_north(aspect)
    if bearing is not None:
        _draw_arrow(key, (max(length + 8.0, 0.62 * width), height * 0.5), bearing)


def _draw_arrow(key: Axes, middle: tuple[float, float], bearing: float) -> None:
    angle = math.radians(bearing)

    def at(right: float, up: float) -> tuple[float, float]:
        x = right * math.cos(angle) + up * math.sin(angle)
        y = right * math.sin(angle) - up * math.cos(angle)
        return middle[0] + x, middle[1] + y

    for side, colour in ((-1, "black"), (1, "white")):
        points = [at(0, 1.6), at(side * 1.1, -2.2), at(0, -1.3)]
        style: Style = {
            "facecolor": colour,
            "edgecolor": "black",
            "linewidth": 0.5,
            "clip_on": False,
        }
        key.add_patch(Polygon(points, closed=True, joinstyle="miter", gid="north", **style))
    x, y = at(0, 2.8)
    key.text(x, y, "N", fontsize=SMALL + 0.5, ha="center", va="center_baseline")


def draw_colours(key: Axes, scale: LogScale, threshold: Threshold) -> None:
    """Draw the colours of scores with round labels, and the threshold."""
    width, top, height = key.get_xlim()[1], 3.4, 2.2
    ramp = np.repeat(scale.ramp(256)[np.newaxis], 2, axis=0)
    key.imshow(ramp, extent=(0, width, top + height, top), aspect="auto", interpolation="bilinear")
    key.set(xlim=(0, width), ylim=(key.get_ylim()[0], 0))
    frame: Style = {
        "facecolor": "none",
        "edgecolor": "black",
        "linewidth": 0.5,
        "clip_on": False,
    }
    key.add_patch(Rectangle((0, top), width, height, **frame))
    line: Style = {"color": "black", "linewidth": 0.4, "clip_on": False}

    def x_of(score: float) -> float:
        return float(scale.place(score)) * width

    for tick in scale.small_ticks():
        key.plot([x_of(tick)] * 2, [top + height, top + height + 0.45], **line)
    for tick in _ticks_of(scale, width):
        key.plot([x_of(tick)] * 2, [top + height, top + height + 0.8], **line)
        half = text_width(tick_label(tick), SMALL) / 2
        x = min(max(x_of(tick), half - 1.5), width - half + 1.5)
        key.text(x, top + height + 1.0, tick_label(tick), fontsize=SMALL, ha="center", va="top")
    x, rule = x_of(threshold.value), f"{threshold.value:.4g} ({threshold.rule})"
    key.plot([x, x], [top, top + height], color=FLAG, linewidth=1.2, clip_on=False)
    points = [(x, top - 0.1), (x - 0.6, top - 1.0), (x + 0.6, top - 1.0)]
    key.add_patch(Polygon(points, facecolor=FLAG, edgecolor="none", clip_on=False))
    text = f"threshold {rule}"
    half = text_width(text, SMALL) / 2
    x = min(max(x, half), width - half) if 2 * half < width else width / 2
    key.text(x, top - 1.2, text, fontsize=SMALL, ha="center", va="bottom", parse_math=False)


def _ticks_of(scale: LogScale, width: float) -> list[float]:
    """Return the ticks of a colour bar of a width, mm, whose labels do not overlap."""
    ticks: list[float] = []
    for apart in APART:
        ticks = scale.ticks(apart / width)
        widths = [text_width(tick_label(tick), SMALL) for tick in ticks]
        steps = np.diff([float(scale.place(tick)) * width for tick in ticks])
        needed = [(one + other) / 2 + 1.0 for one, other in pairwise(widths)]
        if (steps >= needed).all():
            break
    return ticks


def draw_classes(key: Axes, classes: Sequence[tuple[str, str]]) -> None:
    """Draw a patch and a text for each class: its colour, and what it is."""
    step = line_height(SMALL + 0.5)
    for number, (colour, text) in enumerate(classes):
        y = 0.6 + number * step
        style: Style = {
            "facecolor": colour,
            "edgecolor": "black",
            "linewidth": 0.4,
            "clip_on": False,
        }
        key.add_patch(Rectangle((0.2, y), 3, step - 0.7, **style))
        key.text(4.2, y + (step - 0.7) / 2, text, fontsize=SMALL, va="center_baseline")
