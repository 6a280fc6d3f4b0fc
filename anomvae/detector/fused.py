"""Fused layers: product, bias and activation of a dense layer in one call of oneDNN.

torch multiplies matrices of float32 by MKL.  oneDNN, which comes with torch too, is up to twice as
fast on an AMD processor (docs/decisions/0014), and gives an example the same bits wherever it lies
in a batch, however few the outputs.  torch has it for its compiler, under a private name: where
that is missing, and on a GPU, layers stay as they are.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

from ..models import MLP, Dense

OPERATOR = "_linear_pointwise"

Module = TypeVar("Module", bound=nn.Module)


class FusedDense(nn.Module):
    """A dense layer, and the activation after it."""

    def __init__(self, layer: Dense, activation: str = "none") -> None:
        """Take the weights of ``layer``; ``activation`` is ``gelu`` or ``none``."""
        super().__init__()
        self.weight, self.bias, self.activation = layer.weight, layer.bias, activation

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        call = getattr(torch.ops.mkldnn, OPERATOR)
        y: Tensor = call(x, self.weight, self.bias, self.activation, [], "none")
        return y


def fuse(part: Module) -> Module:
    """Replace the dense layers inside a part of a model, in place, and return it."""
    on_cpu = all(weight.device.type == "cpu" for weight in part.parameters())
    if not (on_cpu and torch._C._has_mkldnn and hasattr(torch.ops.mkldnn, OPERATOR)):
        return part
    for name, inner in part.named_children():
        if isinstance(inner, MLP):
            dense = (layer for layer in inner.layers if isinstance(layer, Dense))
            setattr(part, name, nn.Sequential(*(FusedDense(layer, "gelu") for layer in dense)))
        elif isinstance(inner, Dense):
            setattr(part, name, FusedDense(inner))
        else:
            fuse(inner)
    return part


def linear_layer(weight: Tensor, bias: Tensor | None = None) -> nn.Module:
    """Return a layer that multiplies from the right, and adds a bias, to be fused."""
    layer = nn.utils.skip_init(Dense, *weight.shape).requires_grad_(False)  # draws nothing
    layer.weight.copy_(weight.T)
    layer.bias.copy_(torch.zeros(weight.shape[1]) if bias is None else bias)
    return nn.Sequential(layer)
