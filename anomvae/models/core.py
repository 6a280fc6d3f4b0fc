"""The autoencoder every family shares (Kingma & Welling 2014; Rezende et al. 2014).

Features are always the last axis; every leading axis is batch.  For a batch ``x`` of
shape ``(..., band)`` a model answers with a `Reconstruction`::

    x --encoder--> h --bottleneck--> z, kl --decoder--> likelihood p(x | z)

    error[..., band] = -log p(x[..., band] | z)     nats
    kl[...]          =  KL(q(z | x) || p(z))        nats

A family is a choice of the four parts; see `anomvae.families`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..codeuse import NO_CODE, CodeUse
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


class Bottleneck(nn.Module):
    """What makes a `Code` of features (..., feature)."""

    has_prior = True
    """Whether there is a distribution over codes to draw from."""

    def __init__(self, width: int) -> None:
        """Give the decoder ``width`` latent features."""
        super().__init__()
        self.width = width

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw codes from the prior, (count, width)."""
        raise NotImplementedError

    def use(self, h: Tensor) -> CodeUse:
        """Tell what codes of these features carry; nothing without a prior."""
        return NO_CODE


class Autoencoder(nn.Module):
    """Encoder, bottleneck, decoder and likelihood in a row."""

    def __init__(
        self,
        encoder: nn.Module,
        bottleneck: Bottleneck,
        decoder: nn.Module,
        likelihood: GaussianBands,
    ) -> None:
        """Put four parts together; each one's width must be what the next takes."""
        super().__init__()
        self.encoder, self.bottleneck = encoder, bottleneck
        self.decoder, self.likelihood = decoder, likelihood

    @property
    def reach(self) -> int:
        """How far a reconstruction looks sideways, pixels."""
        return int(self.encoder.reach + self.decoder.reach)  # type: ignore[operator]

    @property
    def has_prior(self) -> bool:
        """Whether there is a distribution over codes to draw from."""
        return self.bottleneck.has_prior

    def encode(self, x: Tensor, context: Tensor | None = None) -> Code:
        """Turn examples (..., band) into codes."""
        return self.bottleneck(self.encoder(join(x, context)))

    def code_use(self, x: Tensor, context: Tensor | None = None) -> CodeUse:
        """Tell what the codes of examples (..., band) carry."""
        return self.bottleneck.use(self.encoder(join(x, context)))

    def decode(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Give the mean of p(x | z), (..., band), for codes (..., latent)."""
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
