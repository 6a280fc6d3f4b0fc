"""The table of families: the parts of each autoencoder, and the objective of its training.

A family is a row; a new one takes a row and at most one new part (docs/contributing.md).  A part is
trained by torch, and scores as a part of the scoring program (`anomvae.program`): the table names
both, and loads torch when it builds a model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, hint
from ..pixels.annulus import Annulus
from ..pixels.views import Newest, Patches, Series, Spectra, View
from ..program.codebook import Codebook
from ..program.codes import Code, Normal, Point, Shapes, dense_shapes
from ..program.contexts import ContextNetwork as ProgramContext
from ..program.contexts import Convolution, Recurrent
from ..program.ladder import Ladder
from ..program.prediction import NewestPrediction
from ..program.sizes import PATCH, Sizes
from ..stats.score_kind import IWAE, KL
from .objectives import Elbo

if TYPE_CHECKING:
    from .core import Autoencoder, Bottleneck, ContextNetwork

__all__ = ["FAMILIES", "PATCH", "Family", "Sizes", "family_named"]


def trained(name: str) -> Callable[..., Any]:
    """Return what builds a part of torch; ``name`` is ``module.Class`` of this room."""

    def build(*arguments: Any) -> Any:  # noqa: ANN401 - as each part
        module, _, part = name.partition(".")
        return getattr(import_module(f".{module}", __package__), part)(*arguments)

    return build


_NORMAL = trained("bottlenecks.Gaussian")


@dataclass(frozen=True)
class Family:
    """One row of the table."""

    bottleneck: Callable[[int, int], Bottleneck] = _NORMAL
    """Builds the bottleneck to train from the numbers of input and latent features."""
    code: type[Code] = Normal
    """The bottleneck of the scoring program."""
    view: type[Spectra] = Spectra
    """The view that cuts examples out of blocks."""
    context_network: Callable[[Sizes], ContextNetwork] | None = None
    """Builds the context network to train; None where an example is a single pixel."""
    context: type[ProgramContext] | None = None
    """The context network of the scoring program."""
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
        return self.conditioned or self.context is not None

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
        lack = ""
        if kind in {KL, IWAE} and not self.code.has_prior:
            lack = "has no prior"
        elif kind == IWAE and not self.code.noise_width(1):
            lack = "has one code per pixel, so nothing can be drawn"
        if lack:
            raise ConfigError(
                f"score.kind = {kind}: the family {name} {lack}. Choose another kind, such as "
                f"elbo, or a family such as vae."
            )

    def context_width(self, sizes: Sizes) -> int:
        """Return the features that the encoder is conditioned on."""
        return sizes.context + (0 if self.context is None else self.context.width_of(sizes))

    def decodes_context(self, sizes: Sizes) -> bool:
        """Return whether the decoder is conditioned on them, too."""
        return self.context is None or self.context.hides_pixel(sizes)

    def passed(self, sizes: Sizes) -> int:
        """Return the features of the context that the decoder's mean starts from."""
        return sizes.bands if self.context is not None and self.context.predicts else 0

    def shapes(self, sizes: Sizes) -> Shapes:
        """Return the shapes of the tensors of a model, in a model file; `build` has the same."""
        hidden, latent = sizes.hidden, sizes.latent
        inputs = self.context_width(sizes)
        shapes = _stack("encoder", sizes.bands + inputs, hidden)
        shapes |= _inside("bottleneck", self.code.shapes(hidden[-1], latent))
        passed = self.passed(sizes)
        decoder = "decoder.network" if passed else "decoder"
        given = latent + (inputs if self.decodes_context(sizes) else 0)
        shapes |= _stack(decoder, given, hidden[::-1])
        shapes |= dense_shapes("likelihood.to_mean", hidden[0] + passed, sizes.bands)
        shapes["likelihood.log_sigma"] = (sizes.bands,)
        if self.context is not None:
            shapes |= _inside("context_network", self.context.shapes(sizes))
        return shapes

    def build(self, sizes: Sizes, likelihood: str = "student-t") -> Autoencoder:
        """Build an untrained model; the decoder mirrors the encoder."""
        from .assembly import assembled

        # In this order, on which the initial weights of a seed depend.
        bottleneck = self.bottleneck(sizes.hidden[-1], sizes.latent)
        network = None if self.context_network is None else self.context_network(sizes)
        return assembled(sizes, bottleneck, network, likelihood)


def _stack(name: str, inputs: int, widths: tuple[int, ...]) -> Shapes:
    """Return the shapes of dense layers, each followed by GELU, which counts as a layer."""
    shapes: Shapes = {}
    for number, (before, after) in enumerate(zip((inputs, *widths), widths, strict=False)):
        shapes |= dense_shapes(f"{name}.layers.{2 * number}", before, after)
    return shapes


def _inside(name: str, shapes: Shapes) -> Shapes:
    return {f"{name}.{inner}": shape for inner, shape in shapes.items()}


def _prediction(sizes: Sizes) -> Any:  # noqa: ANN401 - torch's
    return trained("prediction.LinearPrediction")(sizes.bands, sizes.dates)


def _recurrent(sizes: Sizes) -> Any:  # noqa: ANN401 - torch's
    return trained("contexts.Recurrent")(sizes.bands, sizes.hidden[-1])


def _convolution(sizes: Sizes) -> Any:  # noqa: ANN401 - torch's
    return trained("contexts.Convolution")(sizes.bands, sizes.patch.outer, sizes.patch.guard)


FAMILIES = {
    "ae": Family(bottleneck=trained("bottlenecks.Deterministic"), code=Point),
    "vae": Family(),
    # Without warm-up, a beta above 1 collapses the code early, and so do two levels.
    "beta-vae": Family(objective=Elbo(beta=4.0, warm_up=0.5)),
    "change": Family(view=Newest, context_network=_prediction, context=NewestPrediction),
    "cvae": Family(conditioned=True),
    "vq-vae": Family(bottleneck=trained("codebook.Codebook"), code=Codebook),
    "hierarchical": Family(
        bottleneck=trained("bottlenecks.Ladder"), code=Ladder, objective=Elbo(warm_up=0.5)
    ),
    "sequential": Family(
        view=Series,
        context_network=_recurrent,
        context=Recurrent,
        objective=Elbo(warm_up=0.5),
    ),
    "spatial": Family(view=Patches, context_network=_convolution, context=Convolution),
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
