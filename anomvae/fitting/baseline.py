"""A baseline fitted to a scene, and what scores blocks with it.

A scene is read window by window; blocks have axes (time, row, col, band), NaN = no data.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import NotEnoughPixels
from ..parallel.threads import alone
from ..pixels.bands import Bands
from ..pixels.covariates import Covariates
from ..pixels.tiling import Tile, fitting_size, tiles
from ..pixels.views import Block
from ..raster import OpenScene
from ..stats.baselines import BlockScorer, Method
from ..stats.blocks import Spectra
from ..stats.moments import Moments, stream_moments, stream_statistics
from ..stats.thresholds import Rule, Threshold


@dataclass(frozen=True)
class BaselineScorer:
    """A baseline that was fitted to a scene, with the rule of its threshold; scores that scene."""

    id: str
    """Identity: method, settings, bands, rule and moments of the scene."""
    method: Method
    """The baseline and its settings."""
    bands: Bands
    """Bands that it was fitted to."""
    rule: Rule
    """Chooses the threshold, from the scores of the scene."""
    fitted: BlockScorer
    """Scores blocks of a date."""
    covariates: Covariates = ()
    domain: None = None
    scores: None = None

    @property
    def radius(self) -> int:
        """Receptive radius of a score, pixels."""
        return self.method.radius

    @property
    def meaning(self) -> str:
        """Definition of the score, one line."""
        return self.method.meaning

    @property
    def layers(self) -> tuple[str, ...]:
        """The layer of its maps."""
        return ("score",)

    @property
    def threshold(self) -> Threshold:
        """The rule alone: the value, NaN here, is chosen when the scene is scored."""
        return Threshold(math.nan, math.nan, str(self.rule), 0, False)

    def require_dates(self, dates: int) -> None:
        """Require as many dates as the baseline scores, see `Method.require_dates`."""
        self.method.require_dates(dates)

    def score(self, block: Block) -> tuple[NDArray[np.float32], ...]:
        """Return the scores of the newest date of a block, axes (time, row, col); else NaN."""
        scores = np.full(block.shape[:-1], np.nan, np.float32)
        scores[-1] = self.fitted.score(self.method.given(block))
        return (scores,)


@alone()
def fit_baseline(opened: OpenScene, method: Method, rule: Rule) -> BaselineScorer:
    """Fit a baseline to a scene, to all of its bands, each of which has data.

    Raises
    ------
    NotEnoughPixels
        If fewer than 2 pixels have data in every band.
    """
    moments = stream_moments(part for part in spectra_of(opened))
    if moments.count < 2:
        raise NotEnoughPixels(
            f"{opened.name}: {moments.count} pixels have data in every band, and no mask hides "
            f"them; {method.name} needs 2. Check masks, nodata values and bands."
        )
    fitted = method.fit(lambda: examples_of(opened, method))
    return BaselineScorer(
        _digest(method, opened, rule, moments), method, opened.bands, rule, fitted
    )


def _digest(method: Method, opened: OpenScene, rule: Rule, moments: Moments) -> str:
    digest = hashlib.sha256(
        repr((method, opened.bands.digested, str(rule), moments.count)).encode()
    )
    digest.update(moments.mean.tobytes())
    digest.update(moments.scatter.tobytes())
    return digest.hexdigest()[:16]


def windows_of(opened: OpenScene, halo: int = 0) -> Iterator[Tile]:
    """Yield windows that cover a scene, in the memory of a tile, each with a halo."""
    shape, block_shape = opened.grid.shape, opened.newest.dataset.block_shape
    return tiles(shape, fitting_size(shape, block_shape, opened.values_per_pixel), halo)


def spectra_of(opened: OpenScene) -> Iterator[Spectra]:
    """Yield the spectra of the newest date that have data in every band, (n, band)."""
    for window in windows_of(opened):
        block = opened.read(window.keep)[-1]
        yield block[np.isfinite(block).all(axis=-1)]


def examples_of(opened: OpenScene, method: Method) -> Iterator[Spectra]:
    """Yield what a baseline is fitted to, (n, ..., band), see `Method.examples`."""
    for window in windows_of(opened):
        yield method.examples(opened.read(window.keep))


def bands_with_data(opened: OpenScene) -> Bands:
    """Leave out bands without data: one of them would leave no pixel valid."""
    count = stream_statistics(opened.read(each.keep) for each in windows_of(opened)).count
    filled = [band for band, values in zip(opened.bands, count, strict=True) if values]
    return opened.bands.keep(filled) if filled else opened.bands
