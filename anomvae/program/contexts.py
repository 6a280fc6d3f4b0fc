"""Context networks of a scoring program: pixels to reconstruct, and features of the rest.

Examples are in scaled units, NaN = no data; a pixel that lacks data in any band is missing, and its
bands are 0.  The equations are those of the networks that are trained (`anomvae.models.contexts`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .arithmetic import Arithmetic, Values
from .codes import Shapes, Weights, dense_shapes, layer_of
from .layers import Array, Layer
from .sizes import Sizes

WIDTH = 16
"""Features of a neighbour."""
KERNEL = 3
"""Side of a convolution, pixels."""


class ContextNetwork(ABC):
    """Splits examples into the pixels to reconstruct, and features of the rest."""

    predicts: ClassVar[bool] = False
    """Whether the leading features, as many as bands, are a prediction of the pixel."""

    @classmethod
    @abstractmethod
    def shapes(cls, sizes: Sizes) -> Shapes:
        """Return the shapes of its tensors in a model file."""

    @classmethod
    @abstractmethod
    def of(cls, weights: Weights, sizes: Sizes) -> ContextNetwork:
        """Read it from its tensors."""

    @staticmethod
    @abstractmethod
    def width_of(sizes: Sizes) -> int:
        """Return the features of a context."""

    @staticmethod
    def hides_pixel(sizes: Sizes) -> bool:
        """Return whether the context is computed without the pixel: the decoder is given it."""
        return True

    @property
    @abstractmethod
    def width(self) -> int:
        """Features of a context."""

    @property
    @abstractmethod
    def values(self) -> int:
        """Values of an example in the largest layer."""

    @abstractmethod
    def split(self, x: Values, a: Arithmetic) -> tuple[Values, Values]:
        """Return pixels (..., band), 0 where data are missing, and contexts (..., feature)."""

    @abstractmethod
    def empty(self) -> Array:
        """Return the context of a pixel whose other dates or neighbours are missing, (feature,)."""


@dataclass(frozen=True, eq=False)
class Recurrent(ContextNetwork):
    """The dates before each date, by a gated recurrent unit (Cho et al. 2014).

    With the input i = [x_t, known_t] and the state h, whose three parts of a layer are r, z and n::

        r = s(r_i + r_h)    z = s(z_i + z_h)    n = tanh(n_i + r n_h)    h' = (1 - z) n + z h

    The context of a date is the state before it, and the last bands known before it, 0 at first.
    """

    of_input: Layer
    """Input to r, z and n, (band + 1, 3 state)."""
    of_state: Layer
    """State to r, z and n, (state, 3 state)."""

    @classmethod
    def shapes(cls, sizes: Sizes) -> Shapes:
        """Return the shapes of its tensors in a model file."""
        bands, state = sizes.bands, sizes.hidden[-1]
        return {
            "gru.weight_ih_l0": (3 * state, bands + 1),
            "gru.weight_hh_l0": (3 * state, state),
            "gru.bias_ih_l0": (3 * state,),
            "gru.bias_hh_l0": (3 * state,),
        }

    @classmethod
    def of(cls, weights: Weights, sizes: Sizes) -> Recurrent:
        """Read it from its tensors."""
        return cls(
            Layer.of(weights["gru.weight_ih_l0"].T, weights["gru.bias_ih_l0"]),
            Layer.of(weights["gru.weight_hh_l0"].T, weights["gru.bias_hh_l0"]),
        )

    @staticmethod
    def width_of(sizes: Sizes) -> int:
        """Return state and bands."""
        return sizes.hidden[-1] + sizes.bands

    @property
    def width(self) -> int:
        """Features of a context."""
        return len(self.of_state.weight) + len(self.of_input.weight) - 1

    @property
    def values(self) -> int:
        """Values of a date in the largest layer."""
        return len(self.of_state.bias)

    def split(self, x: Values, a: Arithmetic) -> tuple[Values, Values]:
        """Split series (n, time, band): every date is to be reconstructed."""
        filled, known = _filled(x, a)
        state = a.zeros((len(x), len(self.of_state.weight)))
        latest, contexts = a.zeros((len(x), x.shape[-1])), []
        for date in range(x.shape[1]):
            contexts.append(a.join(state, latest))
            pixel, has_data = filled[:, date], known[:, date, None]
            state = self._step(a.join(pixel, a.numbers(has_data)), state, a)
            latest = a.names.where(has_data, pixel, latest)
        return filled, a.names.stack(contexts, 1)

    def _step(self, value: Values, state: Values, a: Arithmetic) -> Values:
        inputs, before = a.dense(self.of_input, value), a.dense(self.of_state, state)
        size = state.shape[-1]
        gates = a.sigmoid(inputs[:, : 2 * size] + before[:, : 2 * size])
        reset, update = gates[:, :size], gates[:, size:]
        new = a.names.tanh(inputs[:, 2 * size :] + reset * before[:, 2 * size :])
        return (1 - update) * new + update * state

    def empty(self) -> Array:
        """Return zeros."""
        return np.zeros(self.width, np.float32)


@dataclass(frozen=True, eq=False)
class Convolution(ContextNetwork):
    """The pixels around the central one: up to two convolutions of 3 x 3 pixels, then a mean.

    Features of each pixel go through GELU after every layer.  Before the first GELU, those of
    hidden pixels are ``missing``, and those of missing ones the mean of the given ones.
    """

    to_features: Layer
    """Bands to features, without GELU."""
    missing: Array
    """Features of hidden pixels, (feature,)."""
    spans: tuple[Layer, ...]
    """Convolutions without padding: the features of 3 x 3 pixels, row by row."""
    to_context: Layer
    """Mean of features to the context."""
    guarded: NDArray[np.bool_]
    """Hidden pixels of a patch, (row, col)."""

    @classmethod
    def shapes(cls, sizes: Sizes) -> Shapes:
        """Return the shapes of its tensors in a model file."""
        shapes: Shapes = {"missing": (WIDTH,), **dense_shapes("to_features", sizes.bands, WIDTH)}
        for span in range(max(0, min(2, sizes.patch.outer // 2 - sizes.patch.guard // 2))):
            shapes |= dense_shapes(f"spans.{span}", KERNEL**2 * WIDTH, WIDTH)
        return {**shapes, **dense_shapes("to_context", WIDTH, WIDTH)}

    @classmethod
    def of(cls, weights: Weights, sizes: Sizes) -> Convolution:
        """Read it from its tensors."""
        side, guard = sizes.patch.outer, sizes.patch.guard
        spans = sum(name.startswith("spans.") for name in weights) // 2
        distance = np.abs(np.arange(side) - side // 2)
        return cls(
            layer_of(weights, "to_features"),
            np.ascontiguousarray(weights["missing"], np.float32),
            tuple(layer_of(weights, f"spans.{span}", gelu=True) for span in range(spans)),
            layer_of(weights, "to_context", gelu=True),
            np.maximum(distance[:, np.newaxis], distance) <= (guard - 1) // 2,
        )

    @staticmethod
    def width_of(sizes: Sizes) -> int:
        """Return the features of a neighbour."""
        return WIDTH

    @staticmethod
    def hides_pixel(sizes: Sizes) -> bool:
        """Return whether there is a guard window."""
        return sizes.patch.guard > 0

    @property
    def width(self) -> int:
        """Features of a context."""
        return len(self.missing)

    @property
    def values(self) -> int:
        """Values of a patch in the largest layer."""
        inputs = max(len(self.to_features.weight), KERNEL**2 * len(self.missing))
        return self.guarded.size * inputs

    def split(self, x: Values, a: Arithmetic) -> tuple[Values, Values]:
        """Split patches (n, row, col, band): the central pixel is to be reconstructed."""
        centre = len(self.guarded) // 2
        filled, known = _filled(x, a)
        features = a.gelu(self._completed(a.dense(self.to_features, filled), known, a))
        for span in self.spans:
            features = a.dense(span, _neighbours(features, a))
        context = a.dense(self.to_context, features.mean((-3, -2)))
        return filled[:, centre, centre], context

    def _completed(self, features: Values, known: Values, a: Arithmetic) -> Values:
        """Replace the features (n, row, col, feature) of hidden and of missing pixels."""
        guarded, missing = a.constant(self.guarded), a.constant(self.missing)
        given = (known & ~guarded)[..., None]
        count = a.numbers(given).sum((-3, -2), keepdims=True)
        total = a.names.where(given, features, 0.0).sum((-3, -2), keepdims=True)
        mean = total / a.names.clip(count, 1, None)
        lacking = ~(known | guarded)[..., None] & (count > 0)
        return a.names.where(lacking, mean, a.names.where(given, features, missing))

    def empty(self) -> Array:
        """Return the context of a patch without data."""
        bands = len(self.to_features.weight)
        patch = np.full((1, *self.guarded.shape, bands), np.nan, np.float32)
        return np.asarray(self.split(patch, Arithmetic())[1][0])


def _filled(x: Values, a: Arithmetic) -> tuple[Values, Values]:
    """Return pixels (..., band) with 0 for missing ones, and which have data, (...)."""
    known = a.names.isfinite(x.sum(-1))
    return a.names.where(known[..., None], x, 0.0), known


def _neighbours(features: Values, a: Arithmetic) -> Values:
    """Join the features (..., row, col, feature) of 3 x 3 pixels, without the border."""
    rows, cols = (side - KERNEL + 1 for side in features.shape[-3:-1])
    shifts = [(down, right) for down in range(KERNEL) for right in range(KERNEL)]
    return a.join(*(features[..., i : i + rows, j : j + cols, :] for i, j in shifts))
