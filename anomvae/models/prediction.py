"""The dates before the newest one of a pixel, as `change` is trained on them.

The network returns in torch what `anomvae.program.prediction`, which has the mathematics, returns
of arrays, and is fitted to the examples before training.  It has no weights to learn.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..program.layers import FEWEST_OUTPUTS
from ..program.prediction import joint_matrix
from ..stats.chronochrome import LIMIT, Chronochrome, fit_chronochrome
from ..stats.elliptical import NORMAL, Tail
from .core import ContextNetwork, ModelInput

EXAMPLES = 65_536
"""Series that the prediction is fitted to, at most."""
VALUES = 2**24
"""Values of these series, and of all matrices that are kept, 64 MiB."""


class LinearPrediction(ContextNetwork):
    """The newest date given the dates before it; a series has the newest of ``dates`` dates.

    Dates before these do not count, and dates that a shorter series lacks are missing.
    """

    mean: Tensor
    """Mean of each band of each date, scaled units, (time, band)."""
    std: Tensor
    """Standard deviation of each band of each date, scaled units, (time, band)."""
    covariance: Tensor
    """Covariance of the standardised bands of all dates, (time * band, time * band)."""
    tail: Tensor
    """Tail of the dates before, (2,)."""

    def __init__(self, bands: int, dates: int) -> None:
        before = (dates - 1) * bands
        super().__init__(bands + before, linear=bands)
        self.bands, self.dates = bands, dates
        self.register_buffer("mean", torch.zeros(dates, bands))
        self.register_buffer("std", torch.ones(dates, bands))
        self.register_buffer("covariance", torch.eye(dates * bands))
        self.register_buffer("tail", torch.tensor(NORMAL))
        self._matrices: dict[int, Tensor] = {}

    def fit(self, examples: Tensor) -> None:
        most = min(EXAMPLES, VALUES // len(self.covariance))
        sample = self._newest(examples[:: -(-len(examples) // most)]).cpu().numpy()
        fitted = fit_chronochrome(sample)
        for name in ("mean", "std", "covariance", "tail"):
            getattr(self, name).copy_(torch.as_tensor(getattr(fitted, name)))
        self._matrices.clear()

    @property
    def fitted(self) -> Chronochrome:
        """The joint distribution of the dates, in scaled units."""
        arrays = (self.mean, self.std, self.covariance)
        mean, std, covariance = (each.double().cpu().numpy() for each in arrays)
        return Chronochrome(mean, std, covariance, Tail(*self.tail.tolist()))

    def forward(self, x: Tensor) -> ModelInput:
        series = self._newest(x).reshape(-1, self.dates, self.bands)
        known = series.sum(-1).isfinite()
        z = torch.where(known[..., None], (series - self.mean) / self.std, 0)
        z = torch.cat([z[:, :-1].clamp(-LIMIT, LIMIT).flatten(1), z[:, -1]], dim=-1)
        numbers = (known[:, :-1] * 2 ** torch.arange(self.dates - 1, device=x.device)).sum(-1)
        before = self.width - self.bands
        sizes = [self.bands, self.bands, before, before]
        parts = z.new_zeros(len(z), sum(sizes))
        for number in numbers.unique().tolist():
            # Of all examples, as matrix products round an example by how many there are.
            values = F.linear(z, self._matrix(number).to(z))[:, : parts.shape[1]]
            parts = torch.where((numbers == number)[:, None], values, parts)
        innovation, predicted, filled, w = parts.split(sizes, -1)
        innovation = innovation / (1 + w.square().sum(-1, keepdim=True)).sqrt()
        newest, predicted = (
            part * self.std[-1] + self.mean[-1] for part in (predicted + innovation, predicted)
        )
        scored = known[:, -1] & known[:, :-1].any(-1)
        context = torch.cat([predicted, filled], dim=-1)
        lead = x.shape[:-2]
        return ModelInput(
            torch.where(scored[:, None], newest, 0).reshape(*lead, self.bands),
            context.reshape(*lead, self.width),
            scored.reshape(lead),
        )

    def _newest(self, x: Tensor) -> Tensor:
        lacking = max(0, self.dates - x.shape[-2])
        return F.pad(x, (0, 0, lacking, 0), value=torch.nan)[..., -self.dates :, :]

    def _matrix(self, number: int) -> Tensor:
        """Return what maps [x, y], with 0 in gaps, to [x - p, p, conditional means of dates, w].

        x - p is yet to be divided by (1 + w'w)^1/2.
        """
        if number not in self._matrices:
            if len(self._matrices) * self.covariance.numel() > VALUES:
                self._matrices.clear()
            fitted = self.fitted
            known = (number >> np.arange(self.dates - 1)) % 2 == 1
            matrix = torch.from_numpy(joint_matrix(fitted, known).T.astype(np.float32))
            spare = max(0, FEWEST_OUTPUTS - len(matrix))
            self._matrices[number] = F.pad(matrix, (0, 0, 0, spare)).to(self.mean.device)
        return self._matrices[number]
