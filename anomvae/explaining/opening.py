"""Open a scene as a detector scores it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..detector import Detector, adapted_to
from ..files import SceneText
from ..mapping.tiles import in_units_of_training
from ..raster import OpenScene, Scene


@contextmanager
def open_for(detector: Detector, scene: SceneText | Scene) -> Iterator[tuple[OpenScene, Detector]]:
    """Yield a scene with the bands and in the units of a detector, and the detector adapted to it.

    What is computed from both agrees with the map that `score_scene` writes.

    Raises
    ------
    RasterError, BandMismatch, CovariateMismatch, GridMismatch, ConfigError
        As `anomvae.score_scene` does.
    """
    closed = Scene.of(scene)
    detector.require_dates(len(closed.dates))
    with closed.open(detector.bands, detector.covariates) as stored:
        opened = in_units_of_training(detector, stored)
        yield opened, adapted_to(detector, opened)
