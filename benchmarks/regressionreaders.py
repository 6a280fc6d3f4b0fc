"""Read the files that `benchmarks.regression` compares, each as nested tables of named values."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

LAYOUT = (
    *("dtypes", "nodatavals", "shape", "transform", "block_shapes", "compression", "interleaving"),
    *("photometric", "colorinterp", "descriptions", "units", "scales", "offsets"),
    "mask_flag_enums",
)
"""Attributes of a rasterio dataset that are compared, with tags and pixels."""


def read_raster(path: Path) -> dict[str, Any]:
    """Read tags, layout, and the pixels of all overviews."""
    import rasterio

    with rasterio.open(path) as dataset:
        values = {name: getattr(dataset, name) for name in LAYOUT}
        points, crs = dataset.gcps
        values |= {"crs": str(dataset.crs), "gcps": [str(crs), *map(repr, points)]}
        values |= {"tags": dataset.tags(), "structure": dataset.tags(ns="IMAGE_STRUCTURE")}
        for band, meaning in zip(dataset.indexes, dataset.colorinterp, strict=True):
            colours = dataset.colormap(band) if meaning.name == "palette" else None
            values[f"band {band}"] = {"tags": dataset.tags(band), "colours": colours}
        values["overviews"] = dataset.overviews(1)
    for level in range(-1, len(values["overviews"])):
        with rasterio.open(path, **({"overview_level": level} if level >= 0 else {})) as dataset:
            level_name = f"overview {level}" if level >= 0 else "full size"
            values |= {f"band {n}, {level_name}": dataset.read(n) for n in dataset.indexes}
    return values


def read_model(path: Path) -> dict[str, Any]:
    """Read the card and the tensors."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as model:
        tensors = {name: model.get_tensor(name) for name in model.keys()}  # noqa: SIM118
        return {"card": json.loads(model.metadata()["anomvae"]), "tensors": tensors}


def read_objects(path: Path) -> dict[str, Any]:
    """Read the first line field by field, the others as text."""
    first, *lines = path.read_text(encoding="utf-8").splitlines()
    return {**json.loads(f"{first}]}}"), "lines": lines}


def read_json(path: Path) -> dict[str, Any]:
    """Read a table; split printed text into lines, shorten the path of a sample to its name."""
    text = path.read_text(encoding="utf-8")
    values: dict[str, Any] = json.loads(re.sub(r'"([^"]*/)?(data_samples|inputs)/', '"', text))
    printed = {name: values[name].splitlines() for name in ("stdout", "stderr") if name in values}
    return values | printed


def read_digest(path: Path) -> dict[str, Any]:
    """Hash a whole file."""
    return {"digest": hashlib.sha256(path.read_bytes()).hexdigest()}
