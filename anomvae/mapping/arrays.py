"""Score an array of pixels in memory, as the same pixels in a file are scored."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..config import Config
from ..detector import Scores
from ..fitting import Selection, detect
from ..parallel.isolation import isolated
from ..pixels.bands import Bands, unnamed_bands
from ..raster import ArrayProduct, Georeference, OpenScene, Scene
from ..stats.pvalues import PValues
from ..stats.thresholds import Threshold
from .flagging import Decision, Flags, ScoredMap
from .options import ScoreOptions
from .outcomes import scored
from .quicklook import QuickLookSpec
from .scorer import Scorer
from .statistics import RunningStatistics
from .tiles import adapted_scorer, score_tiles
from .verdict import verdict_of_scene, warned

NAME = "array"
"""What messages call an array."""


@dataclass(frozen=True, eq=False)
class ArrayResult:
    """What is anomalous in an array; arrays have axes (row, col)."""

    terms: Scores
    """The score and its terms, NaN = no data; their sum is the score."""
    flags: Flags
    """Whether a pixel is anomalous; one without data is not."""
    threshold: Threshold
    """Scores above it are flagged."""
    p_values: NDArray[np.float32] | None = None
    """The p-value of each score; None where the rule of the threshold has none."""

    @property
    def scores(self) -> NDArray[np.float32]:
        """The anomaly score, higher is more anomalous; NaN = no data."""
        return self.terms.total


@isolated()
def score_array(
    detector: Scorer, cube: ArrayLike, *, nodata: float | Sequence[float] | None = None
) -> ArrayResult:
    """Score an array of pixels, and flag those that are anomalous.

    Scores and flags are, to the bit, those that `score_scene` writes for the same pixels in a file.

    Parameters
    ----------
    detector : Detector
        With a threshold.
    cube : array_like, shape (rows, cols, bands), or (dates, rows, cols, bands)
        Physical values, as the detector was trained on: its bands, in its order, or all bands of a
        file as it was trained on.  NaN and masked values are no data.  Of dates, oldest first, the
        newest is scored.
    nodata : float or sequence of float, optional
        Values that are no data, too.

    Returns
    -------
    ArrayResult

    Raises
    ------
    TypeError
        If ``cube`` is a path.
    ConfigError
        If it is no array of real numbers with three axes, or four, or there are several dates and
        the family compares none, or one and it does.
    BandMismatch, CovariateMismatch
        If the bands do not fit the detector, or the detector is conditioned on covariates.

    Examples
    --------
    >>> from anomvae.config import resolve_config
    >>> config = resolve_config("default", ["training.max_steps=20"]).config
    >>> cube = np.random.default_rng(0).normal(size=(40, 40, 4))
    >>> cube[0, 0] = np.nan
    >>> result = detect_array(cube, config)
    >>> result.scores.shape, bool(np.isnan(result.scores[0, 0])), bool(result.flags[0, 0])
    ((40, 40), True, False)
    """
    products = [
        replace(one, bands=_described(detector.bands, one.cube.shape[2])) for one in _products(cube)
    ]
    return score_in_memory(detector, Scene.of(products, nodata=_numbers(nodata)))


@isolated()
def detect_array(
    cube: ArrayLike,
    config: str | Config | None = None,
    seed: int = 0,
    *,
    nodata: float | Sequence[float] | None = None,
) -> ArrayResult:
    """Fit a detector to an array, its anomalies included, and score the array.

    Parameters
    ----------
    cube, nodata
        As for `score_array`.
    config, seed
        As for `anomvae.detect`.

    Returns
    -------
    ArrayResult

    Raises
    ------
    TypeError, ConfigError, NotEnoughPixels
        If the array or the settings do not fit.
    """
    products, select = _products(cube), Selection(nodata=_numbers(nodata))
    detector = detect(products, config, seed, select=select)
    return score_in_memory(detector, Scene.selected(products, select))


def score_in_memory(detector: Scorer, closed: Scene) -> ArrayResult:
    """Score a scene, decide it by the detector's threshold, and keep the result in memory.

    Raises what `score_array` does.
    """
    with scored(closed.name):
        detector.require_dates(len(closed.dates))
        with closed.open(detector.bands, detector.covariates) as opened:
            statistics = RunningStatistics(opened.grid.shape)
            terms = _terms(adapted_scorer(detector, opened), opened, statistics)
            found = ScoredMap(opened.georeference, lambda window: terms.total[window])
            decision = Decision.of(detector.threshold, found, detector.scores)
    flags = _flags(decision, found)
    share = float(flags.sum()) / max(1, statistics.valid)
    of_scene = verdict_of_scene(detector.domain, statistics)
    warned(closed.name, of_scene, share, detector.threshold.fpr, decision.threshold.rule)
    return ArrayResult(terms, flags, decision.threshold, _p_values(decision.p_values, terms.total))


def decided_scores(
    detector: Scorer, scores: NDArray[np.float32], where: Georeference
) -> tuple[Flags, Threshold]:
    """Return which scores, axes (row, col), are anomalous by a detector, and the threshold.

    Raises
    ------
    NotEnoughPixels, ConfigError
        If its rule is chosen on the scene, and there are too few scores, or pixels have no area.
    """
    found = ScoredMap(where, lambda window: scores[window])
    decision = Decision.of(detector.threshold, found, detector.scores)
    return _flags(decision, found), decision.threshold


def _flags(decision: Decision, found: ScoredMap) -> Flags:
    flags = np.zeros(found.where.grid.shape, np.bool_)
    for tile in found.windows(decision.radius):
        flags[tile.keep] = decision.flags(tile, found.read(tile.read))
    return flags


def _terms(detector: Scorer, opened: OpenScene, statistics: RunningStatistics) -> Scores:
    shape = opened.grid.shape
    terms = Scores(*(np.full(shape, np.nan, np.float32) for _ in Scores._fields))
    with closing(score_tiles(detector, opened, QuickLookSpec.of(shape), ScoreOptions())) as tiles:
        for tile in tiles:
            for term, part in zip(terms, tile.layers, strict=True):
                term[tile.tile.keep] = part[-1]
            statistics.add(tile.tile.keep, tile.layers[0][-1])
            statistics.add_spectra(tile.sample, tile.sampled)
    return terms


def _p_values(p_values: PValues | None, scores: NDArray[np.float32]) -> NDArray[np.float32] | None:
    return None if p_values is None else np.asarray(p_values.of(scores), np.float32)


def _products(cube: ArrayLike) -> list[ArrayProduct]:
    """Return the products of an array, one for each date."""
    if isinstance(cube, str | bytes) or hasattr(cube, "__fspath__"):
        raise TypeError(
            f"{cube!r} is a path, and an array of pixels is expected. Use anomvae.score_scene or "
            f"anomvae.detect_scene for files."
        )
    values: NDArray[Any] = np.asarray(cube)
    hidden = np.ma.getmask(cube)
    if np.any(hidden):
        values = values.astype(np.result_type(values.dtype, np.float32))
        values[hidden] = np.nan
    return [ArrayProduct(NAME, date) for date in (values if values.ndim == 4 else [values])]


def _described(bands: Bands, count: int) -> Bands:
    """Describe the bands of an array of physical values, in which NaN is no data.

    An array that has the bands of a detector alone has their names and wavelengths.
    """
    if len(bands) != count:
        return unnamed_bands(count).with_nodata(np.nan)
    own = [
        replace(band, index=number, scale=1.0, offset=0.0, nodata=np.nan, bad="")
        for number, band in enumerate(bands, start=1)
    ]
    return replace(bands.keep(own), source=count)


def _numbers(nodata: float | Sequence[float] | None) -> tuple[float, ...]:
    if nodata is None:
        return ()
    return tuple(nodata) if isinstance(nodata, Sequence) else (nodata,)
