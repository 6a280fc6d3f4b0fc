"""Sums over the pixels of objects, and the explanations that they give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..detector import Detector
from ..objects import ObjectExplanations
from ..pixels.views import newest

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]


class Batch(NamedTuple):
    """Pixels of objects, to be explained at a time."""

    owners: Numbers
    """The object of each, from 0, (n,)."""
    examples: NDArray[np.float32]
    """What the detector takes, (n, ..., value)."""
    spectra: NDArray[np.float32]
    """Their bands, data units, (n, band)."""
    scores: NDArray[np.float32] | None
    """Their scores in the map, (n,); None where these are the sums of contributions."""

    @classmethod
    def joined(cls, batches: Sequence[Batch]) -> Batch:
        """Join some batches."""
        owners, examples, spectra, scores = zip(*batches, strict=True)
        return cls(
            np.concatenate(owners),
            np.concatenate(examples),
            np.concatenate(spectra),
            None if scores[0] is None else np.concatenate(scores),
        )


class ObjectSums:
    """Sums over the pixels of each object; axes (object, band)."""

    def __init__(self, detector: Detector, count: int) -> None:
        self._detector = detector
        shape = count, len(detector.bands)
        self._pixels, self._around = np.zeros(count), np.zeros(count)
        self._factors, self._terms = np.zeros(count), np.zeros((count, 3))
        self._bands, self._residuals = np.zeros(shape), np.zeros(shape)
        self._spectra, self._means, self._annuli = (np.zeros(shape) for _ in range(3))

    def add_annuli(self, owners: Numbers, spectra: NDArray[np.float32]) -> None:
        """Add pixels of annuli: their objects, and their bands, NaN = no data."""
        valid = np.isfinite(spectra).all(axis=-1)
        adder = _Adder(owners[valid])
        adder.count(self._around)
        adder.add(self._annuli, spectra[valid])

    def add(self, batch: Batch) -> None:
        """Add pixels of objects."""
        parts, means = self._detector.explained(batch.examples)
        terms = [newest(part).sum(-1, dtype=np.float64) for part in parts[:3]]
        alone = np.stack(terms, axis=-1)
        factor, sum_ = np.ones((len(alone), 1)), alone.sum(axis=-1, keepdims=True)
        if batch.scores is not None:
            np.divide(batch.scores[:, np.newaxis], sum_, out=factor, where=sum_ > 0)
        adder = _Adder(batch.owners)
        adder.count(self._pixels)
        adder.add(self._factors, factor[:, 0])
        adder.add(self._terms, factor * alone)
        adder.add(self._bands, factor * newest(parts.bands))
        adder.add(self._residuals, newest(parts.residual))
        adder.add(self._spectra, batch.spectra)
        adder.add(self._means, newest(means))

    def explanations(self) -> ObjectExplanations:
        """Explain the objects, all of whose pixels have been added; the sums become means."""
        total = self._terms.sum(axis=1, keepdims=True)
        total[total == 0] = 1
        pixels = np.maximum(1, self._pixels)[:, np.newaxis]
        around = np.where(self._around > 0, self._around, np.nan)[:, np.newaxis]
        for divisor, every in (
            (total, (self._terms, self._bands)),
            (pixels, (self._residuals, self._spectra, self._means)),
            (around, (self._annuli,)),
        ):
            for sums in every:
                sums /= divisor
        weighted = self._detector.card.weighting is not None
        return ObjectExplanations(
            bands=self._detector.bands,
            pixels=pixels[:, 0].astype(np.int64),
            shares=self._bands,
            residuals=self._residuals,
            terms=self._terms,
            local_contrast=self._factors / pixels[:, 0] if weighted else None,
            spectra=(self._spectra, self._means, self._annuli),
        )


class _Adder:
    """Adds values of pixels to sums of their objects, which are numbered from 0."""

    def __init__(self, owners: Numbers) -> None:
        self._order = np.argsort(owners, kind="stable")
        owners = owners[self._order]
        self._starts = np.flatnonzero(np.diff(owners, prepend=-1))
        self._objects = owners[self._starts]

    def count(self, sums: Floats) -> None:
        """Add the number of pixels."""
        sums[self._objects] += np.diff(self._starts, append=len(self._order))

    def add(self, sums: Floats, values: NDArray[np.floating]) -> None:
        """Add the values of pixels, (n, ...), to the sums of their objects, (object, ...)."""
        if len(self._starts):
            ordered = values[self._order].astype(np.float64)
            sums[self._objects] += np.add.reduceat(ordered, self._starts)
