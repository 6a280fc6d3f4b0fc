"""The plan of a detector: its configuration and family, resolved once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..config import TRIM, Config, TrainingConfig
from ..config.tables import ModelConfig, ScoreConfig
from ..errors import ConfigError
from ..pixels.annulus import Annulus
from ..pixels.views import View
from ..stats.context import ContextPlan
from ..stats.limits import MAX_NUMBERS
from ..stats.score_kind import ELBO, ScoreKind, parse_kind
from ..stats.thresholds import Rule, parse_rule
from .families import Family, Sizes, family_named
from .objectives import Elbo

if TYPE_CHECKING:
    from .core import Autoencoder

ROBUST = "log-sigma:3"
"""The rule for scores that may include anomalies."""
PROMISING = "gaussian:3"
"""The rule for scores of pixels that are known to be normal."""
FEW_BANDS = 32
"""Bands up to which a small network serves, and errors of reconstruction are small: the linear term
weighs as much as the other terms, and the noise stays the learnt one."""


@dataclass(frozen=True)
class ModelPlan:
    """How a detector is built, trained and scored; `of` resolves each ``auto``."""

    family: Family
    """The family's row of the table."""
    model: ModelConfig
    """Name of the family, likelihood and sizes; `sizes` resolves those that are ``auto``."""
    context: ContextPlan | None
    """Which surroundings the model is conditioned on; None for other families."""
    objective: Elbo
    """The loss of training."""
    training: TrainingConfig
    """Budget and optimiser; the values that are ``auto`` are in ``objective`` and ``trim``."""
    trim: float
    """Share of each batch, the highest losses, that the loss excludes."""
    score: ScoreConfig
    """How a score is computed; `noise` and `linear_weight` resolve what is ``auto``."""
    threshold: Rule
    """How the threshold is chosen."""
    device: str
    """Where to compute."""
    in_sample: bool = False
    """Whether the detector scores the pixels that it is fitted to."""
    settings: str = ""
    """The configuration as JSON, without the device."""

    @classmethod
    def of(
        cls,
        config: Config,
        *,
        in_sample: bool = False,
        clean: bool = False,
        covariates: bool = False,
    ) -> ModelPlan:
        """Resolve a configuration for scenes with or without ``covariates``.

        ``in_sample``: the detector scores the pixels that it is fitted to, as ``detect`` does.
        ``clean``: all training pixels are known to be normal, so that none is trimmed.

        Raises
        ------
        ConfigError
            If the family is unknown, lacks something for the kind of score, takes no covariates but
            there are some, has nothing to be conditioned on, or the rule needs pixels that training
            did not read.
        """
        family, training = family_named(config.model.family), config.training
        family.require_kind(parse_kind(config.score.kind).name, config.model.family)
        trim = 0.0 if clean else TRIM
        return cls(
            family=family,
            model=config.model,
            context=_context(config, family, covariates=covariates),
            objective=_objective(family, training),
            training=training,
            trim=trim if training.trim == "auto" else training.trim,
            score=config.score,
            threshold=in_sample_rule(config.threshold)
            if in_sample
            else resolved_rule(config.threshold, promising=clean),
            device=config.device,
            in_sample=in_sample,
            settings=config.to_json(without={"device"}),
        )

    @property
    def name(self) -> str:
        """The family's name."""
        return self.model.family

    @property
    def patch(self) -> Annulus:
        """Side of a patch and of its guard window, pixels."""
        return Annulus(*self.model.patch)

    @property
    def view(self) -> View:
        """The view of the model, without context."""
        return self.family.view_of(self.patch, self.model.dates + 1)

    @property
    def radius(self) -> int:
        """Receptive radius of an example and its context, pixels."""
        return self.view.radius + (0 if self.context is None else self.context.radius)

    def sizes(self, bands: int, context: int = 0, dates: int = 2) -> Sizes:
        """Return the sizes of a model of so many bands, context features and dates.

        Raises
        ------
        ConfigError
            When it would have too many weights.
        """
        latent, hidden = self.model.latent, self.model.hidden
        sizes = Sizes(
            bands,
            min(8, max(1, bands // 2)) if latent == "auto" else latent,
            ((128, 64) if bands > FEW_BANDS else (64, 32)) if hidden == "auto" else hidden,
            context,
            self.patch,
            dates,
        )
        if sizes.weights > MAX_NUMBERS:
            raise ConfigError(
                f"model.hidden = {list(sizes.hidden)} with {bands} bands makes {sizes.weights} "
                f"weights, but at most {MAX_NUMBERS} are allowed. Give fewer or narrower layers."
            )
        if self.view.most_dates is not None and sizes.covariances > MAX_NUMBERS:
            raise ConfigError(
                f"{dates} dates of {bands} bands have {sizes.covariances} covariances, but at most "
                f"{MAX_NUMBERS} are allowed. Lower model.dates, or choose fewer bands (--bands)."
            )
        return sizes

    def noise(self, bands: int) -> str:
        """Return the noise model of the score for so many bands."""
        if self.score.noise != "auto":
            return self.score.noise
        if self.in_sample:
            return "covariance"
        few = bands <= FEW_BANDS or self.family.has_context
        return "band" if few else "scene"

    @property
    def kind(self) -> ScoreKind:
        """What the score measures."""
        return parse_kind(self.score.kind)

    def linear_weight(self, bands: int) -> float:
        """Return the weight of the linear term for so many bands."""
        if self.score.linear != "auto":
            return self.score.linear
        if self.family.has_context or self.kind.name != ELBO:
            return 0.0
        if bands <= FEW_BANDS:
            return 1.0
        return 0.25 if self.in_sample else 0.1  # that of many bands holds less well elsewhere

    def build(self, sizes: Sizes) -> Autoencoder:
        """Build an untrained model."""
        return self.family.build(sizes, self.model.likelihood)


def require_one_date(plan: ModelPlan, name: str, dates: int) -> None:
    """Require one date of a scene to fit to, unless the family compares dates.

    Raises
    ------
    ConfigError
        When there are more.
    """
    if dates > 1 and not plan.view.compares_dates:
        raise ConfigError(
            f"{name} holds {dates} dates, and model.family = {plan.name!r} is fitted to one. Take "
            f"a family that compares dates (-c timeseries), or train on all and score each "
            f"(anomvae train, anomvae score)."
        )


def in_sample_rule(text: str) -> Rule:
    """Read the rule for scores of the pixels that training reads."""
    rule = resolved_rule(text, promising=False)
    if rule.kind.held_out:  # refused here, before the training
        raise ConfigError(
            f"threshold = {rule} needs scores of pixels that training did not read, and detect "
            f"reads all of a scene. Train a model, or choose log-sigma:3 or quantile:FPR."
        )
    return rule


def resolved_rule(text: str, *, promising: bool) -> Rule:
    """Read the rule of a configuration; ``promising``: all pixels are known to be normal.

    An automatic rule that promises a rate gives way where pixels are few.

    Raises
    ------
    ConfigError
        If the rule is unknown.
    """
    robust = parse_rule(text, auto=ROBUST)
    if not promising:
        return robust
    rule = parse_rule(text, auto=PROMISING)
    return rule if rule == robust else replace(rule, otherwise=robust)


def _context(config: Config, family: Family, *, covariates: bool) -> ContextPlan | None:
    table, name = config.context, config.model.family
    if family.conditioned and (table.mean_components or table.std_components or covariates):
        annulus = Annulus(*table.annulus)
        return ContextPlan(annulus, table.mean_components, table.std_components, table.clip_sigma)
    if family.conditioned:
        raise ConfigError(
            f"model.family = {name!r} is conditioned on nothing: context.mean_components and "
            f"context.std_components are 0, and there are no covariates. Give --covariates, or "
            f"raise context.mean_components."
        )
    if covariates:
        raise ConfigError(
            f"model.family = {name!r} takes no covariates. Give --set model.family=cvae, or "
            f"leave --covariates out."
        )
    return None


def _objective(family: Family, training: TrainingConfig) -> Elbo:
    """Return the family's objective with the values that the configuration sets."""
    values = {"beta": training.beta, "warm_up": training.kl_warm_up}
    changes = {name: value for name, value in values.items() if value != "auto"}
    return replace(family.objective, free_bits=training.free_bits, **changes)
