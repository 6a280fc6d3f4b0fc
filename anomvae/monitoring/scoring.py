"""Score one scene of a place: the only part of a watch that needs torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ..config import PlaceConfig
from ..errors import AnomvaeError
from ..files import writing
from .sources import Found

if TYPE_CHECKING:
    from ..outputs import MapResult

Scoring = Callable[[Found, Path], "MapResult"]
"""Scores a scene into a folder; raises an `AnomvaeError` where that fails."""


def scoring_of(place: PlaceConfig) -> Scoring:
    """Load the detector of a place.

    Raises
    ------
    ModelFileError
        If the model is missing or damaged.
    ConfigError
        If the threshold rule does not fit.
    """
    from ..detector import Detector
    from ..mapping import score_scenes
    from ..thresholds import parse_rule

    detector = Detector.load(place.model)
    if place.threshold is not None:
        rule = parse_rule(place.threshold)
        detector = detector.with_threshold(rule, held_out=detector.threshold.held_out)
    detector = detector.to(place.device)

    def score(found: Found, folder: Path) -> MapResult:
        with TemporaryDirectory() as temporary:
            raster = _raster(found, Path(temporary))
            # The folder is this scene's own, so whatever lies there is an earlier try of it.
            outcomes = score_scenes(detector, [raster], folder, mask=place.mask, overwrite=True)
            outcome = next(outcomes)
        if outcome.result is None:
            raise outcome.error or AnomvaeError(f"{found.source} was not scored.")
        return outcome.result

    return score


def _raster(found: Found, temporary: Path) -> str:
    """Name the raster to open; rasters of one band each become one."""
    if not found.bands:
        return found.read[0]
    from ..raster.stack import write_stack

    target = temporary / f"{Path(found.source).name}.vrt"
    with writing(target):
        return str(write_stack(target, found.read, found.bands))
