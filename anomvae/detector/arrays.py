"""The tensors of a model file: the name, type, shape and range that its card demands of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..stats import residuals
from ..stats.context import ARRAYS
from ..stats.domain import BAND_LEVELS
from ..stats.score_kind import IWAE, LATENT
from .card import Card

LARGEST = float(np.finfo(np.float32).max)  # scores are float32
Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Demand:
    """What a tensor must be."""

    shape: Shape
    """Its shape; None: any length."""
    positive: bool = False
    """Whether every value must be above 0."""
    dtype: str = "float64"
    """Type of its values."""


def demands_of(
    card: Card, weights: Mapping[str, Shape], noise_width: int, components: int
) -> dict[str, Demand]:
    """Return what the tensors of a file must be.

    ``weights`` are the shapes of the tensors of its model, ``noise_width`` the numbers that a draw
    from its posterior takes, and ``components`` the principal components of its context.  There may
    be any number of scores.
    """
    bands = len(card.bands)
    whitening = (bands, bands) if card.noise == "covariance" else (bands,)
    demands = {f"model.{name}": Demand(shape, dtype="float32") for name, shape in weights.items()}
    shapes = residuals.shapes(bands, card.latent) if card.residuals else {}
    demands |= {f"residuals.{name}": Demand(shape) for name, shape in shapes.items()}
    demands |= {
        "bands.quantiles": Demand((len(BAND_LEVELS), bands)),
        "noise.centre": Demand((bands,)),
        "noise.whitening": Demand(whitening),
        "scaler.centre": Demand((bands,)),
        "scaler.std": Demand((bands,), positive=True),
    }
    demands |= _demands_of_distances(card, noise_width)
    if card.drift:
        demands["drift.bands"] = Demand((2, bands))
        demands["drift.scores"] = Demand((2, 1))
    if card.kind == IWAE:
        demands["draws.noise"] = Demand((card.draws, noise_width), dtype="float32")
    if card.threshold is not None:
        demands["scores.values"] = Demand((None,))
        demands["scores.weights"] = Demand((None,), positive=True)
    if card.held_out is not None:
        demands["held_out.values"] = Demand((None,))
        demands["held_out.weights"] = Demand((None,), positive=True)
    if card.context is not None:
        width = card.context.width(components, card.covariates)
        sizes = ((bands,), (bands,), (bands, components), (components,), (width,), (width,))
        for name, shape in zip(ARRAYS, sizes, strict=True):
            positive = name in {"std", "scale", "deviation"}
            demands[f"context.{name}"] = Demand(shape, positive)
    return demands


def _demands_of_distances(card: Card, noise_width: int) -> dict[str, Demand]:
    """Return what each centre, and the whitening of distances to it, must be."""
    bands, codes = len(card.bands), noise_width or card.latent
    lengths = {
        "linear": bands if card.linear_weight else 0,
        "background": bands if card.background else 0,
        "codes": codes if card.kind == LATENT else 0,
    }
    demands = {}
    for name, length in lengths.items():
        if length:
            demands[f"{name}.centre"] = Demand((length,))
            demands[f"{name}.whitening"] = Demand((length, length))
    return demands


def require_tensors(tensors: Mapping[str, NDArray[Any]], demands: Mapping[str, Demand]) -> None:
    """Require that there are these tensors and no others, each finite and as it must be.

    Raises
    ------
    ValueError
        Names the first tensor that is missing, unknown, or not what it must be.
    """
    if tensors.keys() != demands.keys():
        raise ValueError(_difference(tensors, demands))
    for name, demand in demands.items():
        array = tensors[name]
        if array.dtype != np.dtype(demand.dtype) or not _fits(array.shape, demand.shape):
            expected = str(demand.shape).replace("None", "any")
            raise ValueError(
                f"{name} is {array.dtype} {array.shape}: expected {demand.dtype} {expected}"
            )
        if not (np.abs(array) <= LARGEST).all():  # NaN fails, too
            raise ValueError(f"{name} holds values that are not finite")
        if demand.positive and not (array > 0).all():
            raise ValueError(f"{name} holds values that are not above 0")


def _difference(found: Iterable[str], expected: Iterable[str]) -> str:
    missing, unknown = set(expected) - set(found), set(found) - set(expected)
    return f"{min(missing)} is missing" if missing else f"{min(unknown):.80} is unknown"


def _fits(found: tuple[int, ...], expected: Shape) -> bool:
    return len(found) == len(expected) and all(
        wanted in (length, None) for length, wanted in zip(found, expected, strict=True)
    )
