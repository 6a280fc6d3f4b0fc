"""The table of families: which parts an autoencoder is made of, and how it is trained.

A family is a row; adding one takes a row and at most one new part (docs/contributing.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .. import config
from ..errors import ConfigError, hint
from ..pixels.annulus import Annulus
from ..pixels.views import Patches, Series, Spectra, View
from . import (
    LIKELIHOODS,
    MLP,
    Autoencoder,
    Codebook,
    ContextNetwork,
    Convolution,
    Deterministic,
    Gaussian,
    Ladder,
    Recurrent,
)
from .objectives import Elbo

PATCH = Annulus(*config.PATCH)
"""What a family of patches sees around a pixel, unless it is told otherwise."""


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
    """Numbers per pixel, told from outside, that encoder and decoder are conditioned on."""
    patch: Annulus = PATCH
    """Side of a patch, and of its middle that is not seen; for a family of patches."""


def recurrent(sizes: Sizes) -> ContextNetwork:
    """Remember as many numbers as the last hidden layer has."""
    return Recurrent(sizes.bands, sizes.hidden[-1])


def convolution(sizes: Sizes) -> ContextNetwork:
    """Look at a patch."""
    return Convolution(sizes.bands, sizes.patch.outer, sizes.patch.guard)


@dataclass(frozen=True)
class Family:
    """A recipe for a detector's model."""

    bottleneck: Callable[..., Any] = Gaussian
    """The code."""
    view: type[Spectra] = Spectra
    """What an example is."""
    context_network: Callable[[Sizes], ContextNetwork] | None = None
    """What makes a context of the rest of an example; none where an example is a pixel."""
    objective: Elbo = field(default_factory=Elbo)
    """What training minimises."""
    conditioned: bool = False
    """Whether the model is told the surroundings of a pixel (`anomvae.stats.context`)."""

    @property
    def of_patches(self) -> bool:
        """Whether an example holds the neighbours of a pixel."""
        return self.view is Patches

    def view_of(self, patch: Annulus) -> View:
        """Return the view; one of patches extends as far as ``patch``."""
        return self.view(patch.radius) if self.of_patches else self.view()

    def build(self, sizes: Sizes, likelihood: str = "student-t") -> Autoencoder:
        """Assemble an untrained model; the decoder mirrors the encoder."""
        hidden = sizes.hidden
        bottleneck = self.bottleneck(hidden[-1], sizes.latent)
        beside = self.context_network(sizes) if self.context_network else None
        seen = 0 if beside is None else beside.width
        shown = 0 if beside is None or not beside.centre_masked else beside.width
        return Autoencoder(
            encoder=MLP(sizes.bands + sizes.context + seen, hidden),
            bottleneck=bottleneck,
            decoder=MLP(bottleneck.width + sizes.context + shown, hidden[::-1]),
            likelihood=LIKELIHOODS[likelihood](hidden[0], sizes.bands),
            context_network=beside,
        )


FAMILIES = {
    "ae": Family(bottleneck=Deterministic),
    "vae": Family(),
    # Without warm-up a beta above 1 empties the code before it is used, as two levels do.
    "beta-vae": Family(objective=Elbo(beta=4.0, warm_up=0.5)),
    "cvae": Family(conditioned=True),
    "vq-vae": Family(bottleneck=Codebook),
    "hierarchical": Family(bottleneck=Ladder, objective=Elbo(warm_up=0.5)),
    "sequential": Family(view=Series, context_network=recurrent, objective=Elbo(warm_up=0.5)),
    "spatial": Family(view=Patches, context_network=convolution),
    "vae-gan": Family(objective=Elbo(adversarial=1.0)),
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
