"""What counts of the scenes of a call: their bands, pixels, covariates and dates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ConfigError
from ..files import PathText
from ..pixels.covariates import rasters_of
from ..stats.radiometry import AUTO, RADIOMETRIES
from .access import DEFAULT, Access
from .mask_choice import mask_files


@dataclass(frozen=True)
class Selection:
    """The bands, pixels, covariates and dates of scenes that count."""

    bands: str | None = None
    """Bands as `Bands.choose` reads them; None: all good ones."""
    mask: PathText | None = None
    """Which pixels are hidden, see `Scene.mask`; None: as the products do."""
    mask_dilate: int = 0
    """Pixels by which what is hidden grows."""
    normal: Sequence[PathText] = ()
    """Rasters (non-zero = normal) or vector files, one for all scenes or one per scene."""
    covariates: Sequence[PathText] = ()
    """Covariates of a conditioned family, as `parse_covariates` reads them, for all scenes."""
    dates: str | None = None
    """Dates of the scenes for a family that compares them, as `Scene.of` reads them; None: the
    scenes are listed oldest first."""
    access: Access = DEFAULT
    """Drivers and limits of every file that is opened."""
    nodata: Sequence[float] = ()
    """Stored values that are no data in any band, beyond those that the files declare."""
    resolution: float | None = None
    """Side of a pixel, metres, of a product with several grids; None: its default."""
    band_axis: str | None = None
    """Name of the axis of bands of a cube; None: found by its wavelengths."""
    radiometry: str = AUTO
    """``auto``: where files do not state how values are stored, and those of the detector or of the
    other scenes leave one answer, values are converted; ``as-stored``: they never are."""

    @property
    def files(self) -> list[PathText]:
        """The files that it names."""
        named = [*self.normal, *rasters_of(self.covariates)]
        return [*mask_files(self.mask), *named]


EVERYTHING = Selection()
"""All good bands, and all pixels with data that the products do not hide."""


def checked_nodata(nodata: Sequence[float]) -> tuple[float, ...]:
    """Return values that are no data; ConfigError when one is not finite."""
    values = tuple(map(float, nodata))
    if not all(map(math.isfinite, values)):
        raise ConfigError(
            f"nodata = {', '.join(map(str, values))}: NaN and infinity are no data in any case. "
            f"Give finite numbers only."
        )
    return values


def checked_radiometry(radiometry: str) -> str:
    """Return whether the data may decide how values are stored; ConfigError for another word."""
    if radiometry not in RADIOMETRIES:
        raise ConfigError(f"radiometry = {radiometry!r}: give {' or '.join(RADIOMETRIES)}.")
    return radiometry
