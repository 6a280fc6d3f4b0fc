"""What a detector consists of, what follows from it, and how its file holds it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, ModelFileError
from ..files import PathText
from ..models.families import PATCH, Family, Sizes, family_named
from ..parallel.isolation import isolated
from ..pixels.bands import Bands
from ..pixels.covariates import Covariates
from ..pixels.views import View, require_dates
from ..program import AUTO, Program
from ..program.codes import Weights
from ..program.prediction import NewestPrediction
from ..stats.background import Background
from ..stats.context import Context, conditioned
from ..stats.domain import Domain
from ..stats.drift import UsualDrift
from ..stats.linear import LinearTerm
from ..stats.noise import Noise
from ..stats.residuals import ResidualMixture
from ..stats.scaler import Scaler
from ..stats.score_kind import LATENT, ScoreKind
from ..stats.scores import NormalScores, ScoreDistribution
from ..stats.thresholds import Threshold
from .arrays import demands_of, require_tensors
from .card import Card
from .explanation_layers import FACTOR
from .explanation_layers import LAYERS as EXPLANATION
from .folding import program_of
from .modelfile import ModelFile, Tensors, read_model

if TYPE_CHECKING:
    from ..models import Autoencoder

LAYERS = ("score", "reconstruction", "kl", "linear")
"""The score of a detector, and its terms."""


@dataclass(frozen=True, eq=False)
class DetectorState:
    """What a detector consists of, and what follows from it."""

    card: Card
    """Its description, as the file holds it."""
    view: View
    """What an example is, with its context."""
    scaler: Scaler
    """Data units to scaled units."""
    weights: Weights
    """Tensors of the trained autoencoder by name, float32."""
    noise: Noise
    """The noise model of the score."""
    band_quantiles: NDArray[np.float64]
    """Quantiles of the training examples per band, (level, band), data units."""
    scores: NormalScores | None = None
    """Scores of normal pixels that thresholds are chosen from; None before they are fitted."""
    context: Context | None = None
    """What the model is conditioned on; None for a family that is not."""
    linear: LinearTerm | None = None
    """The linear term of the score; None without one."""
    background: Background | None = None
    """Mean and covariance of its training spectra: those of the linear term where there is one.
    None in older files, and where pixels are too few, or bands too many."""
    draws: NDArray[np.float32] | None = None
    """Standard normal noise of draws from the posterior, (draw, noise), for ``iwae``; else None."""
    code_background: Background | None = None
    """Centre and whitening of codes for the score ``latent``; None for others."""
    residuals: ResidualMixture | None = None
    """Residuals of drawn spectra, given their codes; None in older files, and where training has
    too few pixels for their density."""
    usual_drift: UsualDrift | None = None
    """How far its training scenes lie from each other; None in older files."""
    device: str = "cpu"
    """Where it computes, such as ``cuda``."""
    engine: str = AUTO
    """What computes its scores: a name of `anomvae.program.ENGINES`, or ``auto``."""

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields: what follows from them is computed again in another process."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def family(self) -> Family:
        """The row of its family."""
        return family_named(self.card.family)

    @cached_property
    def sizes(self) -> Sizes:
        """The sizes of its model."""
        width = 0 if self.context is None else self.context.width
        return _sizes(self.card, width)

    @cached_property
    def model(self) -> Autoencoder:
        """The trained autoencoder, of torch, in evaluation mode; scores do without it."""
        from ..models.assembly import restored

        return restored(self.family, self.sizes, self.card.likelihood, self.weights, self.device)

    @cached_property
    def program(self) -> Program:
        """The scoring program."""
        return program_of(self)

    @property
    def bands(self) -> Bands:
        """The bands a scene must have."""
        return self.card.bands

    @property
    def covariates(self) -> Covariates:
        """The covariates a scene must have, in this order."""
        return self.card.covariates

    @property
    def threshold(self) -> Threshold:
        """The threshold of the score; a ConfigError when none is fitted yet."""
        if self.card.threshold is None:
            raise ConfigError("The detector has no threshold yet. Fit one with `with_threshold`.")
        return self.card.threshold

    @property
    def domain(self) -> Domain | None:
        """What it keeps of its training scenes; None before its threshold is fitted."""
        if self.scores is None:
            return None
        training = self.card.training
        return Domain(
            self.bands.names,
            self.band_quantiles,
            self.scores.all,
            training.pixel_area,
            training.nodata,
            self.usual_drift,
            self._predicted_shares,
        )

    @property
    def _predicted_shares(self) -> tuple[float, ...]:
        network = self.program.context
        if not isinstance(network, NewestPrediction):
            return ()
        return tuple(network.fitted.predicted_shares.tolist())

    @property
    def radius(self) -> int:
        """Receptive radius of a score, pixels: the halo that a tile needs."""
        weighting = self.card.weighting
        return self.view.radius + (0 if weighting is None else weighting.radius)

    @property
    def meaning(self) -> str:
        """Definition of the score in one line, with its unit where it has one."""
        kind = ScoreKind(self.card.kind, self.card.draws)
        terms = kind.meaning + " + linear" * (self.linear is not None)
        if self.card.weighting is None:
            return f"score = {terms}, nats, higher is more anomalous"
        return f"score = {terms}, each times the local-contrast weighting, higher is more anomalous"

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of what `Detector.score` returns: the score, and the terms that add up to it."""
        return LAYERS

    @property
    def explanation_layers(self) -> tuple[str, ...]:
        """Names of what `Detector.score_explained` returns after `layers`."""
        return EXPLANATION if self.card.weighting is None else (*EXPLANATION, FACTOR)

    @property
    def compares_dates(self) -> bool:
        """Whether the score of a date depends on the dates before it."""
        return self.view.compares_dates

    def require_dates(self, dates: int) -> None:
        """Refuse one date alone where the family compares dates, with a ConfigError."""
        require_dates(self.view, dates, self.card.family)


