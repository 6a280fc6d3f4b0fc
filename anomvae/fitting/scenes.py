"""Which pixels and bands of the training scenes count; all must have the bands of the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..files import PathText, as_paths
from ..pixels.bands import Bands
from ..pixels.covariates import Covariates
from ..raster import scenes_of
from ..training.scenes import TrainingScenes


@dataclass(frozen=True)
class Selection:
    """Which pixels and bands of the scenes count."""

    bands: str | None = None
    """Bands as `Bands.choose` reads them; None: all."""
    mask: PathText | None = None
    """Raster on the scene's grid; 0 = ignore."""
    normal: Sequence[PathText] = ()
    """Rasters (non-zero = normal) or vector files, one for all scenes or one per scene."""
    covariates: Sequence[PathText] = ()
    """Covariates of a conditioned family, as `parse_covariates` reads them, for all scenes."""
    dates: str | None = None
    """Dates of the scenes for a family that compares them, as `Scene.of` reads them."""


EVERYTHING = Selection()
"""All bands, and all pixels with data."""


def select_scenes(
    paths: Sequence[PathText],
    select: Selection,
    *,
    one_place: bool,
    bands: Bands | None = None,
    covariates: Covariates | None = None,
) -> TrainingScenes:
    """Open every scene once, and check that all have the bands of the first.

    Parameters
    ----------
    paths : sequence of path
        The rasters; with ``one_place`` the dates of one place.
    select : Selection
        Which pixels and bands count.
    one_place : bool
        Whether dates are compared.
    bands, covariates
        Those of a detector, which the scenes must have.

    Raises
    ------
    RasterError, BandMismatch, GridMismatch, CovariateMismatch, ConfigError
        What is wrong with which scene, and what to do.
    """
    scenes = scenes_of(as_paths(paths), one_place=one_place, **vars(select))
    shapes: list[tuple[int, int]] = []
    known: list[tuple[Bands, Covariates]] = []
    for scene in scenes:
        with scene.open(known[0][0] if known else bands, covariates) as opened:
            shapes.append(opened.grid.shape)
            known.append((opened.bands, opened.covariates))
    return TrainingScenes(tuple(scenes), tuple(shapes), *known[0])
