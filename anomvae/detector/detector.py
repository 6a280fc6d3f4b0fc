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
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..errors import ConfigError, ModelFileError
from ..files import PathText, write_atomically
from ..models import ModelInput
from ..pixels.bands import Bands
from ..pixels.covariates import Covariates
from ..pixels.views import Block, Examples, require_dates
from ..stats.thresholds import Rule, Threshold, describe_scores, parse_rule
from .batches import (
    Array,
    Scores,
    ScoreTerms,
    available,
    batches,
    concatenated,
    require_bands,
    run_in_threads,
    to_device,
)
from .modelfile import read_model, to_bytes
from .program import ScoringProgram, scoring_program
from .state import DetectorState, from_model_file, to_model_file


class Detector(DetectorState):
    """A fitted detector: scores blocks, and is kept in one file."""

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
        """Whether the score of a date depends on the dates before it."""
        return self.view.compares_dates

    def require_dates(self, dates: int) -> None:
        """Require as many dates of a place as a score needs.

        Raises
        ------
        ConfigError
            If the family compares dates, and there is one alone.
        """
        require_dates(self.view, dates, self.card.family)

    def score(self, block: Block) -> Scores:
        """Score the pixels of a block.

        Parameters
        ----------
        block : array of float32, axes (time, row, col, value)
            The detector's bands in data units, then the values of its covariates; NaN = no data.
            A family of several dates takes them along the first axis, oldest first.

        Returns
        -------
        Scores
            Total, reconstruction and KL term, each (time, row, col), float32; NaN where a band has
            no data.  Nats, unless a local-contrast weighting is part of the detector (`meaning`).
            Within `radius` pixels of an edge that is not the scene's own, neighbours are missing.

        Raises
        ------
        BandMismatch
            If the last axis has another number of values than the detector has bands.
        CovariateMismatch
            If the detector has covariates, and their values are missing.

        Examples
        --------
        >>> from anomvae import VAEDetector
        >>> X = np.random.default_rng(0).normal(size=(500, 6)).astype("float32")
        >>> detector = VAEDetector(max_steps=20, random_state=0).fit(X).detector_
        >>> scores = detector.score(X[:6].reshape(1, 2, 3, 6))
        >>> scores.total.shape, bool((scores.total == scores.reconstruction + scores.kl).all())
        ((1, 2, 3), True)
        """
        require_bands(block, self.bands, covariates=self.covariates)
        where = self.view.where(block)
        weighting = self.card.weighting
        terms = self.score_examples(self.view.split(block, where), codes=weighting is not None)
        reconstruction = self.view.join(terms.reconstruction, where)
        kl = self.view.join(terms.kl, where)
        if weighting is not None and terms.code is not None:
            planes = [self.view.join(plane, where) for plane in np.moveaxis(terms.code, -1, 0)]
            factor = weighting.factor(reconstruction + kl, np.stack(planes, axis=-1))
            reconstruction, kl = reconstruction * factor, kl * factor
        return Scores(reconstruction + kl, reconstruction, kl)

    def score_examples(self, x: Examples, *, codes: bool = False) -> ScoreTerms[Array]:
        """Score examples without NaN, each alone: without the local-contrast weighting.

        Parameters
        ----------
        x : array, shape (n, ..., band)
            Data units; for a conditioned model the features of the context follow the bands.
        codes : bool, default False
            Whether to return the posterior means, too.
        """
        program = self._program
        keep = 3 if codes else 2
        parts = self._batchwise(lambda batch: program.score_terms(batch, codes=codes)[:keep], x)
        return ScoreTerms(*parts, *[None] * (3 - keep))

    def encode(self, x: Array) -> Array:
        """Encode examples.

        Parameters
        ----------
        x : array, shape (n, ..., band)
            Data units, without NaN; for a conditioned model the features of the context follow.

        Returns
        -------
        array of float32, shape (n, ..., latent)
            Posterior means.

        Raises
        ------
        BandMismatch
            If the last axis has another length.

        Examples
        --------
        >>> from anomvae import VAEDetector
        >>> X = np.random.default_rng(0).normal(size=(500, 6)).astype("float32")
        >>> VAEDetector(latent=2, max_steps=20, random_state=0).fit(X).detector_.encode(X).shape
        (500, 2)
        """
        return self._batchwise(lambda batch: (self._program.encode(batch).z,), x)[0]

    def reconstruct(self, x: Array) -> Array:
        """Reconstruct examples from their posterior means.

        Parameters
        ----------
        x : array, shape (n, ..., band)
            Data units, without NaN; for a conditioned model the features of the context follow.

        Returns
        -------
        array of float32, shape (n, ..., band)
            Means of p(x | z), data units.

        Raises
        ------
        BandMismatch
            If the last axis has another length.

        Examples
        --------
        >>> from anomvae import VAEDetector
        >>> X = np.random.default_rng(0).normal(size=(500, 6)).astype("float32")
        >>> VAEDetector(max_steps=20, random_state=0).fit(X).detector_.reconstruct(X).shape
        (500, 6)
        """
        encode, decode = self._program.encode, self.model.decode
        means = self._batchwise(lambda batch: (decode(encode(batch).z, batch.context),), x)[0]
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
        if self.model.prior is None:
            raise ConfigError(
                f"model.family = {self.card.family!r} has no prior, so nothing can be drawn from "
                f"it. Train a family that has one, such as 'vae'."
            )
        draw = torch.Generator().manual_seed(seed)
        z = self.model.prior.draw(count, draw)
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
        """Return the content of the model file; equal detectors give equal bytes."""
        return to_bytes(to_model_file(self))

    def save(self, path: PathText) -> None:
        """Write the detector to one safetensors file, whole or not at all.

        Raises
        ------
        RasterError
            If the file cannot be written.
        """
        write_atomically(path, self.to_bytes())

    @classmethod
    def load(
        cls, path: PathText, *, threshold: str | None = None, device: str | None = None
    ) -> Detector:
        """Read a detector from its file.

        Parameters
        ----------
        path : path
            A file that `save` or ``anomvae train`` wrote.
        threshold : str, optional
            A rule of `anomvae.stats.thresholds`: choose the cut-off anew from the scores of normal
            pixels that the file holds.
        device : {"cpu", "cuda"}, optional
            Where to compute; by default on the CPU.

        Raises
        ------
        ModelFileError
            If the file is missing, damaged, foreign, a pickle, or of a newer format.
        ConfigError
            If the rule is unknown, or the device is not there.

        Examples
        --------
        >>> detector = Detector.load("model.safetensors")  # doctest: +SKIP
        """
        file = read_model(path)
        try:
            state = from_model_file(file)
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            raise ModelFileError(
                f"{path} does not hold the detector its card describes ({error}). "
                f"Copy it again, or train it again."
            ) from error
        detector = cls(**vars(state))
        if threshold is not None:
            held_out = detector.threshold.held_out
            detector = detector.with_threshold(parse_rule(threshold), held_out=held_out)
        return detector if device is None else detector.to(device)

    def _batchwise(
        self, function: Callable[[ModelInput], Iterable[Tensor | None]], x: Examples
    ) -> list[Array]:
        """Apply a function of a batch to all examples; on the CPU threads share the batches."""

        @torch.inference_mode()
        def apply(run: Examples) -> list[Array]:
            parts = zip(*map(function, self._prepared(run)), strict=True)
            return [concatenated(part, len(run)) for part in parts]

        on_gpu = self.device.type != "cpu"  # a GPU takes one batch after the other
        parts = [apply(x)] if on_gpu else run_in_threads(apply, x, self._program.rows)
        runs = zip(*parts, strict=True)
        return [run[0] if len(run) == 1 else np.concatenate(run) for run in runs]

    def _prepared(self, x: Examples) -> Iterator[ModelInput]:
        """Prepare examples in batches of one shape."""
        count = len(self.bands)
        require_bands(x, self.bands, 0 if self.context is None else self.context.width)
        for part in batches(x, self._program.rows):
            features = None
            if self.context is not None:
                features = to_device(self.context.standardised(part[..., count:]), self.device)
            yield self._program.prepare(to_device(part[..., :count], self.device), features)

    @cached_property
    def _program(self) -> ScoringProgram:
        return scoring_program(self.model, self.scaler, self.noise, self.card.kl_weight)
