"""Three ways to write the maps of a scene: ours, its bound, and the one before.

Each writes the four bands of an anomaly map, float32 that compress like scores, and flags, and
waits until they are on disk.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.shutil import copy

from anomvae.files import sync
from anomvae.pixels.tiling import Window, shape_of, tiles
from anomvae.raster import Category, Georeference, Layout, MapWriter, Scene
from anomvae.raster.block_file import storage
from anomvae.raster.gdal import session
from anomvae.raster.maps import LAYERS
from benchmarks.inputs import BLOCK

CATEGORIES = (Category(0, "normal", (0, 0, 0)), Category(1, "anomalous", (255, 0, 0)))
SCORES = Layout("float32", np.nan, LAYERS, overviews="maximum")
FLAGS = Layout("uint8", 255, ("flags",), {}, CATEGORIES, overviews="mode", predictor=False)

Values = NDArray[Any]


def _maps(where: Georeference) -> Iterator[tuple[Layout, Iterator[tuple[Window, Values]]]]:
    """Yield the layout of each map, and its windows with their values."""
    draw = np.random.default_rng(0)
    scores = np.exp(draw.normal(1, 0.5, (len(LAYERS), BLOCK, BLOCK))).astype(np.float32)
    windows = [tile.keep for tile in tiles(where.grid.shape, (BLOCK, BLOCK))]
    for layout, values in ((SCORES, scores), (FLAGS, (scores[:1] > 9).astype(np.uint8))):
        yield layout, ((one, _cut(values, one)) for one in windows)


def _cut(values: Values, window: Window) -> Values:
    rows, cols = shape_of(window)
    return values[:, :rows, :cols]


def write(where: Georeference, folder: Path) -> None:
    """Write both as anomvae does."""
    for layout, windows in _maps(where):
        with MapWriter(folder / f"{layout.dtype}.tif", where, layout) as out:
            for window, values in windows:
                out.write(window, values)


def write_blocks(where: Georeference, folder: Path) -> None:
    """Compress the blocks by GDAL's own ZSTD, and do nothing else: no map is written faster."""
    for layout, windows in _maps(where):
        path = folder / f"{layout.dtype}.tif"
        options = storage(layout, BLOCK) | where.creation()
        with session(), rasterio.open(path, "w", **options) as out:
            for window, values in windows:
                out.write(values, window=window)
        sync(path)


def write_plain_first(where: Georeference, folder: Path) -> None:
    """Write a plain GeoTIFF, and let GDAL's driver of COGs copy it, as anomvae once did."""
    for layout, windows in _maps(where):
        path, plain = folder / f"{layout.dtype}.tif", folder / "plain.tif"
        options = storage(layout, BLOCK) | where.creation() | {"COMPRESS": "NONE"}
        options = {name: value for name, value in options.items() if name != "PREDICTOR"}
        with session():
            with rasterio.open(plain, "w", **options) as out:
                for window, values in windows:
                    out.write(values, window=window)
            with rasterio.Env(COG_TMP_COMPRESSION="NONE"):
                copy(
                    *(str(plain), str(path)),
                    driver="COG",
                    BLOCKSIZE=str(BLOCK),
                    COMPRESS="ZSTD",
                    LEVEL="1",
                    PREDICTOR="YES" if layout.predictor else "NO",
                    OVERVIEW_RESAMPLING="AVERAGE" if layout is SCORES else "MODE",
                    NUM_THREADS="ALL_CPUS",
                )
        sync(path)


WRITERS: dict[str, Callable[[Georeference, Path], None]] = {
    "write": write,
    "write, blocks alone": write_blocks,
    "write, plain first": write_plain_first,
}
"""Works by their names in tables."""


def write_maps_of(scene: Path, name: str) -> None:
    """Write maps of a scene by one of `WRITERS`, to a folder beside it that goes at once."""
    with TemporaryDirectory(dir=scene.parent) as folder, Scene.of(scene).open() as opened:
        WRITERS[name](opened.georeference, Path(folder))


if __name__ == "__main__":
    write_maps_of(Path(sys.argv[1]), sys.argv[2])
