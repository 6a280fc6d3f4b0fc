"""Kinds of scores: what of a program's output is a score (`anomvae.stats.score_kind`).

With the code at its posterior mean, and w and nll as in `anomvae.program.program`::

    elbo            reconstruction = sum_b nll(w_b)     kl = kl_weight KL(q(z | x) || p(z))
    reconstruction  reconstruction = sum_b nll(w_b)     kl = 0
    kl              reconstruction = 0                  kl = kl_weight KL(q(z | x) || p(z))
    latent          reconstruction = 0                  kl = 1/2 |(z - m) C^-1/2|^2

m and C are the trimmed mean and covariance of the codes of training pixels, in all levels of a
hierarchy: latent is the negative log-likelihood, above its mode, of a normal distribution fitted to
them (Lee et al. 2018).  With draws z_k from q(z | x), residuals w_k at these, and log p and log q
times kl_weight, iwae is (Burda, Grosse & Salakhutdinov 2016)::

    log v_k        = -sum_b nll(w_kb) + log p(z_k) - log q(z_k | x)
    bound          = max(0, -log(1/K sum_k v_k))
    reconstruction = min(bound, sum_k s_k sum_b nll(w_kb)),  s_k = v_k / sum_k v_k
    kl             = bound - reconstruction

The s_k turn draws from q into draws from the true posterior p(z | x) (Cremer, Morris & Duvenaud
2017).  So with many draws the terms are the mean error of reconstruction over that posterior, and
its KL divergence from the prior; few draws can bring either below 0, where it is cut.  The standard
normal noise of the draws is part of the detector and the same for every pixel: a score repeats.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .arithmetic import Arithmetic, Values
from .layers import Array, Layer
from .sharing import shared

if TYPE_CHECKING:
    from .codes import Draw
    from .program import Prepared, Program

LARGEST_TERM = 1e29
"""Term at which it is clipped: squares of the farthest pixels overflow, and a local-contrast
weighting multiplies by up to 5e8."""


class KindTerms(NamedTuple):
    """Terms of the score of examples without the linear one, nats."""

    reconstruction: Values
    """The reconstruction term, (n, ...)."""
    kl: Values
    """The KL term, (n, ...)."""
    code: Values
    """Posterior means, (n, ..., latent)."""


class KindParts(NamedTuple):
    """What bands and latent units add to the terms of examples, nats."""

    reconstruction: Values
    """Of each band to the reconstruction term, (n, ..., band)."""
    kl: Values
    """Of each latent unit to the KL term, (n, ..., unit)."""
    residual: Values
    """Whitened residuals, (n, ..., band)."""
    decoded: Values
    """`Program.decoded_features` of the posterior means, (n, ..., feature)."""


class TermsAndBands(NamedTuple):
    """The terms of examples, and what bands add to them, nats."""

    terms: KindTerms
    """The terms."""
    reconstruction: Values
    """Of each band to the reconstruction term, (n, ..., band)."""
    residual: Values
    """Whitened residuals, (n, ..., band)."""


class Kind(ABC):
    """A kind of score, as a program computes it."""

    @abstractmethod
    def terms(self, program: Program, batch: Prepared, a: Arithmetic) -> KindTerms:
        """Return the terms of examples."""

    @abstractmethod
    def parts(self, program: Program, batch: Prepared, a: Arithmetic) -> KindParts:
        """Return what adds up to the terms of examples."""

    def terms_and_bands(self, program: Program, batch: Prepared, a: Arithmetic) -> TermsAndBands:
        """Return the terms of examples, the same bits as `terms`, and what bands add to them."""
        parts = self.parts(program, batch, a)
        return TermsAndBands(self.terms(program, batch, a), parts.reconstruction, parts.residual)


@dataclass(frozen=True)
class AtMean(Kind):
    """Terms at the posterior mean: both are ``elbo``, one alone is a kind of its name."""

    reconstruction: bool = True
    """Whether the error of reconstruction counts."""
    kl: bool = True
    """Whether the KL divergence counts."""

    def terms(self, program: Program, batch: Prepared, a: Arithmetic) -> KindTerms:
        """Return the terms of examples."""
        code = program.encode(batch, a)
        kl = program.kl_weight * self.kl * code.kl.sum(-1)
        if not self.reconstruction:
            return KindTerms(a.zeros(kl.shape), kl, code.z)
        return KindTerms(program.nll(program.whitened(batch, code, a), a).sum(-1), kl, code.z)

    def parts(self, program: Program, batch: Prepared, a: Arithmetic) -> KindParts:
        """Return what adds up to the terms of examples."""
        code = program.encode(batch, a)
        decoded = program.decoded_features(code.z, batch.context, a)
        residual = program.residual(batch, decoded, a)
        nll = self.reconstruction * program.nll(residual, a)
        return KindParts(nll, program.kl_weight * self.kl * code.kl, residual, decoded)

    def terms_and_bands(self, program: Program, batch: Prepared, a: Arithmetic) -> TermsAndBands:
        """Return both from one pass through the model."""
        code = program.encode(batch, a)
        residual = program.whitened(batch, code, a)
        nll = self.reconstruction * program.nll(residual, a)
        kl = program.kl_weight * self.kl * code.kl.sum(-1)
        return TermsAndBands(KindTerms(nll.sum(-1), kl, code.z), nll, residual)


@dataclass(frozen=True, eq=False)
class OfCode(Kind):
    """The Mahalanobis distance of the code, ``latent``."""

    whitening: Layer
    """Layer whose sum of squares of a code is its distance."""

    def terms(self, program: Program, batch: Prepared, a: Arithmetic) -> KindTerms:
        """Return the terms of examples."""
        draw = program.posterior_mean(batch, a)
        kl = self._squares(program, draw, a).sum(-1)
        return KindTerms(a.zeros(kl.shape), kl, draw.z)

    def parts(self, program: Program, batch: Prepared, a: Arithmetic) -> KindParts:
        """Return what adds up to the terms of examples; the one code of a codebook is one unit."""
        draw = program.posterior_mean(batch, a)
        decoded = program.decoded_features(draw.z, batch.context, a)
        squares, residual = self._squares(program, draw, a), program.residual(batch, decoded, a)
        if draw.codes.shape[-1] != squares.shape[-1]:
            squares = squares.sum(-1)[..., None]
        return KindParts(a.zeros(residual.shape), squares, residual, decoded)

    def _squares(self, program: Program, draw: Draw, a: Arithmetic) -> Values:
        whitened = a.dense(self.whitening, program.place(draw))
        return whitened * whitened


@dataclass(frozen=True, eq=False)
class OfDraws(Kind):
    """The importance weighted bound, ``iwae``."""

    noise: Array
    """Standard normal noise of the draws, (draw, noise)."""

    def terms(self, program: Program, batch: Prepared, a: Arithmetic) -> KindTerms:
        """Return the terms of examples."""
        nlls, log_ratios = self._of_draws(program, batch, a)
        return KindTerms(*_bound(nlls, log_ratios, a), program.posterior_mean(batch, a).z)

    def parts(self, program: Program, batch: Prepared, a: Arithmetic) -> KindParts:
        """Return what adds up to the terms of examples.

        Bands are averaged over the draws by their weights, and the KL term is shared among the
        latent units as that of the posterior q is.
        """
        nlls, log_ratios = self._of_draws(program, batch, a)
        reconstruction, kl = _bound(nlls, log_ratios, a)
        weights = _softmax(log_ratios - nlls, a)
        of_bands = residual = a.zeros(batch.x.shape)
        for weight, (whitened, _) in zip(weights, self._draws(program, batch, a), strict=True):
            residual = residual + weight[..., None] * whitened
            of_bands = of_bands + weight[..., None] * program.nll(whitened, a)
        code = program.encode(batch, a)
        of_bands, units = shared(reconstruction, of_bands, a), shared(kl, code.kl, a)
        decoded = program.decoded_features(code.z, batch.context, a)
        return KindParts(of_bands, units, residual, decoded)

    def _of_draws(self, program: Program, batch: Prepared, a: Arithmetic) -> tuple[Values, Values]:
        """Return sum_b nll(w_kb) and the weighted log p - log q of each draw, (draw, n, ...)."""
        nlls, log_ratios = [], []
        for whitened, log_ratio in self._draws(program, batch, a):
            nlls.append(a.names.clip(program.nll(whitened, a).sum(-1), None, LARGEST_TERM))
            ratio = program.kl_weight * log_ratio
            log_ratios.append(a.names.clip(ratio, -LARGEST_TERM, LARGEST_TERM))
        return a.names.stack(nlls), a.names.stack(log_ratios)

    def _draws(
        self, program: Program, batch: Prepared, a: Arithmetic
    ) -> Iterator[tuple[Values, Values]]:
        """Yield the whitened residuals and log p - log q of each draw."""
        h = program.encoded_features(batch, a)
        for noise in a.constant(self.noise):
            draw = program.code.draw(h, noise, a)
            yield program.whitened(batch, draw, a), draw.log_ratio


def _bound(nlls: Values, log_ratios: Values, a: Arithmetic) -> tuple[Values, Values]:
    """Return the reconstruction and the KL term of draws, (n, ...)."""
    log_weights = log_ratios - nlls
    largest = a.names.amax(log_weights, 0)
    log_sum = largest + a.names.log(a.names.exp(log_weights - largest).sum(0))
    bound = a.names.clip(math.log(len(nlls)) - log_sum, 0, None)
    reconstruction = a.names.minimum(bound, (_softmax(log_weights, a) * nlls).sum(0))
    return reconstruction, bound - reconstruction


def _softmax(log_weights: Values, a: Arithmetic) -> Values:
    """Return the weights of draws, which add up to 1 on the first axis."""
    weights = a.names.exp(log_weights - a.names.amax(log_weights, 0))
    return weights / weights.sum(0)
