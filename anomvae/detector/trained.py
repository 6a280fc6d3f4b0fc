"""What is fitted to, and measured of, a trained model before it becomes a detector.

Examples are scaled, (n, ..., band), in the order of the scenes; ``features`` (n, ..., feature) are
those of a context, or None.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..models import Autoencoder, ModelInput
from ..models.objectives import Elbo
from ..stats.latent import LatentStatistics
from ..stats.noise import Noise, fit_noise
from ..stats.residuals import ResidualMixture, fit_residuals
from .training_set import TrainingSet

LATENT_EXAMPLES = 10_000
"""Examples whose codes are described, at most."""
RESIDUAL_VALUES = 20_000_000
"""Values of residuals that a covariance is fitted to: 100,000 spectra of 200 bands."""


@torch.inference_mode()
def noise_of(model: Autoencoder, scaled: Tensor, features: Tensor | None, kind: str) -> Noise:
    """Fit a noise model of a kind (`anomvae.stats.noise`) to the residuals at posterior means."""
    most = 1 if kind != "covariance" else RESIDUAL_VALUES // scaled[0].numel()
    batch = _subset(model, most, scaled, features)
    residuals = (batch.x - model(batch.x, batch.context).mean)[batch.known]
    return fit_noise(kind, residuals.cpu().numpy(), model.likelihood.sigma.cpu().numpy())


@torch.inference_mode()
def residuals_of(
    model: Autoencoder, scaled: Tensor, features: Tensor | None, seed: int
) -> ResidualMixture | None:
    """Fit the residuals of examples at codes drawn from their posteriors."""
    batch = _subset(
        model, min(LATENT_EXAMPLES, RESIDUAL_VALUES // scaled[0].numel()), scaled, features
    )
    shape = (*batch.x.shape[:-1], model.bottleneck.noise_width)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(shape, generator=generator).to(batch.x.device)
    z = model.draw_posterior(batch.x, batch.context, noise).z
    rest = (batch.x - model.decode(z, batch.context))[batch.known]
    return fit_residuals(z[batch.known].cpu().numpy(), rest.cpu().numpy(), seed)


@torch.inference_mode()
def latent_statistics_of(
    model: Autoencoder, scaled: Tensor, features: Tensor | None
) -> LatentStatistics:
    """Describe the codes of examples."""
    batch = _subset(model, LATENT_EXAMPLES, scaled, features)
    context = None if batch.context is None else batch.context[batch.known]
    return model.latent_statistics(batch.x[batch.known], context)


@torch.inference_mode()
def elbo_of(model: Autoencoder, data: TrainingSet) -> float | None:
    """Return the evidence lower bound of held-out examples, nats per pixel.

    None without any, and where they overflow.
    """
    if not len(data.held_out):
        return None
    device = next(model.parameters()).device
    batch = model.prepare(*data.tensors(data.held_out, device))
    elbo = -float(Elbo()(model(batch.x, batch.context))[batch.known].mean())
    return elbo if math.isfinite(elbo) else None


def _subset(model: Autoencoder, most: int, scaled: Tensor, features: Tensor | None) -> ModelInput:
    """Prepare examples at an even step, as they are in the order of the scene."""
    every = slice(None, None, -(-len(scaled) // most))
    return model.prepare(scaled[every], None if features is None else features[every])
