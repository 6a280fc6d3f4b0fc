"""The layers of a map whose scores are explained."""

from __future__ import annotations

from dataclasses import dataclass

from ..detector import Detector
from ..errors import ConfigError
from ..pixels.tiling import Tile
from ..pixels.views import Block
from .scorer import Planes, Scorer, TileLayers, inner


def unexplained(name: str) -> ConfigError:
    """Return the error that a scorer of a name, which is no detector, cannot explain its scores."""
    return ConfigError(
        f"{name} has no terms of bands that explain its scores. Leave --explain out, or take a "
        f"model."
    )


@dataclass(frozen=True, eq=False)
class ExplainedLayers(TileLayers):
    """The layers of a detector that is adapted to the scene, then those that explain its score."""

    @classmethod
    def of(cls, scorer: Scorer) -> ExplainedLayers:
        """Explain the scores of a scorer; raise `ConfigError` where it is no detector."""
        if isinstance(scorer, Detector):
            return cls(scorer)
        raise unexplained(scorer.id)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers."""
        return (*self.detector.layers, *self.detector.explanation_layers)

    def kept(self, tile: Tile, block: Block) -> Planes:
        """Return the layers of the kept pixels of a tile, each (time, row, col)."""
        return inner(self.detector.score_explained(block), tile)
