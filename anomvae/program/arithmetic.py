"""The arithmetic of scoring programs: numpy's, in float32.

A program is written once, in operators and in names that numpy and torch share (``exp``, ``where``,
``sum(axis)``); where they differ, it calls a method of `Arithmetic`.  Features are the last axis.

GELU is x Phi(x) (Hendrycks & Gimpel 2016), with the normal distribution function Phi.  Here::

    Phi(x) = (1 + tanh(x q(x^2))) / 2        q: a polynomial of degree 6, fitted to Phi on [0, 6]

Its error is below 2e-7 everywhere; numpy has no error function.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from .layers import Layer
from .products import product

Values: TypeAlias = Any
"""An array of numpy, or of another library (`Arithmetic.names`), float32."""

PHI = tuple(
    np.float32(coefficient)
    for coefficient in (
        0.7978842161389287,
        0.03633428346196416,
        -3.312996027938878e-05,
        -5.524016734770166e-05,
        3.969110549868216e-06,
        -1.334464705948369e-07,
        1.8056176844539997e-09,
    )
)
"""Coefficients of q, the constant first."""


class Arithmetic:
    """What a program computes with: numpy."""

    names: Any = np
    """Functions by the names that numpy and torch share."""

    def constant(self, array: Values) -> Values:
        """Return an array of the program as this arithmetic takes it."""
        return array

    def dense(self, layer: Layer, x: Values) -> Values:
        """Return the output of a layer for features (..., input), (..., output), a new array."""
        flat = x.reshape(-1, x.shape[-1])
        y = product(flat, layer.weight)
        y += layer.bias
        return (self.gelu(y) if layer.gelu else y).reshape(*x.shape[:-1], y.shape[-1])

    def gelu(self, x: Values) -> Values:
        """Return the GELU of values, which it may replace."""
        return gelu(x)

    def normal_share(self, x: Values) -> Values:
        """Return the share of a standard normal distribution below values, a new array."""
        return normal_share(x)

    def numbers(self, truths: Values) -> Values:
        """Return 1 for true, 0 for false."""
        return truths.astype(np.float32)

    def join(self, *parts: Values) -> Values:
        """Concatenate parts on the last axis."""
        return np.concatenate(parts, axis=-1)

    def zeros(self, shape: tuple[int, ...]) -> Values:
        """Return zeros."""
        return np.zeros(shape, np.float32)

    def rows(self, table: Values, index: Values) -> Values:
        """Return the rows of a table (row, ...) at an array of indexes (...)."""
        return table[index]

    def sigmoid(self, x: Values) -> Values:
        """Return the logistic function, which does not overflow."""
        return 0.5 + 0.5 * self.names.tanh(0.5 * x)


def gelu(x: Values) -> Values:
    """Replace an array by the GELU of its values, and return it."""
    x *= normal_share(x)
    return x


def normal_share(x: Values) -> Values:
    """Return Phi of values, a new array."""
    squares = np.square(x)
    phi = squares * PHI[-1]
    for coefficient in PHI[-2:0:-1]:
        phi += coefficient
        phi *= squares
    phi += PHI[0]
    phi *= x
    np.tanh(phi, out=phi)
    phi += np.float32(1)
    phi *= np.float32(0.5)
    return phi
