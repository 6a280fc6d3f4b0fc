"""Baselines, fitted to the scene of a map and measured on the pixels of its scores and labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fitting.baseline import examples_of, spectra_of, windows_of
from ..mapping.flagging import ScoredMap
from ..mapping.stored import stored
from ..parallel.threads import alone
from ..pixels.bands import Bands
from ..raster import OpenScene, Scene
from ..stats.baselines import BlockScorer, Method
from ..stats.moments import stream_statistics
from .labelled import Flagger, LabelledMap
from .options import EvaluateOptions
from .row import Row, measured_row

Array = NDArray[np.float64]


def baseline_rows(
    scene: Scene,
    bands: Bands,
    ours: LabelledMap,
    first: Row,
    names: Sequence[str],
    options: EvaluateOptions,
) -> dict[str, Row]:
    """Measure baselines at mean + 3 sigma of their scores, on the pixels scored and labelled.

    ``first`` is the row of our map.
    """
    with scene.open(bands) as opened, alone():  # threads cost small matrices many times their work
        empty = not any(len(part) for part in spectra_of(opened))
        rows = {}
        for name in names:
            method = Method.of(name)
            if method.dates > 1:
                method.require_dates(len(opened.names))
            fitted = None if empty else method.fit(partial(examples_of, opened, method))
            rows[name] = _measured(method, fitted, opened, ours, first, options)
        return rows


def _measured(
    method: Method,
    fitted: BlockScorer | None,
    opened: OpenScene,
    ours: LabelledMap,
    first: Row,
    options: EvaluateOptions,
) -> Row:
    with stored(opened.grid.shape, np.float64) as scores:
        for tile in windows_of(opened, method.radius):
            if fitted is None:
                values = np.full(tile.shape, np.nan)
            else:
                values = fitted.score(method.given(opened.read(tile.read)))[tile.inner]
            scores.write(tile.keep, values)
            ours.progress(method.name, tile.keep[0].stop, opened.grid.shape[0])

        read_scores: Any = scores.read  # they are ranked as they are, in 64 bits
        beside = replace(ours, scored=ScoredMap(ours.scored.where, read_scores), labels=ours.known)
        read = (scores.read(tile.keep) for tile in windows_of(opened))
        return measured_row(beside, Flagger.above(_three_sigma(read)), options, first)


def _three_sigma(parts: Iterable[Array]) -> float | None:
    """Return mean + 3 standard deviations of all scores; None without a score."""
    scores = stream_statistics(part[..., np.newaxis] for part in parts)
    return float(scores.mean[0] + 3 * scores.std[0]) if scores.count[0] else None
