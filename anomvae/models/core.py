"""The autoencoder every family shares (Kingma & Welling 2014; Rezende et al. 2014).

Features are always the last axis; every leading axis is batch.  For a batch ``x`` of
shape ``(..., band)`` a model answers with a `Reconstruction`::

    x --encoder--> h --bottleneck--> z, kl --decoder--> likelihood p(x | z)

    error[..., band] = -log p(x[..., band] | z)     nats
    kl[...]          =  KL(q(z | x) || p(z))        nats

Where an example holds more than what is reconstructed, the dates before it or the pixels around it,
a context network (van den Oord, Li & Vinyals 2018) makes numbers of that which encoder and decoder
are conditioned on (Sohn, Lee & Yan 2015).

A family is a choice of the parts; see `anomvae.models.families`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..stats.latent import NO_LATENT_STATISTICS, LatentStatistics
from .likelihoods import GaussianBands


class Code(NamedTuple):
    """What a bottleneck makes of features."""

    z: Tensor
    """The code, (..., latent): a draw while training, the posterior mean when scoring."""
    kl: Tensor
    """KL(q(z | x) || p(z)), (...), nats."""
    penalty: Tensor
    """A scalar that only training pays, such as a codebook's commitment."""


class Reconstruction(NamedTuple):
    """What a model says of a batch."""

    mean: Tensor
    """Mean of p(x | z), (..., band)."""
    error: Tensor
    """-log p(x | z) per band, (..., band), nats."""
    kl: Tensor
    """See `Code`."""
    penalty: Tensor
    """See `Code`."""


class ModelInput(NamedTuple):
    """What examples are to a model."""

    x: Tensor
    """What is reconstructed, (..., band); 0 where there are no data."""
    context: Tensor | None
    """What a model is told with it, (..., number)."""
    known: Tensor
    """Where there are data to reconstruct, (...), bool."""


class ContextNetwork(nn.Module, ABC):
    """What parts examples into that which is reconstructed and numbers of all that is beside it."""

    def __init__(self, width: int, centre_masked: bool = True) -> None:
        """Make ``width`` features; without ``centre_masked`` they go to the encoder alone."""
        super().__init__()
        self.width, self.centre_masked = width, centre_masked

    @abstractmethod
    def empty_context(self, count: int) -> Tensor:
        """Tell what there is to tell of nothing beside a pixel, (count, width)."""


class Bottleneck(nn.Module):
    """What makes a `Code` of features (..., feature)."""

    has_prior = True
    """Whether there is a distribution over codes to draw from."""

    def __init__(self, width: int) -> None:
        """Give the decoder ``width`` latent features."""
        super().__init__()
        self.width = width

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw codes from the prior, (count, width); for a bottleneck that has one."""
        raise NotImplementedError(f"{type(self).__name__} has no prior: ask `has_prior` first.")

    def latent_statistics(self, h: Tensor) -> LatentStatistics:
        """Tell what codes of these features carry; nothing without a prior."""
        return NO_LATENT_STATISTICS


class Autoencoder(nn.Module):
    """Encoder, bottleneck, decoder and likelihood in a row, told what a context network makes."""

    def __init__(
        self,
        encoder: nn.Module,
        bottleneck: Bottleneck,
        decoder: nn.Module,
        likelihood: GaussianBands,
        context_network: ContextNetwork | None = None,
    ) -> None:
        """Put parts together; each one's width must be what the next takes."""
        super().__init__()
        self.encoder, self.bottleneck = encoder, bottleneck
        self.decoder, self.likelihood = decoder, likelihood
        self.context_network = context_network

    @property
    def has_prior(self) -> bool:
        """Whether there is a distribution over codes to draw from."""
        return self.bottleneck.has_prior

    def prepare(self, examples: Tensor, told: Tensor | None = None) -> ModelInput:
        """Part scaled examples (n, ..., band), and say what else is told of them."""
        if self.context_network is None:
            return ModelInput(
                examples, told, examples.new_ones(examples.shape[:-1], dtype=torch.bool)
            )
        seen = self.context_network(examples)
        return seen._replace(context=join(seen.context, told))

    def mean_context(self, count: int, told: Tensor | None = None) -> Tensor | None:
        """Say what a model is told with nothing beside a pixel, (count, number)."""
        if self.context_network is None:
            return told
        return join(self.context_network.empty_context(count), told)

    def encode(self, x: Tensor, context: Tensor | None = None) -> Code:
        """Turn examples (..., band) into codes."""
        return self.bottleneck(self.encoder(join(x, context)))

    def latent_statistics(self, x: Tensor, context: Tensor | None = None) -> LatentStatistics:
        """Tell what the codes of examples (..., band) carry."""
        return self.bottleneck.latent_statistics(self.encoder(join(x, context)))

    def decode(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Give the mean of p(x | z), (..., band), for codes (..., latent)."""
        if self.context_network is not None and not self.context_network.centre_masked:
            context = None
        return self.likelihood(self.decoder(join(z, context)))

    def mean(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Give the mean of p(x | z) at the code of examples (..., band), the same shape."""
        return self.decode(self.encode(x, context).z, context)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Reconstruction:
        code = self.encode(x, context)
        mean = self.decode(code.z, context)
        return Reconstruction(mean, self.likelihood.error(mean, x), code.kl, code.penalty)


def join(features: Tensor, context: Tensor | None) -> Tensor:
    """Append ``context`` to the last axis; this is all that conditioning takes."""
    return features if context is None else torch.cat([features, context], dim=-1)
