"""Why the pixels of a block score as they do: layers beside the score and its terms.

leading_band          the band that contributes most (`anomvae.detector.contributions`), from 1
leading_residual      its whitened residual u, > 0 where the pixel is above its reconstruction; both
                      are NaN where no band adds anything
share_reconstruction  the share of each term in the score; they add up to 1,
share_kl              NaN where the score is 0
share_linear
local_contrast        the factor that multiplies every term; only where the score has one

All have axes (time, row, col), float32; NaN = no data.
"""

from __future__ import annotations

import numpy as np

from .batches import Array, Scores

LAYERS = (
    "leading_band",
    "leading_residual",
    "share_reconstruction",
    "share_kl",
    "share_linear",
)
FACTOR = "local_contrast"
"""The layer of a detector with a local-contrast weighting, after the others."""


def shares_of(scores: Scores) -> tuple[Array, ...]:
    """Return the share of each term in the score; NaN where it is 0."""
    total = np.asarray(np.where(scores.total > 0, scores.total, np.nan), np.float32)
    return tuple(term / total for term in scores[1:])
