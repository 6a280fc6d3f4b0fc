"""Sums over the pixels of objects, and the explanations that they give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..detector import Detector
from ..objects import LeadingBand, ObjectExplanation
from ..objects.explanations import LEADING
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
        owners, spectra = owners[valid], spectra[valid]
        _add(self._around, owners, np.ones(len(owners)))
        _add(self._annuli, owners, spectra)

    def add(self, batch: Batch) -> None:
        """Add pixels of objects."""
        owners, detector = batch.owners, self._detector
        parts = detector.contributions(batch.examples)
        bands, residual, mean = map(
            newest, (parts.bands, parts.residual, detector.reconstruct(batch.examples))
        )
        terms = [newest(part).sum(-1, dtype=np.float64) for part in parts[:3]]
        alone = np.stack(terms, axis=-1)
        factor, sum_ = np.ones(len(owners)), alone.sum(axis=-1)
        if batch.scores is not None:
            np.divide(batch.scores, sum_, out=factor, where=sum_ > 0)
        _add(self._pixels, owners, np.ones(len(owners)))
        _add(self._factors, owners, factor)
        _add(self._terms, owners, factor[:, np.newaxis] * alone)
        _add(self._bands, owners, factor[:, np.newaxis] * bands)
        for sums, values in (
            (self._residuals, residual),
            (self._spectra, batch.spectra),
            (self._means, mean),
        ):
            _add(sums, owners, values)

    def explanation(self, number: int) -> ObjectExplanation:
        """Explain an object, all of whose pixels have been added."""
        pixels, around = max(1, self._pixels[number]), self._around[number]
        bands, total = self._detector.bands, self._terms[number].sum() or 1.0
        shares, residuals = self._bands[number] / total, self._residuals[number] / pixels
        leading = (
            LeadingBand(band.name, band.wavelength, float(residuals[at]), float(shares[at]))
            for at in np.argsort(-shares, kind="stable")[:LEADING]
            for band in [bands.items[at]]
            if shares[at] > 0
        )
        weighted = self._detector.card.weighting is not None
        reconstruction, kl, linear = (self._terms[number] / total).tolist()
        return ObjectExplanation(
            leading=tuple(leading),
            share_reconstruction=reconstruction,
            share_kl=kl,
            share_linear=linear,
            local_contrast=float(self._factors[number] / pixels) if weighted else None,
            pixels=int(pixels),
            spectrum=tuple((self._spectra[number] / pixels).tolist()),
            reconstruction=tuple((self._means[number] / pixels).tolist()),
            annulus=tuple((self._annuli[number] / around).tolist()) if around else None,
        )


def _add(sums: Floats, owners: Numbers, values: NDArray[np.floating]) -> None:
    """Add the values of pixels, (n, ...), to the sums of their objects, (object, ...)."""
    if not len(owners):
        return
    order = np.argsort(owners, kind="stable")
    owners = owners[order]
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    sums[owners[starts]] += np.add.reduceat(values[order].astype(np.float64), starts)
