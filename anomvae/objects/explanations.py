"""Why an object is unusual: what its mean score consists of, and its spectra.

In an objects file these are properties of a feature, flat, so that tables of GIS programs show
them: ``band_1``, ``wavelength_1``, ``residual_1``, ``share_1`` for the leading band and likewise
for the next two.  The bands of the arrays stand once in the first line of the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..pixels.bands import Bands
from .number_texts import shortened, texts

LEADING = 3
"""Bands that are named."""
TERMS = ("share_reconstruction", "share_kl", "share_linear")
SPECTRA = ("spectrum", "reconstruction", "annulus")

LEADER = '"band_{0}": {1}, "wavelength_{0}": {2}, "residual_{0}": {3}, "share_{0}": {4}, '
AT_ONCE = 1024
"""Objects that are written at a time."""

Spectrum = tuple[float, ...]
Floats = NDArray[np.float64]


class LeadingBand(NamedTuple):
    """A band that contributes much to the mean score of an object."""

    band: str
    """Its name."""
    wavelength: float | None
    """Centre, nm; None where the scene and the detector state none."""
    residual: float
    """Mean whitened residual of its pixels (`anomvae.detector.contributions`): in units of the
    noise, > 0 where the object is above its reconstruction."""
    share: float
    """What the band adds to the mean score, in [0, 1]."""


@dataclass(frozen=True)
class ObjectExplanation:
    """Why an object is unusual; every mean is one over its pixels.

    Shares are those of contributions times the local-contrast weighting of each pixel.
    """

    leading: tuple[LeadingBand, ...]
    """The bands that add most to the mean score, the largest share first; at most three, and none
    where the score lies in the code alone."""
    share_reconstruction: float
    """Share of the reconstruction term in the mean score, in [0, 1]; the three add up to 1."""
    share_kl: float
    """Share of the KL term."""
    share_linear: float
    """Share of the linear term; 0 where the detector has none."""
    local_contrast: float | None
    """Mean factor of the local-contrast weighting; None where the detector has none."""
    pixels: int
    """Pixels that it rests on: all, or, of a very large object, those around its peak."""
    spectrum: Spectrum = field(repr=False)
    """Mean of each band, data units."""
    reconstruction: Spectrum = field(repr=False)
    """Mean reconstruction of each band, data units."""
    annulus: Spectrum | None = field(repr=False)
    """Mean of each band around the object, data units: pixels with data at 2 to 5 pixels from it
    (the larger of rows and columns) that are not flagged and no nearer to another object that is
    explained.  None where there are none."""

    @classmethod
    def of(cls, properties: Mapping[str, Any]) -> ObjectExplanation | None:
        """Read the properties of a feature; None where it is not explained."""
        if "explained_px" not in properties:
            return None
        names = ("band", "wavelength", "residual", "share")
        leading = (
            LeadingBand(*(properties[f"{name}_{number}"] for name in names))
            for number in range(1, LEADING + 1)
            if f"band_{number}" in properties
        )
        annulus = properties["annulus"]
        return cls(
            leading=tuple(leading),
            local_contrast=properties.get("local_contrast"),
            pixels=properties["explained_px"],
            **{name: properties[name] for name in TERMS},
            spectrum=tuple(properties["spectrum"]),
            reconstruction=tuple(properties["reconstruction"]),
            annulus=None if annulus is None else tuple(annulus),
        )


@dataclass(frozen=True, eq=False)
class ObjectExplanations:
    """The explanations of the strongest objects of a scene, in order of rank.

    What `ObjectExplanation` says of one; axes (object, band) unless stated otherwise.
    """

    bands: Bands
    """The bands of their spectra."""
    pixels: NDArray[np.int64]
    """Pixels that each rests on, (object,)."""
    shares: Floats
    """What each band adds to the mean score, in [0, 1]."""
    residuals: Floats
    """Mean whitened residuals."""
    terms: Floats
    """Shares of the terms, axes (object, term)."""
    local_contrast: Floats | None
    """Mean factors of the local-contrast weighting, (object,); None where there is none."""
    spectra: tuple[Floats, Floats, Floats]
    """Mean spectra, their reconstructions, and those of annuli, NaN = none; data units."""

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.pixels)

    def texts(self) -> Iterator[str]:
        """Write the properties of each, without the brackets."""
        for start in range(0, self.count, AT_ONCE):
            yield from self._texts(slice(start, start + AT_ONCE))

    def _texts(self, part: slice) -> Iterator[str]:
        columns = dict(zip(TERMS, map(_written, self.terms[part].T), strict=True))
        if self.local_contrast is not None:
            columns["local_contrast"] = _written(self.local_contrast[part])
        columns["explained_px"] = texts(self.pixels[part].tolist())
        for name, spectra in zip(SPECTRA, self.spectra, strict=True):
            known = ~np.isnan(spectra[part, :1])
            written = _written(np.where(known, spectra[part], 0.0))
            columns[name] = np.where(known[:, 0], written, "null").tolist()
        pattern = ", ".join(f'"{name}": %s' for name in columns)
        rests = map(pattern.__mod__, zip(*columns.values(), strict=True))
        return map(str.__add__, self._leading(part), rests)

    def _leading(self, part: slice) -> Iterator[str]:
        """Write what says which bands lead."""
        names = [(json.dumps(band.name), json.dumps(band.wavelength)) for band in self.bands]
        shares = self.shares[part]
        order = np.argsort(-shares, axis=-1, kind="stable")[:, :LEADING]
        some = np.take_along_axis(shares, order, -1) > 0
        of_objects = (
            _written(np.take_along_axis(values, order, -1).ravel())
            for values in (self.residuals[part], shares)
        )
        numbers = zip(order.ravel().tolist(), some.ravel().tolist(), *of_objects, strict=True)
        for _ in order:
            leaders = enumerate(islice(numbers, order.shape[1]), start=1)
            yield "".join(
                LEADER.format(number, *names[band], residual, share)
                for number, (band, leads, residual, share) in leaders
                if leads
            )


def _written(values: Floats) -> list[str]:
    """Write with 6 significant digits: a file holds three spectra for each object."""
    return texts(shortened(values, 6).tolist())
