"""A dense program translated into steps of the compiled kernel (`native/interface.h`).

A *plane* is an array of one value of each example of a group.  Inputs are the first planes: bands,
then features; a step takes planes that follow each other, and fills others.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..native import Step, address
from ..parallel.threads import alone
from .codebook import Codebook
from .codes import Code, Normal, Point
from .kinds import AtMean
from .ladder import Ladder
from .layers import Array, Layer
from .program import Program

DENSE, DENSE_ADD, DENSE_GELU, DENSE_ADD_GELU = range(4)
SCALE_ADD, KL_NORMAL, KL_BETWEEN, TIMES, NEAREST, STUDENT, SQUARES = range(4, 11)
"""Operations, in the order of the kernel."""
MULTIPLE = 4
"""Outputs of a layer are computed by so many, and rounded up to a multiple of it."""


class Planes(NamedTuple):
    """Planes that follow each other."""

    first: int
    """Number of the first."""
    size: int
    """How many."""


class TermPlanes(NamedTuple):
    """Planes of the terms and of the code; None where a term is 0."""

    reconstruction: Planes | None
    kl: Planes | None
    linear: Planes | None
    code: Planes


class Steps:
    """The steps of a program."""

    def __init__(self, program: Program) -> None:
        """Translate a program of examples of one pixel."""
        self.pixels = self._pixels(program)
        self.planes = self._inputs = self.pixels * program.bands + program.features
        self._list: list[Step] = []
        self._arrays: list[NDArray[Any]] = []  # that steps point to
        self._taken: set[Planes] = set()
        self.terms = self._terms(program)
        self.array = (Step * len(self._list))(*self._list)

    def _terms(self, program: Program) -> TermPlanes:
        if not isinstance(program.kind, AtMean):
            raise TypeError(f"{type(program.kind).__name__} cannot be translated into steps.")
        x, *context = self._split(program)
        h = self._layers(program.encoder, *_joined(x, *context))
        kl = self._take(1)
        z = self._code(program.code, h, kl, program.kl_weight)
        self._drop(h)
        nll = self._nll(program, x, z, *context) if program.kind.reconstruction else None
        has_kl = program.kind.kl and not isinstance(program.code, Point)
        linear = None if program.linear is None else self._distance(program.linear, x)
        return TermPlanes(nll, kl if has_kl else None, linear, z)

    def _pixels(self, program: Program) -> int:
        """Return the pixels of an example."""
        return 1

    def _split(self, program: Program) -> tuple[Planes, ...]:
        """Return the planes of the pixel to reconstruct, then those of its context."""
        context = Planes(program.bands, program.features)
        return (Planes(0, program.bands), *([context] if context.size else []))

    def _nll(self, program: Program, x: Planes, z: Planes, *context: Planes) -> Planes:
        output, factor = program.output, program.whitening
        if isinstance(factor, Layer):
            output = Layer(output.weight, output.bias + factor.bias)
        parts = context if program.decoder_context else ()
        residual = self._layers((*program.decoder, output), z, *parts)
        if isinstance(factor, Layer):
            arrays = self._packed(factor.weight, factor.bias)
            self._add(DENSE_ADD, x, self._whole(residual), *arrays)
        else:
            self._add(SCALE_ADD, x, residual, factor)
        if program.degrees is None:
            return self._squares(residual, 0.5)
        nll = self._take(1)
        self._add(STUDENT, residual, nll, number=program.degrees)
        self._drop(residual)
        return nll

    def _distance(self, layer: Layer, x: Planes) -> Planes:
        """Append |x W + b|^2; no rotation changes it, and one makes W a triangle.

        With W^T = Q R it is |x R^T + b Q|^2, and output j takes the inputs from j on alone: half of
        the multiply-adds.
        """
        with alone():  # the same bits whatever threads BLAS has
            rotation, triangle = np.linalg.qr(layer.weight.T.astype(float), mode="complete")
        whole = Layer.of(triangle.T, layer.bias @ rotation)
        out = self._take(len(layer.bias))
        for start in range(0, out.size, MULTIPLE):
            some = slice(start, start + MULTIPLE)
            inputs = Planes(x.first + start, max(0, x.size - start))
            arrays = self._packed(whole.weight[start:, some], whole.bias[some])
            self._add(DENSE, inputs, Planes(out.first + start, MULTIPLE), *arrays)
        return self._squares(out)

    def _squares(self, values: Planes, number: float = 1.0) -> Planes:
        term = self._take(1)
        self._add(SQUARES, values, term, number=number)
        self._drop(values)
        return term

    def _code(self, code: Code, h: Planes, kl: Planes, weight: float) -> Planes:
        """Append a code, and its KL times its weight."""
        if isinstance(code, Point):
            return self._dense(code.to_z, h)
        if isinstance(code, Normal):
            q = self._dense(code.to_q, h)
            self._add(KL_NORMAL, q, kl, number=weight)
            return Planes(q.first, q.size // 2)
        if isinstance(code, Ladder):
            return self._ladder(code, h, kl, weight)
        if isinstance(code, Codebook):
            return self._codebook(code, h, kl, weight)
        raise TypeError(f"{type(code).__name__} cannot be translated into steps.")

    def _ladder(self, code: Ladder, h: Planes, kl: Planes, weight: float) -> Planes:
        q2 = self._layers((code.up, code.to_q2), h)
        self._add(KL_NORMAL, q2, kl, number=weight)
        p1 = self._layers((code.down, code.to_p1), Planes(q2.first, q2.size // 2))
        q1 = self._dense(code.to_q1, h)
        self._add(TIMES, q1, q1, other=p1)
        self._add(KL_BETWEEN, q1, kl, other=p1, number=weight)
        self._drop(q2)
        self._drop(p1)
        return Planes(q1.first, q1.size // 2)

    def _codebook(self, code: Codebook, h: Planes, kl: Planes, weight: float) -> Planes:
        living = np.isfinite(code.handicap)
        living[0] |= not living.any()
        arrays = code.vectors[living], code.surprise[living]
        e = self._dense(code.to_e, h)
        z = self._take(e.size)
        self._add(NEAREST, e, z, *arrays, other=kl, others=len(arrays[0]), number=weight)
        self._drop(e)
        return z

    def _layers(self, layers: tuple[Layer, ...], *parts: Planes) -> Planes:
        """Append layers; return the planes of the last outputs."""
        for number, layer in enumerate(layers):
            out = self._dense(layer, *parts)
            if number:
                self._drop(*parts)
            parts = (out,)
        return parts[0]

    def _dense(self, layer: Layer, *parts: Planes) -> Planes:
        """Append a layer of joined parts; return the planes of its outputs."""
        half = np.float32(0.5 if layer.gelu else 1)
        out, start = self._take(len(layer.bias)), 0
        for part in parts:
            stop = start + part.size
            operation = DENSE_ADD if start else DENSE
            if layer.gelu and stop == len(layer.weight):
                operation = DENSE_ADD_GELU if start else DENSE_GELU
            arrays = self._packed(layer.weight[start:stop] * half, layer.bias * half)
            self._add(operation, part, self._whole(out), *arrays)
            start = stop
        return out

    def _packed(self, weight: Array, bias: Array) -> tuple[Array, Array]:
        """Return arrays as the kernel reads them: weights are (group of outputs, input, 4)."""
        more = -len(bias) % MULTIPLE
        padded, bias = np.pad(weight, ((0, 0), (0, more))), np.pad(bias, (0, more))
        groups = padded.reshape(len(weight), len(bias) // MULTIPLE, MULTIPLE)
        return np.ascontiguousarray(groups.swapaxes(0, 1)), bias

    def _whole(self, planes: Planes) -> Planes:
        return planes._replace(size=-(-planes.size // MULTIPLE) * MULTIPLE)

    def _take(self, count: int) -> Planes:
        """Take the first planes that are free: few of them stay in the first cache."""
        size, first = self._whole(Planes(0, count)).size, self._inputs
        for taken in sorted(self._taken):
            if taken.first - first >= size:
                break
            first = taken.first + self._whole(taken).size
        planes = Planes(first, count)
        self._taken.add(planes)
        self.planes = max(self.planes, first + size)
        return planes

    def _drop(self, *every: Planes) -> None:
        """Let planes be taken again; inputs and parts of others stay."""
        self._taken.difference_update(every)

    def _add(
        self,
        operation: int,
        taken: Planes,
        out: Planes,
        *arrays: Array,
        other: Planes = Planes(0, 0),  # noqa: B008 - it cannot change
        others: int = 0,
        number: float = 0.0,
    ) -> None:
        """Append a step; ``arrays`` are its weight, then its bias."""
        kept = [np.ascontiguousarray(array) for array in arrays]
        self._arrays += kept
        pointers = [*map(address, kept), None, None][:2]
        step = Step(*pointers, number, operation, *taken, *out, other.first, others)
        self._list.append(step)


def _joined(first: Planes, *others: Planes) -> tuple[Planes, ...]:
    """Make one of planes that follow each other: they are one step."""
    if others and others[0].first == first.first + first.size:
        return _joined(Planes(first.first, first.size + others[0].size), *others[1:])
    return (first, *(_joined(*others) if others else ()))
