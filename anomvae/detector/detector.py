"""The detector: bands, scaling, model, noise and threshold in one; arrays in, scores out.

For an example ``x`` in scaled units, with the code at its posterior mean::

    reconstruction = sum_band cost(u),  u = (x - mean(x | z) - c) S^-1/2   nats, >= 0
    kl             = kl_weight * KL(q(z | x) || p(z))                    nats, >= 0
    score          = reconstruction + kl                                 nats, higher = more unusual

The noise model (c, S) is that of `anomvae.stats.noise`, the cost that of
`anomvae.models.likelihoods`: -log p minus its value at the mode, so 0 is a perfect reconstruction.
Nothing is drawn while scoring.  Where surroundings count (`anomvae.stats.local_contrast`), both
terms are multiplied by what they give, and are no longer nats.

Blocks have axes (time, row, col, band), examples (n, ..., band), both float32 in data units.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import ConfigError, ModelFileError
from ..files import write_atomically
from ..models import Autoencoder, ModelInput
from ..models.families import family_named, require_dates
from ..pixels.bands import Bands
from ..pixels.covariates import Covariates
from ..pixels.views import Block, Examples, View
from ..stats.context import ConditionedView, Context
from ..stats.noise import Noise
from ..stats.scaler import Scaler
from ..stats.thresholds import Rule, ScoreDistribution, Threshold, describe_scores
from .batches import (
    Array,
    Scores,
    Terms,
    available,
    batches,
    concatenated,
    require_bands,
    run_in_threads,
    to_device,
)
from .modelfile import Card, read_model, to_bytes
from .program import Said, ScoringProgram, scoring_program
from .state import DetectorState, from_model_file, to_model_file


@dataclass(frozen=True, eq=False)
class Detector:
    """A fitted detector."""

    card: Card
    """What it is, in words and numbers."""
    scaler: Scaler
    """Data units to scaled units."""
    model: Autoencoder
    """The trained autoencoder, in evaluation mode."""
    noise: Noise
    """What counts as a large residual."""
    band_quantiles: NDArray[np.float64]
    """Quantiles of the training examples per band, (level, band), data units."""
    scores: ScoreDistribution | None = None
    """Scores of normal pixels that thresholds are chosen from; none before they are fitted."""
    context: Context | None = None
    """What the model is conditioned on; none for a family that is not."""

    @property
    def bands(self) -> Bands:
        """The bands a scene must have."""
        return self.card.bands

    @property
    def covariates(self) -> Covariates:
        """What a scene must have besides, in this order."""
        return self.card.covariates

    @property
    def threshold(self) -> Threshold:
        """The cut-off; `with_threshold` fits one."""
        if self.card.threshold is None:
            raise ConfigError("The detector has no threshold yet. Fit one with `with_threshold`.")
        return self.card.threshold

    @property
    def view(self) -> View:
        """What an example is."""
        view = family_named(self.card.family).seen(self.card.patch)
        return view if self.context is None else ConditionedView(view, self.context)

    @property
    def radius(self) -> int:
        """How far a score looks sideways, pixels: the halo a tile needs."""
        weighting = self.card.weighting
        beyond = 0 if weighting is None else weighting.radius
        return self.view.radius + beyond

    @property
    def meaning(self) -> str:
        """What a score is, in a line."""
        if self.card.weighting is None:
            return "score = reconstruction + kl, nats, higher is more anomalous"
        return (
            "score = reconstruction + kl, each times the local-contrast weighting, higher is more "
            "anomalous"
        )

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return next(self.model.parameters()).device

    @cached_property
    def id(self) -> str:
        """Twelve hexadecimal digits that tell this detector from any other."""
        return hashlib.sha256(self.to_bytes()).hexdigest()[:12]

    @property
    def compares_dates(self) -> bool:
        """Whether a score is that of a date given those before it."""
        return family_named(self.card.family).of_dates

    def require_dates(self, dates: int) -> None:
        """Make sure that there are as many dates of a place as a score needs.

        Raises
        ------
        ConfigError
            If the family compares dates, and there is one alone.
        """
        require_dates(self.card.family, dates)

    def score(self, block: Block) -> Scores:
        """Score a block (time, row, col, band [+ values of covariates]); NaN where data lack."""
        require_bands(block, self.bands, covariates=self.covariates)
        view = self.view
        where = view.where(block)
        examples = view.split(block, where)
        if self.card.weighting is None:
            reconstruction, kl = (view.join(t, where) for t in self.score_examples(examples))
        else:
            terms = self.examine(examples)
            reconstruction, kl = view.join(terms.reconstruction, where), view.join(terms.kl, where)
            planes = [view.join(plane, where) for plane in np.moveaxis(terms.code, -1, 0)]
            factor = self.card.weighting.factor(reconstruction + kl, np.stack(planes, axis=-1))
            reconstruction, kl = reconstruction * factor, kl * factor
        return Scores(reconstruction + kl, reconstruction, kl)

    def score_examples(self, x: Examples) -> tuple[Array, Array]:
        """Give reconstruction and KL term of examples (n, ..., band) without NaN, each (n, ...).

        Examples have no surroundings: where these count, only `score` tells the whole.
        """
        reconstruction, kl = self._gathered(lambda seen: self._score_terms(seen)[:2], x)
        return reconstruction, kl

    def examine(self, x: Examples) -> Terms:
        """Give all that the model says of examples (n, ..., band [+ context]) without NaN."""
        return Terms(*self._gathered(self._score_terms, x))

    def encode(self, x: Array) -> Array:
        """Give the posterior means of examples (n, ..., band), shape (n, ..., latent)."""
        return self._gathered(lambda seen: (self._program.encode(seen).z,), x)[0]

    def reconstruct(self, x: Array) -> Array:
        """Give the means of p(x | z) at the posterior means, data units, the shape of ``x``."""
        program, decode = self._program, self.model.decode
        means = self._gathered(lambda seen: (decode(program.encode(seen).z, seen.context),), x)[0]
        return self.scaler.unscale(means)

    @torch.inference_mode()
    def sample(self, count: int, seed: int) -> Array:
        """Draw examples from the model: codes from the prior, noise from the likelihood.

        Parameters
        ----------
        count : int
            Examples to draw.
        seed : int
            Decides which.

        Returns
        -------
        array, shape (count, band)
            Data units; of usual surroundings and covariates, if the model is told these.

        Raises
        ------
        ConfigError
            If the family has no prior to draw from.
        """
        if not self.model.has_prior:
            raise ConfigError(
                f"model.family = {self.card.family!r} has no prior, so nothing can be drawn from "
                f"it. Train a family that has one, such as 'vae'."
            )
        draw = torch.Generator().manual_seed(seed)
        z = self.model.bottleneck.draw(count, draw)
        told = None if self.context is None else z.new_zeros(count, self.context.width)
        mean_context = self.model.mean_context(count, told)
        x = self.model.likelihood.draw(self.model.decode(z, mean_context), draw)
        return self.scaler.unscale(x.cpu().numpy())

    def with_threshold(
        self, rule: Rule, scores: Array | None = None, *, held_out: bool
    ) -> Detector:
        """Choose the cut-off anew.

        Parameters
        ----------
        rule : Rule
            How.
        scores : array, optional
            Scores of normal pixels, any shape; without them those already kept.
        held_out : bool
            Whether the detector was fitted without these pixels.
        """
        known = self.scores if scores is None else describe_scores(scores)
        if known is None:
            raise ConfigError("The detector has no scores yet: give those of normal pixels.")
        card = replace(self.card, threshold=rule.threshold(known, held_out))
        return replace(self, card=card, scores=known)

    def to(self, device: str) -> Detector:
        """Compute elsewhere, on ``cpu`` or ``cuda``."""
        return replace(self, model=deepcopy(self.model).to(available(device)))

    def to_bytes(self) -> bytes:
        """Give the content of the model file; equal detectors give equal bytes."""
        return to_bytes(
            to_model_file(DetectorState(*(getattr(self, name) for name in DetectorState._fields)))
        )

    def save(self, path: str | Path) -> None:
        """Write the detector to one safetensors file, whole or not at all.

        Raises
        ------
        RasterError
            If the file cannot be written.
        """
        write_atomically(Path(path), self.to_bytes())

    @classmethod
    def load(cls, path: str | Path) -> Detector:
        """Read a detector from its file.

        Raises
        ------
        ModelFileError
            If the file is missing, damaged, foreign, a pickle, or of a newer format.
        """
        file = read_model(path)
        try:
            return cls(*from_model_file(file))
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            raise ModelFileError(
                f"{path} does not hold the detector its card describes ({error}). "
                f"Copy it again, or train it again."
            ) from error

    def _gathered(
        self, tell: Callable[[ModelInput], tuple[Tensor, ...]], x: Examples
    ) -> list[Array]:
        """Put together what is told of examples, pass by pass."""

        @torch.inference_mode()
        def told(run: Examples) -> list[Array]:
            parts = zip(*map(tell, self._seen(run)), strict=True)
            return [concatenated(part, len(run)) for part in parts]

        alone = self.device.type != "cpu"  # a GPU takes one pass after the other
        parts = [told(x)] if alone else run_in_threads(told, x, self._program.rows)
        runs = zip(*parts, strict=True)
        return [run[0] if len(run) == 1 else np.concatenate(run) for run in runs]

    def _score_terms(self, seen: ModelInput) -> Said:
        """Tell what the model says of a pass."""
        said = self._program.score_terms(seen)
        return said._replace(kl=self.card.kl_weight * said.kl)

    def _seen(self, x: Examples) -> Iterator[ModelInput]:
        """Give examples as the folded model sees them, in passes of one shape."""
        count = len(self.bands)
        require_bands(x, self.bands, 0 if self.context is None else self.context.width)
        for part in batches(x, self._program.rows):
            told = None
            if self.context is not None:
                told = to_device(self.context.standardised(part[..., count:]), self.device)
            yield self._program.prepare(to_device(part[..., :count], self.device), told)

    @cached_property
    def _program(self) -> ScoringProgram:
        return scoring_program(self.model, self.scaler, self.noise)
