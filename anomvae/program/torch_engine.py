"""The engine of torch: every program, on a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .arithmetic import Arithmetic
from .layers import FEWEST_OUTPUTS, Array, Layer
from .numpy_engine import padded, power_of_two, rows_of
from .program import Program, ProgramTerms

MOST_ROWS = 2**16
"""Examples per call: a GPU computes few of them no faster."""
LAYER_VALUES = 2**25
"""Values of a layer's output, 128 MiB."""


class TorchArithmetic(Arithmetic):
    """Computes with tensors of one device."""

    names: Any = torch

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._constants: dict[int, tuple[Array, Tensor]] = {}

    def constant(self, array: Array) -> Tensor:
        """Return an array of the program on the device, where it stays."""
        if id(array) not in self._constants:  # the array is kept, and with it the number
            self._constants[id(array)] = array, torch.from_numpy(array).to(self.device)
        return self._constants[id(array)][1]

    def dense(self, layer: Layer, x: Tensor) -> Tensor:
        """Return the output of a layer for features (..., input), (..., output)."""
        flat = x.reshape(-1, x.shape[-1])
        weight, bias = self.constant(layer.weight), self.constant(layer.bias)
        if (spare := FEWEST_OUTPUTS - len(bias)) > 0:
            weight, bias = F.pad(weight, (0, spare)), F.pad(bias, (0, spare))
        y = torch.addmm(bias, flat, weight)[:, : len(layer.bias)]
        return (self.gelu(y) if layer.gelu else y).reshape(*x.shape[:-1], y.shape[-1])

    def gelu(self, x: Tensor) -> Tensor:
        """Return the GELU of values."""
        return F.gelu(x)

    def normal_share(self, x: Tensor) -> Tensor:
        """Return the share of a standard normal distribution below values."""
        share: Tensor = torch.special.ndtr(x)
        return share

    def numbers(self, truths: Tensor) -> Tensor:
        """Return 1 for true, 0 for false."""
        return truths.float()

    def join(self, *parts: Tensor) -> Tensor:
        """Concatenate parts on the last axis."""
        return torch.cat(parts, dim=-1)

    def zeros(self, shape: tuple[int, ...]) -> Tensor:
        """Return zeros."""
        return torch.zeros(shape, dtype=torch.float32, device=self.device)


class TorchEngine:
    """Evaluates a program on a device."""

    def __init__(self, program: Program, device: str) -> None:
        self.program, self.device = program, torch.device(device)
        self.rows = min(MOST_ROWS, power_of_two(LAYER_VALUES // program.widest))
        if self.device.type == "cpu":
            self.rows = rows_of(program)
        self._arithmetic = TorchArithmetic(self.device)

    def terms(self, x: Array, features: Array | None, *, code: bool) -> ProgramTerms:
        """Return the terms of examples, see `anomvae.program.engine.Engine`."""
        with torch.inference_mode():
            given = None if features is None else self._tensor(features)
            batch = self.program.prepare(self._tensor(x), given, self._arithmetic)
            terms = self.program.terms(batch, self._arithmetic)
            return ProgramTerms(*(term[: len(x)].cpu().numpy() for term in terms))

    def _tensor(self, array: Array) -> Tensor:
        """Copy examples to the device, padded: a matrix product rounds by their number."""
        whole = np.ascontiguousarray(padded(array, self.rows))
        tensor = torch.from_numpy(whole if whole.flags.writeable else whole.copy())
        pinned = tensor if self.device.type == "cpu" else tensor.pin_memory()
        return pinned.to(self.device, non_blocking=True)
