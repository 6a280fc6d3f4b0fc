"""The scoring program: a model folded into few array operations, data units in, terms out.

For an example ``x`` in data units, with the scaler's centre m and standard deviation s, the
encoder's first layer (W, b), the decoder's last (V, v) on features h, and the noise (c, S)::

    d = clip(x - m)
    first layer   W (d / s) + b                  = (W / s) d + b
    whitened      (d / s - V h - v - c) S^-1/2   = d (S^-1/2 / s) - (V h + v + c) S^-1/2
    linear term   |(d / s - k) L|^2              = |d (L / s) - k L|^2

with the centre k and the whitening L of `anomvae.stats.linear`.  The brackets are computed once, in
float64.  The centre is subtracted first, because a band far from zero would lose its digits in the
sums; the part of m that float32 cannot hold goes into b, v and k.  A context network takes examples
before the encoder does, so it is given d / s, and W stays.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..models import Autoencoder, Code, Dense, Draw, ModelInput
from ..models.isolation import isolated
from ..stats.background import Background
from ..stats.linear import LinearTerm
from ..stats.noise import Noise
from ..stats.scaler import FARTHEST, Scaler
from .batches import FEWEST_ROWS, ScoreTerms, batch_rows
from .contributions import Contributions
from .fused import fuse, linear_layer
from .kinds import LARGEST_TERM, AtMean, Kind
from .linear_shares import BandDirections

FLOAT32_MAX = float(np.finfo(np.float32).max)
EXAMPLE_VALUES = 2**25
"""Values of a layer of a context network in a batch, 128 MiB."""


class ExplainedTerms(NamedTuple):
    """Terms of examples, and their leading bands."""

    terms: ScoreTerms[Tensor]
    """The terms, and the codes."""
    band: Tensor
    """Which band adds most, (n, ...), from 1."""
    residual: Tensor
    """Its whitened residual, (n, ...); both are NaN where no band adds anything."""


@dataclass(frozen=True, eq=False)
class ScoringProgram:
    """A folded model, on the device of the model that it is made of."""

    model: Autoencoder
    """Encodes what `prepare` returns; decodes to minus the whitened mean."""
    centre: Tensor
    """Mean per band, data units, (band,)."""
    farthest: Tensor
    """Largest distance from it, data units, (band,)."""
    std: Tensor | None
    """Divisor of the distances for a context network, (band,)."""
    gain: Tensor | nn.Module
    """Whitening of examples: a factor (band,), or a layer."""
    kl_weight: float
    """Weight of the KL term."""
    linear: nn.Module | None
    """Layer whose sum of squares is the linear term; None without one."""
    directions: BandDirections | None
    """How bands move what that layer returns; None without one."""
    rows: int
    """Examples per batch."""
    kind: Kind
    """What of the model's output is a score."""

    def prepare(self, x: Tensor, features: Tensor | None) -> ModelInput:
        """Centre examples (n, ..., band) in data units; append the features of their context."""
        centred = (x - self.centre).clamp_(-self.farthest, self.farthest)
        return self.model.prepare(centred if self.std is None else centred.div_(self.std), features)

    def encode(self, batch: ModelInput) -> Code:
        """Encode examples."""
        return self.model.encode(batch.x, batch.context)

    def draw_posterior(self, batch: ModelInput, noise: Tensor) -> Draw:
        """Draw codes of examples by standard normal noise (n, ..., noise); 0: posterior means."""
        return self.model.draw_posterior(batch.x, batch.context, noise)

    def features(self, batch: ModelInput) -> Tensor:
        """Return what the bottleneck takes of examples, (n, ..., feature)."""
        return self.model.features(batch.x, batch.context)

    def kl_units(self, batch: ModelInput) -> Tensor:
        """Return the KL of each latent unit of examples, (n, ..., unit), nats, unweighted."""
        return self.model.kl_units(batch.x, batch.context)

    def posterior_mean(self, batch: ModelInput) -> Draw:
        """Return the posterior means of examples, in all levels."""
        return self.draw_posterior(batch, batch.x.new_zeros(self.model.bottleneck.noise_width))

    def place(self, draw: Draw) -> Tensor:
        """Return where draws lie in latent space, all levels: of a codebook, the vector."""
        return draw.codes if self.model.bottleneck.noise_width else draw.z

    def score_terms(self, batch: ModelInput) -> ScoreTerms[Tensor]:
        """Return the terms of examples, and their codes."""
        nll, kl, code = self.kind.terms(self, batch)
        linear = self._linear_term(batch.x)
        nll, kl, linear = (term.clamp_max(LARGEST_TERM) for term in (nll, kl, linear))
        return ScoreTerms(nll, kl, linear, code)

    def whitened(self, batch: ModelInput, code: Code | Draw) -> Tensor:
        """Return the whitened residuals of examples at their codes, (n, ..., band)."""
        whitened = self.model.decode(code.z, batch.context)  # minus the mean, then the residual
        if isinstance(self.gain, Tensor):
            whitened.addcmul_(batch.x, self.gain)
        else:
            whitened.add_(self.gain(batch.x))
        return whitened

    def nll(self, whitened: Tensor) -> Tensor:
        """Return the errors of whitened residuals (n, ..., band), which they replace, nats."""
        squares = whitened.square_()
        return self.model.likelihood.nll_above_mode(squares, out=squares)

    def contributions(self, batch: ModelInput) -> Contributions[Tensor]:
        """Return what each band and latent unit adds to the terms of examples."""
        nll, kl, residual = self.kind.parts(self, batch)
        return Contributions(nll, kl, self._linear_parts(batch.x, residual)[1], residual)

    def explained_terms(self, batch: ModelInput) -> ExplainedTerms:
        """Return the terms of examples, as `score_terms` does, and the band that adds most."""
        (nll, kl, code), of_bands, residual = self.kind.terms_and_bands(self, batch)
        linear, linear_parts = self._linear_parts(batch.x, residual)
        nll, kl = (term.clamp_max(LARGEST_TERM) for term in (nll, kl))
        of_bands = of_bands + linear_parts
        most, band = of_bands.max(-1, keepdim=True)
        number, of_band = (
            torch.where(most > 0, values, torch.nan).squeeze(-1)
            for values in ((band + 1).to(most.dtype), residual.gather(-1, band))
        )
        return ExplainedTerms(ScoreTerms(nll, kl, linear, code), number, of_band)

    def _linear_parts(self, x: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
        """Return the linear term, clipped, (n, ...), and each band's part of it, (n, ..., band)."""
        if self.linear is None or self.directions is None:
            return x.new_zeros(x.shape[:-1]), torch.zeros_like(residual)
        whitened = self.linear(x)
        linear = whitened.square().sum(-1).clamp_max(LARGEST_TERM)
        return linear, linear.unsqueeze(-1) * self.directions.shares(whitened, residual)

    def _linear_term(self, x: Tensor) -> Tensor:
        if self.linear is None:
            return x.new_zeros(x.shape[:-1])
        whitened: Tensor = self.linear(x)
        return whitened.square_().sum(-1)


@isolated()
def scoring_program(
    model: Autoencoder,
    scaler: Scaler,
    noise: Noise,
    kl_weight: float = 1.0,
    linear: LinearTerm | None = None,
    kind: Kind = AtMean(),  # noqa: B008 - it is frozen
) -> ScoringProgram:
    """Fold scaling and whitening into a copy of a model."""
    program = deepcopy(model).requires_grad_(False)
    centre, std = torch.from_numpy(scaler.centre), torch.from_numpy(scaler.std)
    farthest = (FARTHEST * std).clamp_max(FLOAT32_MAX)
    device = next(model.parameters()).device

    def stored(array: Tensor) -> Tensor:
        return array.float().to(device)

    folded = model.context_network is None
    unit = std if folded else torch.ones_like(std)
    shift = centre - centre.float() if folded else torch.zeros_like(centre)
    if folded:
        _fold_input(program.encoder, std, shift)
    gain = _fold_output(program, noise, unit, shift)
    widest = max(layer.out_features for layer in program.modules() if isinstance(layer, Dense))
    if model.context_network is None:
        rows = batch_rows(max(widest, len(std)))
    else:
        rows = max(1, min(FEWEST_ROWS, EXAMPLE_VALUES // model.context_network.values))
    bounds = stored(centre), stored(farthest), None if folded else stored(std)
    whiten = stored(gain) if isinstance(gain, Tensor) else fuse(gain.to(device))
    distance = directions = None
    if linear is not None:
        distance = fuse(_folded_linear(linear, unit, shift).to(device))
        directions = BandDirections.of(linear, device)
    return ScoringProgram(
        fuse(program), *bounds, whiten, kl_weight, distance, directions, rows, kind
    )


@isolated()
def whitening_layer(background: Background, scaler: Scaler, device: torch.device) -> nn.Module:
    """Fold scaling into a whitening: the layer takes spectra (n, band) in data units."""
    centre, std = torch.from_numpy(scaler.centre), torch.from_numpy(scaler.std)
    centred = _Centred(centre, (FARTHEST * std).clamp_max(FLOAT32_MAX))
    layer = _folded_linear(background, std, centre - centre.float())
    return nn.Sequential(centred.to(device), fuse(layer.to(device)))


class _Centred(nn.Module):
    """Distances of spectra to a centre, up to the farthest; both are rounded to float32."""

    centre: Tensor
    farthest: Tensor

    def __init__(self, centre: Tensor, farthest: Tensor) -> None:
        super().__init__()
        self.register_buffer("centre", centre.float())
        self.register_buffer("farthest", farthest.float())

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.centre).clamp_(-self.farthest, self.farthest)


def _fold_input(encoder: nn.Module, unit: Tensor, shift: Tensor) -> None:
    """Make the first layer take bands in units of ``unit``, and too large by ``shift``."""
    layer = next(part for part in encoder.modules() if isinstance(part, Dense))
    weight, bias = layer.weight.double().cpu(), layer.bias.double().cpu()
    weight[:, : len(unit)] /= unit
    bias -= weight[:, : len(unit)] @ shift
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)


def _fold_output(
    program: Autoencoder, noise: Noise, unit: Tensor, shift: Tensor
) -> Tensor | nn.Module:
    """Make the decoder return minus the whitened mean; return the whitening of examples."""
    root = torch.from_numpy(noise.whitening)
    square = torch.diag(root) if root.ndim == 1 else root
    layer = program.likelihood.to_mean
    weight, bias = (part.double().cpu() for part in (layer.weight, layer.bias))
    bias += torch.from_numpy(noise.centre) + shift / unit
    layer.weight.copy_(-(square.T @ weight))
    layer.bias.copy_(-(bias @ square))
    return root / unit if root.ndim == 1 else linear_layer(square / unit[:, None])


def _folded_linear(linear: Background, unit: Tensor, shift: Tensor) -> nn.Module:
    """Return the whitening of examples in units of ``unit``, too large by ``shift``."""
    whitening, centre = torch.from_numpy(linear.whitening), torch.from_numpy(linear.centre)
    return linear_layer(whitening / unit[:, None], -((centre + shift / unit) @ whitening))
