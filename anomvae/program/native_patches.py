"""Programs of patches, for the compiled kernel: the convolutions unrolled into dense layers.

A patch whose pixels all have data meets the same layers whatever it holds, as always the same
pixels are hidden (`anomvae.program.contexts.Convolution`).  Other patches are computed by numpy.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from .contexts import KERNEL, Convolution
from .layers import Array, Layer
from .native_engine import NativeEngine
from .native_steps import DENSE, DENSE_ADD, DENSE_ADD_GELU, DENSE_GELU, Planes, Steps
from .numpy_engine import NumpyEngine, power_of_two
from .program import Program, ProgramTerms

CONVOLUTION = DENSE, DENSE_ADD, DENSE_ADD_GELU
"""Operations of the rows of three pixels, from the top."""
VALUES = 2**19
"""Values of the patches of a call, 2 MiB."""
_HALF = np.float32(0.5)
"""The kernel's GELU takes the halves of values."""


class PatchSteps(Steps):
    """The steps of a program of patches that lack no data."""

    def _pixels(self, program: Program) -> int:
        return _network(program).guarded.size

    def _split(self, program: Program) -> tuple[Planes, ...]:
        network, bands = _network(program), program.bands
        side, pixels = len(network.guarded), network.guarded.size
        features = self._features(network, bands)
        for span in network.spans:
            features, side = self._convolved(span, features, side), side - KERNEL + 1
        mean = np.tile(network.to_context.weight / side**2, (side**2, 1))
        context = self._dense(Layer.of(mean, network.to_context.bias, gelu=True), features)
        self._drop(features)
        outside = Planes(pixels * bands, program.features)
        centre = Planes(pixels // 2 * bands, bands)
        return (centre, context, *([outside] if outside.size else []))

    def _features(self, network: Convolution, bands: int) -> Planes:
        """Append the features of each pixel, with GELU; return their planes, row by row."""
        width, layer = network.width, network.to_features
        out = self._take(network.guarded.size * width)
        given = self._packed(layer.weight * _HALF, layer.bias * _HALF)
        hidden = self._packed(layer.weight[:0], network.missing * _HALF)
        for number, guarded in enumerate(network.guarded.flat):
            pixel = Planes(number * bands, 0 if guarded else bands)
            arrays = hidden if guarded else given
            self._add(DENSE_GELU, pixel, Planes(out.first + number * width, width), *arrays)
        return out

    def _convolved(self, span: Layer, features: Planes, side: int) -> Planes:
        """Append a convolution of features, whose rows of three pixels are planes in a row."""
        width, kept = len(span.bias), side - KERNEL + 1
        out, row = self._take(kept**2 * width), KERNEL * width
        parts = [
            self._packed(span.weight[down * row : (down + 1) * row] * _HALF, span.bias * _HALF)
            for down in range(KERNEL)
        ]
        for number, (i, j) in enumerate(np.ndindex(kept, kept)):
            to = Planes(out.first + number * width, width)
            for down, arrays in enumerate(parts):
                taken = Planes(features.first + ((i + down) * side + j) * width, row)
                self._add(CONVOLUTION[down], taken, to, *arrays)
        self._drop(features)
        return out


class NativePatchEngine:
    """Evaluates a program of patches."""

    def __init__(self, program: Program, level: int | None = None) -> None:
        """Translate a program; ``level``: see `anomvae.native.instructions`."""
        patch = _network(program).guarded.size * program.bands
        self.rows = power_of_two(VALUES // patch)
        self._numpy = NumpyEngine(program)
        program = _in_data_units(program)
        self._native = NativeEngine(program, level, PatchSteps(program))

    def terms(self, x: Array, features: Array | None, *, code: bool) -> ProgramTerms:
        """Return the terms of examples, see `anomvae.program.engine.Engine`."""
        flat = x.reshape(len(x), prod(x.shape[1:]))
        terms = self._native.terms(flat, features, code=code)
        (lacking,) = np.nonzero(~np.isfinite(flat).all(axis=1))
        for start in range(0, len(lacking), self._numpy.rows):
            some = lacking[start : start + self._numpy.rows]
            given = None if features is None else features[some]
            found = self._numpy.terms(x[some], given, code=code)
            for term, values in zip(terms[: 4 if code else 3], found, strict=False):
                term[some] = values
        return terms


def _network(program: Program) -> Convolution:
    if not isinstance(program.context, Convolution):
        raise TypeError(f"{type(program.context).__name__} is no context of patches.")
    return program.context


def _in_data_units(program: Program) -> Program:
    """Return a program of the same terms that divides no distance by a standard deviation."""
    network, std = _network(program), program.std
    if std is None:
        return program

    def divided(layer: Layer) -> Layer:
        weight = layer.weight.astype(np.float64)
        weight[: len(std)] /= std[:, np.newaxis]
        return Layer.of(weight, layer.bias, layer.gelu)

    whitening, linear = program.whitening, program.linear
    first, *others = program.encoder
    return replace(
        program,
        std=None,
        context=replace(network, to_features=divided(network.to_features)),
        encoder=(divided(first), *others),
        whitening=divided(whitening) if isinstance(whitening, Layer) else whitening / std,
        linear=None if linear is None else divided(linear),
    )
