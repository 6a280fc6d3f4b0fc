"""What a file of ONNX states about itself, as names and texts.

``model_type``, ``class_names``, ``tile_size``, ``tiles_overlap``, ``resolution`` (cm a pixel) and
``standardization_*`` are those of Deepness.  It divides numbers by 255, then by the standard
deviations: as these are 1 / 255, the graph is given the numbers of the raster.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict

from .. import __version__
from .exported import Exported

OUTPUTS = ("score", "reconstruction", "kl", "linear", "flag")


def metadata_of(exported: Exported, tile: int | None) -> dict[str, str]:
    """Return what a file states; ``tile``: side of its images, None: it takes rows."""
    threshold = exported.threshold
    stated = {
        "anomvae": __version__,
        "id": exported.id,
        "family": exported.family,
        "meaning": exported.meaning,
        "units": "nats",
        "values": "numbers as in the training files: value = number * scale + offset of the band",
        "threshold": json.dumps(
            {"value": threshold.value, "rule": threshold.rule, "fpr": threshold.fpr}
        ),
        "bands": json.dumps([_band(asdict(band)) for band in exported.bands]),
    }
    return stated if tile is None else stated | _of_deepness(exported, tile)


def _band(facts: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in facts.items() if value is not None and value != ""}


def _of_deepness(exported: Exported, tile: int) -> dict[str, str]:
    bands, area = len(exported.bands), exported.pixel_area
    stated = {
        "model_type": "Regressor",
        "class_names": [{"0": name} for name in OUTPUTS],
        "tile_size": tile,
        "tiles_overlap": 0,
        "reg_output_scaling": 1.0,
        "standardization_mean": [0.0] * bands,
        "standardization_std": [1 / 255] * bands,
    }
    if area is not None:
        stated["resolution"] = 100 * math.sqrt(area)
    return {name: json.dumps(value) for name, value in stated.items()}
