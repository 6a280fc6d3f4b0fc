"""A dense program translated into steps of the compiled kernel (`native/interface.h`).

A *plane* is an array of one value of each example of a group.  Inputs are the first planes: bands,
then features; a step takes planes that follow each other, and fills others.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..native import Step, address
from .codebook import Codebook
from .codes import Code, Normal, Point
from .kinds import AtMean
from .ladder import Ladder
from .layers import Array, Layer
from .program import Program

DENSE, DENSE_ADD, GELU, SCALE_ADD, KL_NORMAL, KL_BETWEEN, TIMES, NEAREST, STUDENT, SQUARES = range(
    10
)
"""Operations, in the order of the kernel."""
MULTIPLE = 4
"""Outputs of a layer are rounded up to a multiple of it."""


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

    def __init__(self, program: Program, tile: int) -> None:
        """Translate a dense program; ``tile`` outputs of a layer have weights that lie together."""
        self.planes = program.bands + program.features
        self._list: list[Step] = []
        self._tile = tile
        self._arrays: list[NDArray[Any]] = []  # that steps point to
        self._taken: set[Planes] = set()
        self._free: list[Planes] = []
        self.terms = self._terms(program)
        self.array = (Step * len(self._list))(*self._list)

    def _terms(self, program: Program) -> TermPlanes:
        if not isinstance(program.kind, AtMean):
            raise TypeError(f"{type(program.kind).__name__} cannot be translated into steps.")
        x, context = Planes(0, program.bands), Planes(program.bands, program.features)
        h = self._layers(program.encoder, Planes(0, program.bands + program.features))
        kl = self._take(1)
        z = self._code(program.code, h, kl, program.kl_weight)
        self._drop(h)
        nll = self._nll(program, x, z, context) if program.kind.reconstruction else None
        has_kl = program.kind.kl and not isinstance(program.code, Point)
        linear = None if program.linear is None else self._squares(self._dense(program.linear, x))
        return TermPlanes(nll, kl if has_kl else None, linear, z)

    def _nll(self, program: Program, x: Planes, z: Planes, context: Planes) -> Planes:
        output, whitening, factor = program.output, None, program.whitening
        if isinstance(factor, Layer):
            output, whitening = Layer(output.weight, output.bias + factor.bias), factor.weight
        parts = (z, context) if program.decoder_context and context.size else (z,)
        residual = self._layers((*program.decoder, output), *parts)
        if whitening is not None:
            whole = self._whole(residual)
            self._add(DENSE_ADD, x, whole, weight=self._packed(whitening))
        else:
            self._add(SCALE_ADD, x, residual, weight=np.asarray(factor))
        if program.degrees is None:
            return self._squares(residual, 0.5)
        nll = self._take(1)
        self._add(STUDENT, residual, nll, number=program.degrees)
        self._drop(residual)
        return nll

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
        arrays = {"weight": code.vectors[living], "bias": code.surprise[living]}
        e = self._dense(code.to_e, h)
        z = self._take(e.size)
        self._add(NEAREST, e, z, other=kl, others=len(arrays["bias"]), number=weight, **arrays)
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
        bias = np.zeros(self._whole(out).size, np.float32)
        bias[: out.size] = layer.bias * half
        for part in parts:
            weight = self._packed(layer.weight[start : start + part.size] * half)
            operation = DENSE_ADD if start else DENSE
            self._add(operation, part, self._whole(out), weight=weight, bias=bias)
            start += part.size
        if layer.gelu:
            self._add(GELU, out, out)
        return out

    def _packed(self, weight: Array) -> Array:
        """Return weights (input, output) as the kernel reads them: tile after tile of outputs."""
        outputs = self._whole(Planes(0, weight.shape[1])).size
        whole = np.zeros((len(weight), outputs), np.float32)
        whole[:, : weight.shape[1]] = weight
        ends = [*range(self._tile, outputs, self._tile)]
        return np.concatenate([part.ravel() for part in np.split(whole, ends, axis=1)])

    def _whole(self, planes: Planes) -> Planes:
        return planes._replace(size=-(-planes.size // MULTIPLE) * MULTIPLE)

    def _take(self, count: int) -> Planes:
        """Take planes that are free, or new ones."""
        size = self._whole(Planes(0, count)).size
        fitting = [planes for planes in self._free if planes.size >= size]
        if fitting:
            block = min(fitting, key=lambda planes: planes.size)
            self._free.remove(block)
        else:
            block, self.planes = Planes(self.planes, size), self.planes + size
        taken = Planes(block.first, count)
        self._taken.add(taken)
        return taken

    def _drop(self, *every: Planes) -> None:
        """Let planes be taken again; inputs and parts of others stay."""
        for planes in every:
            if planes in self._taken:
                self._taken.remove(planes)
                self._free.append(self._whole(planes))

    def _add(
        self,
        operation: int,
        taken: Planes,
        out: Planes,
        *,
        other: Planes = Planes(0, 0),  # noqa: B008 - it cannot change
        others: int = 0,
        number: float = 0.0,
        **arrays: Array,
    ) -> None:
        kept = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        self._arrays += kept.values()
        pointers = (address(kept[name]) if name in kept else None for name in ("weight", "bias"))
        step = Step(*pointers, number, operation, *taken, *out, other.first, others)
        self._list.append(step)
