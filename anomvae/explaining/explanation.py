"""Why a pixel or an object of a scene is unusual: numbers, and the normal pixels most like it.

Of an object, everything is the mean over its pixels, so that contributions add up to its mean
score.  What bands and latent units contribute is defined in `anomvae.detector.contributions`, here
with the local-contrast weighting; the normal pixels in `anomvae.explaining.neighbours`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..notebooks import html_table, short
from ..pixels.bands import Bands
from .neighbours import NormalPixel

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]


class ScoreParts(NamedTuple):
    """A score and its terms; higher is more anomalous."""

    score: float
    """The sum of the terms."""
    reconstruction: float
    """The reconstruction term."""
    kl: float
    """The KL term."""
    linear: float
    """The linear term; 0 where the detector has none."""


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Why a pixel or an object is unusual."""

    scene: str
    """Name of the scene."""
    pixels: NDArray[np.int64]
    """Row and column of each pixel, (n, 2)."""
    object_id: int | None
    """Number of the object; None of a pixel."""
    terms: ScoreParts
    """The score and its terms, as in the map; of an object their means."""
    factor: float | None
    """The local-contrast weighting, which multiplies every term; None where there is none."""
    meaning: str
    """Definition of the score."""
    threshold: float
    """Scores above it are anomalous."""
    rule: str
    """The rule that chose it."""
    bands: Bands
    """The bands of the detector."""
    spectrum: Numbers
    """Values, (band,), data units."""
    reconstruction: Numbers
    """Its reconstruction, (band,), data units."""
    noise_centre: Numbers
    """Centre of the residuals of normal pixels by the noise model, (band,), data units."""
    noise_std: Numbers
    """Standard deviation of these residuals by the noise model, (band,), data units."""
    whitened: Numbers
    """Residuals in units of the noise, (band,), > 0 above the reconstruction."""
    contributions: Numbers
    """What each band adds to the score by reconstruction and linear term, (band,)."""
    kl_units: Numbers
    """What each latent unit adds to the score, (unit,)."""
    unit_names: tuple[str, ...]
    """Names of the units."""
    neighbours: tuple[NormalPixel, ...]
    """The nearest normal pixels, the nearest first."""
    whole: bool = True
    """False: the object is so large that only pixels around its peak count."""

    @property
    def name(self) -> str:
        """What is explained, in words."""
        if self.object_id is None:
            row, col = self.pixels[0]
            return f"pixel {row},{col}"
        count = len(self.pixels)
        return f"object {self.object_id} ({count} {'pixel' if count == 1 else 'pixels'})"

    @property
    def anomalous(self) -> bool:
        """Whether the score is above the threshold."""
        return self.terms.score > self.threshold

    def table(self) -> pd.DataFrame:
        """Return a row for each band, those that add most first.

        Columns are ``band``, ``wavelength_nm``, ``value``, ``reconstruction`` and ``residual`` in
        data units, ``whitened``, and ``contribution``, which with those of the latent units adds up
        to the score.
        """
        import pandas as pd

        table = pd.DataFrame(
            {
                "band": self.bands.names,
                "wavelength_nm": [band.wavelength for band in self.bands],
                "value": self.spectrum,
                "reconstruction": self.reconstruction,
                "residual": self.spectrum - self.reconstruction,
                "whitened": self.whitened,
                "contribution": self.contributions,
            }
        )
        table["wavelength_nm"] = table["wavelength_nm"].astype("float64")
        return table.sort_values("contribution", ascending=False, kind="stable", ignore_index=True)

    def __repr__(self) -> str:
        """Name what is explained, its score and the band that adds most."""
        first = self.table().iloc[0]
        return (
            f"Explanation({self.name} of {short(self.scene)}: score {self.terms.score:.4g}, "
            f"threshold {self.threshold:.4g}; {short(first.band)} adds {first.contribution:.4g})"
        )

    def _repr_html_(self) -> str:
        """Show the score, and the bands that add most, in a notebook."""
        title = f"{self.name} of {short(self.scene)}: score {self.terms.score:.4g}"
        title += f", threshold {self.threshold:.4g} ({self.rule})"
        table = self.table().head(5)
        return html_table(title, table.itertuples(index=False), tuple(table.columns))
