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

    network: Callable[..., Any] = MLP
    """Encoder and decoder."""
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
    def of_dates(self) -> bool:
        """Whether an example holds all dates of a place."""
        return self.view is Series

    @property
    def of_patches(self) -> bool:
        """Whether an example holds the neighbours of a pixel."""
        return self.view is Patches

    def seen(self, patch: Annulus | None) -> View:
        """Give the view; one of patches looks as far as ``patch``."""
        return self.view((patch or PATCH).radius) if self.of_patches else self.view()

    def build(self, sizes: Sizes, likelihood: str = "student-t") -> Autoencoder:
        """Assemble an untrained model; the decoder mirrors the encoder."""
        hidden = sizes.hidden
        bottleneck = self.bottleneck(hidden[-1], sizes.latent)
        beside = self.context_network(sizes) if self.context_network else None
        seen = 0 if beside is None else beside.width
        shown = 0 if beside is None or not beside.centre_masked else beside.width
        return Autoencoder(
            encoder=self.network(sizes.bands + sizes.context + seen, hidden),
            bottleneck=bottleneck,
            decoder=self.network(bottleneck.width + sizes.context + shown, hidden[::-1]),
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


def require_dates(family: str, dates: int) -> None:
    """Make sure that there are as many dates of one place as a family needs.

    Raises
    ------
    ConfigError
        If it compares dates, and there is one alone.
    """
    if family_named(family).of_dates and dates < 2:
        raise ConfigError(
            f"model.family = {family!r} compares a date with those before it, but one date is "
            f"given. Give two or more rasters of one place, or take another family."
        )


def require_rows(family: str, radius: int = 0) -> None:
    """Make sure that a detector can do with rows of pixels.

    Raises
    ------
    ConfigError
        If its family looks at neighbours or dates, or its score reaches ``radius`` pixels sideways.
    """
    found = family_named(family)
    alone = not (found.of_dates or found.of_patches or found.conditioned)
    if radius or not alone:
        what = "This detector" if alone else f"family = {family!r}"
        raise ConfigError(
            f"{what} looks at neighbours or dates, which rows of pixels do not have. "
            f"Train it on rasters (anomvae.train) and use Detector.score on blocks."
        )


def fitting_sizes(
    bands: int,
    latent: int | None = None,
    hidden: tuple[int, ...] | None = None,
    context: int = 0,
    patch: Annulus = PATCH,
) -> Sizes:
    """Choose what is not given by the number of bands."""
    return Sizes(
        bands,
        latent or min(8, max(1, bands // 2)),
        hidden or ((128, 64) if bands > 32 else (64, 32)),
        context,
        patch,
    )
