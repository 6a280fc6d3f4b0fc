"""The table of families: which parts an autoencoder is made of, and how it is trained.

A family is a row; adding one takes a row and at most one new part (docs/contributing.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .errors import ConfigError, hint
from .models import LIKELIHOODS, MLP, Autoencoder, Codebook, Deterministic, Gaussian, Ladder
from .objectives import Adversarial, Elbo
from .pixels import Spectra, View


@dataclass(frozen=True)
class Sizes:
    """How large a model is."""

    bands: int
    """Bands of an example."""
    latent: int
    """Latent features."""
    hidden: tuple[int, ...]
    """Widths of the encoder's layers; the decoder mirrors them."""
    context: int = 0
    """Numbers per pixel that encoder and decoder are conditioned on."""


@dataclass(frozen=True)
class Family:
    """A recipe for a detector's model."""

    network: Callable[..., Any] = MLP
    """Encoder and decoder."""
    bottleneck: Callable[..., Any] = Gaussian
    """The code."""
    view: Callable[[], View] = Spectra
    """What an example is."""
    objective: Elbo = field(default_factory=Elbo)
    """What training minimises."""
    conditioned: bool = False
    """Whether the model is told the surroundings of a pixel (`anomvae.context`)."""

    def build(self, sizes: Sizes, likelihood: str = "student-t") -> Autoencoder:
        """Assemble an untrained model; the decoder mirrors the encoder."""
        hidden = sizes.hidden
        bottleneck = self.bottleneck(hidden[-1], sizes.latent)
        return Autoencoder(
            encoder=self.network(sizes.bands + sizes.context, hidden),
            bottleneck=bottleneck,
            decoder=self.network(bottleneck.width + sizes.context, hidden[::-1]),
            likelihood=LIKELIHOODS[likelihood](hidden[0], sizes.bands),
        )


FAMILIES = {
    "ae": Family(bottleneck=Deterministic),
    "vae": Family(),
    # Without warm-up a beta above 1 empties the code before it is used, as two levels do.
    "beta-vae": Family(objective=Elbo(beta=4.0, warm_up=0.5)),
    "cvae": Family(conditioned=True),
    "vq-vae": Family(bottleneck=Codebook),
    "hierarchical": Family(bottleneck=Ladder, objective=Elbo(warm_up=0.5)),
    "vae-gan": Family(objective=Adversarial()),
}


def family_named(name: str) -> Family:
    """Look up a family.

    Raises
    ------
    ConfigError
        If no family has this name.
    """
    if name in FAMILIES:
        return FAMILIES[name]
    raise ConfigError(f"model.family = {name!r} is unknown. {hint(name, FAMILIES)}")


def fitting_sizes(
    bands: int,
    latent: int | None = None,
    hidden: tuple[int, ...] | None = None,
    context: int = 0,
) -> Sizes:
    """Choose what is not given by the number of bands."""
    return Sizes(
        bands,
        latent or min(8, max(1, bands // 2)),
        hidden or ((128, 64) if bands > 32 else (64, 32)),
        context,
    )
