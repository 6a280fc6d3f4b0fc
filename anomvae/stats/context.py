"""What surrounds a pixel: statistics of a ring with a guard window.

A ring is a square of odd side ``outer`` without the square of odd side ``guard`` in its middle, so
that a pixel and the object it belongs to do not see themselves (the dual window of local RX).  It
holds what is there: pixels without data, and what would lie outside the scene, are no part of it.
Mirrored borders would show an object at the edge its own image for a neighbour
(docs/decisions/0004).

`Context` describes a ring in a few numbers.  With principal components ``p = B'(x - c)`` of the
training spectra, scaled to variance 1::

    context = clip(((mean_ring p, spread_ring p) - m) / s, -limit, limit)

where m and s are mean and spread over the training pixels; 0, the training mean, where data lack in
more than three quarters of the ring.  Averages of components are components of averages, so a few
running sums replace one for each band.  The numbers of covariates follow, standardised likewise.

Every sum is exact, of integers, so neither a tile's origin nor its size shows in it, and its cost
does not depend on the ring.  Blocks have axes (time, row, col, band).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..pixels.annulus import STEP, Annulus, in_steps
from ..pixels.covariates import Covariates, numbers_of
from ..pixels.views import Block, Examples, Mask, View
from .rx import stream_moments
from .scaler import in_parts

SCALED = 2.0**9  # the same of a scaled band
ARRAYS = ("centre", "std", "basis", "scale", "mean", "deviation")
BAND_STEP, BASIS_STEP = 2.0**-12, 2.0**-20  # their product and its sums stay below 2^53: exact

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ContextPlan:
    """How a context is made."""

    annulus: Annulus
    """Which surroundings; it is not used where neither means nor spreads are given."""
    mean_components: int
    """Principal components whose mean over the ring is given."""
    std_components: int
    """Principal components whose standard deviation over the ring is given."""
    clip_sigma: float
    """Training spreads beyond which a number is cut off: what was never seen says nothing more."""

    @property
    def radius(self) -> int:
        """How far it looks sideways, pixels."""
        return self.annulus.radius if self.mean_components or self.std_components else 0


@dataclass(frozen=True)
class Context:
    """Describes the surroundings of pixels, as fitted to training pixels."""

    plan: ContextPlan
    """Ring and numbers."""
    centre: Floats
    """Per band, data units, shape (band,)."""
    std: Floats
    """Per band, data units, shape (band,)."""
    basis: Floats
    """Principal components of scaled bands, shape (band, component); unit columns."""
    scale: Floats
    """Spread of each component over the training pixels, shape (component,)."""
    mean: Floats
    """Mean of each number over the training pixels, shape (number,)."""
    deviation: Floats
    """Spread of each number over the training pixels, shape (number,)."""
    covariates: Covariates = ()
    """What is told besides the ring."""

    @property
    def radius(self) -> int:
        """How far it looks sideways, pixels."""
        return self.plan.radius

    @property
    def bands(self) -> int:
        """Bands of a block; the values of covariates follow them."""
        return len(self.centre)

    @property
    def width(self) -> int:
        """Numbers per pixel."""
        return len(self.mean)

    @property
    def tensors(self) -> dict[str, Floats]:
        """Its arrays, by the names that a model file gives them."""
        return {f"context.{name}": getattr(self, name) for name in ARRAYS}

    @classmethod
    def of(
        cls, plan: ContextPlan, tensors: Mapping[str, NDArray[Any]], covariates: Covariates = ()
    ) -> Context:
        """Put one together from its plan, the arrays of a model file, and its covariates."""
        arrays = {name: tensors[f"context.{name}"] for name in ARRAYS}
        return cls(plan, **arrays, covariates=covariates)

    def describe(self, block: Block) -> NDArray[np.float32]:
        """Give the numbers of every pixel, (time, row, col, number), NaN where too few are known.

        Its ring's come first; a pixel of the ring counts with data in every band the basis uses.
        """
        around = self._around(block[..., : self.bands])
        told = numbers_of(self.covariates, block[..., self.bands :])
        return np.concatenate([around, told], axis=-1) if self.covariates else around

    @property
    def _annulus_width(self) -> int:
        return self.width - sum(one.width for one in self.covariates)

    def _around(self, block: Block) -> NDArray[np.float32]:
        known = np.asarray(np.isfinite(block).all(axis=-1, where=self.basis.any(axis=1)))
        components = np.moveaxis(self._components(block), -1, 0)
        annulus = self.plan.annulus
        count = annulus.sums(known.astype(np.int64))
        told = np.empty((*known.shape, self._annulus_width), np.float32)
        numbers = iter(np.moveaxis(told, -1, 0))  # float64 of them all would take a gigabyte
        for place, component in enumerate(components):
            values = in_steps(component, known)
            mean = annulus.mean(values, count)
            if place < self.plan.mean_components:
                next(numbers)[...] = mean * STEP
            if place < self.plan.std_components:
                squares = annulus.mean(values * values, count)
                next(numbers)[...] = np.sqrt(np.maximum(squares - mean * mean, 0)) * STEP
        told[~annulus.enough(count)] = np.nan
        return told

    def standardised(self, numbers: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring numbers (..., number) to training spreads, cut off; NaN becomes the mean, 0."""
        limit = self.plan.clip_sigma
        known = np.clip((numbers - self.mean) / self.deviation, -limit, limit)
        return np.nan_to_num(known, nan=0.0).astype(np.float32)

    def fitted_to(self, numbers: NDArray[np.float32]) -> Context:
        """Take mean and spread from the numbers (n, number) of training pixels, as far as known."""
        mean, deviation = self.mean.copy(), self.deviation.copy()
        widths = [self._annulus_width, *(one.width for one in self.covariates)]
        for end, width in zip(np.cumsum(widths), widths, strict=True):
            own = numbers[..., end - width : end]  # known together, or not at all
            known = own[np.isfinite(own).all(axis=-1)].astype(np.float64)
            if len(known):
                std = known.std(axis=0)
                deviation[end - width : end] = np.where(std == 0, 1.0, std)
                mean[end - width : end] = known.mean(axis=0)
        return replace(self, mean=mean, deviation=deviation)

    def keep(self, bands: Mask) -> Context:
        """Read blocks of some of the bands only, a mask of shape (band,)."""
        kept = {name: getattr(self, name)[bands] for name in ("centre", "std", "basis")}
        return replace(self, **kept)

    def _components(self, block: Block) -> Floats:
        """Give the components (time, row, col, component) of a block, exact in any order of sums.

        Both factors are rounded to integers first: their products and sums fit a float64.
        """
        basis = np.rint(self.basis / BASIS_STEP)
        exact = np.empty((*block.shape[:-1], basis.shape[1]))
        for row in range(block.shape[1]):  # float64 of a whole block would take twice its memory
            scaled = np.clip((block[:, row] - self.centre) / self.std, -SCALED, SCALED)
            exact[:, row] = np.rint(np.nan_to_num(scaled) / BAND_STEP) @ basis
        exact *= BAND_STEP * BASIS_STEP
        exact /= self.scale
        return exact


