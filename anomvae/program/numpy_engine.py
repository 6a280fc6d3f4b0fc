"""The engine of numpy: every program, no compiler, no torch; the reference of the others.

Calls have one shape, the last one padded: BLAS rounds a few rows otherwise than many.
"""

from __future__ import annotations

import numpy as np

from .arithmetic import Arithmetic
from .layers import Array
from .program import Program, ProgramTerms

MOST_ROWS, FEWEST_ROWS = 1024, 256
"""Examples per call: fewer take more calls, more do not stay in a cache."""
LAYER_VALUES = 2**17
"""Values of a layer's output, 512 KiB."""
CONTEXT_VALUES = 2**18
"""The same of a context network, 1 MiB: there are several copies of an example of many pixels."""


class NumpyEngine:
    """Evaluates a program by numpy."""

    def __init__(self, program: Program) -> None:
        self.program, self.rows = program, rows_of(program)
        self._arithmetic = Arithmetic()

    def terms(self, x: Array, features: Array | None, *, code: bool) -> ProgramTerms:
        """Return the terms of examples, see `anomvae.program.engine.Engine`."""
        with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
            a, rows = self._arithmetic, self.rows
            given = None if features is None else padded(features, rows)
            batch = self.program.prepare(padded(x, rows), given, a)
            return ProgramTerms(*(term[: len(x)] for term in self.program.terms(batch, a)))


def rows_of(program: Program) -> int:
    """Return the examples of a call, a power of two."""
    if program.context is not None:
        return min(FEWEST_ROWS, power_of_two(CONTEXT_VALUES // program.widest))
    return min(MOST_ROWS, max(FEWEST_ROWS, power_of_two(LAYER_VALUES // program.widest)))


def power_of_two(most: int) -> int:
    """Return the largest power of two up to ``most``; at least 1."""
    return int(1 << max(1, most).bit_length() - 1)


def padded(x: Array, rows: int) -> Array:
    """Return examples, and zeros up to ``rows`` of them."""
    x = np.asarray(x, np.float32)
    if len(x) == rows:
        return x
    return np.concatenate([x, np.zeros((rows - len(x), *x.shape[1:]), np.float32)])
