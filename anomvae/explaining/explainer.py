"""Explain a pixel or an object of a scene: read it, and the normal pixels most like it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..detector import Detector
from ..detector.contributions import Contributions
from ..detector.explanation_layers import FACTOR
from ..errors import ConfigError
from ..files import PathText, SceneText
from ..mapping.object_finding import FoundObject, object_in
from ..parallel import Progress, quiet
from ..parallel.isolation import isolated
from ..pixels.tiling import Tile, Window, fitting_size, shape_of, tile_at, tiles
from ..pixels.views import Mask, newest, where_newest
from ..raster import OpenScene, Scene
from .explanation import Explanation, ScoreParts
from .neighbours import nearest, sample_normal
from .opening import open_for
from .pixels import pick

CLOSE = 1e-3
"""Relative difference of scores that belong to another scene or model."""

Numbers = NDArray[np.float64]


@isolated()
def explain(
    detector: Detector,
    scene: SceneText | Scene,
    at: tuple[int, int] | None = None,
    *,
    object_id: int | None = None,
    results: PathText | None = None,
    neighbours: int = 5,
    progress: Progress = quiet,
) -> Explanation:
    """Explain why a pixel or an object of a scene has its score.

    Parameters
    ----------
    detector : Detector
        With a threshold.
    scene : path, sequence of path, or Scene
        As for `anomvae.score_scene`.
    at : (row, col), optional
        The pixel, from 0.
    object_id, results : int and path, optional
        Instead, the id of an object, and the folder of the results that list it.
    neighbours : int, default 5
        How many of the nearest normal pixels are found, in one pass over the scene; 0: none.
    progress : Progress, optional
        Called for each tile of that pass.

    Returns
    -------
    Explanation

    Raises
    ------
    ConfigError
        If the pixel lies outside or has no data, the object is not listed, the results are of
        another scene or model, or not either a pixel or an object is given.
    FileError, RasterError, BandMismatch, CovariateMismatch, GridMismatch
        If a file cannot be read, or scene, results and detector do not fit.
    """
    if neighbours < 0:
        raise ConfigError(f"neighbours = {neighbours}: give 0 or more.")
    with open_for(detector, scene) as (opened, adapted):
        target = _target(adapted, opened, at, object_id, results)
        sums = _sums(adapted, opened, target)
        _require_same(target, sums.scores[0] / sums.pixels, opened)
        explained = _explanation(adapted, opened, target, sums)
        if not neighbours:
            return explained
        normal = sample_normal(adapted, opened, target.threshold, progress)
        others = normal.without(target.places)
        code, spectrum = sums.code / sums.pixels, explained.spectrum
        near = nearest(adapted, opened, others, code, spectrum, neighbours)
        return replace(explained, neighbours=near)


class _Target(NamedTuple):
    """The pixels that are explained."""

    window: Window
    mask: Mask
    """Which pixels of the window they are."""
    threshold: float
    rule: str
    found: FoundObject | None = None
    """The object that they are; None of a pixel."""

    @property
    def places(self) -> NDArray[np.int64]:
        """Row and column of each pixel, (n, 2)."""
        corner = [part.start for part in self.window]
        return np.asarray(np.argwhere(self.mask) + corner, np.int64)


class _Sums(NamedTuple):
    """Sums over pixels; contributions and scores have their local-contrast weighting."""

    pixels: int
    scores: Numbers
    """Score and terms, (layer,)."""
    factor: float
    spectrum: Numbers
    reconstruction: Numbers
    whitened: Numbers
    contributions: Numbers
    kl_units: Numbers
    code: Numbers


def _target(
    detector: Detector,
    opened: OpenScene,
    at: tuple[int, int] | None,
    object_id: int | None,
    results: PathText | None,
) -> _Target:
    threshold = detector.threshold
    if at is not None and object_id is None and results is None:
        row, col = at
        pick(detector, opened, row, col)  # it refuses pixels that have no score
        window = slice(row, row + 1), slice(col, col + 1)
        return _Target(window, np.ones((1, 1), np.bool_), threshold.value, threshold.rule)
    if at is None and object_id is not None and results is not None:
        found = object_in(results, object_id, opened)
        value = found.provenance.threshold
        return _Target(
            found.pixels.window,
            found.pixels.mask,
            threshold.value if value is None else value,
            found.provenance.threshold_rule,
            found,
        )
    raise ConfigError(
        "A pixel is explained, or an object of a folder of results. Give one of the two."
    )


def _require_same(target: _Target, score: float, opened: OpenScene) -> None:
    """Refuse results whose mean score is not that of the scene and the detector."""
    found = target.found
    if found is None or not found.pixels.whole:
        return
    if not math.isclose(score, found.item.score_mean, rel_tol=CLOSE):
        raise ConfigError(
            f"Object {found.item.id} has a mean score of {found.item.score_mean:.6g} in its file, "
            f"but {score:.6g} by this model and {opened.name}. Give the model, the scene and the "
            f"masks that the results come from."
        )


def _sums(detector: Detector, opened: OpenScene, target: _Target) -> _Sums:
    """Read the pixels of a target in tiles, and add them up."""
    shape = shape_of(target.window)
    size = fitting_size(shape, (1, 1), opened.values_per_pixel)
    top, left = (part.start for part in target.window)
    parts = []
    for part in tiles(shape, size):
        if target.mask[part.keep].any():
            rows, cols = part.keep
            keep = (
                slice(rows.start + top, rows.stop + top),
                slice(cols.start + left, cols.stop + left),
            )
            tile = tile_at(keep, opened.grid.shape, detector.radius)
            parts.append(_sums_of(detector, opened, tile, target.mask[part.keep]))
    return _Sums(*(sum(column[1:], column[0]) for column in zip(*parts, strict=True)))


def _sums_of(detector: Detector, opened: OpenScene, tile: Tile, mask: Mask) -> _Sums:
    block = opened.read(tile.read)
    where = where_newest(detector.view, block, tile.inner, mask)
    planes = [plane[where].astype(np.float64) for plane in detector.score_explained(block)]
    count, layers = int(where.sum()), len(detector.layers)
    factor = planes[-1] if FACTOR in detector.explanation_layers else np.ones(count)
    examples = detector.view.split(block, where)
    parts, means = detector.explained(examples)
    parts = Contributions(*map(newest, parts))

    def weighted(part: NDArray[np.float32]) -> Numbers:
        return np.asarray(factor @ part)

    def total(values: NDArray[np.float32]) -> Numbers:
        return np.asarray(values.sum(axis=0, dtype=np.float64))

    return _Sums(
        count,
        np.array([plane.sum() for plane in planes[:layers]]),
        float(factor.sum()),
        total(block[where][:, : len(detector.bands)]),
        total(newest(means)),
        total(parts.residual),
        weighted(parts.bands),
        weighted(parts.kl),
        total(newest(detector.codes(examples).z)),
    )


def _explanation(
    detector: Detector, opened: OpenScene, target: _Target, sums: _Sums
) -> Explanation:
    count, std, found = sums.pixels, detector.scaler.std, target.found
    units = sums.kl_units / count
    return Explanation(
        scene=opened.name,
        pixels=target.places,
        object_id=None if found is None else found.item.id,
        terms=ScoreParts(*map(float, sums.scores / count)),
        factor=sums.factor / count if FACTOR in detector.explanation_layers else None,
        meaning=detector.meaning,
        threshold=target.threshold,
        rule=target.rule,
        bands=detector.bands,
        spectrum=sums.spectrum / count,
        reconstruction=sums.reconstruction / count,
        noise_centre=detector.noise.centre * std,
        noise_std=detector.noise.std * std,
        whitened=sums.whitened / count,
        contributions=sums.contributions / count,
        kl_units=units,
        unit_names=detector.code_names[: len(units)],
        neighbours=(),
        whole=found is None or found.pixels.whole,
    )