def fit_context(
    plan: ContextPlan,
    spectra: NDArray[np.float32],
    used: NDArray[np.bool_],
    covariates: Covariates = (),
) -> Context:
    """Fit principal components to training spectra.

    Parameters
    ----------
    plan : ContextPlan
        How a context is made; a scene of few bands has fewer components.
    spectra : array, shape (n, used band)
        Without NaN; no band is the same everywhere.
    used : array of bool, shape (band,)
        Which bands of a block these are; the others do not count.
    covariates : Covariates, optional
        What is told besides the ring, with the classes of training.

    Returns
    -------
    Context
        Mean and deviation of its numbers are fitted later, by `Context.fitted_to`, because they
        need neighbours.
    """
    bands = spectra.shape[-1]
    found = stream_moments(in_parts(spectra))
    std = np.sqrt(np.diag(found.covariance))
    variances, directions = np.linalg.eigh(found.covariance / np.outer(std, std))
    count = min(max(plan.mean_components, plan.std_components), bands)
    centre, scatter = np.zeros(len(used)), np.ones(len(used))
    centre[used], scatter[used] = found.mean, std
    basis = np.zeros((len(used), count))
    basis[used] = directions[:, ::-1][:, :count]
    scale = np.sqrt(np.maximum(variances[::-1][:count], np.finfo(np.float32).eps))
    widths = (
        min(plan.mean_components, count),
        min(plan.std_components, count),
        *(one.width for one in covariates),
    )
    unit = (np.zeros(sum(widths)), np.ones(sum(widths)))
    return Context(plan, centre, scatter, basis, scale, *unit, covariates)


@dataclass(frozen=True)
class Conditioned:
    """Another view, with the context of each pixel joined to the end of its example."""

    view: View
    """What an example is without context."""
    context: Context
    """What is joined to it."""

    @property
    def radius(self) -> int:
        """How far an example looks sideways, pixels."""
        return self.view.radius + self.context.radius

    @property
    def compares_dates(self) -> bool:
        """Whether the score of a date depends on the dates before it."""
        return self.view.compares_dates

    def known(self, examples: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Tell what of examples can be scored; a context is never missing."""
        return self.view.known(examples[..., : -self.context.width])

    def where(self, block: Block) -> Mask:
        """Tell which pixels of a block can be scored, by its bands alone."""
        return self.view.where(block[..., : self.context.bands])

    def split(self, block: Block, where: Mask) -> Examples:
        """Take the examples at ``where``, shape (n, ..., band + number)."""
        parts = (block[..., : self.context.bands], self.context.describe(block))
        return np.concatenate([self.view.split(part, where)[:] for part in parts], axis=-1)

    def join(self, values: NDArray[np.float32], where: Mask) -> NDArray[np.float32]:
        """Put one value per example back to its place."""
        return self.view.join(values, where)


def conditioned(view: View, context: Context | None) -> View:
    """Join a context to the examples of a view, if there is one."""
    return view if context is None else Conditioned(view, context)
