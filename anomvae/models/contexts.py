"""Context networks: what is beside a pixel, before it or around it, in a few numbers.

Examples are in scaled units, NaN = no data.  A pixel that lacks data in any band is not seen, and
the network is told so.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .core import ContextNetwork, ModelInput
from .networks import Dense

WIDTH = 16  # features of a neighbour
SPAN = 3  # side of a convolution, pixels


class Recurrent(ContextNetwork):
    """The dates before each date, by a gated recurrent unit (Cho et al. 2014).

    With h the state of the unit, and known whether a date has data::

        h_1 = 0    h_t+1 = GRU(h_t, [x_t, known_t])    c_t = [h_t, last x known before t]

    Encoder and decoder of a date are told c_t, and the codes of a place are independent given its
    past: a stochastic recurrent network (Bayer & Osendorfer 2014; the variant with an independent
    prior of Chung et al. 2015).  A missing date takes its step, too, so that time goes on; the last
    value beside the state is that of Che et al. 2018.  The first date known has no past, so nothing
    is reconstructed of it.
    """

    def __init__(self, bands: int, width: int) -> None:
        """Remember ``width`` numbers of the dates before."""
        super().__init__(width + bands)
        self.gru = nn.GRU(bands + 1, width, batch_first=True)

    def forward(self, x: Tensor) -> ModelInput:
        filled, known = _filled(x)
        dates = torch.cat([filled, known[..., None].to(x.dtype)], dim=-1)
        states = self.gru(dates.reshape(-1, *dates.shape[-2:]))[0]
        before = torch.cat([states.reshape(*x.shape[:-1], -1), _latest(filled, known)], dim=-1)
        with_past = known & (known.cumsum(dim=-1) > 1)
        return ModelInput(filled, F.pad(before[..., :-1, :], (0, 0, 1, 0)), with_past)

    def empty_context(self, count: int) -> Tensor:
        return next(self.parameters()).new_zeros(count, self.width)


class Convolution(ContextNetwork):
    """The pixels around the one in the middle, by convolutions that end in a mean.

    Two convolutions of 3 x 3 pixels without padding, on features of each pixel.  With a guard
    window, an odd side in pixels, neither the pixel nor what lies within it is seen (blind spot:
    Krull, Buchholz & Jug 2019), so that an object does not explain itself; without, 0, the encoder
    alone is told what was seen.
    """

    hidden: Tensor
    """What of a patch is not seen, (row, col), bool."""

    def __init__(self, bands: int, side: int, guard: int, width: int = WIDTH) -> None:
        """Look at ``side`` x ``side`` pixels without those of ``guard`` x ``guard``."""
        super().__init__(width, centre_masked=guard > 0)
        self.bands, self.side = bands, side
        self.to_features = Dense(bands, width)
        self.unseen = nn.Parameter(torch.zeros(width))
        spans = max(0, min(2, side // 2 - guard // 2))
        self.spans = nn.ModuleList(Dense(SPAN * SPAN * width, width) for _ in range(spans))
        self.to_context = Dense(width, width)
        distance = (torch.arange(side) - side // 2).abs()
        inside = torch.maximum(distance[:, None], distance) <= (guard - 1) // 2
        self.register_buffer("hidden", inside, persistent=False)

    def forward(self, x: Tensor) -> ModelInput:
        middle = self.side // 2
        filled, known = _filled(x)
        seen = (known & ~self.hidden)[..., None]
        features = F.gelu(torch.where(seen, self.to_features(filled), self.unseen))
        for span in self.spans:
            features = F.gelu(span(_neighbours(features)))
        context = F.gelu(self.to_context(features.mean(dim=(-3, -2))))
        return ModelInput(filled[..., middle, middle, :], context, known[..., middle, middle])

    def empty_context(self, count: int) -> Tensor:
        nothing = self.to_features.weight.new_full((1, self.side, self.side, self.bands), torch.nan)
        return self(nothing).context.expand(count, -1)


def _filled(x: Tensor) -> tuple[Tensor, Tensor]:
    """Give pixels (..., band) with 0 for what is missing, and which have data, (...)."""
    known = x.sum(-1).isfinite()  # patches are large: no copy of them without need
    return x if known.all() else torch.where(known[..., None], x, 0), known


def _neighbours(features: Tensor) -> Tensor:
    """Put the features (..., row, col, feature) of 3 x 3 pixels side by side, inside the edge."""
    rows, cols = (side - SPAN + 1 for side in features.shape[-3:-1])
    shifted = [
        features[..., down : down + rows, right : right + cols, :]
        for down in range(SPAN)
        for right in range(SPAN)
    ]
    return torch.cat(shifted, dim=-1)


def _latest(filled: Tensor, known: Tensor) -> Tensor:
    """Give at each date (..., time, band) the bands of the last one known; 0 before the first."""
    dates = torch.arange(known.shape[-1], device=known.device)
    last = torch.where(known, dates, -1).cummax(dim=-1).values
    return filled.gather(-2, last.clamp_min(0)[..., None].expand_as(filled))
