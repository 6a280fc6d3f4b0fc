"""Baselines, fitted to the scene of a map and measured on the pixels of its scores and labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..mapping.stored import stored
from ..parallel import Progress
from ..pixels.bands import Bands
from ..pixels.tiling import Window, fitting_size, tiles
from ..raster import OpenScene, Scene
from ..stats.metrics import Metrics, measure_stream
from ..stats.moments import stream_statistics
from .baselines import BASELINES, Score, Spectra
from .labelled import LabelledMap, Labels

Array = NDArray[np.float64]


def baseline_rows(
    scene: Scene, bands: Bands, ours: LabelledMap, names: Sequence[str], progress: Progress
) -> dict[str, Metrics]:
    """Measure baselines at mean + 3 sigma of their scores, on the pixels scored and labelled."""
    with scene.open(bands) as opened:

        def spectra() -> Iterator[Spectra]:
            for window in _windows(opened):
                block = opened.read(window)[-1]
                yield block[np.isfinite(block).all(axis=-1)]

        empty = not any(len(part) for part in spectra())
        rows = {}
        for done, name in enumerate(names):
            progress("baselines", done, len(names))
            score = _no_score if empty else BASELINES[name](spectra)
            rows[name] = _measured(score, opened, ours)
        progress("baselines", len(names), len(names))
        return rows


def _measured(score: Score, opened: OpenScene, ours: LabelledMap) -> Metrics:
    with stored(opened.grid.shape, np.float64) as scores:
        for window in _windows(opened):
            scores.write(window, _scores(score, opened, window))

        def pairs() -> Iterator[tuple[Labels, Array]]:
            for tile in ours.scored.windows():
                yield ours.known(tile.keep), scores.read(tile.keep)

        return measure_stream(pairs, _three_sigma(map(scores.read, _windows(opened))))


def _scores(score: Score, opened: OpenScene, window: Window) -> Array:
    block = opened.read(window)[-1]
    where = np.isfinite(block).all(axis=-1)
    scores = np.full(where.shape, np.nan)
    if where.any():
        scores[where] = score(block[where])
    return scores


def _no_score(spectra: Spectra) -> Array:
    return np.full(len(spectra), np.nan)


def _three_sigma(parts: Iterable[Array]) -> float | None:
    """Return mean + 3 standard deviations of all scores; None without a score."""
    scores = stream_statistics(part[..., np.newaxis] for part in parts)
    return float(scores.mean[0] + 3 * scores.std[0]) if scores.count[0] else None


def bands_with_data(opened: OpenScene) -> Bands:
    """Leave out bands without data: one of them would leave no pixel valid."""
    count = stream_statistics(opened.read(window) for window in _windows(opened)).count
    filled = [band for band, values in zip(opened.bands, count, strict=True) if values]
    return opened.bands.keep(filled) if filled else opened.bands


def _windows(opened: OpenScene) -> Iterator[Window]:
    """Yield windows that cover a scene, in the memory of a tile."""
    shape, block_shape = opened.grid.shape, opened.newest.dataset.block_shape
    size = fitting_size(shape, block_shape, opened.values_per_pixel)
    return (tile.keep for tile in tiles(shape, size))
