"""The same physical values written in many ways give the same map, to the bit."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

from anomvae.raster.gdal import unwarned
from benchmarks.faults.commands import called
from benchmarks.faults.inputs import NODATA, QUICK, SHAPE, stored, write, write_model, write_scenes
from benchmarks.faults.jobs import MODEL
from benchmarks.faults.kind import Attempt, FaultFound, Kind

Values = NDArray[np.uint16]
"""Axes (band, row, col), with `NODATA`."""
Way = Callable[[Path, Values], Path | str]
"""Writes values into a folder; returns what to open."""
NAMES = tuple(f"B{number}" for number in range(1, 7))
SCALE, OFFSET = 2.0**-14, 0.25  # exact in any float


def _tiff(folder: Path, values: Values, **options: Any) -> Path:  # noqa: ANN401 - rasterio's
    return write(folder / "scene.tif", values, **options)


def _as(dtype: str, nodata: float, folder: Path, values: Values) -> Path:
    numbers = values.astype(dtype)
    numbers[values == NODATA] = nodata
    return _tiff(folder, numbers, nodata=nodata)


def _named(order: tuple[int, ...], folder: Path, values: Values) -> Path:
    names = tuple(NAMES[band] for band in order)
    return _tiff(folder, values[list(order)], describe=lambda d: setattr(d, "descriptions", names))


def _masked(internal: bool, folder: Path, values: Values) -> Path:
    valid = ~(values == NODATA).any(axis=0)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal):
        return _tiff(folder, values, nodata=None, mask=valid)


def _alpha(folder: Path, values: Values) -> Path:
    valid = ~(values == NODATA).any(axis=0)
    layers = np.concatenate([values, valid[None] * np.uint16(65535)])
    kinds = (*[ColorInterp.undefined] * len(values), ColorInterp.alpha)
    return _tiff(
        folder, layers, nodata=None, describe=lambda dataset: setattr(dataset, "colorinterp", kinds)
    )


def _in_driver(driver: str, name: str, folder: Path, values: Values, **options: Any) -> Path:  # noqa: ANN401
    source = write(folder / "source.tif", values)
    with unwarned():
        rasterio.shutil.copy(source, folder / name, driver=driver, **options)
    return folder / name


def _zipped(folder: Path, values: Values) -> str:
    path = _tiff(folder, values)
    with zipfile.ZipFile(folder / "scene.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, "in/scene.tif")
    return f"/vsizip/{folder / 'scene.zip'}/in/scene.tif"


def _scaled(dtype: str, folder: Path, values: Values) -> Path:
    """Write ``values * SCALE + OFFSET`` as numbers with scale and offset, or as they are."""
    empty = values == NODATA
    if dtype.startswith("float"):
        numbers = (values * SCALE + OFFSET).astype(dtype)
        numbers[empty] = np.nan
        return _tiff(folder, numbers, nodata=np.nan)
    numbers = values.astype(dtype)
    numbers[empty] = -1

    def describe(dataset: Any) -> None:  # noqa: ANN401 - rasterio's
        dataset.scales, dataset.offsets = [SCALE] * len(values), [OFFSET] * len(values)

    return _tiff(folder, numbers, nodata=-1, describe=describe)


SCORED: dict[str, Way] = {
    "uint16": _tiff,
    "pixel-interleaved": partial(_tiff, interleave="pixel"),
    "band-interleaved": partial(_tiff, interleave="band"),
    "tiled": partial(_tiff, tiled=True, blockxsize=16, blockysize=32),
    "strips": partial(_tiff, blockysize=1),
    "big-endian": partial(_tiff, ENDIANNESS="BIG"),
    "bigtiff": partial(_tiff, BIGTIFF="YES"),
    "deflate": partial(_tiff, compress="DEFLATE", predictor=2),
    "zstd": partial(_tiff, compress="ZSTD", tiled=True, blockxsize=64, blockysize=64),
    "int16": partial(_as, "int16", -32768),
    "uint32": partial(_as, "uint32", 2**32 - 1),
    "int32": partial(_as, "int32", -1),
    "float32": partial(_as, "float32", -9999),
    "float64": partial(_as, "float64", -1e300),
    "nodata-nan": partial(_as, "float32", np.nan),
    "internal-mask": partial(_masked, True),
    "mask-beside": partial(_masked, False),
    "alpha": _alpha,
    "cog": partial(_in_driver, "COG", "scene.tif"),
    "envi-bsq": partial(_in_driver, "ENVI", "scene.img"),
    "envi-bip": partial(_in_driver, "ENVI", "scene.img", INTERLEAVE="BIP"),
    "hfa": partial(_in_driver, "HFA", "scene.img"),
    "ehdr": partial(_in_driver, "EHdr", "scene.bil"),
    "vrt": partial(_in_driver, "VRT", "scene.vrt"),
    "zip": _zipped,
}
NAMED: dict[str, Way] = {
    "named": partial(_named, (0, 1, 2, 3, 4, 5)),
    "reversed": partial(_named, (5, 4, 3, 2, 1, 0)),
    "shuffled": partial(_named, (2, 0, 5, 1, 4, 3)),
}
DETECTED: dict[str, Way] = {
    "detect-float32": partial(_scaled, "float32"),
    "detect-float64": partial(_scaled, "float64"),
    "detect-scaled-int16": partial(_scaled, "int16"),
    "detect-scaled-int32": partial(_scaled, "int32"),
}
WAYS = SCORED | NAMED | DETECTED


def prepare(inputs: Path) -> None:
    """Train detectors on bands without and with names."""
    write_scenes(inputs)
    (inputs / "named").mkdir()
    write_model(inputs)
    shutil.copy(_named((0, 1, 2, 3, 4, 5), inputs, stored(0, ())), inputs / "named" / "normal.tif")
    write_model(inputs / "named")


def maps_of(way: str, seed: int, inputs: Path, folder: Path) -> NDArray[np.float32]:
    """Write a scene in one way; return its scores and flags, axes (map, row, col)."""
    (folder / "in").mkdir(parents=True)
    scene = WAYS[way](folder / "in", stored(seed))
    out = folder / "maps"
    if way in DETECTED:
        called("detect", scene, "-o", out, *QUICK).expect(0)
    else:
        model = (inputs / "named" if way in NAMED else inputs) / MODEL
        called("score", scene, "-m", model, "-o", out).expect(0)
    maps = []
    for name in ("scene.anomaly.tif", "scene.flags.tif"):
        with unwarned(), rasterio.open(out / name) as dataset:
            maps.append(dataset.read(1).astype("float32"))
    return np.stack(maps)


def begin(inputs: Path) -> Attempt:
    """Return an attempt that compares one way with the first of its table."""
    references: dict[tuple[str, int], NDArray[np.float32]] = {}

    def attempt(rng: Random, scratch: Path) -> int:
        way, seed = rng.choice(list(WAYS)), rng.randint(1, 3)
        first = "detect-float32" if way in DETECTED else "uint16"
        if (first, seed) not in references:
            references[first, seed] = maps_of(first, seed, inputs, scratch / "first")
        require_same(way, maps_of(way, seed, inputs, scratch / "way"), references[first, seed])
        return 0

    return attempt


def require_same(way: str, found: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    """Require equal maps."""
    if found.shape != (2, *SHAPE) or not np.array_equal(found, expected, equal_nan=True):
        same = (found == expected) | (np.isnan(found) & np.isnan(expected))
        raise FaultFound("silent", f"{way}: {np.mean(~same):.1%} of the maps differ")


KINDS = (Kind("equal", "others", 0.06, prepare, begin),)
