"""The context of a pixel: statistics of its annulus, and its covariates.

The annulus is that of `anomvae.pixels.annulus`, the dual window of local RX: neither a pixel nor
the object around it is part of it.  Pixels outside the scene are pixels without data;
mirrored borders would make an object at the edge its own neighbour (docs/decisions/0004).

A context has a few features.  With principal components ``p = B'(x - c)`` of the training spectra,
scaled to variance 1::

    context = clip(((mean p, std p) - m) / s, -clip_sigma, clip_sigma)

mean and std are those over the annulus, m and s mean and standard deviation over the training
pixels.  A pixel of the annulus without data counts in mean p as the training mean, 0: a mean of few
pixels scatters more, and those beside a hole all lie on one side.  std p is that of the pixels with
data; where these are less than a quarter, its feature is 0, the training mean.  Averages of
components are components of averages, so a few box sums replace one for each band.  The features
of covariates follow, standardised likewise.

All sums are exact, of integers, so they do not depend on tiles, nor their time on the annulus.
Blocks have axes (time, row, col, band).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..pixels.annulus import STEP, Annulus, in_steps
from ..pixels.covariates import Covariates, features_of
from ..pixels.views import Block, Examples, Mask, View
from .moments import in_parts, stream_moments

SCALED = 2.0**9  # standard deviations at which a scaled band is clipped
STRIP = 16  # rows at once
ARRAYS = ("centre", "std", "basis", "scale", "mean", "deviation")
BAND_STEP, BASIS_STEP = 2.0**-12, 2.0**-20  # their product and its sums stay below 2^53: exact

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ContextPlan:
    """The settings of a context."""

    annulus: Annulus
    """The surroundings; not used where both numbers of components are 0."""
    mean_components: int
    """Principal components whose mean over the annulus is given."""
    std_components: int
    """Principal components whose standard deviation over the annulus is given."""
    clip_sigma: float
    """Training standard deviations at which a feature is clipped."""

    @property
    def radius(self) -> int:
        """Receptive radius, pixels."""
        return self.annulus.radius if self.mean_components or self.std_components else 0

    def components(self, bands: int) -> int:
        """Return the principal components of so many bands: few bands have fewer."""
        return min(max(self.mean_components, self.std_components), bands)

    def width(self, components: int, covariates: Covariates) -> int:
        """Return the features of so many components and of covariates."""
        around = min(self.mean_components, components) + min(self.std_components, components)
        return around + sum(one.width for one in covariates)


@dataclass(frozen=True)
class Context:
    """The context of pixels, fitted to training pixels."""

    plan: ContextPlan
    """Annulus and components."""
    centre: Floats
    """Mean of each band, data units, shape (band,)."""
    std: Floats
    """Standard deviation of each band, data units, shape (band,)."""
    basis: Floats
    """Principal components of scaled bands, shape (band, component); unit columns."""
    scale: Floats
    """Standard deviation of each component over the training pixels, shape (component,)."""
    mean: Floats
    """Mean of each feature over the training pixels, shape (feature,)."""
    deviation: Floats
    """Standard deviation of each feature over the training pixels, shape (feature,)."""
    covariates: Covariates = ()
    """Covariates, whose features follow those of the annulus."""

    @property
    def radius(self) -> int:
        """Receptive radius, pixels."""
        return self.plan.radius

    @property
    def bands(self) -> int:
        """Bands of a block; the values of covariates follow them."""
        return len(self.centre)

    @property
    def width(self) -> int:
        """Features per pixel."""
        return len(self.mean)

    @property
    def tensors(self) -> dict[str, Floats]:
        """Its arrays, by their names in a model file."""
        return {f"context.{name}": getattr(self, name) for name in ARRAYS}

    @classmethod
    def of(
        cls, plan: ContextPlan, tensors: Mapping[str, NDArray[Any]], covariates: Covariates = ()
    ) -> Context:
        """Build a context from its plan, the arrays of a model file, and its covariates."""
        arrays = {name: tensors[f"context.{name}"] for name in ARRAYS}
        return cls(plan, **arrays, covariates=covariates)

    def describe(self, block: Block) -> NDArray[np.float32]:
        """Return the features of each pixel, (time, row, col, feature); NaN without enough data.

        A pixel of the annulus counts if it has data in every band that the basis uses.
        """
        around = self._around(block[..., : self.bands])
        features = features_of(self.covariates, block[..., self.bands :])
        return np.concatenate([around, features], axis=-1) if self.covariates else around

    @property
    def _annulus_width(self) -> int:
        return self.width - sum(one.width for one in self.covariates)

    def _around(self, block: Block) -> NDArray[np.float32]:
        """Return the features of the annulus, (time, row, col, feature)."""
        valid = np.asarray(np.isfinite(block).all(axis=-1, where=self.basis.any(axis=1)))
        components = self._components(block)
        annulus = self.plan.annulus
        count = annulus.sums(valid.astype(np.int64))
        enough, some = annulus.enough(count), np.maximum(count, 1)
        features = np.empty((*valid.shape, self._annulus_width), np.float32)
        columns = iter(np.moveaxis(features, -1, 0))  # float64 of them all would take a gigabyte
        for number, component in enumerate(components):
            values = in_steps(component, valid)
            total = annulus.sums(values)
            if number < self.plan.mean_components:
                next(columns)[...] = total / annulus.pixels * STEP
            if number < self.plan.std_components:
                squares, column = annulus.sums(values * values), next(columns)
                for rows in _strips(valid.shape[1]):
                    variance = squares[:, rows] / some[:, rows]
                    variance -= np.square(total[:, rows] / some[:, rows])
                    std = np.sqrt(np.maximum(variance, 0)) * STEP
                    column[:, rows] = np.where(enough[:, rows], std, np.nan)
        return features

    def standardised(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scale features (..., feature) to training standard deviations, clipped; NaN gives 0."""
        limit = self.plan.clip_sigma
        scaled = np.clip((features - self.mean) / self.deviation, -limit, limit)
        scaled[np.isnan(scaled)] = 0
        return scaled.astype(np.float32)

    def fitted_to(self, features: NDArray[np.float32]) -> Context:
        """Fit mean and deviation to the features (n, feature) of training pixels, without NaN."""
        mean, deviation = self.mean.copy(), self.deviation.copy()
        widths = [self._annulus_width, *(one.width for one in self.covariates)]
        for end, width in zip(np.cumsum(widths), widths, strict=True):
            group = features[..., end - width : end]  # all NaN, or none
            finite = group[np.isfinite(group).all(axis=-1)].astype(np.float64)
            if len(finite):
                std = finite.std(axis=0)
                deviation[end - width : end] = np.where(std == 0, 1.0, std)
                mean[end - width : end] = finite.mean(axis=0)
        return replace(self, mean=mean, deviation=deviation)

    def keep(self, bands: Mask) -> Context:
        """Return a context for blocks of some of the bands, a mask (band,)."""
        kept = {name: getattr(self, name)[bands] for name in ("centre", "std", "basis")}
        return replace(self, **kept)

    def _components(self, block: Block) -> Floats:
        """Return the components of a block, (component, time, row, col), exact to the bit.

        Both factors are rounded to integers first: their products and sums fit a float64.
        """
        basis = np.rint(self.basis / BASIS_STEP)
        exact = np.empty((basis.shape[1], *block.shape[:-1]))
        for row in range(block.shape[1]):  # float64 of a whole block would take twice its memory
            scaled = np.clip((block[:, row] - self.centre) / self.std, -SCALED, SCALED)
            scaled[np.isnan(scaled)] = 0
            components = np.rint(scaled / BAND_STEP) @ basis
            components *= BAND_STEP * BASIS_STEP
            components /= self.scale
            exact[:, :, row] = np.moveaxis(components, -1, 0)
        return exact


