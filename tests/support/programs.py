"""Scoring programs drawn at random, and their terms in float64."""

from itertools import pairwise

import numpy as np
from hypothesis import strategies as st
from scipy.special import ndtr

from anomvae.program import AtMean, Codebook, Ladder, Layer, Normal, Point, Program, ProgramTerms
from anomvae.program.arithmetic import Arithmetic
from anomvae.program.contexts import KERNEL, WIDTH, Convolution

CODES = ("normal", "point", "ladder", "codebook")


class Exact(Arithmetic):
    """Computes in float64, with the exact GELU."""

    def constant(self, array):
        return array.astype(np.float64) if array.dtype == np.float32 else array

    def dense(self, layer, x):
        y = x @ self.constant(layer.weight) + self.constant(layer.bias)
        return self.gelu(y) if layer.gelu else y

    def gelu(self, x):
        return x * ndtr(x)

    def normal_share(self, x):
        return ndtr(x)

    def numbers(self, truths):
        return truths.astype(np.float64)

    def zeros(self, shape):
        return np.zeros(shape)


def exact_terms(program, x, features=None):
    """Return the terms of examples, float64."""
    given = None if features is None else features.astype(np.float64)
    with np.errstate(over="ignore"):
        batch = program.prepare(x.astype(np.float64), given, Exact())
        return ProgramTerms(*program.terms(batch, Exact()))


class Drawing:
    """Draws the parts of a program."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def layer(self, inputs, outputs, gelu=False, scale=1.0):
        weight = scale * self.rng.normal(size=(inputs, outputs)) / np.sqrt(inputs)
        return Layer.of(weight, self.rng.normal(size=outputs) * 0.3, gelu)

    def layers(self, *widths):
        return tuple(self.layer(*pair, gelu=True) for pair in pairwise(widths))

    def posterior(self, features, latent):
        """Draw means and log sigmas as small as trained ones: the KL has exp(2 log sigma)."""
        return self.layer(features, 2 * latent, scale=0.3)

    def code(self, name, features, latent):
        if name == "normal":
            return Normal(self.posterior(features, latent))
        if name == "point":
            return Point(self.layer(features, latent))
        if name == "ladder":
            upper = max(1, latent // 2)
            up, down = self.layers(features, features), self.layers(upper, features)
            units = upper, latent, latent
            to_q2, to_p1, to_q1 = (self.posterior(features, each) for each in units)
            return Ladder(*up, to_q2, *down, to_p1, to_q1)
        vectors = self.rng.normal(size=(64, latent)).astype(np.float32)
        handicap = np.where(self.rng.uniform(size=64) < 0.5, np.inf, 0).astype(np.float32)
        surprise = self.rng.uniform(0, 7, 64).astype(np.float32)
        return Codebook(self.layer(features, latent), vectors, handicap, surprise)

    def program(self, bands, hidden=(16, 8), latent=3, features=0, code="normal", **choices):
        """Draw a dense program; ``choices`` replace its fields."""
        shifts = self.rng.normal(size=bands).astype(np.float32)
        output = self.layer(hidden[0], bands)
        in_decoder = choices.get("decoder_context", True)
        fields = {
            "centre": shifts * 1000,
            "farthest": np.full(bands, 100, np.float32),
            "std": None,
            "context": None,
            "encoder": self.layers(bands + features, *hidden),
            "code": self.code(code, hidden[-1], latent),
            "decoder": self.layers(latent + features * in_decoder, *hidden[::-1]),
            "decoder_context": in_decoder,
            "passed": 0,
            "output": output,
            "mean": output,
            "whitening": self.rng.uniform(0.5, 2, bands).astype(np.float32),
            "degrees": 4.0,
            "kl_weight": 1.0,
            "linear": self.layer(bands, bands),
            "kind": AtMean(),
        }
        return Program(**fields | choices)

    def of_patches(self, bands, side, guard, features=0, **choices):
        """Draw a program of patches, whose context network has features of its own."""
        distance = np.abs(np.arange(side) - side // 2)
        spans = max(0, min(2, side // 2 - guard // 2))
        network = Convolution(
            self.layer(bands, WIDTH),
            self.rng.normal(size=WIDTH).astype(np.float32),
            tuple(self.layer(KERNEL**2 * WIDTH, WIDTH, gelu=True) for _ in range(spans)),
            self.layer(WIDTH, WIDTH, gelu=True),
            np.maximum(distance[:, np.newaxis], distance) <= (guard - 1) // 2,
        )
        std = self.rng.uniform(0.5, 2, bands).astype(np.float32)
        return self.program(bands, features=WIDTH + features, context=network, std=std, **choices)


@st.composite
def dense_programs(draw):
    """Draw a dense program of any code, noise and likelihood."""
    bands, latent, features = (draw(st.integers(*ends)) for ends in ((1, 40), (1, 9), (0, 5)))
    hidden = draw(st.lists(st.integers(1, 70), min_size=1, max_size=2))
    drawing, choices = Drawing(draw(st.integers(0, 2**16))), {}
    if draw(st.booleans()):
        choices["whitening"] = drawing.layer(bands, bands)
    if draw(st.booleans()):
        choices["linear"] = None
    kinds = AtMean(), AtMean(kl=False), AtMean(reconstruction=False)
    return drawing.program(
        bands,
        hidden,
        latent,
        features,
        draw(st.sampled_from(CODES)),
        decoder_context=draw(st.booleans()),
        degrees=draw(st.sampled_from([4.0, None])),
        kl_weight=draw(st.sampled_from([1.0, 0.3])),
        kind=draw(st.sampled_from(kinds)),
        **choices,
    )


def examples_of(program, count, seed=0):
    """Draw spectra and features; half of them three times as far from the centre."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, program.bands)) * rng.choice([1, 3], (count, 1))
    features = rng.normal(size=(count, program.features)).astype(np.float32)
    return (x + program.centre).astype(np.float32), features if program.features else None
