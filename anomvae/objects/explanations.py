"""Why an object is unusual: what its mean score consists of, and its spectra.

In an objects file these are properties of a feature, flat, so that tables of GIS programs show
them: ``band_1``, ``wavelength_1``, ``residual_1``, ``share_1`` for the leading band and likewise
for the next two.  The bands of the arrays stand once in the first line of the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..pixels.bands import Bands

LEADING = 3
"""Bands that are named."""
TERMS = ("share_reconstruction", "share_kl", "share_linear")
SPECTRA = ("spectrum", "reconstruction", "annulus")

Spectrum = tuple[float, ...]


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

    def to_json(self) -> str:
        """Write the properties, without the brackets."""
        values: dict[str, Any] = {}
        for number, band in enumerate(self.leading, start=1):
            values[f"band_{number}"] = band.band
            values[f"wavelength_{number}"] = band.wavelength
            values[f"residual_{number}"] = _shortened(band.residual)
            values[f"share_{number}"] = _shortened(band.share)
        values |= {name: _shortened(getattr(self, name)) for name in TERMS}
        if self.local_contrast is not None:
            values["local_contrast"] = _shortened(self.local_contrast)
        values["explained_px"] = self.pixels
        for name in SPECTRA:
            spectrum = getattr(self, name)
            values[name] = None if spectrum is None else list(map(_shortened, spectrum))
        return json.dumps(values)[1:-1]

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


@dataclass(frozen=True)
class ObjectExplanations:
    """The explanations of the strongest objects of a scene."""

    bands: Bands
    """The bands of their spectra."""
    count: int
    """How many there are."""
    items: Iterable[ObjectExplanation]
    """In order of rank."""


def _shortened(value: float) -> float:
    """Round to 6 significant digits: a file holds three spectra for each object."""
    return float(f"{value:.6g}")
