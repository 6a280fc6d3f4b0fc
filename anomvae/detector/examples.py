"""What a detector does with examples: scores, codes, reconstructions, and draws.

Examples have axes (n, ..., value): bands in data units, then the features of a context.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..errors import ConfigError
from ..pixels.views import Examples
from ..program import REFERENCE, Arithmetic, Engine, Prepared, engine_made, engine_name
from ..program.numpy_engine import padded, rows_of
from ..stats.rx import PIXELS_PER_BAND
from .batches import Array, ScoreTerms, batchwise, require_bands
from .contributions import Contributions
from .explanation import explained_parts, explained_terms
from .folding import SpectraWhitening
from .linear_shares import BandDirections
from .state import DetectorState

ARITHMETIC = Arithmetic()


class Codes(NamedTuple):
    """Codes of examples, at the posterior mean or drawn from the posterior."""

    levels: Array
    """The codes of all levels, (n, ..., code), as `ExampleScorer.code_names` names them."""
    z: Array
    """What `ExampleScorer.decode` takes of them, (n, ..., latent)."""


class ExampleScorer(DetectorState):
    """A detector that scores, encodes and reconstructs examples in batches of one shape."""

    def score_examples(self, x: Examples, *, codes: bool = False) -> ScoreTerms:
        """Score examples (n, ..., band), as for `encode`, one by one, nats.

        A local-contrast weighting is not applied, and noise of a scene (``score.noise = "scene"``)
        is the learnt noise; ``codes``: return the posterior means, too.
        """
        require_bands(x, self.bands, 0 if self.context is None else self.context.width)
        engine, keep = self._engine, 4 if codes else 3

        def terms(batch: Array) -> Iterable[Array]:
            return engine.terms(*self._parted(batch), code=codes)[:keep]

        return ScoreTerms(*batchwise(terms, engine.rows, x))

    def whitened_residuals(self, x: Examples) -> Array:
        """Return the residuals of examples at their codes, whitened, (n, ..., band)."""
        program, a = self.program, ARITHMETIC
        return self._batchwise(
            lambda batch: (program.whitened(batch, program.encode(batch, a), a),), x
        )[0]

    def whiten(self, spectra: Array) -> Array:
        """Return spectra (n, band), data units, whitened by the background, (n, band).

        Their covariance is the identity, up to a factor, over the training spectra.

        Raises
        ------
        ConfigError
            When the detector has no background.
        """
        require_bands(spectra, self.bands)
        whitening = self._whitening
        return self._in_rows(lambda batch: (whitening(batch, ARITHMETIC),), spectra)[0]

    def contributions(self, x: Examples) -> Contributions:
        """Return what each band and latent unit adds to the scores of examples (n, ..., band).

        As `score_examples`, without local-contrast weighting.
        """
        return self.explained(x)[0]

    def explained(self, x: Examples) -> tuple[Contributions, Array]:
        """Return the `contributions` to the scores of examples and their reconstructions.

        These, (n, ..., band), are as `reconstruct` returns them; both are of one evaluation.
        """
        program, directions = self.program, self._directions
        *parts, means = self._batchwise(
            lambda batch: explained_parts(program, directions, batch), x
        )
        return Contributions(*parts), self.scaler.unscale(means)

    def explain_examples(
        self, x: Examples, *, codes: bool = False
    ) -> tuple[ScoreTerms, Array, Array]:
        """Score examples (n, ..., band), and return their leading bands and their residuals.

        These, (n, ...), are the band that contributes most, from 1, and its whitened residual; both
        are NaN where none adds anything.  Arguments are as for `score_examples`.
        """
        program, directions, keep = self.program, self._directions, 4 if codes else 3

        def explained(batch: Prepared) -> Iterable[Array]:
            terms, band, residual = explained_terms(program, directions, batch)
            return [band, residual, *(part for part in terms[:keep] if part is not None)]

        band, residual, *terms = self._batchwise(explained, x)
        if self.engine_name != REFERENCE:  # the same bits as without an explanation
            return self.score_examples(x, codes=codes), band, residual
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
        return self._batchwise(lambda batch: (self.program.encode(batch, ARITHMETIC).z,), x)[0]

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
        columns = () if noise is None else (noise,)

        def drawn(batch: Prepared, noise: Array | None = None) -> Iterable[Array]:
            if noise is None:
                return self.program.posterior_mean(batch, ARITHMETIC)[:2]
            return self.program.draw(batch, noise, ARITHMETIC)[:2]

        return Codes(*self._batchwise(drawn, x, *columns))

    @property
    def code_names(self) -> tuple[str, ...]:
        """Name of each code of `codes`, the upper level of a hierarchy first."""
        return self.family.code.code_names(self.card.latent)

    @property
    def noise_width(self) -> int:
        """Standard normal numbers that a code takes; 0 where the posterior is a point."""
        return self.family.code.noise_width(self.card.latent)

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
        program, a = self.program, ARITHMETIC
        means = self._batchwise(
            lambda batch: (program.decode(program.encode(batch, a).z, batch.context, a),), x
        )[0]
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
        z, latent, program = np.asarray(z, np.float32), self.card.latent, self.program
        if z.shape[-1:] != (latent,):
            raise ConfigError(
                f"The codes have shape {z.shape}, and this model has {latent} latent units. Give "
                f"an array whose last axis has {latent}."
            )
        if given is not None:
            means = self._batchwise(
                lambda batch, z: (program.decode(z, batch.context, ARITHMETIC),), given, z
            )[0]
        else:
            means = self._in_rows(self._decode_alone, z)[0]
        return self.scaler.unscale(means)

    def _decode_alone(self, z: Array) -> tuple[Array]:
        """Decode codes given the mean context of the training examples."""
        context = self.mean_context
        if context is not None:
            context = np.broadcast_to(context, (len(z), len(context)))
        return (self.program.decode(z, context, ARITHMETIC),)

    @cached_property
    def mean_context(self) -> Array | None:
        """The context of a pixel without other dates or neighbours, (feature,); None: none."""
        features = np.zeros(self.program.features, np.float32)
        if self.program.context is not None:
            return np.concatenate([self.program.context.empty(), features])
        return features if len(features) else None

    def _batchwise(
        self, function: Callable[..., Iterable[Array]], x: Examples, *columns: Array
    ) -> list[Array]:
        """Apply a function of a prepared batch, and of a batch of each column, to examples."""
        require_bands(x, self.bands, 0 if self.context is None else self.context.width)

        def apply(batch: Array, *others: Array) -> Iterable[Array]:
            return function(self.program.prepare(*self._parted(batch), ARITHMETIC), *others)

        return self._in_rows(apply, x, *columns)

    def _in_rows(self, function: Callable[..., Iterable[Array]], *columns: Examples) -> list[Array]:
        """Apply a function to batches of one shape, as numpy's engine does."""
        rows = rows_of(self.program)

        def apply(*batch: Array) -> Iterable[Array]:
            with np.errstate(all="ignore"):
                results = function(*(padded(each, rows) for each in batch))
            return [result[: len(batch[0])] for result in results]

        return batchwise(apply, rows, *columns)

    def _parted(self, batch: Array) -> tuple[Array, Array | None]:
        """Return the bands of examples, and the standardised features of their context."""
        count = len(self.bands)
        if self.context is None:
            return batch, None
        return batch[..., :count], self.context.standardised(batch[..., count:])

    @cached_property
    def _whitening(self) -> SpectraWhitening:
        if self.background is None or not self.background.whitening.any():
            raise ConfigError(
                f"The model keeps no covariance of its training spectra: it was trained on fewer "
                f"than {PIXELS_PER_BAND} pixels per band, on more than 1,024 bands, on equal ones, "
                f"or by an earlier version. Train it again on more pixels (anomvae train)."
            )
        return SpectraWhitening.of(self.background, self.scaler)

    @cached_property
    def _directions(self) -> BandDirections | None:
        return None if self.linear is None else BandDirections.of(self.linear)

    @cached_property
    def engine_name(self) -> str:
        """Name of the engine that computes its scores."""
        return engine_name(self.engine, self.program, self.device)

    @cached_property
    def _engine(self) -> Engine:
        return engine_made(self.engine_name, self.program, self.device)
