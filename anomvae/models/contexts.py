"""Context networks: features of the dates before a pixel, or of the pixels around it.

Examples are in scaled units, NaN = no data.  A pixel that lacks data in any band is missing.  Among
dates, that is an input of the network, too; a missing pixel of a patch counts as the mean of those
that have data, so that a patch beside a hole, or at the edge of a scene, is not unusual for it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..program.contexts import KERNEL, WIDTH
from .core import ContextNetwork, ModelInput
from .networks import Dense


class Recurrent(ContextNetwork):
    """The dates before each date, by a gated recurrent unit (Cho et al. 2014).

    With h the state of the unit, and known whether a date has data::

        h_1 = 0    h_t+1 = GRU(h_t, [x_t, known_t])    c_t = [h_t, last x known before t]

    Encoder and decoder of a date are conditioned on c_t, and the codes of a pixel are independent
    given earlier dates: a stochastic recurrent network (Bayer & Osendorfer 2014; the variant with
    an independent prior of Chung et al. 2015).  A missing date is a step of the unit, too, so the
    state follows time; Che et al. 2018 append the last value.  The first known date has nothing
    before it and is not reconstructed.
    """

    def __init__(self, bands: int, width: int) -> None:
        super().__init__(width + bands)
        self.gru = nn.GRU(bands + 1, width, batch_first=True)

    def forward(self, x: Tensor) -> ModelInput:
        filled, known = _filled(x)
        dates = torch.cat([filled, known[..., None].to(x.dtype)], dim=-1)
        states = self.gru(dates.reshape(-1, *dates.shape[-2:]))[0]
        after = torch.cat([states.reshape(*x.shape[:-1], -1), _latest(filled, known)], dim=-1)
        with_past = known & (known.cumsum(dim=-1) > 1)
        return ModelInput(filled, F.pad(after[..., :-1, :], (0, 0, 1, 0)), with_past)


class Convolution(ContextNetwork):
    """The pixels around the central one, by convolutions and a mean over what is left.

    Up to two convolutions of 3 x 3 pixels without padding, on features of each pixel.  A guard
    window, an odd side in pixels, hides the pixel and its neighbours (Krull, Buchholz & Jug 2019),
    so that an object does not explain itself.  Without one, guard 0, the context is not
    centre-masked.  Hidden pixels have learnt features, missing ones the mean of those that are
    given.
    """

    guarded: Tensor
    """The pixels of a patch inside the guard window, (row, col), bool."""

    def __init__(self, bands: int, side: int, guard: int, width: int = WIDTH) -> None:
        """Take patches of ``side`` x ``side`` pixels without their ``guard`` x ``guard`` centre."""
        super().__init__(width, centre_masked=guard > 0)
        self.bands, self.side = bands, side
        self.to_features = Dense(bands, width)
        self.missing = nn.Parameter(torch.zeros(width))
        spans = max(0, min(2, side // 2 - guard // 2))
        self.spans = nn.ModuleList(Dense(KERNEL * KERNEL * width, width) for _ in range(spans))
        self.to_context = Dense(width, width)
        distance = (torch.arange(side) - side // 2).abs()
        guarded = torch.maximum(distance[:, None], distance) <= (guard - 1) // 2
        self.register_buffer("guarded", guarded, persistent=False)

    def forward(self, x: Tensor) -> ModelInput:
        centre = self.side // 2
        filled, known = _filled(x)
        features = F.gelu(self._completed(self.to_features(filled), known))
        for span in self.spans:
            features = F.gelu(span(_neighbours(features)))
        context = F.gelu(self.to_context(features.mean(dim=(-3, -2))))
        return ModelInput(filled[..., centre, centre, :], context, known[..., centre, centre])

    def _completed(self, features: Tensor, known: Tensor) -> Tensor:
        """Replace the features (..., row, col, feature) of hidden and of missing pixels."""
        given = (known & ~self.guarded)[..., None]
        hidden = torch.where(given, features, self.missing)
        if known.all():
            return hidden
        count = given.sum(dim=(-3, -2), keepdim=True)
        mean = torch.where(given, features, 0).sum(dim=(-3, -2), keepdim=True) / count.clamp_min(1)
        lacking = ~(known | self.guarded)[..., None] & (count > 0)
        return torch.where(lacking, mean, hidden)


def _filled(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return pixels (..., band) with 0 for missing ones, and which have data, (...)."""
    known = x.sum(-1).isfinite()
    return x if known.all() else torch.where(known[..., None], x, 0), known  # patches are large


def _neighbours(features: Tensor) -> Tensor:
    """Concatenate the features (..., row, col, feature) of 3 x 3 pixels, without the border."""
    rows, cols = (side - KERNEL + 1 for side in features.shape[-3:-1])
    shifted = [
        features[..., down : down + rows, right : right + cols, :]
        for down in range(KERNEL)
        for right in range(KERNEL)
    ]
    return torch.cat(shifted, dim=-1)


def _latest(filled: Tensor, known: Tensor) -> Tensor:
    """Return the last known bands up to each date, (..., time, band); 0 before the first."""
    dates = torch.arange(known.shape[-1], device=known.device)
    last = torch.where(known, dates, -1).cummax(dim=-1).values
    return filled.gather(-2, last.clamp_min(0)[..., None].expand_as(filled))
