"""What computes the layers of a map from the blocks of a scene."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ..pixels.bands import Bands
from ..pixels.covariates import Covariates
from ..pixels.tiling import Tile
from ..pixels.views import Block
from ..stats.domain import Domain
from ..stats.scores import NormalScores
from ..stats.thresholds import Threshold

if TYPE_CHECKING:
    from ..detector import Detector

Planes = tuple[NDArray[np.float32], ...]
"""The layers of a map, each of axes (time, row, col); NaN = no data."""


class Scorer(Protocol):
    """A `Detector`, or anything else that scores blocks."""

    @property
    def id(self) -> str:
        """Identity, different for every detector."""

    @property
    def bands(self) -> Bands:
        """Bands that a scene must have."""

    @property
    def covariates(self) -> Covariates:
        """Covariates that a scene must have, in this order; usually none."""

    @property
    def radius(self) -> int:
        """Receptive radius of a score, pixels."""

    @property
    def meaning(self) -> str:
        """Definition of the score, one line."""

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of what `score` returns, the score first: the bands of the map."""

    @property
    def domain(self) -> Domain | None:
        """What it keeps of its training scenes; None where it has none."""

    @property
    def threshold(self) -> Threshold:
        """The threshold, in the unit of the score; one that is pending is chosen in the scene."""

    @property
    def scores(self) -> NormalScores | None:
        """The scores of normal pixels; None where none are kept."""

    def require_dates(self, dates: int) -> None:
        """Require that the number of dates of a scene fits."""

    def score(self, block: Block) -> Planes:
        """Return the layers of a block of axes (time, row, col, value), each (time, row, col)."""


@dataclass(frozen=True, eq=False)
class TileLayers(ABC):
    """Layers that a detector computes of pixels, which need not be scores.

    They may depend on where a pixel lies.
    """

    detector: Detector
    """Computes them."""

    @property
    def bands(self) -> Bands:
        """Bands that a scene must have."""
        return self.detector.bands

    @property
    def covariates(self) -> Covariates:
        """Covariates that a scene must have, in this order; usually none."""
        return self.detector.covariates

    @property
    def radius(self) -> int:
        """Receptive radius of a pixel, pixels."""
        return self.detector.radius

    @property
    def device(self) -> object:
        """Where the detector computes."""
        return self.detector.device

    @property
    @abstractmethod
    def layers(self) -> tuple[str, ...]:
        """Names of the layers."""

    @abstractmethod
    def kept(self, tile: Tile, block: Block) -> Planes:
        """Return the layers of the kept pixels of a tile, each (time, row, col).

        The block, axes (time, row, col, value), has its halo.
        """


def layers_of(scorer: Scorer | TileLayers, tile: Tile, block: Block) -> Planes:
    """Return the layers of the kept pixels of a tile whose block was read."""
    if isinstance(scorer, TileLayers):
        return scorer.kept(tile, block)
    return inner(scorer.score(block), tile)


def inner(layers: Planes, tile: Tile) -> Planes:
    """Cut the halo of a tile off its layers."""
    rows, cols = tile.inner
    return tuple(layer[:, rows, cols] for layer in layers)
