"""Fit a detector to examples: scale, train, measure the noise and how surroundings count.

Examples have axes (n, ..., band), float32 in data units; for a model that is conditioned on
surroundings, the numbers of their context follow on the last axis.  The threshold is fitted
afterwards, on the scores of other examples.
"""

from __future__ import annotations

import logging
from dataclasses import fields, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import __version__
from ..errors import ConfigError
from ..models import Autoencoder, ModelInput
from ..models.families import Family, Sizes, family_named, fitting_sizes
from ..models.objectives import Elbo
from ..parallel import Progress, quiet
from ..pixels.annulus import Annulus
from ..pixels.bands import Bands
from ..pixels.covariates import Covariates
from ..stats.context import Context, ContextPlan, fit_context
from ..stats.covariates import fit_covariates
from ..stats.latent import LatentStatistics
from ..stats.local_contrast import LocalContrastWeighting, fit_local_contrast
from ..stats.noise import Noise, fit_noise
from ..training.loop import Plan, fit_model
from ..training.sampling import Sample
from .batches import Array, available
from .detector import Detector
from .modelfile import Card, Training
from .training_set import TrainingSet, training_set

if TYPE_CHECKING:
    from ..config import Config, TrainingConfig

log = logging.getLogger(__name__)

LEVELS = (0.0, 0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1.0)
"""Levels of the band quantiles that a detector keeps of its training examples."""
QUANTILE_EXAMPLES = 50_000
EXAMINED = 65_536  # examples that tell how usual a score is
CODES = 10_000  # examples whose codes are described
RESIDUALS = 20_000_000  # numbers a covariance is fitted to: 100,000 spectra of 200 bands


def fit_detector(
    sample: Sample,
    bands: Bands,
    config: Config,
    seed: int,
    fewest: int = 1,
    progress: Progress = quiet,
    context: Context | None = None,
) -> Detector:
    """Fit a detector, but not yet its threshold.

    Parameters
    ----------
    sample : Sample
        Examples to train on; those that lack data in a living band are left out.
    bands : Bands
        What their last axis is, without context.
    config : Config
        Settled, see `Config.settled`.
    seed : int
        Decides initial weights and shuffling; the same seed repeats to the bit on one machine.
    fewest : int, default 1
        Examples with data in every living band that there must be at the least.
    progress : Progress, optional
        Told about the steps.
    context : Context, optional
        What made the context of the examples, see `fit_surroundings`.

    Returns
    -------
    Detector
        Without a threshold; bands that carry nothing are left out, and named in the log.

    Raises
    ------
    NotEnoughPixels
        If no band carries anything, or too few examples do.
    ConfigError
        If the family is unknown, the device is not there, or training diverged.
    """
    family = family_named(config.model.family)
    patch = Annulus(*config.model.patch)
    ready = training_set(sample, bands, family.seen(patch).known, fewest, context)
    if ready.dropped:
        log.warning("dropped, no data or one value everywhere: %s", ", ".join(ready.dropped))
    device = available(config.device)
    scaled, told = ready.tensors(ready.examples, device)
    sizes = fitting_sizes(
        len(ready.bands),
        _given(config.model.latent),
        _given(config.model.hidden),
        0 if ready.context is None else ready.context.width,
        patch,
    )
    objective = _objective(family, config.training)
    model = _untrained(family, sizes, config.model.likelihood, seed).to(device)
    history = fit_model(model, objective, scaled, _plan(config.training), seed, progress, told)
    if not np.isfinite(history.loss).all():
        raise ConfigError(
            f"Training diverged with training.learning_rate = {config.training.learning_rate:g} "
            f"(the loss is no number any more). Lower it."
        )
    training = Training(
        scenes=tuple(PurePath(name.partition("?")[0]).name for name in sample.scenes),
        seed=seed,
        pixels=len(scaled),
        steps=history.steps,
        batch_size=history.batch_size,
        trim=float(config.training.trim),
        beta=objective.beta,
        loss=history.loss,
        elbo=_elbo(model, ready),
        nodata=sample.nodata,
        latent=_latent_statistics(model, scaled, told),
        dates=scaled.shape[1] if family.of_dates else 1,
    )
    log.info("%d pixels, loss %.3f, held-out ELBO %s", len(scaled), history.loss[-1], training.elbo)
    if training.latent.collapse:
        log.warning(training.latent.collapse)
    card = _card(config, sizes, ready, training)
    noise = _noise(model, scaled, told, config.score.noise)
    levels = _quantiles(ready.spectra)
    detector = Detector(card, ready.scaler, model, noise, levels, context=ready.context)
    return _among_surroundings(detector, ready.examples, config, seed)


def fit_surroundings(
    sample: Sample, bands: Bands, config: Config, fewest: int, covariates: Covariates = ()
) -> Context | None:
    """Fit what a model is told of pixels besides their bands; none for a family that is told none.

    Parameters
    ----------
    sample, bands, config, fewest
        As for `fit_detector`, without context.
    covariates : Covariates, optional
        Whose values follow the bands of the examples.

    Raises
    ------
    NotEnoughPixels
        If no band carries anything, or too few examples do.
    ConfigError, CovariateMismatch
        If the family takes no covariates, or needs them, or they have too many classes or none.
    """
    plan = context_plan(config, covariates=bool(covariates))
    if plan is None:
        return None
    view = family_named(config.model.family).seen(None)
    ready = training_set(sample, bands, view.known, fewest, None)
    known = fit_covariates(covariates, ready.examples[..., len(ready.bands) :])
    return fit_context(plan, ready.spectra.reshape(-1, len(ready.bands)), ready.alive, known)


