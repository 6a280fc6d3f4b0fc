"""A code that is one of a fixed number of vectors, in a scoring program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .arithmetic import Arithmetic, Values
from .codes import Code, Draw, Encoded, Shapes, Weights, dense_shapes, layer_of
from .layers import Array, Layer

CODES = 64
"""Vectors of a codebook: the materials of a scene, in a few shades each."""
DEAD = 0.1 / CODES
"""Share of the training examples below which a code is never chosen."""


@dataclass(frozen=True, eq=False)
class Codebook(Code):
    """The nearest of 64 vectors replaces the features (van den Oord et al. 2017).

    With a layer's output e and the shares f of the vectors c in training::

        z = c_k, k = argmin_j |e - c_j|^2 over f_j >= `DEAD`      KL = -log f_k, of one unit
    """

    whole: ClassVar[bool] = True
    to_e: Layer
    """Features to a vector e."""
    vectors: Array
    """c, (code, latent)."""
    handicap: Array
    """Added to squared distances: 0, or infinite for a code that is never chosen, (code,)."""
    surprise: Array
    """-log f of each code: f = max(usage, `DEAD`), divided by its sum, (code,), nats."""

    @classmethod
    def shapes(cls, features: int, latent: int) -> Shapes:
        """Return the shapes of its tensors."""
        return {
            **dense_shapes("to_e", features, latent),
            "codes": (CODES, latent),
            "usage": (CODES,),
        }

    @classmethod
    def of(cls, weights: Weights) -> Codebook:
        """Read it from its tensors."""
        usage = weights["usage"]
        floored = np.maximum(usage.astype(np.float64), DEAD)
        handicap = np.where(usage >= np.float32(DEAD), 0, np.inf).astype(np.float32)
        surprise = -np.log(floored / floored.sum())
        vectors = np.ascontiguousarray(weights["codes"], np.float32)
        return cls(layer_of(weights, "to_e"), vectors, handicap, surprise.astype(np.float32))

    @staticmethod
    def code_names(latent: int) -> tuple[str, ...]:
        """Return the name of the one code, a whole number."""
        return ("code",)

    @staticmethod
    def noise_width(latent: int) -> int:
        """Return 0: the posterior is a point."""
        return 0

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Its dense layers."""
        return (self.to_e,)

    def encode(self, h: Values, a: Arithmetic) -> Encoded:
        """Return the nearest vectors, and their KL."""
        nearest = self._nearest(h, a)
        kl = a.rows(a.constant(self.surprise), nearest)[..., None]
        return Encoded(a.rows(a.constant(self.vectors), nearest), kl)

    def draw(self, h: Values, noise: Values, a: Arithmetic) -> Draw:
        """Return the nearest vectors, whatever the noise; a code is the number of its vector."""
        nearest = self._nearest(h, a)
        z = a.rows(a.constant(self.vectors), nearest)
        number = a.rows(a.constant(np.arange(CODES, dtype=np.float32)), nearest)
        return Draw(number[..., None], z, -a.rows(a.constant(self.surprise), nearest))

    def _nearest(self, h: Values, a: Arithmetic) -> Values:
        """Return the number of the nearest living vector, (...); the first of equally near ones.

        Squares are added feature by feature, because a matrix product rounds otherwise.
        """
        e, vectors = a.dense(self.to_e, h), a.constant(self.vectors)
        distance = a.zeros((*e.shape[:-1], CODES)) + a.constant(self.handicap)
        for feature in range(e.shape[-1]):
            difference = e[..., feature, None] - vectors[:, feature]
            distance = distance + difference * difference
        return distance.argmin(-1)
