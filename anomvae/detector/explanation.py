"""Terms of a scoring program, and what bands and latent units add to them.

Evaluated by numpy, whatever the engine of the scores (`anomvae.detector.contributions`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..program import Arithmetic, Prepared, Program
from ..program.program import clipped
from .batches import Array, ScoreTerms
from .contributions import Contributions
from .linear_shares import BandDirections

ARITHMETIC = Arithmetic()


class ExplainedTerms(NamedTuple):
    """Terms of examples, and their leading bands."""

    terms: ScoreTerms
    """The terms, and the codes."""
    band: Array
    """Which band adds most, (n, ...), from 1."""
    residual: Array
    """Its whitened residual, (n, ...); both are NaN where no band adds anything."""


def explained_parts(
    program: Program, directions: BandDirections | None, batch: Prepared
) -> tuple[Array, ...]:
    """Return `Contributions` to the terms of examples, and their reconstructions, scaled units."""
    nll, kl, residual, decoded = program.kind.parts(program, batch, ARITHMETIC)
    linear = _linear_parts(program, directions, batch, residual)[1]
    return (*Contributions(nll, kl, linear, residual), ARITHMETIC.dense(program.mean, decoded))


def explained_terms(
    program: Program, directions: BandDirections | None, batch: Prepared
) -> ExplainedTerms:
    """Return the terms of examples, as `Program.terms` does, and the band that adds most."""
    a = ARITHMETIC
    (nll, kl, code), of_bands, residual = program.kind.terms_and_bands(program, batch, a)
    linear, linear_parts = _linear_parts(program, directions, batch, residual)
    of_bands = of_bands + linear_parts
    band = of_bands.argmax(-1)[..., np.newaxis]
    some = np.take_along_axis(of_bands, band, -1) > 0
    number, of_band = (
        np.where(some, values, np.float32(np.nan))[..., 0].astype(np.float32)
        for values in (band + 1, np.take_along_axis(residual, band, -1))
    )
    terms = ScoreTerms(clipped(nll, a), clipped(kl, a), linear, code)
    return ExplainedTerms(terms, number, of_band)


def _linear_parts(
    program: Program, directions: BandDirections | None, batch: Prepared, residual: Array
) -> tuple[Array, Array]:
    """Return the linear term, (n, ...), and each band's part of it, (n, ..., band)."""
    whitened = program.linear_whitened(batch, ARITHMETIC)
    if whitened is None or directions is None:
        return np.zeros(residual.shape[:-1], np.float32), np.zeros_like(residual)
    linear = clipped((whitened * whitened).sum(-1), ARITHMETIC)
    return linear, linear[..., np.newaxis] * directions.shares(whitened, residual, ARITHMETIC)
