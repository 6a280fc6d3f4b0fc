"""The table of families: the parts of each autoencoder, and the objective of its training.

A family is a row; a new one takes a row and at most one new part (docs/contributing.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import nn

from .. import config
from ..errors import ConfigError, hint
from ..pixels.annulus import Annulus
from ..pixels.views import Newest, Patches, Series, Spectra, View
from ..stats.score_kind import IWAE, KL
from .bottlenecks import Deterministic, Gaussian, Ladder
from .codebook import Codebook
from .contexts import Convolution, Recurrent
from .core import Autoencoder, Bottleneck, ContextNetwork, VariationalBottleneck
from .likelihoods import LIKELIHOODS
from .networks import MLP, LinearPath
from .objectives import Elbo
from .prediction import LinearPrediction

PATCH = Annulus(*config.PATCH)
"""The default patch of a family of patches."""


@dataclass(frozen=True)
class Sizes:
    """The sizes of a model."""

    bands: int
    """Bands of a pixel."""
    latent: int
    """Latent features of its code."""
    hidden: tuple[int, ...]
    """Widths of the encoder's layers; the decoder has them in reverse."""
    context: int = 0
    """Context features per pixel from outside the example: surroundings and covariates."""
    patch: Annulus = PATCH
    """Side of a patch and of its guard window, pixels; only families of patches use it."""
    dates: int = 2
    """Dates of a series; only a family that is given a fixed number of them uses it."""

    @property
    def covariances(self) -> int:
        """Covariances of the bands of all dates."""
        return (self.bands * self.dates) ** 2

    @property
    def weights(self) -> int:
        """Weights of encoder and decoder, about."""
        widths = (self.bands + self.context, *self.hidden, self.latent)
        return 2 * sum(before * after for before, after in pairwise(widths))


@dataclass(frozen=True)
class Family:
    """One row of the table."""

    bottleneck: Callable[[int, int], Bottleneck] = Gaussian
    """Builds the bottleneck from the numbers of input and latent features."""
    view: type[Spectra] = Spectra
    """The view that cuts examples out of blocks."""
    context_network: Callable[[Sizes], ContextNetwork] | None = None
    """Builds the context network; None where an example is a single pixel."""
    objective: Elbo = field(default_factory=Elbo)
    """The loss of training."""
    conditioned: bool = False
    """Whether the model is conditioned on surroundings and covariates (`anomvae.stats.context`)."""

    @property
    def of_patches(self) -> bool:
        """Whether an example holds the neighbours of a pixel."""
        return self.view is Patches

    @property
    def has_context(self) -> bool:
        """Whether the model is given more than the pixel: surroundings, neighbours or dates."""
        return self.conditioned or self.context_network is not None

    def view_of(self, patch: Annulus, dates: int = 2) -> View:
        """Return the view; one of patches has the radius of ``patch``, `Newest` these dates."""
        if self.view is Newest:
            return Newest(most_dates=max(2, dates))
        return self.view(patch.radius) if self.of_patches else self.view()

    def require_kind(self, kind: str, name: str) -> None:
        """Refuse a kind of score that the family, of a ``name``, lacks something for.

        Raises
        ------
        ConfigError
            When it has no prior, and the kind is ``kl`` or ``iwae``; when its posterior is a point,
            and the kind is ``iwae``.
        """
        with torch.device("meta"):
            bottleneck = self.bottleneck(1, 1)
        lack = ""
        if kind in {KL, IWAE} and not isinstance(bottleneck, VariationalBottleneck):
            lack = "has no prior"
        elif kind == IWAE and not bottleneck.noise_width:
            lack = "has one code per pixel, so nothing can be drawn"
        if lack:
            raise ConfigError(
                f"score.kind = {kind}: the family {name} {lack}. Choose another kind, such as "
                f"elbo, or a family such as vae."
            )

    def build(self, sizes: Sizes, likelihood: str = "student-t") -> Autoencoder:
        """Build an untrained model; the decoder mirrors the encoder."""
        hidden = sizes.hidden
        bottleneck = self.bottleneck(hidden[-1], sizes.latent)
        network = self.context_network(sizes) if self.context_network else None
        context = sizes.context + (0 if network is None else network.width)
        encoder_alone = network is not None and not network.centre_masked
        linear = 0 if network is None else network.linear
        # In this order, on which the initial weights of a seed depend.
        encoder = MLP(sizes.bands + context, hidden)
        decoder: nn.Module = MLP(bottleneck.width + (0 if encoder_alone else context), hidden[::-1])
        bands = LIKELIHOODS[likelihood](hidden[0] + linear, sizes.bands)
        if linear:
            decoder = LinearPath(decoder, bottleneck.width, linear)
            decoder.start(bands.to_mean)
        return Autoencoder(encoder, bottleneck, decoder, bands, network)


def _prediction(sizes: Sizes) -> ContextNetwork:
    return LinearPrediction(sizes.bands, sizes.dates)


def _recurrent(sizes: Sizes) -> ContextNetwork:
    return Recurrent(sizes.bands, sizes.hidden[-1])


def _convolution(sizes: Sizes) -> ContextNetwork:
    return Convolution(sizes.bands, sizes.patch.outer, sizes.patch.guard)


FAMILIES = {
    "ae": Family(bottleneck=Deterministic),
    "vae": Family(),
    # Without warm-up, a beta above 1 collapses the code early, and so do two levels.
    "beta-vae": Family(objective=Elbo(beta=4.0, warm_up=0.5)),
    "change": Family(view=Newest, context_network=_prediction),
    "cvae": Family(conditioned=True),
    "vq-vae": Family(bottleneck=Codebook),
    "hierarchical": Family(bottleneck=Ladder, objective=Elbo(warm_up=0.5)),
    "sequential": Family(view=Series, context_network=_recurrent, objective=Elbo(warm_up=0.5)),
    "spatial": Family(view=Patches, context_network=_convolution),
    "vae-gan": Family(objective=Elbo(adversarial=1.0)),
}


def family_named(name: str) -> Family:
    """Return the family of a name.

    Raises
    ------
    ConfigError
        If no family has this name.
    """
    if name in FAMILIES:
        return FAMILIES[name]
    raise ConfigError(f"model.family = {name!r} is unknown. {hint(name, FAMILIES)}")
