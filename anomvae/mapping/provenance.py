"""Where a map comes from, as tags of its file; no times, so that a run repeats to the bit."""

from __future__ import annotations

from .. import __version__
from ..addresses import file_name
from ..detector import Detector
from ..program import AUTO
from ..raster import OpenScene
from .cache import ENGINE_TAG
from .result import RADIOMETRY_TAG


def provenance(detector: str, opened: OpenScene) -> dict[str, str]:
    """Return the tags of a map that a detector, by its identity, makes of a scene."""
    conversions = {RADIOMETRY_TAG: "; ".join(opened.conversions)} if opened.conversions else {}
    return {
        "ANOMVAE_VERSION": __version__,
        "ANOMVAE_DETECTOR": detector,
        "ANOMVAE_SCENE": file_name(opened.name),
        **conversions,
    }


def engine_tags(scorer: object) -> dict[str, str]:
    """Return the tag of the engine that computes the scores of a detector; empty for others."""
    return {ENGINE_TAG: scorer.engine_name} if isinstance(scorer, Detector) else {}


def named_engine(scorer: object) -> str:
    """Return the engine of a detector that was asked for by name; empty: none was."""
    return scorer.engine if isinstance(scorer, Detector) and scorer.engine != AUTO else ""
