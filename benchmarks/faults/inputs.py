"""Small scenes, models and a watch, which the kinds of fault damage.

Scenes have 60 x 60 pixels and 6 bands; values have axes (band, row, col).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from anomvae.raster.gdal import unwarned
from anomvae.testing.simulate import Anomaly, Sensor, simulate

SHAPE = (60, 60)
SENSOR = Sensor(wavelengths=(490.0, 560.0, 665.0, 842.0, 1610.0, 2205.0))
PLANTED = (Anomaly("blue roof", (4, 4)), Anomaly("plastic", (3, 3)))
UTM = {"crs": "EPSG:32633", "transform": rasterio.Affine(10, 0, 5e5, 0, -10, 4e6)}
QUICK = ("--set", "training.max_steps=40", "--set", "model.hidden=[16]")
NODATA = 65535
DAYS = ("2024-06-01", "2024-06-02")
"""Stems of the scenes of a watch."""

WATCH = """
state = "state"
[[site]]
name = "place"
model = {model!r}
out = "maps"
folder = {{ path = {scenes!r}, stable_seconds = 0 }}
[alerts]
feed = {{ path = "alerts.geojson" }}
[retry]
wait_seconds = 0.001
max_wait_seconds = 0.001
"""


def stored(seed: int, anomalies: tuple[Anomaly, ...] = PLANTED) -> NDArray[np.uint16]:
    """Draw a scene as digital numbers, reflectance times 10,000; `NODATA` where there is none."""
    block = simulate(SHAPE, seed, anomalies=anomalies, sensor=SENSOR).block[0] * 10_000
    numbers = np.nan_to_num(block, nan=NODATA).round().astype("uint16")
    return np.asarray(numbers.transpose(2, 0, 1))


def write(
    path: Path,
    values: NDArray[Any],
    *,
    mask: NDArray[np.bool_] | None = None,
    describe: Callable[[Any], object] = lambda dataset: None,
    **options: Any,  # noqa: ANN401 - rasterio's
) -> Path:
    """Write a raster, by default a GeoTIFF in UTM with `NODATA`; ``mask`` is of valid pixels."""
    count, height, width = values.shape
    given = {"driver": "GTiff", "dtype": values.dtype, "nodata": NODATA} | UTM | options
    with (
        unwarned(),
        rasterio.open(path, "w", count=count, height=height, width=width, **given) as dataset,
    ):
        describe(dataset)
        dataset.write(values)
        if mask is not None:
            dataset.write_mask(mask)
    return path


def write_scenes(folder: Path) -> None:
    """Write ``normal.tif``, and ``in/`` with the scenes of two days, which have anomalies."""
    write(folder / "normal.tif", stored(0, ()))
    (folder / "in").mkdir()
    for seed, day in enumerate(DAYS, 1):
        write(folder / "in" / f"{day}.tif", stored(seed))


def first_scene(folder: Path) -> Path:
    """Return the scene of the first day."""
    return folder / "in" / f"{DAYS[0]}.tif"


def write_model(folder: Path, family: str = "vae", *settings: str) -> Path:
    """Train a small detector on ``normal.tif``; return its file."""
    import anomvae
    from anomvae.config import resolve_config

    quick = ["training.max_steps=40", "model.hidden=[16]", f"model.family={family}", *settings]
    detector = anomvae.train([folder / "normal.tif"], resolve_config("default", quick).config)
    path = folder / f"{family}.safetensors"
    detector.save(path)
    return path


def write_watch(folder: Path, inputs: Path) -> Path:
    """Write the configuration of a watch whose state and results are in ``folder``."""
    path = folder / "watch.toml"
    names = {"model": str(inputs / "vae.safetensors"), "scenes": str(inputs / "in")}
    path.write_text(WATCH.format(**names), encoding="utf-8")
    return path
