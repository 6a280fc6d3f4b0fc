"""The autoencoder that all families share (Kingma & Welling 2014; Rezende et al. 2014).

Features are the last axis; all leading axes are batch.  For a batch ``x`` (..., band), scaled
units, and its context ``c`` (..., feature), a model returns a `Reconstruction`::

    h = encoder(x, c)    z, kl = bottleneck(h)    p(x | z, c) = likelihood(decoder(z, c))

    error[..., band] = -log p(x[..., band] | z, c)      nats
    kl[...]          =  KL(q(z | x, c) || p(z))         nats

Conditioning appends the context to the inputs of encoder and decoder (Sohn, Lee & Yan 2015).  The
context holds features from outside the example (surroundings, covariates) and, for examples of
several pixels or dates, the output of a context network (van den Oord, Li & Vinyals 2018).

A family is a choice of parts, see `anomvae.models.families`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..stats.latent import NO_LATENT_STATISTICS, LatentStatistics
from .likelihoods import GaussianBands


class Code(NamedTuple):
    """The output of a bottleneck."""

    z: Tensor
    """The code, (..., latent): a draw in training mode, the posterior mean in evaluation mode."""
    kl: Tensor
    """KL(q(z | x) || p(z)), (...), nats."""
    penalty: Tensor
    """A scalar that training adds to the loss, such as a codebook's commitment."""


class Draw(NamedTuple):
    """A draw from the posterior, or its mean."""

    codes: Tensor
    """The codes of all levels, (..., code), as `anomvae.program.Code.code_names` names them."""
    z: Tensor
    """What the decoder takes of them, (..., latent)."""
    log_ratio: Tensor
    """log p(codes) - log q(codes | x), (...), nats; minus its mean over draws is the KL."""


class Reconstruction(NamedTuple):
    """The output of a model for a batch."""

    mean: Tensor
    """Mean of p(x | z), (..., band)."""
    error: Tensor
    """-log p(x | z) per band, (..., band), nats."""
    kl: Tensor
    """See `Code`."""
    penalty: Tensor
    """See `Code`."""


class ModelInput(NamedTuple):
    """A batch of examples as encoder and decoder take them."""

    x: Tensor
    """Pixels to reconstruct, (..., band), scaled units; 0 where data are missing."""
    context: Tensor | None
    """Features that the model is conditioned on, (..., feature); None without."""
    known: Tensor
    """Which pixels have data and can be scored, (...), bool."""


class ContextNetwork(nn.Module, ABC):
    """Split examples into the pixels to reconstruct and a context computed from the rest."""

    def __init__(self, width: int, centre_masked: bool = True, linear: int = 0) -> None:
        """Return contexts of ``width`` features, computed without the pixel if ``centre_masked``.

        A context that is not centre-masked contains the pixel, so the encoder alone is given it.
        The first ``linear`` features, none or as many as bands, predict the pixel: the decoder's
        mean starts from them.
        """
        super().__init__()
        self.width, self.centre_masked, self.linear = width, centre_masked, linear

    def fit(self, examples: Tensor) -> None:
        """Fit what has a closed form to scaled examples (n, ..., band), before training."""


class Bottleneck(nn.Module, ABC):
    """Map features (..., feature) to a `Code`."""

    noise_width = 0
    """Standard normal numbers that a draw from the posterior takes; 0: the posterior is a point."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    @abstractmethod
    def forward(self, h: Tensor) -> Code: ...

    @abstractmethod
    def draw_posterior(self, h: Tensor, noise: Tensor) -> Draw:
        """Draw from the posteriors of features (..., feature), by noise (..., `noise_width`).

        The noise is standard normal; at 0 the draw is the posterior mean, in every level.
        """

    def latent_statistics(self, h: Tensor) -> LatentStatistics:
        """Return how much information the codes of features (..., feature) carry."""
        return NO_LATENT_STATISTICS


class VariationalBottleneck(Bottleneck):
    """A bottleneck with a prior p(z)."""

    @abstractmethod
    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw codes from the prior, (count, width)."""

    @abstractmethod
    def prior_code(self, noise: Tensor) -> Tensor:
        """Return the codes of the prior at standard normal noise (n, `noise_width`), (n, width).

        At 0 it is the centre of the prior, in every level; of a codebook its most frequent code.
        """


class Autoencoder(nn.Module):
    """Encoder, bottleneck, decoder and likelihood in a row, with or without a context network."""

    def __init__(
        self,
        encoder: nn.Module,
        bottleneck: Bottleneck,
        decoder: nn.Module,
        likelihood: GaussianBands,
        context_network: ContextNetwork | None = None,
    ) -> None:
        super().__init__()
        self.encoder, self.bottleneck = encoder, bottleneck
        self.decoder, self.likelihood = decoder, likelihood
        self.context_network = context_network

    @property
    def prior(self) -> VariationalBottleneck | None:
        """The bottleneck where it has a prior to draw codes from; else None."""
        return self.bottleneck if isinstance(self.bottleneck, VariationalBottleneck) else None

    @property
    def predicts(self) -> bool:
        """Whether the decoder's mean starts from a prediction by the context."""
        return self.context_network is not None and self.context_network.linear > 0

    def prepare(self, examples: Tensor, features: Tensor | None = None) -> ModelInput:
        """Split scaled examples (n, ..., band) into pixels and context.

        Context ``features`` from outside, (n, ..., feature), follow those of the context network.
        """
        if self.context_network is None:
            known = examples.new_ones(examples.shape[:-1], dtype=torch.bool)
            return ModelInput(examples, features, known)
        batch = self.context_network(examples)
        return batch._replace(context=join(batch.context, features))

    def features(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return what the bottleneck takes of pixels (..., band), (..., feature)."""
        features: Tensor = self.encoder(join(x, context))
        return features

    def encode(self, x: Tensor, context: Tensor | None = None) -> Code:
        """Return the codes of pixels (..., band)."""
        return self.bottleneck(self.features(x, context))

    def draw_posterior(self, x: Tensor, context: Tensor | None, noise: Tensor) -> Draw:
        """Draw codes of pixels (..., band), by noise (..., noise), see `Bottleneck`."""
        return self.bottleneck.draw_posterior(self.features(x, context), noise)

    def latent_statistics(self, x: Tensor, context: Tensor | None = None) -> LatentStatistics:
        """Return how much information the codes of pixels (..., band) carry."""
        return self.bottleneck.latent_statistics(self.features(x, context))

    def decode(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the mean of p(x | z), (..., band), for codes (..., latent)."""
        if self.context_network is not None and not self.context_network.centre_masked:
            context = None
        return self.likelihood(self.decoder(join(z, context)))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Reconstruction:
        code = self.encode(x, context)
        mean = self.decode(code.z, context)
        return Reconstruction(mean, self.likelihood.error(mean, x), code.kl, code.penalty)


def join(features: Tensor, context: Tensor | None) -> Tensor:
    """Append the context to the last axis, if there is one."""
    return features if context is None else torch.cat([features, context], dim=-1)
