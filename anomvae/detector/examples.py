"""What a detector does with examples: scores, codes, reconstructions, and draws.

Examples have axes (n, ..., value): bands in data units, then the features of a context.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import NamedTuple

import numpy as np
from torch import Tensor, nn

from ..errors import ConfigError
from ..models import ModelInput
from ..pixels.views import Examples
from ..stats.rx import PIXELS_PER_BAND
from .batches import Array, ScoreTerms, batch_rows, batchwise, require_bands, to_device
from .contributions import Contributions
from .kinds import kind_named
from .program import ScoringProgram, scoring_program, whitening_layer
from .state import DetectorState


class Codes(NamedTuple):
    """Codes of examples, at the posterior mean or drawn from the posterior."""

    levels: Array
    """The codes of all levels, (n, ..., code), as `ExampleScorer.code_names` names them."""
    z: Array
    """What `ExampleScorer.decode` takes of them, (n, ..., latent)."""


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

    def whiten(self, spectra: Array) -> Array:
        """Return spectra (n, band), data units, whitened by the background, (n, band).

        Their covariance is the identity, up to a factor, over the training spectra.

        Raises
        ------
        ConfigError
            When the detector has no background.
        """
        require_bands(spectra, self.bands)
        layer, device = self._whitening, self.device

        def apply(batch: Array) -> Iterable[Tensor]:
            return (layer(to_device(batch, device)),)

        rows = batch_rows(len(self.bands))
        return batchwise(apply, rows, spectra, threads=device.type == "cpu")[0]

    def contributions(self, x: Examples) -> Contributions[Array]:
        """Return what each band and latent unit adds to the scores of examples (n, ..., band).

        As `score_examples`, without local-contrast weighting.
        """
        return Contributions(*self._batchwise(self._program.contributions, x))

    def explain_examples(
        self, x: Examples, *, codes: bool = False
    ) -> tuple[ScoreTerms[Array], Array, Array]:
        """Score examples (n, ..., band), and return their leading bands and their residuals.

        These, (n, ...), are the band that contributes most, from 1, and its whitened residual; both
        are NaN where none adds anything.  Arguments are as for `score_examples`.
        """
        program, keep = self._program, 4 if codes else 3

        def explained(batch: ModelInput) -> Iterable[Tensor | None]:
            terms, band, residual = program.explained_terms(batch)
            return band, residual, *terms[:keep]

        band, residual, *terms = self._batchwise(explained, x)
        return ScoreTerms(*terms), band, residual

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

    def codes(self, x: Examples, noise: Array | None = None) -> Codes:
        """Return the codes of examples, as `encode` does, in all levels of a hierarchy.

        Parameters
        ----------
        x : array, shape (n, ..., band)
            As for `encode`.
        noise : array of float32, shape (n, ..., noise_width), optional
            Standard normal numbers: the codes are drawn from the posteriors.  By default the codes
            are the posterior means.

        Raises
        ------
        BandMismatch
            When the last axis has another length.
        """
        draw, columns = self._program.draw_posterior, () if noise is None else (noise,)
        width = self.noise_width

        def drawn(batch: ModelInput, noise: Tensor | None = None) -> Iterable[Tensor]:
            if noise is None:
                noise = batch.x.new_zeros((*batch.x.shape[:-1], width))
            return draw(batch, noise)[:2]

        return Codes(*self._batchwise(drawn, x, *columns))

    @property
    def code_names(self) -> tuple[str, ...]:
        """Name of each code of `codes`, the upper level of a hierarchy first."""
        return self.model.bottleneck.code_names

    @property
    def noise_width(self) -> int:
        """Standard normal numbers that a code takes; 0 where the posterior is a point."""
        return self.model.bottleneck.noise_width

    def places(self, x: Examples) -> Array:
        """Return the posterior means of examples in all levels, (n, ..., code).

        Of a codebook they are the vectors, not their numbers; arguments are as for `encode`.
        """
        codes = self.codes(x)
        return codes.levels if self.noise_width else codes.z

    def reconstruct(self, x: Examples) -> Array:
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

    def decode(self, z: Array, given: Examples | None = None) -> Array:
        """Decode codes to spectra.

        Parameters
        ----------
        z : array of float32, shape (n, ..., latent)
            As `encode` and `Codes.z` return them.
        given : array, shape (n, ..., value), optional
            Examples, as for `encode`, whose contexts the decoder of a conditioned model is given;
            by default the mean context of the training examples.

        Returns
        -------
        array of float32, shape (n, ..., band)
            Means of p(x | z), data units.

        Raises
        ------
        ConfigError
            When the codes have another length.

        Examples
        --------
        >>> import numpy as np
        >>> from anomvae import VAEDetector
        >>> X = np.random.default_rng(0).normal(size=(500, 6)).astype("float32")
        >>> detector = VAEDetector(latent=2, max_steps=20, random_state=0).fit(X).detector_
        >>> bool((detector.decode(detector.encode(X)) == detector.reconstruct(X)).all())
        True
        """
        z, latent, decode = np.asarray(z, np.float32), self.card.latent, self.model.decode
        if z.shape[-1:] != (latent,):
            raise ConfigError(
                f"The codes have shape {z.shape}, and this model has {latent} latent units. Give "
                f"an array whose last axis has {latent}."
            )
        if given is not None:
            means = self._batchwise(lambda batch, z: (decode(z, batch.context),), given, z)[0]
        else:
            means = batchwise(self._decode_alone, self._program.rows, z, threads=self._on_cpu)[0]
        return self.scaler.unscale(means)

    def _decode_alone(self, batch: Array) -> tuple[Tensor]:
        """Decode codes given the mean context of the training examples."""
        z = to_device(batch, self.device)
        features = None if self.context is None else z.new_zeros(len(z), self.context.width)
        return (self.model.decode(z, self.model.mean_context(len(z), features)),)

    def _batchwise(
        self, function: Callable[..., Iterable[Tensor | None]], x: Examples, *columns: Array
    ) -> list[Array]:
        """Apply a function of a batch, and of a batch of each further column, to all examples."""
        require_bands(x, self.bands, 0 if self.context is None else self.context.width)
        count, device, program = len(self.bands), self.device, self._program

        def apply(batch: Array, *others: Array) -> Iterable[Tensor | None]:
            features = None
            if self.context is not None:
                features = to_device(self.context.standardised(batch[..., count:]), device)
            prepared = program.prepare(to_device(batch[..., :count], device), features)
            return function(prepared, *(to_device(other, device) for other in others))

        return batchwise(apply, program.rows, x, *columns, threads=self._on_cpu)

    @property
    def _on_cpu(self) -> bool:
        return self.device.type == "cpu"

    @cached_property
    def _whitening(self) -> nn.Module:
        if self.background is None or not self.background.whitening.any():
            raise ConfigError(
                f"The model keeps no covariance of its training spectra: it was trained on fewer "
                f"than {PIXELS_PER_BAND} pixels per band, on more than 1,024 bands, on equal ones, "
                f"or by an earlier version. Train it again on more pixels (anomvae train)."
            )
        return whitening_layer(self.background, self.scaler, self.device)

    @cached_property
    def _program(self) -> ScoringProgram:
        card = self.card
        kind = kind_named(card.kind, self.draws, self.code_background, self.device)
        return scoring_program(
            self.model, self.scaler, self.noise, card.kl_weight, self.linear, kind
        )
