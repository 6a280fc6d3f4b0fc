"""The detector: bands, scaling, model, noise and threshold in one; arrays in, scores out.

For an example ``x`` in scaled units, with the code at its posterior mean (``elbo``; the other
kinds of score are in `anomvae.program.kinds`)::

    reconstruction = sum_band nll(u),  u = (x - mean(x | z) - c) S^-1/2     nats, >= 0
    kl             = kl_weight * KL(q(z | x) || p(z))                      nats, >= 0
    linear         = see `anomvae.stats.linear`; 0 without                nats, >= 0
    score          = reconstruction + kl + linear                          higher = more anomalous

The noise model (c, S) is that of `anomvae.stats.noise`.  nll is the negative log-likelihood above
its mode (`anomvae.models.likelihoods`): 0 is a perfect reconstruction.  A score repeats.
A local-contrast weighting (`anomvae.stats.local_contrast`) multiplies every term, which are then
no longer nats.

Blocks have axes (time, row, col, value), examples (n, ..., value): bands, then covariates; both
float32 in data units.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from functools import cached_property

import numpy as np

from ..errors import ConfigError, NotFinite, listed
from ..files import PathText, write_atomically
from ..notebooks import html_table, short
from ..parallel.isolation import isolated
from ..pixels.stored_block import Numbers, StoredBlock
from ..pixels.views import Block, Examples, Mask, Spectra
from ..program import StoredEngine, engine_name
from ..stats.held_out import HeldOutRate
from ..stats.scores import NormalScores
from ..stats.thresholds import Rule, Threshold, parse_rule
from .batches import Array, Scores, ScoreTerms, require_bands, require_device, stored_terms
from .explanation_layers import shares_of
from .generation import Generator
from .modelfile import to_bytes
from .state import read_state, to_model_file

log = logging.getLogger(__name__)


class Detector(Generator):
    """A fitted detector: scores blocks, and is kept in one file."""

    def __repr__(self) -> str:
        """Return one line, whatever the number of bands."""
        return f"Detector({self.card.summary}, id {self.id})"

    def _repr_html_(self) -> str:
        """Return a small table for notebooks."""
        card, training = self.card, self.card.training
        rows: list[tuple[str, object]] = [
            ("family", card.family),
            ("bands", card.bands.summary),
            ("latent units", card.latent),
            ("score", self.meaning),
            ("threshold", "none" if card.threshold is None else _named(card.threshold)),
            ("trained on", listed([short(name) for name in training.scenes] or ["arrays"])),
            ("training pixels", f"{training.pixels:,}"),
        ]
        if training.elbo is not None:
            rows.append(("held-out ELBO, nats", training.elbo))
        return html_table(f"Detector {self.id}", rows)

    @cached_property
    def id(self) -> str:
        """Twelve hexadecimal digits, the digest of the model file."""
        return hashlib.sha256(self.to_bytes()).hexdigest()[:12]

    @isolated()
    def score(self, block: Block) -> Scores:
        """Score the pixels of a block.

        Parameters
        ----------
        block : array of float32, axes (time, row, col, value)
            The detector's bands in data units, then the values of its covariates; NaN = no data.
            For a family that compares dates, the first axis holds the dates, oldest first.

        Returns
        -------
        Scores
            Total, and the three terms, each (time, row, col), float32; NaN without data.
            Nats, unless the detector has a local-contrast weighting (`meaning`).  Within `radius`
            pixels of an edge of the block, a score lacks the neighbours beyond it.

        Raises
        ------
        BandMismatch
            When the last axis has another length than the detector has bands.
        CovariateMismatch
            When the detector has covariates, and the last axis does not hold their values.
        NotFinite
            When a pixel that has data gets no number: the model is at fault, not the scene.

        Examples
        --------
        >>> from anomvae import VAEDetector
        >>> X = np.random.default_rng(0).normal(size=(500, 6)).astype("float32")
        >>> detector = VAEDetector(max_steps=20, random_state=0).fit(X).detector_
        >>> scores = detector.score(X[:6].reshape(1, 2, 3, 6))
        >>> total = scores.reconstruction + scores.kl + scores.linear
        >>> scores.total.shape, bool((scores.total == total).all())
        ((1, 2, 3), True)
        """
        if self.takes_numbers:
            require_bands(block, self.bands)
            return self._of_pixels(block, self.score_examples(_spectra(block)))
        where, examples = self._split(block)
        return self._weighted(where, self.score_examples(examples, codes=self._weights))[0]

    @property
    def takes_numbers(self) -> bool:
        """Whether `score_stored` needs no values: pixels are alone, and its engine has them."""
        alone = type(self.view) is Spectra and self.context is None and not self._weights
        return alone and isinstance(self._engine, StoredEngine)

    @isolated()
    def score_stored(self, block: StoredBlock) -> Scores:
        """Score the pixels of a block of numbers, axes as for `score`, as a file stores them.

        Scores and errors are those of `score` for the values of the block, to the bit.
        """
        engine = self._engine
        if not (self.takes_numbers and isinstance(engine, StoredEngine)):
            return self.score(np.asarray(block))
        require_bands(block.numbers, self.bands)
        return self._of_pixels(block, stored_terms(engine, _spectra(block.numbers), block.stored))

    def _of_pixels(self, block: Block | StoredBlock, terms: ScoreTerms) -> Scores:
        """Return the scores of terms of all pixels of a block, which are NaN without data."""
        scores = Scores.of(*(term.reshape(block.shape[:-1]) for term in terms[:3]))
        lost = ~np.isfinite(scores.total)
        if lost.any():
            for term in scores:
                term[lost] = np.nan
            known = np.isfinite(np.asarray(block[lost])).all(axis=-1)
            _require_finite(scores.total[lost], known)
        return scores

    @isolated()
    def score_explained(self, block: Block) -> tuple[Array, ...]:
        """Score the pixels of a block as `score` does, and return why they score so.

        After the score and its terms come the layers of `explanation_layers`
        (`anomvae.detector.explanation_layers`), each (time, row, col).  Raises what `score` does.
        """
        where, examples = self._split(block)
        terms, *bands = self.explain_examples(examples, codes=self._weights)
        scores, factor = self._weighted(where, terms)
        leading = (self.view.join(plane, where) for plane in bands)
        return (*scores, *leading, *shares_of(scores), *(() if factor is None else (factor,)))

    def _split(self, block: Block) -> tuple[Mask, Examples]:
        """Return which pixels of a block can be scored, and their examples."""
        require_bands(block, self.bands, covariates=self.covariates)
        where = self.view.where(block)
        return where, self.view.split(block, where)

    @property
    def _weights(self) -> bool:
        return self.card.weighting is not None

    def _weighted(self, where: Mask, terms: ScoreTerms) -> tuple[Scores, Array | None]:
        """Return the scores of terms at their pixels, and the factor in them; None: none."""
        weighting, factor = self.card.weighting, None
        scores = Scores.of(*(self.view.join(term, where) for term in terms[:3]))
        if weighting is not None and terms.code is not None:
            planes = [self.view.join(plane, where) for plane in np.moveaxis(terms.code, -1, 0)]
            factor = weighting.factor(scores.total, np.stack(planes, axis=-1))
            scores = Scores.of(*(term * factor for term in scores[1:]))
        _require_finite(scores.total, where)
        return scores, factor

    def with_threshold(self, rule: Rule, scores: NormalScores | None = None) -> Detector:
        """Return a detector that differs in its threshold, and in its rate on held-out pixels.

        ``scores`` are those of normal pixels, by default those already kept.  They do not hold the
        blocks of the pixels, so the rate has no interval.

        Raises
        ------
        ConfigError
            When there are no scores: neither given nor kept.
        NotEnoughPixels
            When there are too few scores for the rule.
        """
        scores = self.scores if scores is None else scores
        if scores is None:
            raise ConfigError("The detector has no scores yet: give those of normal pixels.")
        threshold, held_out = rule.threshold(scores), scores.held_out
        rate = None if held_out is None else HeldOutRate.pooled(held_out, threshold.value)
        card = replace(self.card, threshold=threshold, held_out=rate)
        return replace(self, card=card, scores=scores)

    def to(self, device: str) -> Detector:
        """Return the detector on another device, ``cpu`` or ``cuda``."""
        require_device(device)
        return replace(self, device=device)

    def by(self, engine: str) -> Detector:
        """Return the detector with its scores computed by an engine (`anomvae.program.ENGINES`).

        Raises
        ------
        ConfigError
            When the engine is unknown, or does not run this detector on its device.
        """
        engine_name(engine, self.program, self.device)
        return replace(self, engine=engine)

    def to_bytes(self) -> bytes:
        """Return the content of the model file; equal detectors give equal bytes."""
        return to_bytes(to_model_file(self))

    def save(self, path: PathText) -> None:
        """Write the detector to one safetensors file, whole or not at all; replace an old one.

        Raises
        ------
        RasterError
            When the folder cannot be written, or has no space left.
        LockHeld
            When another run is writing the same file.
        """
        write_atomically(path, self.to_bytes())

    @classmethod
    def load(
        cls,
        path: PathText,
        *,
        threshold: str | None = None,
        device: str | None = None,
        engine: str | None = None,
    ) -> Detector:
        """Read a detector from its file.

        Parameters
        ----------
        path : path
            A file that `save` or ``anomvae train`` wrote.
        threshold : str, optional
            A rule for another threshold, from the scores of normal pixels that the file holds.
        device : {"cpu", "cuda"}, optional
            By default the CPU.
        engine : {"auto", "native", "numpy", "torch"}, optional
            What computes scores (`anomvae.program.ENGINES`); by default the fastest there is.

        Raises
        ------
        ModelFileError
            When the file is missing, damaged, foreign, a pickle, or of a newer format.
        ConfigError
            When the rule is unknown, the device is missing, the engine does not run there, or the
            file holds no scores.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> from anomvae import VAEDetector
        >>> X = np.random.default_rng(0).normal(size=(500, 6)).astype("float32")
        >>> detector = VAEDetector(max_steps=20, random_state=0).fit(X).detector_
        >>> with TemporaryDirectory() as folder:
        ...     detector.save(f"{folder}/model.safetensors")
        ...     loaded = Detector.load(f"{folder}/model.safetensors", threshold="sigma:4")
        >>> loaded.threshold.rule, bool((loaded.encode(X) == detector.encode(X)).all())
        ('sigma:4', True)
        """
        detector = cls(**vars(read_state(path)))
        if threshold is not None:
            rule = parse_rule(threshold)
            detector = detector.with_threshold(rule)
            _log_part(rule, detector.scores)
        if device is not None:
            detector = detector.to(device)
        return detector if engine is None else detector.by(engine)


def _named(threshold: Threshold) -> str:
    return f"{threshold.value:.4g} ({threshold.rule})"


def _log_part(rule: Rule, scores: NormalScores | None) -> None:
    """Log that a rule of held-out scores has those of a part of the pixels only."""
    if rule.kind.held_out and scores is not None and not scores.all_held_out:
        part = 0 if scores.held_out is None else scores.held_out.count
        text = "%s is chosen from %d of %d normal pixels; `anomvae train --threshold %s` from all"
        log.info(text, rule, part, scores.all.count, rule)


def _spectra(block: Numbers) -> Numbers:
    """Return the pixels of a block one after the other, (n, band)."""
    return block.reshape(-1, block.shape[-1])


def _require_finite(total: Array, where: Mask) -> None:
    """Refuse a score that is not finite where there are data: a map would show no data there."""
    failed = np.count_nonzero(where) - np.count_nonzero(np.isfinite(total) & where)
    if failed:
        raise NotFinite(
            f"{failed} pixels that have data get no finite score from this detector: its weights "
            f"are not finite, or far too large. Train it again."
        )
