"""Codes in two dimensions: principal components, or t-SNE."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError

METHODS = PCA, TSNE = ("pca", "tsne")
PERPLEXITY = 30.0
"""Effective number of neighbours, the default of scikit-learn."""


@dataclass(frozen=True, eq=False)
class Projection:
    """Points of a plane."""

    points: NDArray[np.float64]
    """Shape (n, 2)."""
    labels: tuple[str, str]
    """Of the axes."""
    scaled: bool
    """Whether distances along the axes have a meaning."""


def project(
    codes: NDArray[np.floating], method: str, seed: int = 0, fitted: NDArray[np.bool_] | None = None
) -> Projection:
    """Project codes (n, latent) to a plane.

    Parameters
    ----------
    codes : array of float, shape (n, latent)
        At least four, of at least two units.
    method : {"pca", "tsne"}
        Principal components of the codes, or t-SNE (van der Maaten & Hinton 2008).
    seed : int, default 0
        Of t-SNE; the same seed gives the same points on one machine.
    fitted : array of bool, shape (n,), optional
        Codes whose principal components these are; the others are projected.

    Raises
    ------
    ConfigError
        When the method is unknown, there are too few units, or t-SNE is given equal codes.

    Examples
    --------
    >>> codes = np.array([[0.0, 3.0], [0.0, -3.0], [1.0, 0.0], [-1.0, 0.0]])
    >>> project(codes, "pca").labels
    ('PC 1 (90 % of variance)', 'PC 2 (10 % of variance)')
    """
    if method not in METHODS:
        raise ConfigError(f"method = {method!r}: give {' or '.join(METHODS)}.")
    if codes.shape[-1] < 2:
        raise ConfigError(
            "This model has one latent unit, and a picture of the latent space needs two. Train a "
            "model with model.latent = 2 or more."
        )
    wide = codes.astype(np.float64)
    return _tsne(wide, seed) if method == TSNE else _pca(wide, fitted)


def _pca(codes: NDArray[np.float64], fitted: NDArray[np.bool_] | None) -> Projection:
    chosen = codes if fitted is None or fitted.sum() < 3 else codes[fitted]
    centre = chosen.mean(axis=0)
    _, deviations, axes = np.linalg.svd(chosen - centre, full_matrices=False)
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[np.arange(len(axes)), largest])[:, None]  # svd leaves signs open
    variances = deviations**2 / max(float((deviations**2).sum()), np.finfo(float).tiny)
    first, second = (f"PC {n + 1} ({100 * variances[n]:.0f} % of variance)" for n in (0, 1))
    return Projection((codes - centre) @ axes[:2].T, (first, second), scaled=True)


def _tsne(codes: NDArray[np.float64], seed: int) -> Projection:
    from sklearn.manifold import TSNE as Embedding
    from threadpoolctl import threadpool_limits

    if not np.ptp(codes.astype(np.float32), axis=0).any():  # scikit-learn crashes on NaN
        raise ConfigError(
            f"All {len(codes)} codes are equal, and t-SNE places codes by their differences. "
            f"Choose pca, or give scenes that vary."
        )
    perplexity = min(PERPLEXITY, (len(codes) - 1) / 3)
    with threadpool_limits(1):  # sums of several threads have other bits each time
        embedding = Embedding(perplexity=perplexity, init="pca", random_state=seed % 2**32)
        points = embedding.fit_transform(codes.astype(np.float32))
    return Projection(points.astype(np.float64), ("t-SNE 1", "t-SNE 2"), scaled=False)
