"""How much wider than a normal distribution is one that has its contours.

A multivariate t-distribution has the elliptical contours of a normal one, and pixels far from the
middle are more usual in it.  With scale matrix c C and nu degrees of freedom, the squared
Mahalanobis distance d of n of its values (by C) has d / (c n) ~ F(n, nu), and given these n values
the others have the covariance of the normal distribution times (Theiler, Scovel, Wohlberg & Foy
2010, "Elliptically contoured distributions for anomalous change detection in hyperspectral
imagery")::

    c (nu + d / c) / (nu + n)

nu and c are estimated by the logarithms of the distances, so that single pixels do not decide.
With psi the digamma function and psi' its derivative::

    mean of log d - psi(n / 2)  =  log(c nu) - psi(nu / 2)
    variance of the same        =  mean of psi'(n / 2) + psi'(nu / 2)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .blocks import Array

FEWEST = 100
"""Distances below which the tail is taken to be normal."""
DEGREES = np.geomspace(1000.0, 1.0, 1000)
"""Degrees of freedom that are tried; more than the first are normal."""


class Tail(NamedTuple):
    """The tail of a multivariate t-distribution."""

    wide: float
    """1 / nu; 0 is normal."""
    scale: float
    """c."""


NORMAL = Tail(0.0, 1.0)


def fit_tail(distances: Array, counts: NDArray[np.integer]) -> Tail:
    """Fit the tail to squared distances (n,) of so many values each, (n,)."""
    from scipy.special import digamma, polygamma

    used = (distances > 0) & (counts > 0)
    if used.sum() < FEWEST:
        return NORMAL
    logs = np.log(distances[used]) - digamma(counts[used] / 2)
    excess = logs.var() - polygamma(1, counts[used] / 2).mean()
    nu = float(np.interp(excess, polygamma(1, DEGREES / 2), DEGREES))
    if nu == DEGREES[0]:
        return NORMAL
    return Tail(1 / nu, float(np.exp(logs.mean() + digamma(nu / 2)) / nu))
