"""The discriminator of VAE-GAN (Larsen et al. 2016), trained beside the model.

A small network d on the bands takes one step of the hinge loss (Lim & Ye 2017) for every step of
the model.  The generated spectra x' are the model's reconstructions and spectra decoded from its
prior, both with noise of p(x | z), so that the noise does not give them away::

    discriminator loss    mean max(0, 1 - d(x)) + mean max(0, 1 + d(x'))
    adversarial term      -weight * mean d(x')                added to the model's loss, nats

The layers of d have spectral norm 1 (Miyato et al. 2018), so d is 1-Lipschitz: the gradient of the
term by a mean is at most ``weight`` nats per scaled unit, and the model's loss dominates.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..models import Autoencoder, ModelInput
from .optimiser import Adam

WIDTHS = (64, 32)
SLOPE = 0.2  # of the leaky ReLU
RATE = 1e-3
BETAS = (0.0, 0.9)  # no momentum: what the discriminator is trained against changes


class Discriminator:
    """A discriminator while one model is trained; no detector keeps it."""

    def __init__(self, like: Tensor, weight: float) -> None:
        """Build one for bands and device of ``like``; torch's global generator seeds it."""
        self.weight = weight
        self.network = spectral_network(like.shape[-1]).to(like.device)
        self.optimiser = Adam(self.network.parameters(), BETAS[1])
        self.generator = torch.Generator().manual_seed(int(torch.randint(2**31, ())))

    def adversarial_term(
        self, model: Autoencoder, batch: ModelInput, mean: Tensor, kept: Tensor
    ) -> Tensor:
        """Update the network with a batch, then return the adversarial term of the model, nats.

        ``mean`` (..., band) is the model's output for the batch, and ``kept`` are the flat indexes
        of the pixels that the loss includes.  The gradient of the term reaches the model alone.
        """
        generated = self.generate(model, batch.context, mean, kept)
        self.update(batch.x.flatten(0, -2)[kept], generated.detach())
        self.network.requires_grad_(False)
        return -self.weight * self.network(generated).mean()

    def generate(
        self, model: Autoencoder, context: Tensor | None, mean: Tensor, kept: Tensor
    ) -> Tensor:
        """Return noisy reconstructions and, from a prior, as many drawn spectra, (n, band)."""
        means = [mean]
        if model.prior is not None:
            shape = mean.shape[:-1]
            codes = model.prior.draw(shape.numel(), self.generator).unflatten(0, shape)
            means.append(model.decode(codes, context))
        kept_means = torch.cat([each.flatten(0, -2)[kept] for each in means])
        with torch.no_grad():  # the likelihood alone learns the noise
            noise = model.likelihood.draw(torch.zeros_like(kept_means), self.generator)
        return kept_means + noise

    def update(self, spectra: Tensor, generated: Tensor) -> None:
        """Take one step of the hinge loss on training and generated spectra, both (n, band)."""
        self.network.requires_grad_(True)
        self.optimiser.zero_grad()
        output = self.network(torch.cat([spectra, generated]))
        of_spectra, of_generated = output.split([len(spectra), len(generated)])
        loss: Tensor = F.relu(1 - of_spectra).mean() + F.relu(1 + of_generated).mean()
        loss.backward()
        self.optimiser.step(RATE, BETAS[0])


class SpectralLinear(nn.Linear):
    """A linear layer of spectral norm 1.

    The norm is exact: within a few hundred steps a power method is off by up to a quarter,
    and on layers this small it saves little time.
    """

    @property
    def normalised(self) -> Tensor:
        """The weight divided by its largest singular value, (output, input)."""
        norm: Tensor = torch.linalg.matrix_norm(self.weight, 2)
        return self.weight / norm

    def forward(self, x: Tensor) -> Tensor:
        """Map features (..., input) to features (..., output)."""
        return F.linear(x, self.normalised, self.bias)


def spectral_network(bands: int) -> nn.Sequential:
    """Build a network of spectral norm at most 1: spectra (..., band) to an output (..., 1)."""
    layers: list[nn.Module] = []
    for before, after in zip([bands, *WIDTHS], [*WIDTHS, 1], strict=True):
        layers += [SpectralLinear(before, after), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers[:-1])