def _strips(rows: int) -> Iterator[slice]:
    """Yield slices of a few rows, whose values stay in a cache."""
    yield from (slice(row, row + STRIP) for row in range(0, rows, STRIP))


def fit_context(
    plan: ContextPlan,
    spectra: NDArray[np.float32],
    used: NDArray[np.bool_],
    covariates: Covariates = (),
) -> Context:
    """Fit principal components to training spectra (n, used band), without NaN or constant bands.

    ``used`` (band,) are the bands of a block that the spectra have; the others do not count.  A
    scene of few bands has fewer components.  Mean and deviation of the features need neighbours:
    `Context.fitted_to` fits them later.
    """
    bands = spectra.shape[-1]
    moments = stream_moments(in_parts(spectra))
    std = np.sqrt(np.diag(moments.covariance))
    variances, directions = np.linalg.eigh(moments.covariance / np.outer(std, std))
    count = plan.components(bands)
    centre, scatter = np.zeros(len(used)), np.ones(len(used))
    centre[used], scatter[used] = moments.mean, std
    basis = np.zeros((len(used), count))
    basis[used] = directions[:, ::-1][:, :count]
    scale = np.sqrt(np.maximum(variances[::-1][:count], np.finfo(np.float32).eps))
    width = plan.width(count, covariates)
    unit = (np.zeros(width), np.ones(width))
    return Context(plan, centre, scatter, basis, scale, *unit, covariates)


@dataclass(frozen=True)
class ConditionedView:
    """A view whose examples end with the context of their pixel."""

    view: View
    """The view without context."""
    context: Context
    """The context that is appended."""

    @property
    def radius(self) -> int:
        """Receptive radius of view and context together, pixels."""
        return self.view.radius + self.context.radius

    @property
    def compares_dates(self) -> bool:
        """Whether a date is scored by the dates before it."""
        return self.view.compares_dates

    @property
    def most_dates(self) -> int | None:
        """Dates of an example at most, where the newest alone is scored; None: all are."""
        return self.view.most_dates

    def known(self, examples: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which examples can be scored, by their bands alone."""
        return self.view.known(examples[..., : -self.context.width])

    def where(self, block: Block) -> Mask:
        """Return which pixels of a block can be scored, by their bands alone."""
        return self.view.where(block[..., : self.context.bands])

    def split(self, block: Block, where: Mask) -> Examples:
        """Return the examples at ``where``, shape (n, ..., band + feature)."""
        parts = (block[..., : self.context.bands], self.context.describe(block))
        return np.concatenate([self.view.split(part, where)[:] for part in parts], axis=-1)

    def join(self, values: NDArray[np.float32], where: Mask) -> NDArray[np.float32]:
        """Return one value per score at its pixel, (time, row, col); NaN elsewhere."""
        return self.view.join(values, where)


def conditioned(view: View, context: Context | None) -> View:
    """Return a view whose examples carry the features of a context, if there is one."""
    return view if context is None else ConditionedView(view, context)
