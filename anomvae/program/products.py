"""Matrix products that give a row the same bits wherever it lies among the others.

BLAS promises no such thing: the kernels of OpenBLAS for processors with AVX2 alone round some
rows otherwise than others, those of MKL the last rows of few columns.  So
ways to multiply are tried, the fastest first, for every size once: the product of equal rows must
have equal rows.  BLAS has one thread meanwhile (`anomvae.parallel.threads.alone`), as it divides a
product by their number.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from .layers import Array

MOST_INPUTS = 256
"""Inputs of a product at a time: BLAS adds longer sums in parts, which depend on its threads."""
FEW = 4
"""Columns that all kernels of OpenBLAS compute in one way."""

Product = Callable[[Array, Array], Array]


def product(x: Array, weight: Array) -> Array:
    """Return rows (n, input) times a matrix (input, output), a new array (n, output)."""
    inputs, outputs = weight.shape
    multiplied = steady_product(len(x), min(inputs, MOST_INPUTS), outputs)
    y = multiplied(x[:, :MOST_INPUTS], weight[:MOST_INPUTS])
    for start in range(MOST_INPUTS, inputs, MOST_INPUTS):
        part = slice(start, start + MOST_INPUTS)
        y += steady_product(len(x), len(weight[part]), outputs)(x[:, part], weight[part])
    return y


@lru_cache(maxsize=1024)
def steady_product(rows: int, inputs: int, outputs: int) -> Product:
    """Return the first way to multiply that gives equal rows equal bits."""
    random = np.random.default_rng(0)
    weight = random.standard_normal((inputs, outputs), np.float32)
    x = np.repeat(random.standard_normal((1, inputs), np.float32), rows, axis=0)
    ways: tuple[Product, ...] = (np.matmul, _few_columns_at_a_time)
    for way in ways:
        y = way(x, weight)
        if (y == y[0]).all():
            return way
    return _without_blas


def _few_columns_at_a_time(x: Array, weight: Array) -> Array:
    y = np.empty((len(x), weight.shape[1]), np.float32)
    for start in range(0, weight.shape[1], FEW):
        part = slice(start, start + FEW)
        np.matmul(x, weight[:, part], out=y[:, part])
    return y


def _without_blas(x: Array, weight: Array) -> Array:
    return np.asarray(np.einsum("ni,io->no", x, weight, optimize=False))
