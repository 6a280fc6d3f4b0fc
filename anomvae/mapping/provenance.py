"""Where a map comes from, as tags of its file; no times, so that a run repeats to the bit."""

from __future__ import annotations

from .. import __version__
from ..addresses import file_name
from ..raster import OpenScene
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
