"""Kinds of scores: what of a model's output is a score (`anomvae.stats.score_kind`).

With the code at its posterior mean, and u and nll as in `anomvae.detector.detector`::

    elbo            reconstruction = sum_b nll(u_b)     kl = kl_weight KL(q(z | x) || p(z))
    reconstruction  reconstruction = sum_b nll(u_b)     kl = 0
    kl              reconstruction = 0                  kl = kl_weight KL(q(z | x) || p(z))
    latent          reconstruction = 0                  kl = 1/2 |(z - m) C^-1/2|^2

m and C are the trimmed mean and covariance of the codes of training pixels, in all levels of a
hierarchy: latent is the negative log-likelihood, above its mode, of a normal distribution fitted to
them (Lee et al. 2018).  With draws z_k from q(z | x), residuals u_k at these, and log p and log q
times kl_weight, iwae is (Burda, Grosse & Salakhutdinov 2016)::

    log w_k        = -sum_b nll(u_kb) + log p(z_k) - log q(z_k | x)
    bound          = max(0, -log(1/K sum_k w_k))
    reconstruction = min(bound, sum_k v_k sum_b nll(u_kb)),  v_k = w_k / sum_k w_k
    kl             = bound - reconstruction

The v_k turn draws from q into draws from the true posterior p(z | x) (Cremer, Morris & Duvenaud
2017).  So with many draws the terms are the mean error of reconstruction over that posterior, and
its KL divergence from the prior; few draws can bring either below 0, where it is cut.  The standard
normal noise of the draws is part of the detector and the same for every pixel: a score repeats.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..models import Draw, ModelInput
from ..models.isolation import isolated
from ..stats.background import Background
from ..stats.score_kind import ELBO, KL, RECONSTRUCTION
from .contributions import shared
from .fused import fuse, linear_layer

if TYPE_CHECKING:
    from .program import ScoringProgram

LARGEST_TERM = 1e29
"""Term at which it is clipped: squares of the farthest pixels overflow, and a local-contrast
weighting multiplies by up to 5e8."""


class KindTerms(NamedTuple):
    """Terms of the score of examples without the linear one, nats."""

    reconstruction: Tensor
    """The reconstruction term, (n, ...)."""
    kl: Tensor
    """The KL term, (n, ...)."""
    code: Tensor
    """Posterior means, (n, ..., latent)."""


class KindParts(NamedTuple):
    """What bands and latent units add to the terms of examples, nats."""

    reconstruction: Tensor
    """Of each band to the reconstruction term, (n, ..., band)."""
    kl: Tensor
    """Of each latent unit to the KL term, (n, ..., unit)."""
    residual: Tensor
    """Whitened residuals, (n, ..., band)."""


class TermsAndBands(NamedTuple):
    """The terms of examples, and what bands add to them, nats."""

    terms: KindTerms
    """The terms."""
    reconstruction: Tensor
    """Of each band to the reconstruction term, (n, ..., band)."""
    residual: Tensor
    """Whitened residuals, (n, ..., band)."""


class Kind(ABC):
    """A kind of score, as a scoring program computes it."""

    @abstractmethod
    def terms(self, program: ScoringProgram, batch: ModelInput) -> KindTerms:
        """Return the terms of examples."""

    @abstractmethod
    def parts(self, program: ScoringProgram, batch: ModelInput) -> KindParts:
        """Return what adds up to the terms of examples."""

    def terms_and_bands(self, program: ScoringProgram, batch: ModelInput) -> TermsAndBands:
        """Return the terms of examples, the same bits as `terms`, and what bands add to them."""
        parts = self.parts(program, batch)
        return TermsAndBands(self.terms(program, batch), parts.reconstruction, parts.residual)


@dataclass(frozen=True)
class AtMean(Kind):
    """Terms at the posterior mean: both are ``elbo``, one alone is a kind of its name."""

    reconstruction: bool = True
    """Whether the error of reconstruction counts."""
    kl: bool = True
    """Whether the KL divergence counts."""

    def terms(self, program: ScoringProgram, batch: ModelInput) -> KindTerms:
        """Return the terms of examples."""
        code = program.encode(batch)
        nll, kl = torch.zeros_like(code.kl), torch.zeros_like(code.kl)
        if self.reconstruction:
            nll = program.nll(program.whitened(batch, code)).sum(-1)
        if self.kl:
            kl = program.kl_weight * code.kl
        return KindTerms(nll, kl, code.z)

    def parts(self, program: ScoringProgram, batch: ModelInput) -> KindParts:
        """Return what adds up to the terms of examples."""
        _, nll, residual = self.terms_and_bands(program, batch)
        kl = program.kl_weight * self.kl * program.kl_units(batch)
        return KindParts(nll, kl, residual)

    def terms_and_bands(self, program: ScoringProgram, batch: ModelInput) -> TermsAndBands:
        """Return both from one pass through the model."""
        code = program.encode(batch)
        residual = program.whitened(batch, code)
        nll = program.nll(residual.clone()) if self.reconstruction else torch.zeros_like(residual)
        kl = program.kl_weight * code.kl if self.kl else torch.zeros_like(code.kl)
        return TermsAndBands(KindTerms(nll.sum(-1), kl, code.z), nll, residual)


@dataclass(frozen=True)
class OfCode(Kind):
    """The Mahalanobis distance of the code, ``latent``."""

    whitening: nn.Module
    """Layer whose sum of squares of a code is its distance."""

    def terms(self, program: ScoringProgram, batch: ModelInput) -> KindTerms:
        """Return the terms of examples."""
        draw = program.posterior_mean(batch)
        kl = self._squares(program, draw).sum(-1)
        return KindTerms(torch.zeros_like(kl), kl, draw.z)

    def parts(self, program: ScoringProgram, batch: ModelInput) -> KindParts:
        """Return what adds up to the terms of examples; the one code of a codebook is one unit."""
        draw = program.posterior_mean(batch)
        squares, residual = self._squares(program, draw), program.whitened(batch, draw)
        if draw.codes.shape[-1] != squares.shape[-1]:
            squares = squares.sum(-1, keepdim=True)
        return KindParts(torch.zeros_like(residual), squares, residual)

    def _squares(self, program: ScoringProgram, draw: Draw) -> Tensor:
        whitened: Tensor = self.whitening(program.place(draw))
        return whitened.square_()


@dataclass(frozen=True)
class OfDraws(Kind):
    """The importance weighted bound, ``iwae``."""

    noise: Tensor
    """Standard normal noise of the draws, (draw, noise)."""

    def terms(self, program: ScoringProgram, batch: ModelInput) -> KindTerms:
        """Return the terms of examples."""
        nlls, log_ratios = map(torch.stack, zip(*self._draws(program, batch), strict=True))
        return KindTerms(*_bound(nlls, log_ratios), program.posterior_mean(batch).z)

    def parts(self, program: ScoringProgram, batch: ModelInput) -> KindParts:
        """Return what adds up to the terms of examples.

        Bands are averaged over the draws by their weights, and the KL term is shared among the
        latent units as that of the posterior q is.
        """
        nlls, log_ratios = map(torch.stack, zip(*self._draws(program, batch), strict=True))
        reconstruction, kl = _bound(nlls, log_ratios)
        weights = (log_ratios - nlls).softmax(0)
        h = program.features(batch)
        of_bands, residual = torch.zeros_like(batch.x), torch.zeros_like(batch.x)
        for noise, weight in zip(self.noise, weights.unsqueeze(-1), strict=True):
            whitened = program.whitened(batch, program.model.bottleneck.draw_posterior(h, noise))
            residual += weight * whitened
            of_bands += weight * program.nll(whitened)
        units = program.kl_units(batch)
        return KindParts(shared(reconstruction, of_bands), shared(kl, units), residual)

    def _draws(self, program: ScoringProgram, batch: ModelInput) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield sum_b nll(u_kb) and the weighted log p - log q of each draw, (n, ...), nats."""
        h = program.features(batch)
        for noise in self.noise:
            draw = program.model.bottleneck.draw_posterior(h, noise)
            nll = program.nll(program.whitened(batch, draw)).sum(-1).clamp_max(LARGEST_TERM)
            ratio = program.kl_weight * draw.log_ratio
            yield nll, ratio.clamp(-LARGEST_TERM, LARGEST_TERM)


def _bound(nlls: Tensor, log_ratios: Tensor) -> tuple[Tensor, Tensor]:
    """Return the reconstruction and the KL term of draws, (n, ...)."""
    log_weights = log_ratios - nlls
    least = nlls.new_tensor(float(len(nlls))).log()
    bound = (least - log_weights.logsumexp(0)).clamp_(0)
    reconstruction = torch.minimum(bound, (log_weights.softmax(0) * nlls).sum(0))
    return reconstruction, bound - reconstruction


@isolated()
def kind_named(
    name: str,
    draws: NDArray[np.float32] | None,
    codes: Background | None,
    device: torch.device,
) -> Kind:
    """Return the kind of a name (`anomvae.stats.score_kind.KINDS`).

    ``draws`` is the noise of ``iwae``, and ``codes`` the distance of ``latent``; else None.
    """
    if draws is not None:
        return OfDraws(torch.from_numpy(draws).to(device))
    if codes is not None:
        whitening, centre = torch.from_numpy(codes.whitening), torch.from_numpy(codes.centre)
        return OfCode(fuse(linear_layer(whitening, -(centre @ whitening)).to(device)))
    return AtMean(reconstruction=name in {ELBO, RECONSTRUCTION}, kl=name in {ELBO, KL})
