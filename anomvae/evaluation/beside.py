"""Baselines, fitted to the scene of a map and measured on the pixels of its scores and labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..fitting.baseline import examples_of, spectra_of, windows_of
from ..mapping.stored import stored
from ..parallel import Progress
from ..pixels.bands import Bands
from ..raster import OpenScene, Scene
from ..stats.baselines import BlockScorer, Method
from ..stats.metrics import Measured, measure_with_curve
from ..stats.moments import stream_statistics
from .labelled import LabelledMap, Labels

Array = NDArray[np.float64]


def baseline_rows(
    scene: Scene, bands: Bands, ours: LabelledMap, names: Sequence[str], progress: Progress
) -> dict[str, Measured]:
    """Measure baselines at mean + 3 sigma of their scores, on the pixels scored and labelled."""
    with scene.open(bands) as opened:
        empty = not any(len(part) for part in spectra_of(opened))
        rows = {}
        for name in names:
            method = Method.of(name)
            if method.dates > 1:
                method.require_dates(len(opened.names))
            fitted = None if empty else method.fit(partial(examples_of, opened, method))
            rows[name] = _measured(method, fitted, opened, ours, progress)
        return rows


def _measured(
    method: Method,
    fitted: BlockScorer | None,
    opened: OpenScene,
    ours: LabelledMap,
    progress: Progress,
) -> Measured:
    with stored(opened.grid.shape, np.float64) as scores:
        for tile in windows_of(opened, method.radius):
            if fitted is None:
                values = np.full(tile.shape, np.nan)
            else:
                values = fitted.score(method.given(opened.read(tile.read)))[tile.inner]
            scores.write(tile.keep, values)
            progress(method.name, tile.keep[0].stop, opened.grid.shape[0])

        def pairs() -> Iterator[tuple[Labels, Array]]:
            for tile in ours.scored.windows():
                yield ours.known(tile.keep), scores.read(tile.keep)

        read = (scores.read(tile.keep) for tile in windows_of(opened))
        return measure_with_curve(pairs, _three_sigma(read))


def _three_sigma(parts: Iterable[Array]) -> float | None:
    """Return mean + 3 standard deviations of all scores; None without a score."""
    scores = stream_statistics(part[..., np.newaxis] for part in parts)
    return float(scores.mean[0] + 3 * scores.std[0]) if scores.count[0] else None
