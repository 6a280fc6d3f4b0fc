"""The engine of the compiled kernel: dense programs, several times as fast as numpy.

A group of examples stays in the first two caches of the processor from the first layer to the
score (`native/kernel.cpp`).  An example meets the same steps in the same order whatever its
neighbours, so its bits are always the same.
"""

from __future__ import annotations

import numpy as np

from ..native import instructions
from ..pixels.stored_block import Numbers, Stored
from .kinds import LARGEST_TERM
from .layers import Array
from .native_call import Kept, Values, run
from .native_steps import Steps
from .program import Program, ProgramTerms

ROWS = 2**15
"""Examples per call: fewer take more calls, more leave less to share among threads."""


class NativeEngine:
    """Evaluates a dense program by the compiled kernel."""

    rows = ROWS

    def __init__(
        self, program: Program, level: int | None = None, steps: Steps | None = None
    ) -> None:
        """Translate a program, or take its steps; ``level``: see `anomvae.native.instructions`."""
        self.program = program
        self.level = instructions(level).level
        self._steps = Steps(program) if steps is None else steps
        limits = program.centre, program.farthest
        self._limits = [np.tile(each, self._steps.pixels) for each in limits]

    def terms(self, x: Array, features: Array | None, *, code: bool) -> ProgramTerms:
        """Return the terms of examples, see `anomvae.program.engine.Engine`.

        They are NaN where a band or a feature is not finite.
        """
        return self._run(x, None, features, code=code)

    def stored_terms(self, numbers: Numbers, stored: Stored) -> ProgramTerms:
        """Return the terms of numbers as a file stores them, (n, band), of any strides.

        These are float32, uint16 or int16, and become data units as `anomvae.raster.values`
        defines.  Terms of examples that lack data are NaN.
        """
        return self._run(numbers, stored, None, code=False)

    def _run(
        self,
        x: Numbers,
        stored: Stored | None,
        features: Array | None,
        *,
        code: bool,
    ) -> ProgramTerms:
        program, planes = self.program, self._steps.terms
        terms = np.zeros((3, len(x)), np.float32)
        codes = np.empty((len(x), program.latent if code else 0), np.float32)
        inputs = [Values.of(x, *self._limits, stored)]
        if features is not None:
            inputs.append(Values.of(features))
        outputs = [
            Kept(term[:, np.newaxis], of_term.first, LARGEST_TERM)
            for term, of_term in zip(terms, planes[:3], strict=True)
            if of_term is not None
        ]
        if code:
            outputs.append(Kept(codes, planes.code.first))
        run(self._steps.array, self._steps.planes, inputs, outputs, level=self.level)
        reconstruction, kl, linear = terms
        return ProgramTerms(reconstruction, kl, linear, codes)
