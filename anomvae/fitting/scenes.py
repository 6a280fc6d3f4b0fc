"""The bands and pixels of the training scenes; all scenes must have the bands of the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ConfigError
from ..files import PathText, SceneText, as_paths
from ..identity import FileIdentity
from ..objects import mean_pixel_area
from ..pixels.bands import Bands
from ..pixels.covariates import Covariates
from ..pixels.views import View, require_dates
from ..raster import Product, Scene, Selection, identify_normal, scenes_of
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
    return training_scenes(
        scenes, family=family, view=view, bands=bands, covariates=covariates, training=training
    )


def training_scenes(
    scenes: Sequence[Scene],
    *,
    family: str,
    view: View,
    bands: Bands | None = None,
    covariates: Covariates | None = None,
    training: Training | None = None,
) -> TrainingScenes:
    """Open scenes as `select_scenes` does."""
    require_dates(view, len(scenes[0].dates), family)
    if view.most_dates is not None:
        scenes = [scene.newest(view.most_dates) for scene in scenes]
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
    assert first is not None  # there is at least one
    alike, storage = in_common_units(scenes, first[0], training)
    bands = first[0] if storage is None else first[0].stored_as(storage)
    return TrainingScenes(tuple(alike), tuple(shapes), bands, first[1], tuple(files), first[2])


def config_for(dates: int) -> str:
    """Return the name of the configuration that fits a scene of so many dates by default."""
    return "timeseries" if dates > 1 else "default"


def site_of(paths: SceneText | Product | Sequence[Product] | Scene, select: Selection) -> Scene:
    """Return the scene of all dates that a user names, oldest first; a `Scene` stays as it is.

    Raises
    ------
    ConfigError
        When no raster is given, a date is unknown, or a `Scene` and a selection are given.
    """
    if isinstance(paths, Scene):
        return Scene.selected(paths, select)
    parts: Sequence[Any] = paths if isinstance(paths, list | tuple) else [paths]
    given = [one for part in parts for one in _named(part)]
    (site,) = scenes_of(given, select, one_site=True)
    return site


def _named(part: SceneText | Product) -> Sequence[PathText | Product]:
    return (part,) if isinstance(part, Product) else as_paths(part)


def require_compared(dates: str | None, *, compares_dates: bool, family: str) -> None:
    """Raise ConfigError when dates, even "as listed", are given to a family that compares none."""
    if dates and not compares_dates:
        raise ConfigError(f"model.family = {family!r} does not compare dates: leave --dates out.")
