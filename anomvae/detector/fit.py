"""Fit a detector to examples: scale, train, measure the noise.

Examples have axes (n, ..., band), float32 in data units.  The threshold is fitted afterwards, on
the scores of other examples.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import __version__
from ..bands import Bands
from ..errors import ConfigError, NotEnoughPixels
from ..families import Family, Sizes, family_named, fitting_sizes
from ..modelfile import Card, Training
from ..models import Autoencoder
from ..noise import Noise, fit_noise
from ..objectives import Elbo
from ..parallel import Progress, quiet
from ..sampling import Sample
from ..scaling import BandStatistics, Scaler, stream_statistics
from ..training import Plan, fit_model
from .scoring import Detector, available

if TYPE_CHECKING:
    from ..config import Config, TrainingConfig

log = logging.getLogger(__name__)

LEVELS = (0.0, 0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1.0)
"""Levels of the band quantiles that a detector keeps of its training examples."""
QUANTILE_EXAMPLES = 50_000
RESIDUALS = 20_000_000  # numbers a covariance is fitted to: 100,000 spectra of 200 bands
EMPTY = 0.01  # a band with data in a smaller share of the pixels has none worth waiting for
PART = 65_536  # examples described at a time

Array = NDArray[np.float32]


def fit_detector(
    sample: Sample,
    bands: Bands,
    config: Config,
    seed: int,
    fewest: int = 1,
    progress: Progress = quiet,
) -> Detector:
    """Fit a detector, but not yet its threshold.

    Parameters
    ----------
    sample : Sample
        Examples to train on; those that lack data in a living band are left out.
    bands : Bands
        What their last axis is.
    config : Config
        Settled, see `Config.settled`.
    seed : int
        Decides initial weights and shuffling; the same seed repeats to the bit on one machine.
    fewest : int, default 1
        Examples with data in every living band that there must be at the least.
    progress : Progress, optional
        Told about the steps.

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
    ready = _prepare(sample, bands, family.view().whole, fewest)
    scaled = torch.from_numpy(ready.scaler.scale(ready.examples)).to(available(config.device))
    sizes = fitting_sizes(
        len(ready.bands), _given(config.model.latent), _given(config.model.hidden)
    )
    objective = _objective(family, config.training)
    model = _untrained(family, sizes, config.model.likelihood, seed).to(scaled.device)
    history = fit_model(model, objective, scaled, _plan(config.training), seed, progress)
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
        batch=history.batch,
        trim=float(config.training.trim),
        beta=objective.beta,
        loss=history.loss,
        elbo=_elbo(model, ready),
        nodata=sample.nodata,
    )
    log.info("%d pixels, loss %.3f, held-out ELBO %s", len(scaled), history.loss[-1], training.elbo)
    card = _card(config, sizes, ready, training)
    noise = _noise(model, scaled, config.score.noise)
    return Detector(card, ready.scaler, model, noise, _quantiles(ready.examples))


class _Ready(NamedTuple):
    """Examples that can be trained on, and what they consist of."""

    examples: Array
    held_out: Array
    bands: Bands
    dead: tuple[str, ...]
    scaler: Scaler


def _prepare(
    sample: Sample, bands: Bands, whole: Callable[[Array], NDArray[np.bool_]], fewest: int
) -> _Ready:
    """Leave out bands that carry nothing, and examples that lack data in any other."""
    examples, fewest = sample.examples, max(1, fewest)
    _require(len(examples) + len(sample.held_out), fewest)
    _require_some(examples)
    held_out = sample.held_out.reshape(-1, *examples.shape[1:])
    count = _describe(examples).count
    seen = count > EMPTY * count.max()
    examples, held_out = _kept(examples, seen), _kept(held_out, seen)
    examples, held_out = examples[whole(examples)], held_out[whole(held_out)]
    _require(len(examples) + len(held_out), fewest)
    _require_some(examples)
    dead = _describe(examples).dead
    examples, held_out = _kept(examples, ~dead), _kept(held_out, ~dead)
    alive = seen.copy()
    alive[seen] = ~dead
    if not alive.any():
        raise NotEnoughPixels(
            f"All {len(bands)} bands have one value in all {len(examples)} pixels, so there is "
            f"nothing to learn. Give other scenes, or check the masks."
        )
    left_out = tuple(band.name for band, kept in zip(bands, alive, strict=True) if not kept)
    if left_out:
        log.warning("left out, no data or one value everywhere: %s", ", ".join(left_out))
    used = bands.keep([band for band, kept in zip(bands, alive, strict=True) if kept])
    return _Ready(examples, held_out, used, left_out, _describe(examples).scaler())


def _require(pixels: int, fewest: int) -> None:
    if pixels < fewest:
        raise NotEnoughPixels(
            f"{pixels} valid pixels to train on, but at least {fewest} are needed. "
            f"Give larger scenes, choose other bands, or check nodata values and masks."
        )


def _require_some(examples: Array) -> None:
    if not len(examples):
        raise NotEnoughPixels("All valid pixels lie in held-out blocks. Give larger scenes.")


def _kept(examples: Array, bands: NDArray[np.bool_]) -> Array:
    return examples if bands.all() else examples[..., bands]


def _describe(examples: Array) -> BandStatistics:
    return stream_statistics(examples[i : i + PART] for i in range(0, len(examples), PART))


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
        return family.build(sizes, learn_noise=likelihood == "gaussian")


@torch.inference_mode()
def _noise(model: Autoencoder, scaled: Tensor, kind: str) -> Noise:
    # Evenly spaced, because examples lie in the order of the scene.
    most = 1 if kind != "covariance" else RESIDUALS // scaled[0].numel()
    some = scaled[:: -(-len(scaled) // most)]
    residuals = some - model.decode(model.encode(some).z)
    flat = residuals.reshape(-1, residuals.shape[-1]).cpu().numpy()
    return fit_noise(kind, flat, model.likelihood.sigma.cpu().numpy())


@torch.inference_mode()
def _elbo(model: Autoencoder, ready: _Ready) -> float | None:
    """Give the held-out evidence lower bound, nats per example; None without held-out ones."""
    if not len(ready.held_out):
        return None
    device = next(model.parameters()).device
    answer = model(torch.from_numpy(ready.scaler.scale(ready.held_out)).to(device))
    return -float(Elbo()(answer).mean())


def _quantiles(examples: Array) -> NDArray[np.float64]:
    flat = examples[:: 1 + len(examples) // QUANTILE_EXAMPLES].reshape(-1, examples.shape[-1])
    return np.asarray(np.quantile(flat.astype(np.float64), LEVELS, axis=0))


def _card(config: Config, sizes: Sizes, ready: _Ready, training: Training) -> Card:
    return Card(
        family=config.model.family,
        latent=sizes.latent,
        hidden=sizes.hidden,
        likelihood=config.model.likelihood,
        bands=ready.bands,
        dead=ready.dead,
        noise=config.score.noise,
        kl_weight=config.score.kl_weight,
        training=training,
        anomvae=__version__,
        torch=torch.__version__.split("+")[0],
    )
