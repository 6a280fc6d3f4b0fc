"""Calls of the compiled kernel: examples that it takes, terms that it returns."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import c_int64, c_void_p
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..native import Input, Output, Program, Step, address, instructions
from ..pixels.stored_block import Numbers, Stored
from .layers import Array

TYPES = {"float32": 0, "uint16": 1, "int16": 2}
"""Types of values that examples may have."""
ALIGNED = 64
"""Bytes at whose multiples planes begin."""


@dataclass(frozen=True, eq=False)
class Values:
    """Values of examples that a program takes; those of several follow each other in planes."""

    data: Numbers
    """Axes (example, value), of any strides."""
    centre: Array | None = None
    """What is subtracted, (value,); None: nothing."""
    farthest: Array | None = None
    """Where the difference is clipped, on both sides, (value,)."""
    stored: Stored | None = None
    """How numbers of a file become values; None: they are values."""

    @classmethod
    def of(cls, data: Numbers, *more: Any) -> Values:  # noqa: ANN401 - as the fields
        """Take values that may lie at odd addresses, or in the other order of bytes: copied."""
        whole = all(stride % data.itemsize == 0 for stride in data.strides)
        if not (whole and data.flags.aligned and data.dtype.isnative):
            data = np.array(data, data.dtype.newbyteorder("="))
        return cls(data, *more)

    def structure(self, plane: int) -> Input:
        """Return the structure of the kernel; it refers to the arrays."""
        step = self.data.itemsize
        strides = (stride // step for stride in self.data.strides)
        stored = (None, None, None) if self.stored is None else self.stored
        arrays = (*stored, self.centre, self.farthest)
        pointers = (None if array is None else address(array) for array in arrays)
        kind, count = TYPES[self.data.dtype.name], self.data.shape[1]
        has = self.stored is not None
        return Input(address(self.data), *strides, *pointers, kind, count, plane, has)


class Kept(NamedTuple):
    """Values of examples that a program returns."""

    data: Array
    """Axes (example, value), of any strides; NaN where an input is not finite or no data."""
    plane: int
    """The first of their planes."""
    most: float = np.inf
    """Where they are clipped."""

    def structure(self) -> Output:
        """Return the structure of the kernel; it refers to the array."""
        strides = (stride // self.data.itemsize for stride in self.data.strides)
        return Output(address(self.data), *strides, self.plane, self.data.shape[1], self.most, 0)


def run(
    steps: ctypes.Array[Step],
    planes: int,
    inputs: Sequence[Values],
    outputs: Sequence[Kept],
    *,
    level: int,
) -> None:
    """Run steps between planes, whose number is ``planes``, on the examples of ``inputs``."""
    functions, first = instructions(level).functions, 0
    taken = (Input * len(inputs))()
    for number, values in enumerate(inputs):
        taken[number] = values.structure(first)
        first += values.data.shape[1]
    kept = (Output * len(outputs))(*(each.structure() for each in outputs))
    program = Program(taken, steps, kept, len(inputs), len(steps), len(outputs), planes)
    room = np.empty(planes * functions.anomvae_group(level) + ALIGNED // 4, np.float32)
    start = address(room)
    aligned, examples = c_void_p(start + -start % ALIGNED), c_int64(len(inputs[0].data))
    functions.anomvae_run(ctypes.byref(program), examples, aligned, level)
