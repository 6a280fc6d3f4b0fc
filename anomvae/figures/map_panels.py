"""Scene, score and flags of a part of a map as panels of a printed figure, each with its key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ..mapping.drawing import greys_of, overlay, stretched
from ..mapping.location import Location
from ..mapping.log_scale import NO_DATA, LogScale
from ..mapping.map_images import MapImages
from ..mapping.object_outlines import ObjectOutline
from ..mapping.result import MapResult
from ..pixels.flag_classes import ANOMALOUS, COLOURS, MASKED, hex_of
from ..pixels.flag_classes import NO_DATA as MISSING
from ..pixels.tiling import Window, shape_of
from ..words import share
from .map_coordinates import MapCoordinates, Side
from .map_marks import FLAG, draw_classes, draw_colours, draw_outlines, draw_scale
from .print_sheet import INCH, PrintSheet, text_width

LEFT, WIDE_LEFT, RIGHT, GAP = 9.0, 13.0, 3.0, 3.5
"""Margins of the panels, the left one also for upright numbers, and the space between two, mm."""
HEAD, TICKS, MARKS, KEY = 4.4, 6.6, 1.6, 10.0
"""Heights of a heading, of coordinates, of their ticks alone, and of a key, mm."""
UPRIGHT = 16.0
"""Maps that are less high have upright numbers at their left, mm."""
WIDEST_KEY, WIDEST_KEYS = 60.0, 84.0
"""Of one key, and of two beside each other, mm."""
SPLIT = 0.56
"""Where the first of two keys ends, share of both."""
LEAST = 0.001
"""Smallest share that is written, percent."""
SEEN = 0.25
"""Width of a flagged cell at least, mm."""
BEYOND = 2.0
"""How far a number may reach beyond its map, mm."""
TALLEST, FLATTEST, NARROWEST = 170.0, 5.0, 5.0
"""Limits of a map, mm; beyond them its pixels are not drawn in their true shape."""
STACK, SHORT_STACK = 190.0, 110.0
"""Height of all maps together where they stand one above the other, and above a spectrum, mm."""
LEAST_ROOM = 40.0
"""Width for a map and its key beside others, mm."""
STACKED_FROM = 2.2
"""Panels of a map so many times as wide as high stand one above the other."""
SHEARED = 5.0
"""Pixels up to so many times as high as wide are drawn in their true shape."""
HEADING, LABEL, TICK = 8.0, 6.5, 6.0
"""Sizes of letters, points."""
MASK = hex_of(COLOURS[MASKED])

Array = NDArray[np.float32]


@dataclass(frozen=True)
class PanelLayout:
    """Where panels lie on a page, mm."""

    places: tuple[tuple[float, float], ...]
    """Left and top of each map."""
    size: tuple[float, float]
    """Width and height of a map."""
    room: float
    """Width of a key."""
    bottom: float
    """Where the keys end."""

    @classmethod
    def of(
        cls, width: float, top: float, ratio: float, count: int, stack: float = STACK
    ) -> PanelLayout:
        """Place maps on a page of a width, below a place.

        ``ratio`` is how many times as high as wide they are, ``stack`` the largest height of all
        together where they stand one above the other.
        """
        room = (width - LEFT - RIGHT - (count - 1) * GAP) / count
        if ratio * STACKED_FROM < 1 or room < LEAST_ROOM:
            return cls._stacked(width, top, ratio, count, stack)
        height = min(TALLEST, max(FLATTEST, room * ratio))
        across = min(room, max(NARROWEST, height / ratio))
        first = LEFT + (room - across) / 2
        places = tuple((first + number * (room + GAP), top + HEAD) for number in range(count))
        return cls(places, (across, height), room, top + HEAD + height + TICKS + KEY)

    @classmethod
    def _stacked(
        cls, width: float, top: float, ratio: float, count: int, stack: float
    ) -> PanelLayout:
        room = width - WIDE_LEFT - RIGHT
        height = min(stack / count, max(FLATTEST, room * ratio))
        across = min(room, max(NARROWEST, height / ratio))
        left = LEFT if height >= UPRIGHT else WIDE_LEFT
        step = HEAD + height + MARKS + KEY
        places = tuple((left, top + HEAD + number * step) for number in range(count))
        return cls(places, (across, height), room, places[-1][1] + height + TICKS + KEY)

    @property
    def is_stacked(self) -> bool:
        """Whether maps stand one above the other."""
        return self.places[0][1] != self.places[-1][1]

    def ticks_below(self, number: int) -> bool:
        """Whether coordinates are written below a map."""
        return not self.is_stacked or number == len(self.places) - 1

    def scale(self, shape: tuple[int, int]) -> tuple[float, float]:
        """Return the width of a column and the height of a row, mm."""
        return self.size[0] / shape[1], self.size[1] / shape[0]

    def side(self, dpi: float) -> int:
        """Return how many pixels the longer side of a map has in print."""
        return max(64, round(max(self.size) / INCH * dpi))


def aspect_of(location: Location | None) -> float:
    """Return how many times as high as wide a pixel is drawn: as on the ground."""
    if location is None or not 1 / SHEARED < location.ground.aspect < SHEARED:
        return 1.0
    return location.ground.aspect


@dataclass(frozen=True, eq=False)
class MapPanels:
    """The panels of a part of a map."""

    sheet: PrintSheet
    layout: PanelLayout
    images: MapImages
    result: MapResult
    location: Location | None

    def draw(self, outlines: Sequence[ObjectOutline], strong: int = 0) -> int:
        """Draw all panels; return how many of the ``outlines`` have no number.

        They lie on the scene, or, where there is none, on the score.  The object of the number
        ``strong`` has a wider line.
        """
        images, scale = self.images, LogScale.of(self.images.scores)
        shown = [] if images.scene is None else [("Scene", images.scene)]
        shown += [("Score (log scale)", scale.colours(images.scores)), ("Flags", self._flags())]
        coordinates = self._coordinates()
        made = [
            self._panel(number, heading, image, coordinates)
            for number, (heading, image) in enumerate(shown)
        ]
        left_out = draw_outlines(made[0], outlines, self._scale, strong=strong)
        self._draw_keys(scale)
        return left_out

    @property
    def _scale(self) -> tuple[float, float]:
        return self.layout.scale(shape_of(self.images.window))

    @property
    def _reach(self) -> int:
        """By how many cells on each side flags are widened, so that one can be seen."""
        cell = max(self.layout.size) / max(self.images.scores.shape)
        return int(np.ceil((SEEN / cell - 1) / 2)) if cell < SEEN else 0

    @property
    def is_widened(self) -> bool:
        """Whether flags are drawn wider than they are."""
        return self._reach > 0 and bool((self.images.classes == ANOMALOUS).any())

    def _coordinates(self) -> MapCoordinates:
        return MapCoordinates.of(self.images.georeference, self.images.window, self._scale, TICK)

    def _panel(self, number: int, heading: str, image: Array, coordinates: MapCoordinates) -> Axes:
        (left, top), (width, height) = self.layout.places[number], self.layout.size
        axes = self.sheet.axes(left, top, width, height)
        rows, cols = self.images.window
        side = round(max(self.layout.size) / INCH * self.sheet.figure.dpi)
        axes.imshow(
            _enlarged(image, side),
            extent=(cols.start, cols.stop, rows.stop, rows.start),
            aspect="auto",
            interpolation="none",
        )
        axes.set(xlim=(cols.start, cols.stop), ylim=(rows.stop, rows.start))
        for line in coordinates.lines:
            axes.plot(*line.T, color="white", linewidth=0.3, alpha=0.6, scalex=False, scaley=False)
        self._label(axes, coordinates, number)
        middle = left + width / 2
        self.sheet.text(middle, top - HEAD + 0.4, heading, HEADING, ha="center")
        return axes

    def _label(self, axes: Axes, coordinates: MapCoordinates, number: int) -> None:
        """Write coordinates below a map, and left of it where no other map is."""
        axes.tick_params(labelsize=TICK, length=1.6, width=0.4, pad=1.2)
        for spine in axes.spines.values():
            spine.set_visible(True)
            spine.set_linewidth(0.5)
        layout, bottom, left = self.layout, coordinates.bottom, coordinates.left
        upright = layout.size[1] < UPRIGHT
        free = 0.0 if layout.is_stacked else (layout.room - layout.size[0] + GAP) / 2
        beyond = max(BEYOND, free)
        names = self._fitting(bottom, 0, beyond) if layout.ticks_below(number) else ()
        axes.set_xticks(bottom.places, names or [""] * len(bottom.places))
        if names:
            name = f"{bottom.label}, at the left {left.label.lower()}" if upright else bottom.label
            axes.set_xlabel(name, fontsize=LABEL, labelpad=1.0)
        if number and not layout.is_stacked:
            axes.set_yticks(left.places, [""] * len(left.places))
        elif upright:
            axes.set_yticks(left.places, left.labels)
        else:
            axes.set_yticks(left.places, self._fitting(left, 1, BEYOND), rotation=90, va="center")
            axes.set_ylabel(left.label, fontsize=LABEL, labelpad=1.5)

    def _fitting(self, side: Side, axis: int, beyond: float) -> list[str]:
        """Return the labels of a side, empty where they reach too far beyond the map."""
        size, step = self.layout.size[axis], self._scale[axis]
        start = self.images.window[1 - axis].start
        texts = []
        for place, text in zip(side.places, side.labels, strict=True):
            at, half = (place - start) * step, text_width(text, TICK) / 2
            texts.append(text if -beyond <= at - half and at + half <= size + beyond else "")
        return texts

    def _flags(self) -> Array:
        """Return the flags in red over a pale picture, with masked and missing pixels."""
        images = self.images
        there = images.scene is not None and images.scene.shape[:2] == images.scores.shape
        base = images.scene if there else None
        ground = stretched(greys_of(images.scores)) if base is None else base
        flags = overlay(ground, widened(images.classes == ANOMALOUS, self._reach))
        flags[images.classes == MASKED] = np.divide(COLOURS[MASKED], 255)
        flags[images.classes == MISSING] = NO_DATA
        return flags

    def _draw_keys(self, scale: LogScale) -> None:
        """Draw what explains each panel below it; scale and north where there is room."""
        first = 0 if self.images.scene is None else 1
        draw_colours(self._key(first), scale, self.result.threshold)
        if self.images.scene is not None:
            draw_classes(self._key(first + 1), self._classes())
        else:
            draw_classes(self._key(first + 1, (0.0, SPLIT)), self._classes())
        if self.location is not None:
            column, row = self._scale
            key = self._key(0) if first else self._key(1, (SPLIT, 1.0))
            draw_scale(key, self.location, column, row / column)

    def _key(self, number: int, part: tuple[float, float] = (0.0, 1.0)) -> Axes:
        """Return axes below a panel, or in a part of the space there."""
        (left, top), (width, height) = self.layout.places[number], self.layout.size
        widest = WIDEST_KEY if part == (0.0, 1.0) else WIDEST_KEYS
        room, inset = min(self.layout.room, widest), 2.5
        first = left if self.layout.is_stacked else left + (width - room) / 2
        below = top + height + (TICKS if self.layout.ticks_below(number) else MARKS)
        start, end = ((room - 2 * inset) * end for end in part)
        return self.sheet.ruled(first + inset + start, below, end - start, KEY)

    def _classes(self) -> list[tuple[str, str]]:
        """Return colours and texts of the classes that the map has."""
        result, whole = self.result, self.images.georeference.grid.shape
        window: Window = self.images.window
        if shape_of(window) != whole:
            kinds = {ANOMALOUS: (FLAG, "anomalous"), MASKED: (MASK, "masked")}
            there = [kinds[each] for each in kinds if (self.images.classes == each).any()]
            missing = (self.images.classes == MISSING).any()
            return [*there, *([(str(NO_DATA[0]), "no data")] if missing else [])]
        part = result.flagged / max(1, result.valid)
        text = share(part) if 100 * part >= LEAST or not part else f"< {LEAST} %"
        texts = [(FLAG, f"anomalous: {result.flagged:,} pixels ({text})")]
        if result.masked:
            texts.append((MASK, f"masked: {result.masked:,} pixels"))
        if result.missing:
            texts.append((str(NO_DATA[0]), f"no data: {result.missing:,} pixels"))
        return texts


def widened(flags: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Widen flags by some pixels on each side.

    Examples
    --------
    >>> widened(np.array([[False, False, True, False]]), 1).tolist()
    [[False, True, True, True]]
    """
    for axis in (0, 1):
        padded = np.pad(flags, [(reach, reach) if each == axis else (0, 0) for each in (0, 1)])
        flags = np.asarray(sliding_window_view(padded, 2 * reach + 1, axis=axis).any(axis=-1))
    return flags


def _enlarged(image: Array, side: int) -> NDArray[np.uint8]:
    """Return an image in [0, 1] as bytes, enlarged so that no viewer blurs it."""
    factor = max(1, -(-side // max(image.shape[:2])))
    bytes_ = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return bytes_.repeat(factor, axis=0).repeat(factor, axis=1)
