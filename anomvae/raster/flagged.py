"""A finished scene's flags and scores, strip by strip: what its connected anomalies are found in.

Arrays have axes (row, col).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..tiling import tiles
from .gdal import session
from .georeference import Georeference, georeference_of
from .part import part_at
from .source import Source, opened

ANOMALOUS = 1
"""Of the flags raster's values, the one of an anomalous pixel."""
STRIP_PIXELS = 2**20
"""What is looked at together: about a hundred bytes a pixel where all are anomalous."""


@dataclass(frozen=True)
class Strip:
    """Some whole rows of a scene."""

    top: int
    """The first row."""
    flagged: NDArray[np.bool_]
    """Anomalous pixels, a row above and a row below included; False beyond the scene."""
    scores: NDArray[np.float32]
    """Scores of the rows themselves, nats; NaN = no data."""


@dataclass(frozen=True)
class FlaggedMap:
    """The flags and the scores of a scene."""

    georeference: Georeference
    """Where the pixels lie."""
    tags: dict[str, str]
    """The score map's tags; ``ANOMVAE_*`` say how it was made."""
    flags: Source
    """The open flags raster."""
    scores: Source
    """The open anomaly map."""

    def strips(self, pixels: int = STRIP_PIXELS) -> Iterator[Strip]:
        """Cut the scene into strips of at most ``pixels``, but at least a row; top to bottom."""
        shape = self.flags.grid.shape
        rows = max(1, pixels // shape[1])
        # File blocks are higher than strips of a wide scene: each is decoded once all the same.
        for tile in tiles(shape, (max(rows, self.flags.block_shape[0]), shape[1]), halo=1):
            flags, scores = (
                source.read(source.first(), part_at(tile.read))[..., 0]
                for source in (self.flags, self.scores)
            )
            flagged = np.zeros((tile.shape[0] + 2, shape[1]), np.bool_)
            begin = 1 - tile.inner[0].start
            flagged[begin : begin + len(flags)] = (flags == ANOMALOUS) & np.isfinite(scores)
            yield from _cut(Strip(tile.keep[0].start, flagged, scores[tile.inner]), rows)


@contextmanager
def opened_flags(flags: str | Path, scores: str | Path) -> Iterator[FlaggedMap]:
    """Open the flags and the scores of a scene.

    Raises
    ------
    RasterError
        If one of them cannot be read.
    GridMismatch
        If they are of different scenes.
    """
    with opened(flags) as flag_source, opened(scores) as score_source:
        flag_source.grid.require_same(score_source.grid, flag_source.name, score_source.name)
        with session():
            where, tags = georeference_of(flag_source.dataset), dict(score_source.dataset.tags())
        yield FlaggedMap(where, tags, flag_source, score_source)


def _cut(strip: Strip, rows: int) -> Iterator[Strip]:
    """Cut a strip into lower ones."""
    for first in range(0, len(strip.scores), rows):
        scores = strip.scores[first : first + rows]
        yield Strip(strip.top + first, strip.flagged[first : first + len(scores) + 2], scores)