def context_plan(config: Config, *, covariates: bool) -> ContextPlan | None:
    """Say how the context of a family is made; none for one that is told none.

    Raises
    ------
    ConfigError
        If the family takes no covariates but there are some, or is left with nothing to be told.
    """
    asked, name = config.context, config.model.family
    if not family_named(name).conditioned:
        if covariates:
            raise ConfigError(
                f"model.family = {name!r} takes no covariates. Give --set model.family=cvae, or "
                f"leave --covariates out."
            )
        return None
    if not (asked.mean_components or asked.std_components or covariates):
        raise ConfigError(
            f"model.family = {name!r} is conditioned on nothing: context.mean_components and "
            f"context.std_components are 0, and there are no "
            f"covariates. Give --covariates, or raise context.mean_components."
        )
    return ContextPlan(
        Annulus(*asked.annulus), asked.mean_components, asked.std_components, asked.clip_sigma
    )


def _given(value: Any) -> Any:  # noqa: ANN401 - a number or a tuple of them
    return None if value == "auto" else value


def _objective(family: Family, settings: TrainingConfig) -> Elbo:
    """Take the family's objective with what the configuration says of it."""
    found = replace(family.objective, free_bits=settings.free_bits)
    if settings.beta != "auto":
        found = replace(found, beta=settings.beta)
    if settings.kl_warm_up != "auto":
        found = replace(found, warm_up=settings.kl_warm_up)
    return found


def _plan(settings: TrainingConfig) -> Plan:
    return Plan(**{key.name: getattr(settings, key.name) for key in fields(Plan)})


def _untrained(family: Family, sizes: Sizes, likelihood: str, seed: int) -> Autoencoder:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # not those of other devices
        return family.build(sizes, likelihood)


@torch.inference_mode()
def _noise(model: Autoencoder, scaled: Tensor, told: Tensor | None, kind: str) -> Noise:
    most = 1 if kind != "covariance" else RESIDUALS // scaled[0].numel()
    seen = _some(model, most, scaled, told)
    residuals = (seen.x - model.mean(seen.x, seen.context))[seen.known]
    return fit_noise(kind, residuals.cpu().numpy(), model.likelihood.sigma.cpu().numpy())


@torch.inference_mode()
def _latent_statistics(model: Autoencoder, scaled: Tensor, told: Tensor | None) -> LatentStatistics:
    seen = _some(model, CODES, scaled, told)
    context = None if seen.context is None else seen.context[seen.known]
    return model.latent_statistics(seen.x[seen.known], context)


def _some(model: Autoencoder, most: int, scaled: Tensor, told: Tensor | None) -> ModelInput:
    """Look at some examples, evenly spaced, because they lie in the order of the scene."""
    some = slice(None, None, -(-len(scaled) // most))
    return model.prepare(scaled[some], None if told is None else told[some])


@torch.inference_mode()
def _elbo(model: Autoencoder, ready: TrainingSet) -> float | None:
    """Give the held-out evidence lower bound, nats per pixel; None without held-out ones."""
    if not len(ready.held_out):
        return None
    device = next(model.parameters()).device
    seen = model.prepare(*ready.tensors(ready.held_out, device))
    return -float(Elbo()(model(seen.x, seen.context))[seen.known].mean())


def _among_surroundings(detector: Detector, examples: Array, config: Config, seed: int) -> Detector:
    """Let surroundings count in the score as the configuration says."""
    asked = config.score
    if not (asked.local_contrast or asked.latent_distance):
        return detector
    some = examples[:: -(-len(examples) // EXAMINED)]
    terms, known = detector.examine(some), detector.view.known(some)
    code, score = terms.code[known], (terms.reconstruction + terms.kl)[known]
    wanted = LocalContrastWeighting(
        Annulus(*asked.annulus), asked.local_contrast, asked.latent_distance
    )
    weighting = fit_local_contrast(wanted, score, code, seed)
    return replace(detector, card=replace(detector.card, weighting=weighting))


def _quantiles(examples: Array) -> NDArray[np.float64]:
    flat = examples.reshape(-1, examples.shape[-1])
    some = flat[:: 1 + len(flat) // QUANTILE_EXAMPLES]
    whole = some[np.isfinite(some).all(axis=-1)]
    return np.asarray(np.quantile(whole.astype(np.float64), LEVELS, axis=0))


def _card(config: Config, sizes: Sizes, ready: TrainingSet, training: Training) -> Card:
    return Card(
        family=config.model.family,
        latent=sizes.latent,
        hidden=sizes.hidden,
        likelihood=config.model.likelihood,
        bands=ready.bands,
        dropped=ready.dropped,
        noise=config.score.noise,
        kl_weight=config.score.kl_weight,
        training=training,
        anomvae=__version__,
        torch=torch.__version__.split("+")[0],
        context=None if ready.context is None else ready.context.plan,
        patch=sizes.patch if family_named(config.model.family).of_patches else None,
        covariates=() if ready.context is None else ready.context.covariates,
    )
