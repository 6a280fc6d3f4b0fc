"""Which scenes, pixels and bands are learnt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError
from ..files import PathText
from ..pixels.bands import Bands
from ..pixels.covariates import Covariates
from ..pixels.views import matched
from ..raster import open_normal, opened_dates
from ..training.sampling import TrainingScene


@dataclass(frozen=True)
class Selection:
    """Which pixels and bands of a scene count."""

    bands: str | None = None
    """Bands as `Bands.choose` reads them; all without it."""
    mask: PathText | None = None
    """Raster on the scene's grid; 0 = ignore."""
    normal: Sequence[PathText] = ()
    """Rasters (non-zero = normal) or vector files, one for all scenes or one per scene."""
    covariates: Sequence[PathText] = ()
    """What a conditioned family is given, as `parse_covariates` reads it: one raster for all,
    ``day``, ..."""


EVERYTHING = Selection()
"""All bands, and all pixels with data."""


@dataclass(frozen=True)
class SceneFile:
    """A scene on disk; open only while it is read, as there may be thousands."""

    dates: tuple[PathText, ...]
    """The raster, or the rasters of several dates, oldest first."""
    mask: PathText | None
    """Raster on its grid; 0 = ignore."""
    normal: PathText | None
    """Where its pixels are normal."""
    bands: Bands
    """The bands to read."""
    shape: tuple[int, int]
    """Rows and columns, pixels."""
    asked: Sequence[PathText] = ()
    """Its covariates, as they were asked for."""
    covariates: Covariates = ()
    """Its covariates, as they are there; without the classes of training."""

    @property
    def path(self) -> PathText:
        """The newest date."""
        return self.dates[-1]

    @contextmanager
    def opened(self) -> Iterator[TrainingScene]:
        """Open it for reading."""
        with ExitStack() as stack:
            reader = stack.enter_context(
                opened_dates(self.dates, mask=self.mask, covariates=self.asked)
            )
            normal = None
            if self.normal is not None:
                normal = stack.enter_context(open_normal(self.normal, reader))
            dates = tuple(date.name for date in reader.dates)
            yield TrainingScene(matched(reader, self.bands), normal, dates)


def found_scenes(
    scenes: Sequence[PathText],
    select: Selection,
    expected: Covariates | None = None,
    *,
    of_dates: bool = False,
) -> list[SceneFile]:
    """Look at every scene once, and make sure that all have the bands of the first.

    Covariates must be those ``expected``, a detector's, where these are given.  With ``of_dates``
    the scenes are one place at several dates, oldest first.
    """
    if not scenes:
        raise ConfigError("No scene is given. Name at least one raster.")
    masks = _one_each(select.normal, 1 if of_dates else len(scenes))
    places = [tuple(scenes)] if of_dates else [(path,) for path in scenes]
    found: list[SceneFile] = []
    for dates, normal in zip(places, masks, strict=True):
        with opened_dates(
            dates,
            bands=select.bands,
            mask=select.mask,
            covariates=select.covariates,
            expected=expected,
        ) as reader:
            bands = reader.bands if not found else matched(reader, found[0].bands).bands
            known = reader.covariates
            shape = reader.grid.shape
            found.append(
                SceneFile(dates, select.mask, normal, bands, shape, select.covariates, known)
            )
    return found


def _one_each(masks: Sequence[PathText], scenes: int) -> list[PathText | None]:
    masks = [masks] if isinstance(masks, str | Path) else masks
    if len(masks) not in {0, 1, scenes}:
        raise ConfigError(
            f"{len(masks)} masks of normal pixels are given for {scenes} scenes: "
            f"give one for all of them, or one for each, in the order of the scenes."
        )
    if len(masks) == scenes:
        return list(masks)
    return [masks[0] if masks else None] * scenes
