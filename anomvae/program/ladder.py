"""Two levels of codes in a scoring program."""

from __future__ import annotations

from dataclasses import dataclass

from .arithmetic import Arithmetic, Values
from .codes import (
    Code,
    Draw,
    Encoded,
    NormalParameters,
    Shapes,
    Weights,
    dense_shapes,
    kl_of,
    layer_of,
    normal_of,
)
from .layers import Layer


@dataclass(frozen=True, eq=False)
class Ladder(Code):
    """Two levels of normal codes; the lower prior is learnt (Sonderby et al. 2016).

    With normal distributions given by (mean, log sigma), and the normalised product of densities::

        q2 = to_q2(up(h))    z2 = mean of q2    p1 = to_p1(down(z2))    q1 = to_q1(h) p1
        z  = mean of q1      KL = KL(q2 || N(0, 1)), KL(q1 || p1)

        of the product: w = sigmoid(2 (s_p - s_q)), m = m_p + w (m_q - m_p), s = s_q + log(w) / 2
        KL(q1 || p1): as of `Normal` with m -> (m_q - m_p) / exp(s_p), s -> s_q - s_p
    """

    up: Layer
    """Features, with GELU."""
    to_q2: Layer
    """Posterior of the upper code."""
    down: Layer
    """Upper code to features, with GELU."""
    to_p1: Layer
    """Prior of the lower code."""
    to_q1: Layer
    """Estimate of the lower code from the features."""

    @classmethod
    def shapes(cls, features: int, latent: int) -> Shapes:
        """Return the shapes of its tensors."""
        upper = _upper(latent)
        return {
            **dense_shapes("up", features, features),
            **dense_shapes("to_q2", features, 2 * upper),
            **dense_shapes("down", upper, features),
            **dense_shapes("to_p1", features, 2 * latent),
            **dense_shapes("to_q1", features, 2 * latent),
        }

    @classmethod
    def of(cls, weights: Weights) -> Ladder:
        """Read it from its tensors."""
        return cls(
            layer_of(weights, "up", gelu=True),
            layer_of(weights, "to_q2"),
            layer_of(weights, "down", gelu=True),
            layer_of(weights, "to_p1"),
            layer_of(weights, "to_q1"),
        )

    @staticmethod
    def noise_width(latent: int) -> int:
        """Return the units of both levels."""
        return _upper(latent) + latent

    @staticmethod
    def code_names(latent: int) -> tuple[str, ...]:
        """Return the name of each code: the upper level first."""
        levels = ((2, _upper(latent)), (1, latent))
        return tuple(f"z{level}_{unit}" for level, size in levels for unit in range(1, size + 1))

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Its dense layers."""
        return (self.up, self.to_q2, self.down, self.to_p1, self.to_q1)

    def encode(self, h: Values, a: Arithmetic) -> Encoded:
        """Return the lower means, and the KL of the units of both levels."""
        q2 = self._upper_posterior(h, a)
        p1, q1 = self._lower(h, q2.mean, a)
        shift = (q1.mean - p1.mean) / a.names.exp(p1.log_sigma)
        lower = kl_of(shift, q1.log_sigma - p1.log_sigma, a)
        return Encoded(q1.mean, a.join(kl_of(q2.mean, q2.log_sigma, a), lower))

    def draw(self, h: Values, noise: Values, a: Arithmetic) -> Draw:
        """Draw the upper code, then the lower one."""
        upper = len(self.to_q2.bias) // 2
        above, below = noise[..., :upper], noise[..., upper:]
        q2 = self._upper_posterior(h, a)
        z2 = q2.at(above, a)
        p1, q1 = self._lower(h, z2, a)
        z1 = q1.at(below, a)
        top = -0.5 * z2 * z2 - q2.log_density(above)
        of_prior = (z1 - p1.mean) / a.names.exp(p1.log_sigma)
        bottom = p1.log_density(of_prior) - q1.log_density(below)
        return Draw(a.join(z2, z1), z1, top.sum(-1) + bottom.sum(-1))

    def _upper_posterior(self, h: Values, a: Arithmetic) -> NormalParameters:
        return normal_of(a.dense(self.to_q2, a.dense(self.up, h)), a)

    def _lower(
        self, h: Values, z2: Values, a: Arithmetic
    ) -> tuple[NormalParameters, NormalParameters]:
        """Return prior and posterior of the lower code."""
        p1 = normal_of(a.dense(self.to_p1, a.dense(self.down, z2)), a)
        estimate = normal_of(a.dense(self.to_q1, h), a)
        # The share of the estimate in the precision, by a logarithm that does not underflow.
        precision = 2 * (p1.log_sigma - estimate.log_sigma)
        log_weight = -a.names.logaddexp(a.zeros(precision.shape), -precision)
        mean = p1.mean + a.names.exp(log_weight) * (estimate.mean - p1.mean)
        return p1, NormalParameters(mean, estimate.log_sigma + 0.5 * log_weight)


def _upper(latent: int) -> int:
    return max(1, latent // 2)
