"""The bands and pixels of the training scenes; all scenes must have the bands of the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ConfigError
from ..files import PathText
from ..identity import FileIdentity
from ..pixels.bands import Bands
from ..pixels.covariates import Covariates, rasters_of
from ..pixels.views import View, require_dates
from ..raster import Access, identify_normal, scenes_of
from ..raster.access import DEFAULT
from ..training.scenes import TrainingScenes


@dataclass(frozen=True)
class Selection:
    """The bands, pixels, covariates and dates of scenes that count."""

    bands: str | None = None
    """Bands as `Bands.choose` reads them; None: all."""
    mask: PathText | None = None
    """Raster on the scene's grid; 0 = ignore."""
    normal: Sequence[PathText] = ()
    """Rasters (non-zero = normal) or vector files, one for all scenes or one per scene."""
    covariates: Sequence[PathText] = ()
    """Covariates of a conditioned family, as `parse_covariates` reads them, for all scenes."""
    dates: str | None = None
    """Dates of the scenes for a family that compares them, as `Scene.of` reads them; None: the
    scenes are listed oldest first."""
    access: Access = DEFAULT
    """Drivers and limits of every file that is opened."""
    nodata: tuple[float, ...] = ()
    """Stored values that are no data in any band, beyond those that the files declare."""

    @property
    def files(self) -> list[PathText]:
        """The files that it names."""
        named = [*self.normal, *rasters_of(self.covariates)]
        return named if self.mask is None else [self.mask, *named]


EVERYTHING = Selection()
"""All bands, and all pixels with data."""


def select_scenes(
    paths: Sequence[PathText],
    select: Selection,
    *,
    family: str,
    view: View,
    bands: Bands | None = None,
    covariates: Covariates | None = None,
) -> TrainingScenes:
    """Open every scene once, and check that all have the bands of the first.

    Where the view compares dates, ``paths`` are the dates of one site.  ``bands`` and
    ``covariates`` are those of a detector, which the scenes must have.

    Raises
    ------
    RasterError, GridMismatch, BandMismatch, CovariateMismatch, ConfigError
        When `require_dates`, `require_compared`, `scenes_of` or `Scene.open` raise them.
    """
    require_dates(view, len(paths), family)
    require_compared(select.dates, compares_dates=view.compares_dates, family=family)
    scenes = scenes_of(paths, one_site=view.compares_dates, **vars(select))
    shapes: list[tuple[int, int]] = []
    files: list[FileIdentity] = []
    first: tuple[Bands, Covariates] | None = None
    for scene in scenes:
        with scene.open(first[0] if first else bands, covariates) as opened:
            shapes.append(opened.grid.shape)
            files += opened.files
            first = first or (opened.bands, opened.covariates)
        if scene.normal is not None:
            files += identify_normal(scene.normal, scene.access)
    assert first is not None  # `scenes_of` gives at least one
    return TrainingScenes(tuple(scenes), tuple(shapes), *first, tuple(files))


def require_compared(dates: str | None, *, compares_dates: bool, family: str) -> None:
    """Raise ConfigError when dates, even "as listed", are given to a family that compares none."""
    if dates and not compares_dates:
        raise ConfigError(f"model.family = {family!r} does not compare dates: leave --dates out.")
