"""The bands and pixels of the training scenes; all scenes must have the bands of the first."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ConfigError
from ..files import PathText
from ..identity import FileIdentity
from ..objects import mean_pixel_area
from ..pixels.bands import Bands
from ..pixels.covariates import Covariates
from ..pixels.views import View, require_dates
from ..raster import Product, Selection, identify_normal, scenes_of
from ..raster.radiometry import in_common_units
from ..stats.radiometry import Training
from ..training.scenes import TrainingScenes


def select_scenes(
    paths: Sequence[PathText | Product],
    select: Selection,
    *,
    family: str,
    view: View,
    bands: Bands | None = None,
    covariates: Covariates | None = None,
    training: Training | None = None,
) -> TrainingScenes:
    """Open every scene once, and check that all have the bands of the first.

    ``paths`` may be folders and patterns, see `scenes_of`.

    Where the view compares dates, ``paths`` are the dates of one site.  ``bands``, ``covariates``
    and ``training`` are those of a detector, which the scenes must have.

    Raises
    ------
    RasterError, GridMismatch, BandMismatch, CovariateMismatch, ConfigError
        When `require_dates`, `require_compared`, `scenes_of`, `Scene.open` or `in_common_units`
        raise them.
    """
    require_compared(select.dates, compares_dates=view.compares_dates, family=family)
    scenes = scenes_of(paths, select, one_site=view.compares_dates)
    require_dates(view, len(scenes[0].dates), family)
    shapes: list[tuple[int, int]] = []
    files: list[FileIdentity] = []
    first: tuple[Bands, Covariates, float | None] | None = None
    for scene in scenes:
        with scene.open(first[0] if first else bands, covariates) as opened:
            shapes.append(opened.grid.shape)
            files += opened.files
            first = first or (
                opened.bands,
                opened.covariates,
                mean_pixel_area(opened.georeference),
            )
        if scene.normal is not None:
            files += identify_normal(scene.normal, scene.access)
    assert first is not None  # `scenes_of` gives at least one
    alike, storage = in_common_units(scenes, first[0], training)
    bands = first[0] if storage is None else first[0].stored_as(storage)
    return TrainingScenes(tuple(alike), tuple(shapes), bands, first[1], tuple(files), first[2])


def require_compared(dates: str | None, *, compares_dates: bool, family: str) -> None:
    """Raise ConfigError when dates, even "as listed", are given to a family that compares none."""
    if dates and not compares_dates:
        raise ConfigError(f"model.family = {family!r} does not compare dates: leave --dates out.")