def to_model_file(state: DetectorState) -> ModelFile:
    """Return the content of a model file: the card, and every array under its name."""
    tensors: dict[str, NDArray[Any]] = {
        "bands.quantiles": state.band_quantiles,
        "noise.centre": state.noise.centre,
        "noise.whitening": state.noise.whitening,
        "scaler.centre": state.scaler.centre,
        "scaler.std": state.scaler.std,
    }
    if state.scores is not None:
        everything = state.scores.all
        tensors |= {"scores.values": everything.values, "scores.weights": everything.weights}
        held_out = state.scores.held_out
        if held_out is not None and state.card.held_out is not None:
            tensors |= {"held_out.values": held_out.values, "held_out.weights": held_out.weights}
    if state.context is not None:
        tensors |= state.context.tensors
    if state.linear is not None:
        tensors["linear.centre"] = state.linear.centre
        tensors["linear.whitening"] = state.linear.whitening
    if state.card.background and state.background is not None:
        tensors["background.centre"] = state.background.centre
        tensors["background.whitening"] = state.background.whitening
    if state.residuals is not None:
        tensors |= state.residuals.tensors
    if state.usual_drift is not None:
        tensors |= state.usual_drift.tensors
    tensors |= _of_kind(state)
    weights = {f"model.{name}": array for name, array in state.weights.items()}
    return ModelFile(state.card, tensors | weights)


def _of_kind(state: DetectorState) -> dict[str, NDArray[Any]]:
    """Return the arrays of a kind of score."""
    if state.draws is not None:
        return {"draws.noise": state.draws}
    if state.code_background is None:
        return {}
    background = state.code_background
    return {"codes.centre": background.centre, "codes.whitening": background.whitening}


@isolated()
def read_state(path: PathText) -> DetectorState:
    """Read what a model file holds; raise ModelFileError as `read_model` does.

    The same error reports arrays that are not those that the card describes.
    """
    file = read_model(path)
    try:
        return _state_of(file)
    except (LookupError, TypeError, ValueError, RuntimeError) as error:
        raise ModelFileError(
            f"{path} does not hold the detector its card describes ({error}). "
            f"Copy it again, or train it again."
        ) from error


def _state_of(file: ModelFile) -> DetectorState:
    card, tensors = file.card, file.tensors
    components = _components(card, tensors)
    width = 0 if card.context is None else card.context.width(components, card.covariates)
    sizes, family, context = _sizes(card, width), family_named(card.family), None
    family.require_kind(card.kind, card.family)
    noise_width = family.code.noise_width(card.latent)
    require_tensors(tensors, demands_of(card, family.shapes(sizes), noise_width, components))
    if card.context is not None:
        context = Context.of(card.context, tensors, card.covariates)
    linear = LinearTerm(*_whitening(tensors, "linear")) if card.linear_weight else None
    start = "model."
    weights = {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
    return DetectorState(
        card,
        conditioned(family.view_of(sizes.patch, sizes.dates), context),
        Scaler(tensors["scaler.centre"], tensors["scaler.std"]),
        weights,
        Noise(tensors["noise.centre"], tensors["noise.whitening"]),
        tensors["bands.quantiles"],
        None if card.threshold is None else _normal_scores(card, tensors, card.threshold),
        context,
        linear,
        Background(*_whitening(tensors, "background")) if card.background else linear,
        tensors.get("draws.noise"),
        Background(*_whitening(tensors, "codes")) if card.kind == LATENT else None,
        ResidualMixture.of(tensors) if card.residuals else None,
        UsualDrift(tensors["drift.bands"], tensors["drift.scores"]) if card.drift else None,
    )


def _components(card: Card, tensors: Tensors) -> int:
    """Return the principal components of a context: few bands have fewer than its plan."""
    if card.context is None:
        return 0
    components, most = tensors["context.scale"].size, card.context.components(len(card.bands))
    if components > most:
        raise ValueError(f"context.scale has {components} components: expected {most} at most")
    return components


def _sizes(card: Card, width: int) -> Sizes:
    """Return the sizes of a card's model with so many features of a context."""
    patch, dates = card.patch or PATCH, card.training.dates
    return Sizes(len(card.bands), card.latent, card.hidden, width, patch, dates)


def _whitening(tensors: Tensors, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return tensors[f"{name}.centre"], tensors[f"{name}.whitening"]


def _normal_scores(card: Card, tensors: Tensors, threshold: Threshold) -> NormalScores:
    everything = _scores(tensors, "scores")
    if card.held_out is not None:
        return NormalScores(everything, _scores(tensors, "held_out"))
    return NormalScores(everything, everything if threshold.held_out else None)  # older files


def _scores(tensors: Tensors, name: str) -> ScoreDistribution:
    values, weights = tensors[f"{name}.values"], tensors[f"{name}.weights"]
    if not len(values) == len(weights) > 0 or (np.diff(values) < 0).any() or values[0] < 0:
        raise ValueError(f"{name}.values and {name}.weights are no ascending scores")
    return ScoreDistribution(values, weights)
