"""Fit a detector to examples: scale, train, fit the noise and the local-contrast weighting.

Examples have axes (n, ..., band), float32 in data units; for a conditioned model, the features of
the context follow on the last axis.  The threshold is fitted later, to scores of other examples.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import __version__
from ..addresses import file_name
from ..errors import ConfigError, listed
from ..models.assembly import weights_of
from ..models.families import Sizes
from ..models.plan import ModelPlan
from ..parallel import Progress, forked, isolated, quiet
from ..parallel.threads import alone
from ..parallel.torch_isolation import torch_threads
from ..pixels.annulus import Annulus
from ..pixels.bands import Bands
from ..pixels.covariates import Covariates
from ..stats.background import fit_background
from ..stats.context import Context, conditioned, fit_context
from ..stats.covariates import fit_covariates
from ..stats.domain import BAND_LEVELS, COMPARED
from ..stats.drift import UsualDrift, usual_drift
from ..stats.linear import fit_linear
from ..stats.local_contrast import LocalContrastWeighting, fit_local_contrast
from ..stats.rx import PIXELS_PER_BAND
from ..training.loop import fit_model
from ..training.sampling import Sample
from .batches import Array, require_device
from .card import Card, Training
from .detector import Detector
from .kind_fit import of_kind
from .trained import RESIDUAL_VALUES, elbo_of, latent_statistics_of, noise_of, residuals_of
from .training_set import TrainingSet, training_set

log = logging.getLogger(__name__)

QUANTILE_EXAMPLES = 50_000
SCORED_EXAMPLES = 65_536  # whose scores linear term and local-contrast weighting are fitted to
BACKGROUND_BANDS = 1024  # of a covariance that the score does without: 8 MiB, seconds to fit


@isolated()
def fit_detector(
    sample: Sample,
    bands: Bands,
    plan: ModelPlan,
    seed: int,
    *,
    fewest: int = 1,
    context: Context | None = None,
    progress: Progress = quiet,
) -> Detector:
    """Fit a detector without its threshold.

    Parameters
    ----------
    sample : Sample
        Examples to train on; those that lack data in a kept band do not count.
    bands : Bands
        The bands of their last axis, without context.
    plan, progress
        What is built, and how it is trained and scored; called for every step.
    seed : int
        Seed of initial weights and shuffling; the same seed repeats to the bit on one machine,
        whatever its cores: torch has as many threads meanwhile as ``plan.training`` names.
    fewest : int, default 1
        Examples with data in every kept band that there must be at the least.
    context : Context, optional
        Made the context of the examples, see `fit_surroundings`.

    Returns
    -------
    Detector
        Without a threshold; dropped bands are named in the log.

    Raises
    ------
    NotEnoughPixels
        When too few examples have data, or every band has one value in all of them.
    ConfigError
        When the device is missing, or training diverges.
    """
    # Threads of torch and BLAS wait busily for each other, and their number changes the bits.
    with alone(), torch_threads(1 if forked() else plan.training.threads):
        return _fit(sample, bands, plan, seed, fewest, context, progress)


def _fit(
    sample: Sample,
    bands: Bands,
    plan: ModelPlan,
    seed: int,
    fewest: int,
    context: Context | None,
    progress: Progress,
) -> Detector:
    """Fit a detector with as many threads of torch as there are now."""
    data = training_set(sample, bands, plan.view.known, fewest, context)
    if data.dropped:
        log.warning(
            "dropped bands without data, or with a single value: %s", ", ".join(data.dropped)
        )
    require_device(plan.device)
    scaled, features = data.tensors(data.examples, torch.device(plan.device))
    dates = scaled.shape[1] if plan.view.compares_dates else 1
    width = 0 if data.context is None else data.context.width
    sizes = plan.sizes(len(data.bands), width, dates)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # leaves those of other devices
        model = plan.build(sizes).to(scaled.device)
    if model.context_network is not None:
        model.context_network.fit(scaled)
        _log_gaps(sample.scenes, scaled, plan)
    history = fit_model(model, plan, scaled, features, seed=seed, progress=progress)
    if not np.isfinite(history.loss).all():
        raise ConfigError(
            f"Training diverged with training.learning_rate = {plan.training.learning_rate:g} "
            f"(the loss is not finite). Lower it."
        )
    latent = latent_statistics_of(model, scaled, features)
    training = Training(
        scenes=tuple(map(file_name, sample.scenes)),
        seed=seed,
        pixels=len(scaled),
        steps=history.steps,
        batch_size=history.batch_size,
        trim=plan.trim,
        beta=plan.objective.beta,
        loss=history.loss,
        elbo=elbo_of(model, data),
        nodata=sample.nodata,
        latent=latent,
        dates=dates,
        pixel_area=sample.pixel_area,
        reconstruction=history.reconstruction,
        kl=history.kl,
        warm_up=plan.objective.warm_up,
        free_bits=plan.objective.free_bits,
        config=plan.settings,
    )
    log.info("%d pixels, loss %.3f, held-out ELBO %s", len(scaled), history.loss[-1], training.elbo)
    if latent.collapse and not model.predicts:  # else a code may have nothing to add
        log.warning(latent.collapse)
    quantiles = _quantiles(data.spectra)
    detector = Detector(
        card=_card(plan, sizes, data, training),
        view=conditioned(plan.family.view_of(plan.patch, dates), data.context),
        scaler=data.scaler,
        weights=weights_of(model),
        noise=noise_of(model, scaled, features, plan.noise(len(data.bands))),
        band_quantiles=quantiles,
        context=data.context,
        device=plan.device,
        usual_drift=_usual_drift(sample, data, quantiles, by_date=plan.view.compares_dates),
    )
    residuals = residuals_of(model, scaled, features, seed)
    card = replace(detector.card, residuals=residuals is not None)
    detector = replace(detector, card=card, residuals=residuals)
    detector = of_kind(detector, plan.kind, data.examples, seed)
    return _weighted(_with_background(detector, data, plan), data.examples, plan, seed)


def _log_gaps(names: Sequence[str], scaled: Tensor, plan: ModelPlan) -> None:
    """Log which dates before the newest lack pixels, where that one alone is scored."""
    if plan.view.most_dates is None or scaled.isfinite().all():
        return
    missing = 1 - scaled.isfinite().all(-1).float().mean(0)[:-1]
    lacking = [
        f"{file_name(name)} {share:.0%}"
        for name, share in zip(names, missing.tolist(), strict=False)
        if share
    ]
    log.info("missing pixels of dates before do not count: %s", listed(lacking))


@isolated()
@alone()
def fit_surroundings(
    sample: Sample, bands: Bands, plan: ModelPlan, fewest: int, covariates: Covariates = ()
) -> Context | None:
    """Fit the context that a model is conditioned on; None for a family that is not.

    Parameters are as for `fit_detector`; the values of covariates follow the bands of examples.

    Raises
    ------
    NotEnoughPixels, ConfigError, CovariateMismatch
        As `fit_detector` does, and when a categorical covariate has too many classes, or none.
    """
    if plan.context is None:
        return None
    data = training_set(sample, bands, plan.view.known, fewest, None)
    count = len(data.bands)
    fitted = fit_covariates(covariates, data.examples[..., count:])
    return fit_context(plan.context, data.spectra.reshape(-1, count), data.alive, fitted)


def _with_background(detector: Detector, data: TrainingSet, plan: ModelPlan) -> Detector:
    """Fit the background, and the linear term if the plan has one, to enough examples."""
    bands, examples = len(data.bands), data.examples
    weight = plan.linear_weight(bands)
    if len(examples) < PIXELS_PER_BAND * bands:
        if weight:
            log.warning(
                "%d pixels are too few for the linear term of %d bands; the score has none",
                len(examples),
                bands,
            )
        return detector
    most = min(SCORED_EXAMPLES, max(1, RESIDUAL_VALUES // examples[0].size))
    subset = examples[:: -(-len(examples) // most)]
    if weight:
        return _with_linear(detector, data, subset, weight)
    if bands > BACKGROUND_BANDS:
        return detector
    background = fit_background(_spectra(detector, data, subset)[0])
    return replace(detector, card=replace(detector.card, background=True), background=background)


def _with_linear(detector: Detector, data: TrainingSet, examples: Array, weight: float) -> Detector:
    spectra, known = _spectra(detector, data, examples)
    linear = fit_linear(spectra, detector.score_examples(examples).total[known], weight)
    card = replace(detector.card, linear_weight=weight)
    return replace(detector, card=card, linear=linear, background=linear)


@torch.inference_mode()
def _spectra(
    detector: Detector, data: TrainingSet, examples: Array
) -> tuple[Array, NDArray[np.bool_]]:
    """Return the scaled spectra of examples that are scored, (n, band), and which these are."""
    batch = detector.model.prepare(*data.tensors(examples, torch.device(detector.device)))
    known = batch.known.cpu().numpy()
    return batch.x.cpu().numpy()[known], known


def _weighted(detector: Detector, examples: Array, plan: ModelPlan, seed: int) -> Detector:
    """Fit the local-contrast weighting, if the plan has one."""
    score = plan.score
    if not (score.local_contrast or score.latent_distance):
        return detector
    subset = examples[:: -(-len(examples) // SCORED_EXAMPLES)]
    terms, known = detector.score_examples(subset, codes=True), detector.view.known(subset)
    assert terms.code is not None  # requested
    unfitted = LocalContrastWeighting(
        Annulus(*score.annulus), score.local_contrast, score.latent_distance
    )
    weighting = fit_local_contrast(unfitted, terms.total[known], terms.code[known], seed)
    return replace(detector, card=replace(detector.card, weighting=weighting))


def _quantiles(examples: Array) -> NDArray[np.float64]:
    flat = examples.reshape(-1, examples.shape[-1])
    subset = flat[:: 1 + len(flat) // QUANTILE_EXAMPLES]
    complete = subset[np.isfinite(subset).all(axis=-1)]
    return np.asarray(np.quantile(complete.astype(np.float64), BAND_LEVELS, axis=0))


def _usual_drift(
    sample: Sample, data: TrainingSet, quantiles: NDArray[np.float64], *, by_date: bool
) -> UsualDrift:
    """Measure how far the training scenes, or dates of one site, lie from each other."""
    spectra = sample.examples[..., : len(data.alive)][..., data.alive]
    parts = np.moveaxis(spectra, 1, 0) if by_date else np.split(spectra, sample.first[1:])
    flat = (part.reshape(-1, part.shape[-1]) for part in parts)
    complete = [part[np.isfinite(part).all(axis=-1)] for part in flat]
    return usual_drift(complete, quantiles[COMPARED])


def _card(plan: ModelPlan, sizes: Sizes, data: TrainingSet, training: Training) -> Card:
    context = data.context
    return Card(
        family=plan.name,
        latent=sizes.latent,
        hidden=sizes.hidden,
        likelihood=plan.model.likelihood,
        bands=data.bands,
        dropped=data.dropped,
        noise=plan.noise(len(data.bands)),
        kl_weight=plan.score.kl_weight,
        training=training,
        anomvae=__version__,
        torch=torch.__version__.split("+")[0],
        context=None if context is None else context.plan,
        patch=plan.patch if plan.family.of_patches else None,
        covariates=() if context is None else context.covariates,
        drift=True,
    )
