"""Networks between data and code: features (..., input) to features (..., width)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..program.layers import FEWEST_OUTPUTS

START = 0.01
"""Factor of the initial weights beside a linear path; at 0 nothing before them would learn."""


class Dense(nn.Linear):
    """A linear layer whose output for an example does not depend on its position in the batch.

    It is padded with zero outputs to `FEWEST_OUTPUTS`, which are cut off again.
    """

    def forward(self, x: Tensor) -> Tensor:
        spare = FEWEST_OUTPUTS - self.out_features
        if spare <= 0:
            return super().forward(x)
        weight, bias = F.pad(self.weight, (0, 0, 0, spare)), F.pad(self.bias, (0, spare))
        return F.linear(x, weight, bias)[..., : self.out_features]


class MLP(nn.Module):
    """Dense layers with GELU (Hendrycks & Gimpel 2016), on the last axis."""

    def __init__(self, inputs: int, widths: Sequence[int]) -> None:
        """Stack a layer of each width on ``inputs`` features."""
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip([inputs, *widths], widths, strict=False):
            layers += [Dense(before, after), nn.GELU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class LinearPath(nn.Module):
    """A network, and some of its inputs beside its outputs: what follows is linear in them."""

    def __init__(self, network: nn.Module, first: int, count: int) -> None:
        """Append ``count`` inputs from number ``first`` on to what ``network`` returns."""
        super().__init__()
        self.network, self.first, self.count = network, first, count

    def start(self, last: nn.Linear) -> None:
        """Make the layer after it return little more than these inputs before training."""
        with torch.no_grad():
            last.weight.mul_(START)
            last.bias.mul_(START)
            last.weight[:, -self.count :] = torch.eye(self.count, device=last.weight.device)

    def forward(self, x: Tensor) -> Tensor:
        passed = x[..., self.first : self.first + self.count]
        return torch.cat([self.network(x), passed], dim=-1)


def standard_normal(shape: Sequence[int], generator: torch.Generator, like: Tensor) -> Tensor:
    """Draw on the CPU, so that a seed gives the same values on every device; move to ``like``'s."""
    return torch.randn(shape, generator=generator).to(like.device)
