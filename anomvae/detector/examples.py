"""What a detector does with examples: scores, codes, reconstructions, and draws.

Examples have axes (n, ..., value): bands in data units, then the features of a context.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property

import torch
from torch import Tensor

from ..errors import ConfigError
from ..models import ModelInput
from ..models.isolation import isolated
from ..pixels.views import Examples
from .batches import Array, ScoreTerms, batchwise, require_bands, to_device
from .contributions import Contributions
from .program import ScoringProgram, scoring_program
from .state import DetectorState


class ExampleScorer(DetectorState):
    """A detector that scores, encodes and reconstructs examples in batches of one shape."""

    def score_examples(self, x: Examples, *, codes: bool = False) -> ScoreTerms[Array]:
        """Score examples (n, ..., band), as for `encode`, one by one, nats.

        A local-contrast weighting is not applied, and noise of a scene (``score.noise = "scene"``)
        is the learnt noise; ``codes``: return the posterior means, too.
        """
        program, keep = self._program, 4 if codes else 3
        return ScoreTerms(*self._batchwise(lambda batch: program.score_terms(batch)[:keep], x))

    def whitened_residuals(self, x: Examples) -> Array:
        """Return the residuals of examples at their codes, whitened, (n, ..., band)."""
        whitened, encode = self._program.whitened, self._program.encode
        return self._batchwise(lambda batch: (whitened(batch, encode(batch)),), x)[0]

    def contributions(self, x: Examples) -> Contributions[Array]:
        """Return what each band and latent unit adds to the scores of examples (n, ..., band).

        As `score_examples`, without local-contrast weighting.
        """
        return Contributions(*self._batchwise(self._program.contributions, x))

    def encode(self, x: Array) -> Array:
        """Encode examples.

        Parameters
        ----------
        x : array, shape (n, ..., band)
            Data units, without NaN; for a conditioned model the features of the context follow the
            bands.

        Returns
        -------
        array of float32, shape (n, ..., latent)
            Posterior means.

        Raises
        ------
        BandMismatch
            When the last axis has another length.

        Examples
        --------
        >>> import numpy as np
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
            As for `encode`.

        Returns
        -------
        array of float32, shape (n, ..., band)
            Means of p(x | z), data units, without features of a context.

        Raises
        ------
        BandMismatch
            When the last axis has another length.

        Examples
        --------
        >>> import numpy as np
        >>> from anomvae import VAEDetector
        >>> X = np.random.default_rng(0).normal(size=(500, 6)).astype("float32")
        >>> VAEDetector(max_steps=20, random_state=0).fit(X).detector_.reconstruct(X).shape
        (500, 6)
        """
        encode, decode = self._program.encode, self.model.decode
        means = self._batchwise(lambda batch: (decode(encode(batch).z, batch.context),), x)[0]
        return self.scaler.unscale(means)

    @isolated()
    @torch.inference_mode()
    def sample(self, count: int, seed: int) -> Array:
        """Draw examples from the model: codes from the prior, noise from the likelihood.

        Returns
        -------
        array of float32, shape (count, band)
            Data units; the same for the same seed.  A conditioned model is given the mean context
            of its training examples.

        Raises
        ------
        ConfigError
            When the family has no prior, as ``ae``.
        """
        if self.model.prior is None:
            raise ConfigError(
                f"model.family = {self.card.family!r} has no prior, so nothing can be drawn from "
                f"it. Train a family that has one, such as 'vae'."
            )
        generator = torch.Generator().manual_seed(seed)
        z = self.model.prior.draw(count, generator)
        features = None if self.context is None else z.new_zeros(count, self.context.width)
        mean = self.model.decode(z, self.model.mean_context(count, features))
        return self.scaler.unscale(self.model.likelihood.draw(mean, generator).cpu().numpy())

    def _batchwise(
        self, function: Callable[[ModelInput], Iterable[Tensor | None]], x: Examples
    ) -> list[Array]:
        """Apply a function of a batch to all examples."""
        require_bands(x, self.bands, 0 if self.context is None else self.context.width)
        count, device, program = len(self.bands), self.device, self._program

        def apply(batch: Array) -> Iterable[Tensor | None]:
            features = None
            if self.context is not None:
                features = to_device(self.context.standardised(batch[..., count:]), device)
            return function(program.prepare(to_device(batch[..., :count], device), features))

        return batchwise(apply, x, program.rows, threads=device.type == "cpu")

    @cached_property
    def _program(self) -> ScoringProgram:
        kl_weight = self.card.kl_weight
        return scoring_program(self.model, self.scaler, self.noise, kl_weight, self.linear)
