"""Target detection: how much the spectrum of a pixel is like that of a target.

With the background's mean m and covariance S, both learnt in training, spectra are whitened::

    y = (x - m) S^-1/2      a pixel x, shape (band,)
    s = (t - m) S^-1/2      the target t

    matched filter  MF(x)  = s'y / s's
    ACE             ACE(x) = (s'y)^2 / (s's y'y) = cos^2(s, y)  where s'y > 0;  0 elsewhere

The matched filter is 0 at the mean and 1 at the target, so it estimates the share of the pixel that
the target fills; it is linear, and large values of other materials pass it (Manolakis, Marden &
Shaw 2003; Manolakis et al. 2014).  The adaptive coherence (or cosine) estimator measures the angle
alone, so that a faint target scores as a bright one, and its false alarms do not depend on the
scale of the noise (Kraut & Scharf 1999; Kraut, Scharf & McWhorter 2001).  A spectrum on the other
side of the mean has the same squared cosine, but is what the target is not: it scores 0, and a
score is never negative.

Neither changes with the units of the bands, a factor on S, or, but for the scale of the matched
filter, the distance of the target to the mean.  Of b bands of normally distributed background, ACE
is 0 in half of the pixels, and follows Beta(1/2, (b - 1)/2) in the others: its mean is 1 / (2 b).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LAYERS = ("ace", "matched_filter")
"""What `Target.score` returns, in order."""
FEWEST_BANDS = 8
"""Bands below which five standard deviations above the mean lie beyond the largest ACE, 1."""
TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, eq=False)
class Target:
    """A target among whitened spectra."""

    whitened: NDArray[np.float64]
    """s, shape (band,)."""

    @property
    def energy(self) -> float:
        """s's: the squared distance of the target to the mean of the background; above 0."""
        return float(self.whitened @ self.whitened)

    def score(self, whitened: NDArray[np.floating]) -> tuple[NDArray[np.float32], ...]:
        """Return the layers of whitened spectra (n, band), each (n,), float32."""
        y = whitened.astype(np.float64)
        along = np.einsum("ij,j->i", y, self.whitened)
        lengths = np.einsum("ij,ij->i", y, y)
        cosines = np.maximum(along, 0) / np.sqrt(np.maximum(lengths * self.energy, TINY))
        ace = np.minimum(np.square(cosines), 1.0)
        return ace.astype(np.float32), (along / self.energy).astype(np.float32)


def default_rule(bands: int) -> str:
    """Return the rule of the threshold of ACE for so many bands (benchmarks/like.py)."""
    return "sigma:5" if bands >= FEWEST_BANDS else "sigma:3"
