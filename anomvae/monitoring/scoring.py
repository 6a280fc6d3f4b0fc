"""Score one scene of a site: the only step of a pass that loads torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ..errors import AnomvaeError, ConfigError
from ..files import writing
from .config import SiteConfig
from .sources import FoundScene

if TYPE_CHECKING:
    from ..mapping.outputs import MapResult

Scoring = Callable[[FoundScene, Path], "MapResult"]
"""Scores a scene into a folder; raises `AnomvaeError` if that fails."""


def scoring_of(site: SiteConfig) -> Scoring:
    """Load the detector of a site.

    Raises
    ------
    ModelFileError
        If the model is missing or damaged.
    ConfigError
        If the threshold rule or the number of dates does not fit.
    """
    from ..detector import Detector
    from ..mapping import score_scenes
    from ..stats.thresholds import parse_rule

    detector = Detector.load(site.model)
    _require_dates(site, compared=detector.compares_dates)
    if site.threshold is not None:
        rule = parse_rule(site.threshold)
        detector = detector.with_threshold(rule, held_out=detector.threshold.held_out)
    detector = detector.to(site.device)

    def score(found: FoundScene, folder: Path) -> MapResult:
        with named_rasters((*found.before, found)) as rasters:
            # The folder is this scene's own, so whatever lies there is an earlier try of it.
            outcomes = score_scenes(
                detector,
                [rasters],
                folder,
                mask=site.mask,
                min_area=site.alert.min_area_px,
                overwrite=True,
            )
            outcome = next(outcomes)
        if outcome.result is None:
            raise outcome.error or AnomvaeError(f"{found.source} was not scored.")
        return outcome.result

    return score


def _require_dates(site: SiteConfig, *, compared: bool) -> None:
    """Raise unless a model that compares dates gets several, and any other model one."""
    if compared and site.dates == 1:
        raise ConfigError(
            f"{site.model} compares dates, and {site.name!r} has dates = 1: set dates = 2 or "
            f"more, the scene and those before it, about as many as it was trained on."
        )
    if not compared and site.dates > 1:
        raise ConfigError(
            f"{site.model} does not compare dates, but {site.name!r} has dates = {site.dates}: "
            f"leave it out, or train a family that does (model.family = 'sequential')."
        )


@contextmanager
def named_rasters(scenes: Sequence[FoundScene]) -> Iterator[list[str]]:
    """Yield the raster of each scene; rasters of one band each are stacked meanwhile."""
    if not any(found.bands for found in scenes):
        yield [found.read[0] for found in scenes]
        return
    with TemporaryDirectory() as temporary:
        yield [_raster(found, Path(temporary, str(number))) for number, found in enumerate(scenes)]


def _raster(found: FoundScene, temporary: Path) -> str:
    if not found.bands:
        return found.read[0]
    from ..raster.stack import write_stack

    target = temporary / f"{Path(found.source).name}.vrt"
    with writing(target):
        temporary.mkdir()
        return str(write_stack(target, found.read, found.bands))
