"""A detector folded into its scoring program; all that is linear is computed in float64.

For the scaler's centre m and standard deviation s, the encoder's first layer (W, b), the decoder's
last (V, v) on features h, and the noise (c, S)::

    d = clip(x - m)
    first layer   (d / s) W + b                  = d (W / s) + b
    whitened      (d / s - h V - v - c) S^-1/2   = d (S^-1/2 / s) - (h V + v + c) S^-1/2
    linear term   |(d / s - k) L|^2              = |d (L / s) - k L|^2

with the centre k and the whitening L of `anomvae.stats.linear`.  The brackets are computed once.
The centre is subtracted first, because a band far from zero would lose its digits in the sums; the
part of m that float32 cannot hold goes into b, v and k.  A context network takes examples before
the encoder does, so it is given d / s, and W stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..program import AtMean, Kind, Layer, OfCode, OfDraws, Program
from ..program.arithmetic import Arithmetic, Values
from ..program.codes import Weights
from ..program.likelihoods import DEGREES
from ..stats.background import Background
from ..stats.noise import Noise
from ..stats.scaler import FARTHEST, Scaler
from ..stats.score_kind import ELBO, KL, RECONSTRUCTION

if TYPE_CHECKING:
    from .state import DetectorState

Floats = NDArray[np.float64]
FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class Units:
    """In which units the layers of a program take a spectrum."""

    centre: Floats
    """Mean per band, data units, (band,)."""
    std: Floats
    """Standard deviation per band, data units, (band,)."""
    divided: bool
    """Whether distances are divided by ``std`` before any layer."""

    @property
    def unit(self) -> Floats:
        """The standard deviation in units of what a layer is given, (band,)."""
        return np.ones_like(self.std) if self.divided else self.std

    @property
    def shift(self) -> Floats:
        """By how much what a layer is given is too large, (band,)."""
        rounded = self.centre.astype(np.float32).astype(np.float64)
        return np.zeros_like(self.centre) if self.divided else self.centre - rounded

    @property
    def farthest(self) -> NDArray[np.float32]:
        """Largest distance to the centre, data units, (band,)."""
        return np.minimum(FARTHEST * self.std, FLOAT32_MAX).astype(np.float32)

    def whitening(self, background: Background) -> Layer:
        """Return the layer that whitens spectra."""
        root, unit = background.whitening, self.unit
        bias = -((background.centre + self.shift / unit) @ root)
        return Layer.of(root / unit[:, np.newaxis], bias)


@np.errstate(over="ignore")  # beyond float32: scores are not finite, which scoring reports
def program_of(state: DetectorState) -> Program:
    """Fold a detector."""
    card, sizes, family = state.card, state.sizes, state.family
    weights, passed = _inside(state.weights, "likelihood"), family.passed(sizes)
    context = None
    if family.context is not None:
        context = family.context.of(_inside(state.weights, "context_network"), sizes)
    units = Units(state.scaler.centre, state.scaler.std, divided=context is not None)
    mean = Layer.of(weights["to_mean.weight"].T, weights["to_mean.bias"])
    decoder = _stack(_inside(state.weights, "decoder.network" if passed else "decoder"))
    output, whitening = _whitened(mean, state.noise, units)
    return Program(
        centre=units.centre.astype(np.float32),
        farthest=units.farthest,
        std=units.std.astype(np.float32) if units.divided else None,
        context=context,
        encoder=_first(_stack(_inside(state.weights, "encoder")), units),
        code=family.code.of(_inside(state.weights, "bottleneck")),
        decoder=decoder,
        decoder_context=family.decodes_context(sizes),
        passed=passed,
        output=output,
        mean=mean,
        whitening=whitening,
        degrees=DEGREES.get(card.likelihood),
        kl_weight=card.kl_weight,
        linear=None if state.linear is None else units.whitening(state.linear),
        kind=_kind(card.kind, state.draws, state.code_background),
    )


@dataclass(frozen=True, eq=False)
class SpectraWhitening:
    """Spectra in data units to whitened ones."""

    units: Units
    """The scaling of bands."""
    layer: Layer
    """The whitening."""

    @classmethod
    def of(cls, background: Background, scaler: Scaler) -> SpectraWhitening:
        """Fold scaling into a whitening."""
        units = Units(scaler.centre, scaler.std, divided=False)
        return cls(units, units.whitening(background))

    def __call__(self, x: Values, a: Arithmetic) -> Values:
        """Whiten spectra (n, band)."""
        farthest = self.units.farthest
        centred = x - self.units.centre.astype(np.float32)
        return a.dense(self.layer, a.names.clip(centred, -farthest, farthest))


def _inside(weights: Weights, name: str) -> Weights:
    """Return the tensors of a part of a model, by their names in it."""
    start = f"{name}."
    return {key.removeprefix(start): v for key, v in weights.items() if key.startswith(start)}


def _stack(weights: Weights) -> tuple[Layer, ...]:
    """Return dense layers with GELU, which counts as a layer."""
    names = [f"layers.{2 * number}" for number in range(len(weights) // 2)]
    return tuple(Layer.of(weights[f"{n}.weight"].T, weights[f"{n}.bias"], True) for n in names)


def _first(encoder: tuple[Layer, ...], units: Units) -> tuple[Layer, ...]:
    """Make the first layer take bands in other units."""
    if units.divided:
        return encoder
    first, bands = encoder[0], len(units.std)
    weight = first.weight.astype(np.float64)
    weight[:bands] /= units.unit[:, np.newaxis]
    bias = first.bias - units.shift @ weight[:bands]
    return Layer.of(weight, bias, first.gelu), *encoder[1:]


def _whitened(mean: Layer, noise: Noise, units: Units) -> tuple[Layer, NDArray[np.float32] | Layer]:
    """Return the layer of minus the whitened mean, and the whitening of distances."""
    root, unit = noise.whitening, units.unit
    square = np.diag(root) if root.ndim == 1 else root
    bias = mean.bias + noise.centre + units.shift / unit
    output = Layer.of(-(mean.weight.astype(np.float64) @ square), -(bias @ square))
    if root.ndim == 1:
        return output, (root / unit).astype(np.float32)
    return output, Layer.of(square / unit[:, np.newaxis], None)


def _kind(name: str, draws: NDArray[np.float32] | None, codes: Background | None) -> Kind:
    """Return the kind of a name (`anomvae.stats.score_kind.KINDS`)."""
    if draws is not None:
        return OfDraws(draws)
    if codes is not None:
        return OfCode(Layer.of(codes.whitening, -(codes.centre @ codes.whitening)))
    return AtMean(reconstruction=name in {ELBO, RECONSTRUCTION}, kl=name in {ELBO, KL})
