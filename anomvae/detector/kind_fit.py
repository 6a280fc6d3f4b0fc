"""Fit what a kind of score needs beyond the model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..stats.background import fit_background
from ..stats.score_kind import IWAE, LATENT, ScoreKind
from .batches import Array
from .detector import Detector

EXAMPLES = 65_536
"""Examples whose codes a distance is fitted to, at most."""


def of_kind(detector: Detector, kind: ScoreKind, examples: Array, seed: int) -> Detector:
    """Return a detector with another kind of score, without linear term and threshold.

    ``examples`` (n, ..., band) are those of training, and the seed is that of training.
    """
    card = replace(
        detector.card,
        kind=kind.name,
        draws=kind.draws,
        linear_weight=0.0,
        threshold=None,
        held_out=None,
    )
    plain = replace(detector, card=card, linear=None, draws=None, code_background=None, scores=None)
    if kind.name == IWAE:
        shape = kind.draws, detector.noise_width
        noise = np.random.default_rng((seed, 5)).standard_normal(shape, np.float32)
        return replace(plain, draws=noise)
    if kind.name != LATENT:
        return plain
    subset = examples[:: -(-len(examples) // EXAMPLES)]
    places = plain.places(subset)[plain.view.known(subset)]
    return replace(plain, code_background=fit_background(places).times(0.5))
