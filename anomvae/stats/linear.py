"""The linear term of the score: the distance of a spectrum to the mean of the scene.

For a spectrum ``x`` in scaled units, with rest = reconstruction + KL term::

    d2     = (x - m)' S^-1 (x - m)                    m, S: trimmed mean and covariance
    linear = c d2,  c = beta median(rest) / median(d2)    medians over training examples

d2 is robust RX (Reed & Yu 1990, `anomvae.stats.rx`).  A linear autoencoder of this kind is
probabilistic PCA (Tipping & Bishop 1999; Lucas et al. 2019), whose negative log-likelihood is such
a distance: the term is what a detector without any non-linearity would return.  A code of half as
many features as there are bands reconstructs nearly every spectrum of a few bands, so that its
KL term, the distance within the code, hides what the code cannot express; d2 weighs all directions
alike.  beta is the weight of the term against the others, in whatever unit they are.

m and S are those of the background (`anomvae.stats.background`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .background import Background, fit_background


class LinearTerm(Background):
    """The background, its whitening with the factor sqrt(c): the term is the squared distance."""

    def score(self, scaled: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the term of spectra (n, band) in scaled units, shape (n,), nats."""
        return self.distance(scaled)


def fit_linear(scaled: NDArray[np.float32], rest: NDArray[np.float32], weight: float) -> LinearTerm:
    """Fit the term to training examples.

    Parameters
    ----------
    scaled : array, shape (n, band)
        Their spectra, scaled units.
    rest : array, shape (n,)
        Their scores without the term.
    weight : float
        beta.
    """
    background = fit_background(scaled)
    distance = float(np.median(background.distance(scaled)))
    factor = weight * float(np.median(rest)) / distance if distance else 0.0
    return LinearTerm(background.centre, np.sqrt(factor) * background.whitening)
