"""The scoring program: a fitted detector as a few arrays, and the operations on them.

Everything linear is folded into the layers in float64, and rounded to float32 once
(`anomvae.detector.folding`).  For an example x (..., band) in data units, float32, with features f
(..., feature) of what the model is conditioned on, or none::

    d       = clip(x - centre, -farthest, farthest)     / std, where std is given
    d, c    = context(d), then f appended to c          c = f without a context network
    h       = encoder(d, c)                             each layer: h <- GELU(h W + b)
    z, kl   = code(h)                                   anomvae.program.codes
    g       = decoder(z, c)                             without c, unless decoder_context
    w       = output(g, first `passed` of c) + whitening(d)           whitened residual, (..., band)
    nll_b   = (v + 1) / 2 log(1 + w_b^2 / v)            v = degrees; without: w_b^2 / 2
    linear  = sum_j (d L + k)_j^2                       (L, k) = linear; 0 without

where f(a, b) takes a and b joined on the last axis, and ``whitening`` multiplies by a factor per
band, or is a layer.  `Program.kind` makes the terms of the score of these
(`anomvae.program.kinds`); of the default kind, ``elbo``, they are::

    reconstruction = min(sum_b nll_b, 1e29)    kl = min(kl_weight sum kl, 1e29)    linear <= 1e29

in nats.  Where data are missing a term means nothing: the caller knows where that is.

An engine (`anomvae.program.engine`) returns the same within 2e-6 of a float64 evaluation of these
arrays, relative, whatever it does in between.  A program is *dense* if it has no context network
and a kind at posterior means; x then holds spectra, (n, band), and f their features, (n, feature).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .arithmetic import Arithmetic, Values
from .codes import Code, Draw, Encoded
from .contexts import ContextNetwork, Convolution
from .kinds import LARGEST_TERM, AtMean, Kind
from .layers import Array, Layer, widest


class Prepared(NamedTuple):
    """Examples as encoder and decoder take them."""

    x: Values
    """Distances d of the pixels to reconstruct, (..., band)."""
    context: Values | None
    """What the model is conditioned on, (..., feature); None without."""


class ProgramTerms(NamedTuple):
    """Terms of the score of examples."""

    reconstruction: Values
    """The reconstruction term, (n, ...), nats."""
    kl: Values
    """The KL term, with its weight, (n, ...), nats."""
    linear: Values
    """The linear term, with its weight, (n, ...), nats."""
    code: Values
    """Posterior means, (n, ..., latent)."""


@dataclass(frozen=True, eq=False)
class Program:
    """A scoring program; all arrays are float32, in C order."""

    centre: Array
    """Mean of each band, data units, (band,)."""
    farthest: Array
    """Largest distance from it, data units, (band,)."""
    std: Array | None
    """Divisor of the distances where there is a context network, (band,); else None."""
    context: ContextNetwork | None
    """Splits an example of several pixels or dates; None where an example is a spectrum."""
    encoder: tuple[Layer, ...]
    """Layers with GELU; inputs are bands, then context."""
    code: Code
    """Encoder's features to codes and their KL."""
    decoder: tuple[Layer, ...]
    """Layers with GELU; inputs are the code, then the context if ``decoder_context``."""
    decoder_context: bool
    """Whether the decoder is given the context."""
    passed: int
    """Leading features of the context that ``output`` takes after those of the decoder."""
    output: Layer
    """Layer that returns minus the whitened mean and centre of the noise, (..., band)."""
    mean: Layer
    """Layer of the same inputs that returns the mean of p(x | z), scaled units, (..., band)."""
    whitening: Array | Layer
    """Whitening of d: a factor per band, (band,), or a layer without activation."""
    degrees: float | None
    """Degrees of freedom of Student's t; None: normal."""
    kl_weight: float
    """Weight of the KL term."""
    linear: Layer | None
    """Layer whose sum of squares is the linear term; None without one."""
    kind: Kind
    """What of these makes the terms of the score."""

    @property
    def bands(self) -> int:
        """Bands of a spectrum."""
        return len(self.centre)

    @property
    def features(self) -> int:
        """Features f of a spectrum that come from outside of the example."""
        inputs = len(self.encoder[0].weight) - self.bands
        return inputs - (0 if self.context is None else self.context.width)

    @property
    def latent(self) -> int:
        """Latent features that the decoder takes."""
        inputs = len((*self.decoder, self.output)[0].weight)
        network = 0 if self.context is None else self.context.width
        return inputs - (network + self.features if self.decoder_context else 0)

    @property
    def dense(self) -> bool:
        """Whether an example is a spectrum, and the terms are those of the default kind."""
        return self.context is None and isinstance(self.kind, AtMean)

    @property
    def of_patches(self) -> bool:
        """Whether an example is a patch, and the terms are those of the default kind."""
        return isinstance(self.context, Convolution) and isinstance(self.kind, AtMean)

    @property
    def widest(self) -> int:
        """Values of an example in the largest layer."""
        layers = (*self.encoder, *self.code.layers, *self.decoder, self.output)
        inside = 1 if self.context is None else self.context.values
        return max(widest(layers), self.bands, inside)

    def prepare(self, x: Values, features: Values | None, a: Arithmetic) -> Prepared:
        """Centre examples (n, ..., band) in data units; join the features of their context."""
        farthest = a.constant(self.farthest)
        d = a.names.clip(x - a.constant(self.centre), -farthest, farthest)
        if self.std is not None:
            d = d / a.constant(self.std)
        if self.context is None:
            return Prepared(d, features)
        pixels, context = self.context.split(d, a)
        return Prepared(pixels, context if features is None else a.join(context, features))

    def encoded_features(self, batch: Prepared, a: Arithmetic) -> Values:
        """Return what the code takes of examples, h, (..., feature)."""
        h = batch.x if batch.context is None else a.join(batch.x, batch.context)
        for layer in self.encoder:
            h = a.dense(layer, h)
        return h

    def encode(self, batch: Prepared, a: Arithmetic) -> Encoded:
        """Return the codes of examples at their posterior means, and the KL of each unit."""
        return self.code.encode(self.encoded_features(batch, a), a)

    def draw(self, batch: Prepared, noise: Values, a: Arithmetic) -> Draw:
        """Draw codes of examples by standard normal noise (..., noise); 0: posterior means."""
        return self.code.draw(self.encoded_features(batch, a), noise, a)

    def posterior_mean(self, batch: Prepared, a: Arithmetic) -> Draw:
        """Return the posterior means of examples, in all levels."""
        return self.draw(batch, a.zeros((self.code.noise_width(self.latent),)), a)

    def place(self, draw: Draw) -> Values:
        """Return where draws lie in latent space, all levels: of a codebook, the vector."""
        return draw.codes if self.code.noise_width(self.latent) else draw.z

    def decode(self, z: Values, context: Values | None, a: Arithmetic) -> Values:
        """Return the means of p(x | z) for codes (..., latent), (..., band), scaled units."""
        return a.dense(self.mean, self.decoded_features(z, context, a))

    def decoded_features(self, z: Values, context: Values | None, a: Arithmetic) -> Values:
        """Return what `output` and `mean` take, for codes (..., latent), (..., feature)."""
        g = z
        if context is not None and self.decoder_context:
            g = a.join(z, context)
        for layer in self.decoder:
            g = a.dense(layer, g)
        if context is not None and self.passed:
            g = a.join(g, context[..., : self.passed])
        return g

    def whitened(self, batch: Prepared, code: Encoded | Draw, a: Arithmetic) -> Values:
        """Return the whitened residuals of examples at their codes, (..., band)."""
        return self.residual(batch, self.decoded_features(code.z, batch.context, a), a)

    def residual(self, batch: Prepared, decoded: Values, a: Arithmetic) -> Values:
        """Return the whitened residuals of examples at their `decoded_features`, (..., band)."""
        residual = a.dense(self.output, decoded)
        if isinstance(self.whitening, Layer):
            residual += a.dense(self.whitening, batch.x)
        else:
            residual += batch.x * a.constant(self.whitening)
        return residual

    def nll(self, whitened: Values, a: Arithmetic) -> Values:
        """Return the errors of whitened residuals (..., band), nats."""
        squares = whitened * whitened
        if self.degrees is None:
            squares *= 0.5
            return squares
        squares *= 1 / self.degrees
        tail = a.names.log1p(squares, out=squares)
        tail *= (self.degrees + 1) / 2
        return tail

    def linear_whitened(self, batch: Prepared, a: Arithmetic) -> Values | None:
        """Return what squares add up to the linear term of, (..., band); None without one."""
        return None if self.linear is None else a.dense(self.linear, batch.x)

    def terms(self, batch: Prepared, a: Arithmetic) -> ProgramTerms:
        """Return the terms of examples, and their codes."""
        nll, kl, code = self.kind.terms(self, batch, a)
        whitened = self.linear_whitened(batch, a)
        linear = a.zeros(kl.shape) if whitened is None else (whitened * whitened).sum(-1)
        return ProgramTerms(clipped(nll, a), clipped(kl, a), clipped(linear, a), code)


def clipped(term: Values, a: Arithmetic) -> Values:
    """Return a term up to `LARGEST_TERM`."""
    return a.names.clip(term, None, LARGEST_TERM)
