"""A random sample of the pixels of scenes with their codes and scores, for pictures.

Scenes are read once, tile by tile.  A pixel is drawn by a random number that depends on the seed
and its place alone (`anomvae.detector.encoding`), so the sample does not depend on the tiles.
Anomalies are rare: up to a quarter of the sample is drawn from marked pixels, the rest from the
others, and `LatentSample.totals` states how many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..detector import Detector
from ..detector.encoding import pixel_noise
from ..errors import ConfigError, NotEnoughPixels
from ..files import SceneText
from ..mapping import QuickLookSpec, ScoreOptions, score_tiles
from ..mapping.scorer import Planes, TileLayers, inner
from ..parallel import Progress, quiet
from ..pixels.tiling import Tile, Window
from ..pixels.views import Block
from ..raster import OpenScene, Scene
from .marking import THRESHOLD_MARKS, UNKNOWN, Marking, above_threshold
from .opening import open_for

PIXELS = 2000
"""Pixels of a sample by default."""
MOST_PIXELS = 100_000
FEWEST = 4
MARKED_SHARE = 0.25
"""Largest share of marked pixels in a sample."""


@dataclass(frozen=True, eq=False)
class LatentSample:
    """Pixels of scenes, in the order of the scenes and row by row."""

    codes: NDArray[np.float32]
    """Posterior means, as `Detector.encode` returns them, (n, latent)."""
    scores: NDArray[np.float32]
    """Scores as a map holds them, (n,)."""
    marks: NDArray[np.int_]
    """0: not marked, such as normal pixels; from 1: marked, such as anomalous ones, (n,)."""
    scenes: NDArray[np.int_]
    """Number of the scene of each pixel, from 0, (n,)."""
    pixels: NDArray[np.int_]
    """Row and column of each pixel, (n, 2)."""
    totals: tuple[int, int]
    """Pixels with a score in all scenes that are not marked, and that are."""
    names: tuple[str, ...] = THRESHOLD_MARKS
    """What each mark stands for."""
    scene_names: tuple[str, ...] = ("scene",)
    """Names of the scenes."""
    unit: str = "nats"
    """Unit of the scores; empty where they have none."""


class CodesAndScores(TileLayers):
    """The score of a detector that is adapted to the scene, and each latent unit."""

    @property
    def layers(self) -> tuple[str, ...]:
        """The score, then the latent units."""
        return ("score", *(f"z{unit}" for unit in range(1, self.detector.card.latent + 1)))

    def kept(self, tile: Tile, block: Block) -> Planes:
        """Return the layers of the kept pixels of a tile."""
        view = self.detector.view
        where = view.where(block)
        codes = self.detector.codes(view.split(block, where)).z
        planes = (view.join(plane, where) for plane in np.moveaxis(codes, -1, 0))
        return inner((self.detector.score(block)[0], *planes), tile)


def sample_latent(
    detector: Detector,
    scenes: Sequence[SceneText | Scene],
    *,
    marking: Marking | None = None,
    count: int = PIXELS,
    seed: int = 0,
    progress: Progress = quiet,
) -> LatentSample:
    """Draw pixels of scenes with their codes and scores.

    Parameters
    ----------
    detector : Detector
        Encodes and scores the pixels.
    scenes : sequence of Scene or path
        Scenes with the bands of the detector.
    marking : Marking, optional
        Which pixels are marked; by default those above the threshold.
    count : int, default 2000
        Pixels to draw, at most 100,000.
    seed : int, default 0
        The same seed gives the same sample.
    progress : Progress, optional
        Called for every tile.

    Raises
    ------
    RasterError, BandMismatch, CovariateMismatch, GridMismatch
        As `open_for` does.
    ConfigError
        When the count does not fit.
    NotEnoughPixels
        When fewer than four pixels have a score.
    """
    if not FEWEST <= count <= MOST_PIXELS:
        raise ConfigError(f"A sample of {count} pixels: give {FEWEST} to {MOST_PIXELS:,}.")
    parts = (_Draw(count), _Draw(max(1, int(count * MARKED_SHARE))))
    marking, names = marking or above_threshold(detector), []
    for number, scene in enumerate(scenes):
        with open_for(detector, scene) as (opened, adapted):
            names.append(opened.stem)
            _add(parts, opened, adapted, marking, number, seed, progress)
    return _sample_of(detector, parts, count, marking.names, tuple(names))


class _Draw:
    """The rows of the smallest keys among all that were added."""

    def __init__(self, count: int) -> None:
        self.count, self.total, self.rows = count, 0, np.empty((0, 0))

    def add(self, rows: NDArray[np.float64]) -> None:
        """Add rows of (key, scene, row, col, ...)."""
        self.total += len(rows)
        if len(self.rows) == self.count:
            rows = rows[rows[:, 0] <= self.rows[-1, 0]]
        rows = np.concatenate([self.rows, rows]) if self.rows.size else rows
        self.rows = rows[np.lexsort(rows[:, 3::-1].T)][: self.count]


def _add(
    parts: tuple[_Draw, _Draw],
    opened: OpenScene,
    detector: Detector,
    marking: Marking,
    number: int,
    seed: int,
    progress: Progress,
) -> None:
    layers, spec = CodesAndScores(detector), QuickLookSpec.of(opened.grid.shape)
    with closing(score_tiles(layers, opened, spec, ScoreOptions())) as scored:
        for tile in scored:
            rows = _rows(
                tile.tile.keep, [layer[-1] for layer in tile.layers], marking, number, seed
            )
            for part, marked in zip(parts, (False, True), strict=True):
                part.add(rows[(rows[:, 4] > 0) == marked])
            progress("encode", tile.tile.keep[0].stop, opened.grid.shape[0])


def _rows(
    window: Window, planes: Sequence[NDArray[np.float32]], marking: Marking, number: int, seed: int
) -> NDArray[np.float64]:
    """Return rows of (key, scene, row, col, mark, score, codes) of the pixels of a window."""
    marked = marking.marks(window, planes[0])
    rows, cols = np.nonzero(np.isfinite(planes[0]) & (marked != UNKNOWN))
    places = np.stack([rows + window[0].start, cols + window[1].start], axis=-1)
    key = pixel_noise(seed, number, places, 1)[:, 0]
    columns = [key, np.full(len(key), number), *places.T, marked[rows, cols]]
    return np.stack([*columns, *(plane[rows, cols] for plane in planes)], axis=-1, dtype=np.float64)


def _sample_of(
    detector: Detector,
    parts: tuple[_Draw, _Draw],
    count: int,
    marks: tuple[str, ...],
    names: tuple[str, ...],
) -> LatentSample:
    others, marked = parts
    if others.total + marked.total < FEWEST:
        raise NotEnoughPixels(
            f"{others.total + marked.total} pixels of {', '.join(names)} have a score, too few for "
            f"a picture. Give a scene with data."
        )
    drawn = [others.rows[: count - len(marked.rows)], marked.rows]
    rows = np.concatenate([each for each in drawn if each.size])
    rows = rows[np.lexsort(rows[:, 3:0:-1].T)]
    return LatentSample(
        codes=rows[:, 6:].astype(np.float32),
        scores=rows[:, 5].astype(np.float32),
        marks=rows[:, 4].astype(int),
        scenes=rows[:, 1].astype(int),
        pixels=rows[:, 2:4].astype(int),
        totals=(others.total, marked.total),
        names=marks,
        scene_names=names,
        unit="nats" if detector.card.weighting is None else "",
    )
