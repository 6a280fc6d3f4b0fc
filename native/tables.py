"""Fit the functions that GELU is made of: ``python native/tables.py > native/tables.h``.

With h = x / 2, gelu(x) = x Phi(x) = h + |h| (2 Phi(2 |h|) - 1), Phi the distribution function of
the standard normal distribution (Hendrycks & Gimpel 2016).  The bracket, erf(sqrt(2) |h|), rises up
to |h| = `LAST`.  Where a vector register looks coefficients up, it is a polynomial around each
k step: in |h| if the pieces are short, else in |h| - k step, which rounds less and takes longer.
It is |h| P(t) / Q(t), t = (h / LAST)^2, where there is no such instruction.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial
from numpy.typing import NDArray

LAST = 2.75  # the bracket is 1 - 4e-8
PIECES = ((32, 3, False), (8, 5, True))
"""Floats that a lookup holds, the degree, and whether polynomials are those of a distance."""
RATIONAL = 5  # degree of P and Q
NODES = 4000
ROUNDS = 60

Floats = NDArray[np.float64]


def phi(values: Floats) -> Floats:
    """Return 2 Phi(2 h) - 1."""
    return np.array([math.erf(value * math.sqrt(2)) for value in values])


def table(pieces: int, degree: int, *, local: bool) -> tuple[float, Floats]:
    """Return the step, and coefficients (degree + 1, piece), lowest degree first.

    They are of h, or, if ``local``, of h - k step.  Each is rounded before the lower ones are
    fitted, which make up for it.
    """
    step = float(np.float32(LAST / (pieces - 0.51)))  # LAST is rounded down
    nodes = np.cos(np.pi * (np.arange(64) + 0.5) / 64) * step / 2
    columns = np.zeros((degree + 1, pieces))
    for piece in range(pieces):
        h = piece * step + nodes
        x, rest = nodes if local else h, phi(h)
        for power in range(degree, -1, -1):
            fitted = Chebyshev.fit(x, rest, power, domain=(x.min(), x.max()))
            columns[power, piece] = np.float32(fitted.convert(kind=Polynomial).coef[power])
            rest = rest - columns[power, piece] * x**power
    return step, columns


def rational() -> tuple[Floats, Floats]:
    """Return the coefficients of P and Q, lowest degree first, by reweighted least squares."""
    h = np.concatenate([LAST * np.sin(np.linspace(1e-6, np.pi / 2, NODES)),
                        np.linspace(1e-3, LAST, NODES)])  # fmt: skip
    ratio, powers = phi(h) / h, np.vander((h / LAST) ** 2, RATIONAL + 1, increasing=True)
    columns = np.concatenate([powers, -ratio[:, None] * powers[:, 1:]], axis=1)
    weight, below, least = np.ones_like(h), np.ones_like(h), math.inf
    for _ in range(ROUNDS):
        scale = weight * h / below
        c = np.linalg.lstsq(columns * scale[:, None], ratio * scale, rcond=None)[0]
        top, bottom = c[: RATIONAL + 1], np.append(1.0, c[RATIONAL + 1 :])
        below = powers @ bottom
        error = h * np.abs(powers @ top / below - ratio)
        if error.max() < least:
            least, best = error.max(), (top, bottom)
        weight = weight * (1e-3 + error / error.max()) ** 0.3
        weight /= weight.max()
    return best


def row(values: Floats) -> str:
    """Return numbers in braces."""
    return "{" + ", ".join(f"{np.float32(value)}f" for value in values) + "}"


def lines() -> Iterator[str]:
    """Yield the lines of the header."""
    yield "// Made by native/tables.py: 2 Phi(2 h) - 1, coefficients of the lowest degree first."
    yield "#pragma once"
    yield f"static constexpr float LAST = {LAST}f;"
    for pieces, degree, local in PIECES:
        step, rows = table(pieces, degree, local=local)
        yield f"static constexpr float STEP{pieces} = {np.float32(step)}f;"
        yield f"static constexpr float PHI{pieces}[{degree + 1}][{pieces}] = {{"
        yield from (f"    {row(one)}," for one in rows)
        yield "};"
    for name, values in zip("PQ", rational(), strict=True):
        yield f"static constexpr float PHI_{name}[{RATIONAL + 1}] = {row(values)};"


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines()) + "\n")
