"""A configuration and its family, resolved once: nobody looks a family up by name after that."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..config import TRIM, Config, TrainingConfig
from ..config.tables import ModelConfig, ScoreConfig
from ..errors import ConfigError
from ..pixels.annulus import Annulus
from ..pixels.views import View
from ..stats.context import ContextPlan
from ..stats.thresholds import Rule, parse_rule
from .core import Autoencoder
from .families import Family, Sizes, family_named
from .objectives import Elbo


@dataclass(frozen=True)
class ModelPlan:
    """What is built, what it is given, and how it is trained and scored; nothing is ``auto``."""

    name: str
    """The family's name."""
    family: Family
    """Its row of the table."""
    model: ModelConfig
    """Sizes and likelihood; those left ``auto`` follow the number of bands, see `sizes`."""
    context: ContextPlan | None
    """The surroundings that the model is conditioned on; None for a family that is not."""
    objective: Elbo
    """What training minimises."""
    training: TrainingConfig
    """How long and how carefully to train."""
    trim: float
    """Share of each batch, the worst by loss, that does not count."""
    score: ScoreConfig
    """How a score is made."""
    noise: str
    """Noise model of the score."""
    threshold: Rule
    """How the threshold is chosen."""
    device: str
    """Where to compute."""

    @classmethod
    def of(
        cls,
        config: Config,
        *,
        in_sample: bool = False,
        clean: bool = False,
        covariates: bool = False,
    ) -> ModelPlan:
        """Resolve a configuration.

        Parameters
        ----------
        config : Config
            Its ``auto`` values are decided here.
        in_sample : bool, default False
            Whether the detector scores the pixels that it is fitted to, as ``detect`` does.
        clean : bool, default False
            Whether the training pixels are vouched for, so that none is trimmed.
        covariates : bool, default False
            Whether the scenes have covariates.

        Raises
        ------
        ConfigError
            If the family is unknown, takes no covariates but there are some, or is left without
            anything to be conditioned on.
        """
        family, training = family_named(config.model.family), config.training
        noise, rule = ("covariance", "sigma-clip:3") if in_sample else ("band", "sigma:3")
        usual_trim = 0.0 if clean else TRIM
        return cls(
            name=config.model.family,
            family=family,
            model=config.model,
            context=_context(config, family, covariates=covariates),
            objective=_objective(family, training),
            training=training,
            trim=usual_trim if training.trim == "auto" else training.trim,
            score=config.score,
            noise=noise if config.score.noise == "auto" else config.score.noise,
            threshold=parse_rule(rule if config.threshold == "auto" else config.threshold),
            device=config.device,
        )

    @property
    def patch(self) -> Annulus:
        """What a family of patches is given around a pixel."""
        return Annulus(*self.model.patch)

    @property
    def view(self) -> View:
        """What an example is, without context."""
        return self.family.view_of(self.patch)

    @property
    def radius(self) -> int:
        """Receptive radius of an example and its context, pixels."""
        return self.view.radius + (0 if self.context is None else self.context.radius)

    def sizes(self, bands: int, context: int = 0) -> Sizes:
        """Return how large a model of so many bands and context features is."""
        latent, hidden = self.model.latent, self.model.hidden
        return Sizes(
            bands,
            min(8, max(1, bands // 2)) if latent == "auto" else latent,
            ((128, 64) if bands > 32 else (64, 32)) if hidden == "auto" else hidden,
            context,
            self.patch,
        )

    def build(self, sizes: Sizes) -> Autoencoder:
        """Assemble an untrained model."""
        return self.family.build(sizes, self.model.likelihood)


def _context(config: Config, family: Family, *, covariates: bool) -> ContextPlan | None:
    wanted, name = config.context, config.model.family
    if not family.conditioned:
        if covariates:
            raise ConfigError(
                f"model.family = {name!r} takes no covariates. Give --set model.family=cvae, or "
                f"leave --covariates out."
            )
        return None
    if not (wanted.mean_components or wanted.std_components or covariates):
        raise ConfigError(
            f"model.family = {name!r} is conditioned on nothing: context.mean_components and "
            f"context.std_components are 0, and there are no covariates. Give --covariates, or "
            f"raise context.mean_components."
        )
    return ContextPlan(
        Annulus(*wanted.annulus), wanted.mean_components, wanted.std_components, wanted.clip_sigma
    )


def _objective(family: Family, training: TrainingConfig) -> Elbo:
    """Take the family's objective with what the configuration sets of it."""
    objective = replace(family.objective, free_bits=training.free_bits)
    if training.beta != "auto":
        objective = replace(objective, beta=training.beta)
    if training.kl_warm_up != "auto":
        objective = replace(objective, warm_up=training.kl_warm_up)
    return objective
