"""Assemble the scored tiles of a scene into strips of whole rows; arrays have axes (row, col)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..pixels.tiling import Window

STRIP_PIXELS = 2**18
"""Pixels of a strip; labelling takes about 100 bytes a pixel where all are anomalous."""

Flags = NDArray[np.bool_]
Values = NDArray[np.float32]


class ScoredTile(NamedTuple):
    """Scores and flags of a tile."""

    keep: Window
    scores: Values
    """Nats; NaN = no data."""
    flagged: Flags
    """Anomalous pixels; False where there are no data."""


@dataclass(frozen=True)
class Strip:
    """Some whole rows of a scene."""

    top: int
    """The first row."""
    flagged: Flags
    """Anomalous pixels, a row above and a row below included; False beyond the scene."""
    scores: Values
    """Scores of the rows themselves; NaN = no data."""


def strips_of(
    tiles: Iterable[ScoredTile], width: int, pixels: int = STRIP_PIXELS
) -> Iterator[Strip]:
    """Assemble the tiles of a scene ``width`` columns wide into strips, top to bottom.

    Tiles come row by row, as `anomvae.pixels.tiling.tiles` cuts a scene; a strip of more than one
    row has at most ``pixels`` pixels.
    """
    rows = max(1, pixels // width)
    edge = np.zeros((1, width), np.bool_)
    above, flagged, scores, top = edge, edge[:0], np.empty((0, width), np.float32), 0
    for more, values in _cut(_whole_rows(tiles, width), rows):
        flagged, scores = np.concatenate([flagged, more]), np.concatenate([scores, values])
        around, whole = np.concatenate([above, flagged]), len(scores) - 1
        if whole:  # the last row waits for the row below it
            yield Strip(top, around, scores[:whole])
        top += whole
        above, flagged, scores = around[-2:-1], flagged[whole:], scores[whole:]
    if len(scores):
        yield Strip(top, np.concatenate([above, flagged, edge]), scores)


def _whole_rows(tiles: Iterable[ScoredTile], width: int) -> Iterator[tuple[Flags, Values]]:
    """Join the tiles that lie side by side."""
    for tile in tiles:
        _, cols = tile.keep
        if cols.start == 0:
            shape = len(tile.scores), width
            flagged, scores = np.empty(shape, np.bool_), np.empty(shape, np.float32)
        flagged[:, cols], scores[:, cols] = tile.flagged, tile.scores
        if cols.stop == width:
            yield flagged, scores


def _cut(parts: Iterable[tuple[Flags, Values]], rows: int) -> Iterator[tuple[Flags, Values]]:
    for flagged, scores in parts:
        for first in range(0, len(scores), rows):
            yield flagged[first : first + rows], scores[first : first + rows]
