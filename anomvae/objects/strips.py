"""A scene's flags and scores as strips of whole rows, put together of the pieces that are scored.

Arrays have axes (row, col).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..pixels.tiling import Window

STRIP_PIXELS = 2**20
"""What is looked at together: about a hundred bytes a pixel where all are anomalous."""

Flags = NDArray[np.bool_]
Values = NDArray[np.float32]


class ScoredTile(NamedTuple):
    """What is known of a tile."""

    keep: Window
    """Its place in the scene."""
    scores: Values
    """Scores, nats; NaN = no data."""
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
    """Scores of the rows themselves, nats; NaN = no data."""


def strips_of(
    pieces: Iterable[ScoredTile], width: int, pixels: int = STRIP_PIXELS
) -> Iterator[Strip]:
    """Put pieces together to strips, top to bottom.

    Parameters
    ----------
    pieces : iterable of Piece
        Tiles of a scene, row by row, as `anomvae.pixels.tiling.tiles` cuts it.
    width : int
        The scene's columns.
    pixels : int
        A strip has no more, but at least a row.
    """
    rows = max(1, pixels // width)
    edge = np.zeros((1, width), np.bool_)
    above, flagged, scores, top = edge, edge[:0], np.empty((0, width), np.float32), 0
    for more, values in _whole_rows(pieces, width):
        flagged, scores = np.concatenate([flagged, more]), np.concatenate([scores, values])
        # The last row waits: it is not known what is below.
        yield from _cut(Strip(top, np.concatenate([above, flagged]), scores[:-1]), rows)
        top += len(flagged) - 1
        above, flagged, scores = np.concatenate([above, flagged])[-2:-1], flagged[-1:], scores[-1:]
    yield from _cut(Strip(top, np.concatenate([above, flagged, edge]), scores), rows)


def _whole_rows(pieces: Iterable[ScoredTile], width: int) -> Iterator[tuple[Flags, Values]]:
    """Put pieces side by side."""
    for piece in pieces:
        _, cols = piece.keep
        if cols.start == 0:
            shape = len(piece.scores), width
            flagged, scores = np.empty(shape, np.bool_), np.empty(shape, np.float32)
        flagged[:, cols], scores[:, cols] = piece.flagged, piece.scores
        if cols.stop == width:
            yield flagged, scores


def _cut(strip: Strip, rows: int) -> Iterator[Strip]:
    """Cut a strip into lower ones."""
    for first in range(0, len(strip.scores), rows):
        scores = strip.scores[first : first + rows]
        yield Strip(strip.top + first, strip.flagged[first : first + len(scores) + 2], scores)
