"""The layers of a map whose scores are explained."""

from __future__ import annotations

from dataclasses import dataclass

from ..detector import Detector
from ..errors import ConfigError
from ..pixels.bands import Bands
from ..pixels.covariates import Covariates
from ..pixels.tiling import Tile
from ..pixels.views import Block
from .scorer import Planes, Scorer, TileLayers, inner


def unexplained(name: str) -> ConfigError:
    """Return the error that a scorer of a name, which is no detector, cannot explain its scores."""
    return ConfigError(
        f"{name} has no terms of bands that explain its scores. Leave --explain out, or take a "
        f"model."
    )


@dataclass(frozen=True)
class ExplainedLayers(TileLayers):
    """The layers of a detector, the score first, then those that explain it."""

    detector: Detector
    """Scores and explains, adapted to the scene."""

    @classmethod
    def of(cls, scorer: Scorer) -> ExplainedLayers:
        """Explain the scores of a scorer; raise `ConfigError` where it is no detector."""
        if isinstance(scorer, Detector):
            return cls(scorer)
        raise unexplained(scorer.id)

    @property
    def bands(self) -> Bands:
        """Bands that a scene must have."""
        return self.detector.bands

    @property
    def covariates(self) -> Covariates:
        """Covariates that a scene must have, in this order."""
        return self.detector.covariates

    @property
    def radius(self) -> int:
        """Receptive radius of a score, pixels."""
        return self.detector.radius

    @property
    def device(self) -> object:
        """Where the detector computes."""
        return self.detector.device

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers."""
        return (*self.detector.layers, *self.detector.explanation_layers)

    def kept(self, tile: Tile, block: Block) -> Planes:
        """Return the layers of the kept pixels of a tile, each (time, row, col)."""
        return inner(self.detector.score_explained(block), tile)
