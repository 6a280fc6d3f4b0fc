"""Spectra that a detector draws from what it has learnt, and those between two examples.

A spectrum is drawn from the model (Kingma & Welling 2014)::

    z ~ p(z), or q(z | x) of one example      x ~ p(x | z, c)      without noise: its mean

given a context c: by default the mean context of the training examples.  The noise is that of the
residuals in training (`anomvae.stats.residuals`): shared by bands, and given the code.  A model
that does not hold them has the noise of its likelihood, independent in every band.  Between two
examples, code and context move along a straight line from one to the other.  Of an example with
several dates, the newest counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import ConfigError
from ..parallel import isolated
from ..pixels.views import newest
from .batches import Array
from .examples import ARITHMETIC, ExampleScorer

if TYPE_CHECKING:
    import torch


class Generator(ExampleScorer):
    """A detector that draws spectra."""

    @property
    def decodes_context(self) -> bool:
        """Whether the decoder is given a context."""
        return bool(self.family.context_width(self.sizes)) and self.program.decoder_context

    @isolated()
    def sample(
        self, count: int, seed: int, *, noise: bool = True, given: Array | None = None
    ) -> Array:
        """Draw spectra from the model: codes from the prior, noise like residuals in training.

        Parameters
        ----------
        count, seed : int
            How many; the same seed draws the same spectra.
        noise : bool, default True
            Without noise, means of p(x | z) are returned, of the same codes.
        given : array, shape (1, ..., value), optional
            An example, as for `encode`, whose context the spectra have; by default they have the
            mean context of the training examples.

        Returns
        -------
        array of float32, shape (count, band)
            Data units.

        Raises
        ------
        ConfigError
            When the family has no prior, as ``ae``, or no context that ``given`` could give.
        """
        if self.model.prior is None:
            raise ConfigError(
                f"model.family = {self.card.family!r} has no prior, so nothing can be drawn from "
                f"it. Train a family that has one, such as 'vae', or draw around an example."
            )
        if given is not None and not self.decodes_context:
            raise ConfigError(
                f"The decoder of model.family = {self.card.family!r} is given no context. Leave "
                f"the pixel of the context out, or train a family that has one, such as 'cvae'."
            )
        import torch

        generator = torch.Generator().manual_seed(seed)
        z = self.model.prior.draw(count, generator).detach().cpu().numpy()
        means = self._decoded(z, None if given is None else self._context(given))
        return means + self._noise(z, generator) if noise else means

    @isolated()
    def sample_like(self, example: Array, count: int, seed: int, *, noise: bool = True) -> Array:
        """Draw spectra around one example: codes from its posterior, given its context.

        Parameters
        ----------
        example : array, shape (1, ..., value)
            As for `encode`.
        count, seed, noise
            As for `sample`; where the posterior is a point, spectra differ by their noise alone.

        Returns
        -------
        array of float32, shape (count, band)
            Data units.
        """
        import torch

        generator = torch.Generator().manual_seed(seed)
        shape = (count, *self.encode(example).shape[1:-1], self.noise_width)
        numbers = torch.randn(shape, generator=generator).numpy()
        z = newest(self.codes(np.broadcast_to(example, (count, *example.shape[1:])), numbers).z)
        means = self._decoded(z, self._context(example))
        return means + self._noise(z, generator) if noise else means

    def between(self, first: Array, second: Array, steps: int) -> Array:
        """Return spectra from one example to another: code and context on a straight line.

        Parameters
        ----------
        first, second : array, shape (1, ..., value)
            As for `encode`.
        steps : int
            Spectra, both ends among them; at least 2.

        Returns
        -------
        array of float32, shape (steps, band)
            Means of p(x | z), data units; the first and the last are the reconstructions of the
            two examples.  Between the codes of a codebook lie points that are no codes.
        """
        share = np.linspace(0, 1, steps, dtype=np.float32)[:, np.newaxis]
        z, to_z = (newest(self.codes(example).z) for example in (first, second))
        context, to_context = self._context(first), self._context(second)
        if context is not None and to_context is not None:
            context = (1 - share) * context + share * to_context
        return self._decoded((1 - share) * z + share * to_z, context)

    def _context(self, example: Array) -> Array | None:
        """Return the context that the decoder of an example is given, (1, feature); None: none."""
        if not self.decodes_context:
            return None
        return newest(self._batchwise(lambda batch: (batch.context,), example)[0])

    def _decoded(self, z: Array, context: Array | None) -> Array:
        """Decode codes (n, latent) given contexts, or one; None: the mean context."""
        if context is None:
            return self.decode(z)
        contexts = np.broadcast_to(context, (len(z), context.shape[-1]))
        decode = self.program.decode
        means = self._in_rows(lambda z, context: (decode(z, context, ARITHMETIC),), z, contexts)[0]
        return self.scaler.unscale(means)

    def _noise(self, z: Array, generator: torch.Generator) -> Array:
        """Draw the noise of spectra of codes (n, latent), data units, (n, band)."""
        import torch

        if self.residuals is None:
            zero = torch.zeros((len(z), len(self.bands)), device=self.device)
            scaled = self.model.likelihood.draw(zero, generator).detach().cpu().numpy()
        else:
            seed = int(torch.randint(2**62, (1,), generator=generator))
            scaled = self.residuals.draw(z, np.random.default_rng(seed))
        return np.asarray(scaled * self.scaler.std, np.float32)
