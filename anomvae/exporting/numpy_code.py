"""A traced program as straight Python of numpy, one line an operation.

The lines are what the engine of numpy computes, in its order, so that they return its bits: they
call `anomvae.program.products.product` and `anomvae.program.arithmetic.gelu`, whose text the script
has, too.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from textwrap import wrap

import numpy as np
from numpy.typing import NDArray

from .tracing import Operand, Symbol, TracedProgram

EXPRESSIONS = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "negative": "-{0}",
    "exp": "np.exp({0})",
    "log1p": "np.log1p({0})",
    "logaddexp": "np.logaddexp({0}, {1})",
    "clip": "np.clip({0}, {1}, {2})",
    "product": "product({0}, {1})",
    "gelu": "gelu({0})",
    "rows": "{0}[{1}]",
    "join": "np.concatenate([{all}], axis=-1)",
    "columns": "{0}[..., {start}:{stop}]",
    "expand": "{0}[..., None]",
    "sum": "{0}.sum(-1)",
    "argmin": "{0}.argmin(-1)",
}
"""Expressions of operations; ``gelu`` may overwrite a value, which nothing else takes."""


class Code:
    """A program as text: constants, and a function of examples."""

    def __init__(self, traced: TracedProgram) -> None:
        self._names: dict[int, str] = {}
        self.constants: list[str] = []
        """Lines that define the constants."""
        self.lines: list[str] = []
        """Lines of the function ``terms(x)``."""
        for number, (name, operands, options) in enumerate(traced.operations, 1):
            texts = [self._text(operand) for operand in operands]
            ends = dict(zip(("start", "stop"), options, strict=False))
            value = EXPRESSIONS[name].format(*texts, all=", ".join(texts), **ends)
            self.lines.append(f"v{number} = {value}")
        self.lines.append(f"return {', '.join(self._text(term) for term in traced.terms)}")

    def _text(self, operand: Operand) -> str:
        if isinstance(operand, Symbol):
            return f"v{operand.number}"
        if not isinstance(operand, np.ndarray):
            return repr(operand)
        if id(operand) not in self._names:
            name = self._names[id(operand)] = f"C{len(self._names)}"
            self.constants.append(f"{name} = {array_text(operand)}")
        return self._names[id(operand)]

    @property
    def text(self) -> str:
        """The constants, and the function."""
        head = '    """Return reconstruction, KL and linear term of spectra (n, band), nats."""'
        body = "\n".join(f"    {line}" for line in self.lines)
        constants = "\n".join(self.constants)
        return f"{constants}\n\n\ndef terms(v0):\n{head}\n{body}\n"


def array_text(array: NDArray[np.generic]) -> str:
    """Return an expression of an array: its bytes in base64, little-endian."""
    array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    kind = f"{array.dtype.str!r}, {array.shape}"
    text = base64.b64encode(array.tobytes()).decode()
    return f"array({kind}, {quoted(wrap(text, 90))})"


def quoted(lines: Sequence[str]) -> str:
    """Return lines as texts that follow each other."""
    return "\n    " + "\n    ".join(repr(line) for line in lines) if lines else "''"
