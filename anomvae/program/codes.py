"""What lies between encoder and decoder of a scoring program: features h to codes and their KL.

The KL is in nats per latent unit; (m, s) are the halves of a layer's output, s clipped to [-7, 5]::

    Point      z = W h + b                          no KL
    Normal     z = m                                KL = max(0, (m^2 + exp(2 s) - 1) / 2 - s)

Two levels of codes and a codebook are in `anomvae.program.ladder` and `anomvae.program.codebook`.
A draw from the posterior takes standard normal noise; with noise 0 it is the posterior mean.
Features are the last axis.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from numpy.typing import NDArray

from .arithmetic import Arithmetic, Values
from .layers import Layer

Weights = Mapping[str, NDArray[Any]]
"""Tensors of a part of a model, by their names in it."""
Shapes = dict[str, tuple[int, ...]]

LEAST_LOG_SIGMA, LARGEST_LOG_SIGMA = -7.0, 5.0


class Encoded(NamedTuple):
    """The codes of examples at their posterior means."""

    z: Values
    """What the decoder takes, (..., latent)."""
    kl: Values
    """KL(q(z | x) || p(z)) of each latent unit, (..., unit), nats."""


class Draw(NamedTuple):
    """A draw from the posteriors of examples."""

    codes: Values
    """The codes of all levels, (..., code), as `Code.names` names them."""
    z: Values
    """What the decoder takes of them, (..., latent)."""
    log_ratio: Values
    """log p(codes) - log q(codes | x), (...), nats."""


class Code(ABC):
    """A bottleneck."""

    has_prior: ClassVar[bool] = True
    """Whether codes have a prior p(z)."""
    whole: ClassVar[bool] = False
    """Whether a code of `draw` is a whole number, from 0 to 254."""

    @classmethod
    @abstractmethod
    def shapes(cls, features: int, latent: int) -> Shapes:
        """Return the shapes of its tensors in a model file."""

    @classmethod
    @abstractmethod
    def of(cls, weights: Weights) -> Code:
        """Read it from its tensors."""

    @staticmethod
    def noise_width(latent: int) -> int:
        """Return how many numbers a draw takes; 0: the posterior is a point."""
        return latent

    @staticmethod
    def code_names(latent: int) -> tuple[str, ...]:
        """Return the name of each code of a draw."""
        return tuple(f"z{unit}" for unit in range(1, latent + 1))

    @property
    @abstractmethod
    def layers(self) -> tuple[Layer, ...]:
        """Its dense layers."""

    @abstractmethod
    def encode(self, h: Values, a: Arithmetic) -> Encoded:
        """Return codes and KL of features (..., feature)."""

    @abstractmethod
    def draw(self, h: Values, noise: Values, a: Arithmetic) -> Draw:
        """Draw codes by standard normal noise (..., `noise_width`)."""


@dataclass(frozen=True, eq=False)
class Point(Code):
    """A plain code without a prior."""

    has_prior: ClassVar[bool] = False
    to_z: Layer
    """Features to the code."""

    @classmethod
    def shapes(cls, features: int, latent: int) -> Shapes:
        """Return the shapes of its tensors."""
        return dense_shapes("to_z", features, latent)

    @classmethod
    def of(cls, weights: Weights) -> Point:
        """Read it from its tensors."""
        return cls(layer_of(weights, "to_z"))

    @staticmethod
    def noise_width(latent: int) -> int:
        """Return 0."""
        return 0

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Its dense layers."""
        return (self.to_z,)

    def encode(self, h: Values, a: Arithmetic) -> Encoded:
        """Return the code."""
        z = a.dense(self.to_z, h)
        return Encoded(z, z[..., :0])

    def draw(self, h: Values, noise: Values, a: Arithmetic) -> Draw:
        """Return the code, whatever the noise."""
        z = a.dense(self.to_z, h)
        return Draw(z, z, a.zeros(z.shape[:-1]))


@dataclass(frozen=True, eq=False)
class Normal(Code):
    """A normal posterior with a standard normal prior (Kingma & Welling 2014)."""

    to_q: Layer
    """Features to means and log standard deviations, (feature, 2 latent)."""

    @classmethod
    def shapes(cls, features: int, latent: int) -> Shapes:
        """Return the shapes of its tensors."""
        return dense_shapes("to_q", features, 2 * latent)

    @classmethod
    def of(cls, weights: Weights) -> Normal:
        """Read it from its tensors."""
        return cls(layer_of(weights, "to_q"))

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Its dense layers."""
        return (self.to_q,)

    def encode(self, h: Values, a: Arithmetic) -> Encoded:
        """Return means and KL."""
        q = normal_of(a.dense(self.to_q, h), a)
        return Encoded(q.mean, kl_of(q.mean, q.log_sigma, a))

    def draw(self, h: Values, noise: Values, a: Arithmetic) -> Draw:
        """Draw by the reparametrisation of a normal distribution."""
        q = normal_of(a.dense(self.to_q, h), a)
        z = q.at(noise, a)
        return Draw(z, z, (-0.5 * z * z - q.log_density(noise)).sum(-1))


class NormalParameters(NamedTuple):
    """Independent normal distributions, one per unit."""

    mean: Values
    log_sigma: Values

    def at(self, noise: Values, a: Arithmetic) -> Values:
        """Return the values at standard normal noise."""
        return self.mean + a.names.exp(self.log_sigma) * noise

    def log_density(self, noise: Values) -> Values:
        """Return the log density of each unit at noise, without the constant of all normals."""
        return -0.5 * noise * noise - self.log_sigma


def normal_of(output: Values, a: Arithmetic) -> NormalParameters:
    """Take means from the first half of the last axis, log sigmas from the second."""
    half = output.shape[-1] // 2
    log_sigma = a.names.clip(output[..., half:], LEAST_LOG_SIGMA, LARGEST_LOG_SIGMA)
    return NormalParameters(output[..., :half], log_sigma)


def kl_of(shift: Values, log_ratio: Values, a: Arithmetic) -> Values:
    """Return the KL of a normal distribution from the standard one, per unit, nats."""
    sigma = a.names.exp(log_ratio)
    # float32 rounds to -1e-7 at the prior
    return a.names.clip(0.5 * (shift * shift + sigma * sigma - 1) - log_ratio, 0, None)


def layer_of(weights: Weights, name: str, *, gelu: bool = False) -> Layer:
    """Return a layer whose tensors are ``name.weight`` (output, input) and ``name.bias``."""
    return Layer.of(weights[f"{name}.weight"].T, weights[f"{name}.bias"], gelu)


def dense_shapes(name: str, inputs: int, outputs: int) -> Shapes:
    """Return the shapes of the tensors of a dense layer in a model file."""
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}
