"""A model folded for scoring: data units in, terms out, and little that is linear in between.

For an example ``x`` in data units, with the scaler's centre m and spread s, the encoder's first
layer (W, b), the decoder's last (V, v) on features h, and the noise (c, S)::

    d = clip(x - m)
    first layer   W (d / s) + b                  = (W / s) d + b
    whitened      (d / s - V h - v - c) S^-1/2   = d (S^-1/2 / s) - (V h + v + c) S^-1/2

The brackets are made once, in float64.  The centre is taken away first, because a band far from
zero would lose its digits in the sums; what float32 cannot hold of it goes into b and v.  A context
network sees examples before the encoder does, so it is given d / s, and W stays.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..models import Autoencoder, Code, Dense, ModelInput
from ..stats.noise import Noise
from ..stats.scaler import FARTHEST, Scaler
from .batches import FEWEST, ScoreTerms, batch_rows
from .fused import fuse


@dataclass(frozen=True, eq=False)
class ScoringProgram:
    """A folded model, on the device of the one it was made of."""

    model: Autoencoder
    """Encodes what `look` gives; decodes to the whitened mean, its sign turned."""
    centre: Tensor
    """Mean per band, data units, (band,)."""
    farthest: Tensor
    """Largest distance from it, data units, (band,)."""
    std: Tensor | None
    """What distances are divided by for a context network, (band,)."""
    gain: Tensor | nn.Module
    """What whitens examples: (band,), to be multiplied, or a layer."""
    kl_weight: float
    """Weight of the KL term."""
    rows: int
    """Examples per batch."""

    def prepare(self, x: Tensor, features: Tensor | None) -> ModelInput:
        """Centre examples (n, ..., band) in data units, and join the features of their context."""
        away = (x - self.centre).clamp_(-self.farthest, self.farthest)
        return self.model.prepare(away if self.std is None else away.div_(self.std), features)

    def encode(self, batch: ModelInput) -> Code:
        """Turn examples into codes."""
        return self.model.encode(batch.x, batch.context)

    def score_terms(self, batch: ModelInput, *, codes: bool) -> ScoreTerms[Tensor]:
        """Return the terms of examples, and their codes if these are asked for."""
        code = self.encode(batch)
        negative_mean = self.model.decode(code.z, batch.context)
        squares = self._white(batch.x, negative_mean).square_()
        nll = self.model.likelihood.nll_above_mode(squares, out=squares).sum(-1)
        return ScoreTerms(nll, self.kl_weight * code.kl, code.z if codes else None)

    def _white(self, x: Tensor, against: Tensor) -> Tensor:
        if isinstance(self.gain, Tensor):
            return against.addcmul_(x, self.gain)
        return against.add_(self.gain(x))


def scoring_program(
    model: Autoencoder, scaler: Scaler, noise: Noise, kl_weight: float = 1.0
) -> ScoringProgram:
    """Fold scaling and whitening into a copy of a model."""
    program = deepcopy(model).requires_grad_(False)
    centre, std = torch.from_numpy(scaler.centre), torch.from_numpy(scaler.std)
    farthest = (FARTHEST * std).clamp_max(float(np.finfo(np.float32).max))
    device = next(model.parameters()).device

    def placed(array: Tensor) -> Tensor:
        return array.float().to(device)

    alone = model.context_network is None
    unit = std if alone else torch.ones_like(std)
    shift = centre - centre.float() if alone else torch.zeros_like(centre)
    if alone:
        _fold_input(program.encoder, std, shift)
    gain = _fold_output(program, noise, unit, shift)
    widest = max(layer.out_features for layer in program.modules() if isinstance(layer, Dense))
    rows = batch_rows(max(widest, len(std))) if alone else FEWEST
    bounds = placed(centre), placed(farthest), None if alone else placed(std)
    whiten = placed(gain) if isinstance(gain, Tensor) else fuse(gain.to(device))
    return ScoringProgram(fuse(program), *bounds, whiten, kl_weight, rows)


def _fold_input(encoder: nn.Module, unit: Tensor, shift: Tensor) -> None:
    """Let the first layer take bands in other units, and ``shift`` too much."""
    layer = next(part for part in encoder.modules() if isinstance(part, Dense))
    weight, bias = layer.weight.double().cpu(), layer.bias.double().cpu()
    weight[:, : len(unit)] /= unit
    bias -= weight[:, : len(unit)] @ shift
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)


def _fold_output(
    program: Autoencoder, noise: Noise, unit: Tensor, shift: Tensor
) -> Tensor | nn.Module:
    """Let the decoder give the whitened mean, its sign turned; tell what whitens examples."""
    root = torch.from_numpy(noise.whitening)
    square = torch.diag(root) if root.ndim == 1 else root
    layer = program.likelihood.to_mean
    weight, bias = (part.double().cpu() for part in (layer.weight, layer.bias))
    bias += torch.from_numpy(noise.centre) + shift / unit
    layer.weight.copy_(-(square.T @ weight))
    layer.bias.copy_(-(bias @ square))
    if root.ndim == 1:
        return root / unit
    whitening = Dense(*square.shape).requires_grad_(False)
    whitening.weight.copy_((square / unit[:, None]).T)
    whitening.bias.zero_()
    return nn.Sequential(whitening)
