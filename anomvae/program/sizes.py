"""The sizes of a model, which set the shapes of its tensors."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from ..pixels.annulus import Annulus
from ..stats import limits

PATCH = Annulus(*limits.PATCH)
"""The default patch of a family of patches."""


@dataclass(frozen=True)
class Sizes:
    """The sizes of a model."""

    bands: int
    """Bands of a pixel."""
    latent: int
    """Latent features of its code."""
    hidden: tuple[int, ...]
    """Widths of the encoder's layers; the decoder has them in reverse."""
    context: int = 0
    """Context features per pixel from outside the example: surroundings and covariates."""
    patch: Annulus = PATCH
    """Side of a patch and of its guard window, pixels; only families of patches use it."""
    dates: int = 2
    """Dates of a series; only a family that is given a fixed number of them uses it."""

    @property
    def covariances(self) -> int:
        """Covariances of the bands of all dates."""
        return (self.bands * self.dates) ** 2

    @property
    def weights(self) -> int:
        """Weights of encoder and decoder, about."""
        widths = (self.bands + self.context, *self.hidden, self.latent)
        return 2 * sum(before * after for before, after in pairwise(widths))
