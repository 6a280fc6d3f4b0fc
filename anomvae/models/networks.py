"""Networks between data and code: features (..., input) to features (..., width)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class MLP(nn.Module):
    """Dense layers with GELU (Hendrycks & Gimpel 2016), on the last axis."""

    reach = 0

    def __init__(self, inputs: int, widths: Sequence[int]) -> None:
        """Stack a layer of each width on ``inputs`` features."""
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip([inputs, *widths], widths, strict=False):
            layers += [nn.Linear(before, after), nn.GELU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)
