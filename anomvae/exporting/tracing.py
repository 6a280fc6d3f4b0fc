"""The operations of a scoring program, recorded while it runs on symbols.

A program is written once, in an arithmetic (`anomvae.program.arithmetic`).  `Trace` is an
arithmetic whose values are symbols: every operation on them is recorded, and an export writes the
record in another language, a row of a table for each operation.  So there is no second copy of a
program to be kept in step.

Values are examples (1, width), or (1,); the 1 stands for any number of examples, so that a
constant of the program joins them as in numpy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..program import Layer, Program
from ..program.arithmetic import Arithmetic

Operand: TypeAlias = "Symbol | NDArray[Any] | float | None"
"""A value of a trace, a constant, or None, where a bound is open."""


class Operation(NamedTuple):
    """An operation of a trace."""

    name: str
    """A row of the table of an export."""
    operands: tuple[Operand, ...]
    """What it takes."""
    options: tuple[int, ...] = ()
    """Whole numbers that belong to it, such as the ends of a slice."""


class Symbol:
    """A value of a trace: the result of an operation, or an input."""

    __array_ufunc__ = None  # numpy leaves operators to the methods below

    def __init__(self, trace: Trace, number: int, shape: tuple[int, ...]) -> None:
        self.trace, self.number, self.shape = trace, number, shape

    def __add__(self, other: Operand) -> Symbol:
        return self.trace.broadcast("add", self, other)

    def __sub__(self, other: Operand) -> Symbol:
        return self.trace.broadcast("subtract", self, other)

    def __mul__(self, other: Operand) -> Symbol:
        return self.trace.broadcast("multiply", self, other)

    def __truediv__(self, other: Operand) -> Symbol:
        return self.trace.broadcast("divide", self, other)

    def __radd__(self, other: Operand) -> Symbol:
        return self.trace.broadcast("add", other, self)

    def __rsub__(self, other: Operand) -> Symbol:
        return self.trace.broadcast("subtract", other, self)

    def __rmul__(self, other: Operand) -> Symbol:
        return self.trace.broadcast("multiply", other, self)

    def __neg__(self) -> Symbol:
        return self.trace.broadcast("negative", self)

    def __getitem__(self, key: tuple[Any, ...]) -> Operand:
        """Return columns of the last axis: ``[..., a:b]``, ``[..., a, None]``, ``[..., None]``."""
        _, column, *_ = key
        if column is None:
            return self.trace.record("expand", self, shape=(*self.shape, 1))
        if not isinstance(column, slice):
            column = slice(column, column + 1)
        start, stop, _ = column.indices(self.shape[-1])
        if start == stop:
            return np.zeros((*self.shape[:-1], 0), np.float32)
        shape = (*self.shape[:-1], stop - start)
        return self.trace.record("columns", self, options=(start, stop), shape=shape)

    def sum(self, axis: int) -> Symbol:
        """Return the sum over the last axis."""
        return self.trace.record("sum", self, shape=self.shape[:axis])

    def argmin(self, axis: int) -> Symbol:
        """Return where the smallest value of the last axis is, the first of equal ones."""
        return self.trace.record("argmin", self, shape=self.shape[:axis])


class Functions:
    """Functions of `Arithmetic.names`, recorded; of constants alone, those of numpy."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def __getattr__(self, name: str) -> Callable[..., Operand]:
        def function(*operands: Operand, out: Operand = None) -> Operand:
            if not any(isinstance(operand, Symbol) for operand in operands):
                return getattr(np, name)(*operands)  # type: ignore[no-any-return]
            return self._trace.broadcast(name, *operands)

        return function


class Trace(Arithmetic):
    """Records the operations of a program."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        """In order; the result of the first has the number 1, that of the input is 0."""
        self.names = Functions(self)

    def record(
        self, name: str, *operands: Operand, shape: tuple[int, ...], options: tuple[int, ...] = ()
    ) -> Symbol:
        """Record an operation, and return its result."""
        self.operations.append(Operation(name, operands, options))
        return Symbol(self, len(self.operations), shape)

    def broadcast(self, name: str, *operands: Operand) -> Symbol:
        """Record an operation on each value."""
        shapes = (np.shape(operand) for operand in operands if operand is not None)
        return self.record(name, *operands, shape=np.broadcast_shapes(*shapes))

    def dense(self, layer: Layer, x: Symbol) -> Symbol:
        """Record a layer."""
        shape = (*x.shape[:-1], len(layer.bias))
        y = self.record("product", x, layer.weight, shape=shape) + layer.bias
        return self.record("gelu", y, shape=shape) if layer.gelu else y

    def join(self, *parts: Symbol) -> Symbol:
        """Record that parts follow each other on the last axis."""
        shape = (*parts[0].shape[:-1], sum(part.shape[-1] for part in parts))
        return self.record("join", *parts, shape=shape)

    def rows(self, table: NDArray[np.float32], index: Symbol) -> Symbol:
        """Record the rows of a table at an index."""
        return self.record("rows", table, index, shape=(*index.shape, *table.shape[1:]))


class TracedProgram(NamedTuple):
    """The operations of a dense program, and which values are the terms of the score."""

    operations: tuple[Operation, ...]
    """In order; operation i has the result i + 1, and the spectra (n, band) are 0."""
    terms: tuple[Operand, Operand, Operand]
    """Reconstruction, KL and linear term, (n,), or constants."""

    @classmethod
    def of(cls, program: Program) -> TracedProgram:
        """Record a dense program without features of a context."""
        trace = Trace()
        x = Symbol(trace, 0, (1, program.bands))
        reconstruction, kl, linear, _ = program.terms(program.prepare(x, None, trace), trace)
        return cls(tuple(trace.operations), (reconstruction, kl, linear))
