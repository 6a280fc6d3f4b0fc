"""Dense layers of a scoring program."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

FEWEST_OUTPUTS = 16
"""Outputs of a product of torch; kernels for fewer (MKL: under 12) round some rows otherwise than
others, so that the bits of an example would depend on its position in the batch."""


@dataclass(frozen=True, eq=False)
class Layer:
    """A dense layer: ``x W + b``, then GELU or nothing."""

    weight: Array
    """W, (input, output), float32, C order."""
    bias: Array
    """b, (output,), float32."""
    gelu: bool = False
    """Whether GELU follows."""

    @classmethod
    def of(
        cls, weight: NDArray[np.floating], bias: NDArray[np.floating] | None, gelu: bool = False
    ) -> Layer:
        """Round a weight (input, output) and a bias, None: 0, to float32."""
        bias = np.zeros(weight.shape[1]) if bias is None else bias
        return cls(np.ascontiguousarray(weight, np.float32), np.asarray(bias, np.float32), gelu)


def widest(layers: Iterable[Layer]) -> int:
    """Return the outputs of the widest layer; 0 without any."""
    return max((len(layer.bias) for layer in layers), default=0)
