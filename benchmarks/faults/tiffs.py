"""GeoTIFFs of every compression, layout and type, whole and mutated.

A whole file gives the scores of the values that were written, to the bit.  A mutated one is
refused, or scored with what GDAL reads.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError

from anomvae.errors import AnomvaeError
from benchmarks.faults.bytes import damaged
from benchmarks.faults.commands import called
from benchmarks.faults.inputs import NODATA, stored, write, write_model, write_scenes
from benchmarks.faults.jobs import MODEL
from benchmarks.faults.kind import Attempt, FaultFound, Kind

if TYPE_CHECKING:
    from anomvae import Detector

LOSSLESS = (
    "NONE",
    "LZW",
    "DEFLATE",
    "PACKBITS",
    "ZSTD",
    "LZMA",
    "LERC",
    "LERC_DEFLATE",
    "LERC_ZSTD",
)
LOSSY = ("JPEG",)
PREDICTED = ("LZW", "DEFLATE", "ZSTD")
DTYPES = {  # nodata, and the divisor that lets reflectance times 10,000 fit
    "uint8": (255, 50), "int8": (-128, 100), "uint16": (65535, 1), "int16": (-32768, 1),
    "uint32": (2**32 - 1, 1), "int32": (-(2**31), 1), "uint64": (2**53, 1), "int64": (-(2**53), 1),
    "float32": (-9999, 1), "float64": (-1e300, 1),
}  # fmt: skip
MOST_TILES = 3


@dataclass(frozen=True)
class Written:
    """A file, and the values that a reader should find."""

    path: Path
    values: NDArray[np.float32]
    """Axes (row, col, band); NaN = no data."""
    lossy: bool
    options: dict[str, Any]


def write_tiff(path: Path, values: NDArray[np.uint16], rng: Random) -> Written:
    """Write values, axes (band, row, col), in a random layout that GDAL can write."""
    while True:
        try:
            return _write(path, values, rng)
        except RasterioError:  # such as JPEG with so many bands
            path.unlink(missing_ok=True)


def _write(path: Path, values: NDArray[np.uint16], rng: Random) -> Written:
    dtype, mask = rng.choice(list(DTYPES)), rng.random() < 0.2
    nodata, divisor = DTYPES[dtype]
    empty = values == NODATA
    numbers = np.where(empty, 0, values // divisor).astype(dtype)
    numbers[empty] = nodata
    options = _layout(dtype, rng)
    profile = {"dtype": dtype, "nodata": None if mask else nodata, **options}
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=rng.random() < 0.5):
        write(path, numbers, mask=~empty.any(axis=0) if mask else None, **profile)
    expected = np.where(empty, np.nan, numbers.astype("float64")).astype("float32")
    if mask:
        expected[:, empty.any(axis=0)] = np.nan
    return Written(path, np.moveaxis(expected, 0, -1), options["COMPRESS"] in LOSSY, options)


def _layout(dtype: str, rng: Random) -> dict[str, Any]:
    compress = rng.choice(LOSSLESS + (LOSSY if dtype == "uint8" else ()))
    if compress.startswith("LERC") and dtype in {"uint64", "int64", "int8"}:
        compress = "DEFLATE"
    options: dict[str, Any] = {
        "COMPRESS": compress,
        "INTERLEAVE": rng.choice(["PIXEL", "BAND"]),
        "BIGTIFF": rng.choice(["YES", "NO"]),
        "ENDIANNESS": rng.choice(["BIG", "LITTLE"]),
    }
    if rng.random() < 0.5:
        side = rng.choice([16, 32, 64, 128])
        options |= {"tiled": True, "blockxsize": side, "blockysize": rng.choice([16, 32, side])}
    else:
        options["blockysize"] = rng.choice([1, 3, 8, 60])
    if compress in PREDICTED:
        options["PREDICTOR"] = rng.choice([1, 2, 3] if dtype.startswith("float") else [1, 2])
    if dtype == "uint16" and compress in ("NONE", "LZW", "DEFLATE") and rng.random() < 0.1:
        options["SPARSE_OK"] = True
    return options


def _prepare(inputs: Path) -> None:
    write_scenes(inputs)
    write_model(inputs)


def _begin(inputs: Path) -> Attempt:
    from anomvae import Detector

    detector = Detector.load(inputs / MODEL)
    return partial(_attempt, detector, [stored(seed) for seed in range(1, 5)])


def _attempt(
    detector: Detector, scenes: list[NDArray[np.uint16]], rng: Random, scratch: Path
) -> int:
    written = write_tiff(scratch / "scene.tif", rng.choice(scenes), rng)
    if rng.random() < 0.25:
        _require_values(detector, written)
        return 0
    mutate(written.path, rng)
    try:
        for total in scores_of(detector, written.path):
            if np.isinf(total).any():
                raise FaultFound("silent", f"infinite scores, {written.options}")
    except AnomvaeError as error:
        if error.exit_code not in (3, 4):
            raise FaultFound("traceback", f"{type(error).__name__}: {error}") from error
    return 0


def _require_values(detector: Detector, written: Written) -> None:
    (found,) = scores_of(detector, written.path)
    if written.lossy:
        return
    expected = detector.score(written.values[None]).total
    if not np.array_equal(found, expected, equal_nan=True):
        share = np.mean(~((found == expected) | (np.isnan(found) & np.isnan(expected))))
        raise FaultFound("silent", f"{share:.1%} of scores differ: {written.options}")


def mutate(path: Path, rng: Random) -> None:
    """Damage a file, more often in its header and directories."""
    data = path.read_bytes()
    last = rng.choice([16, 600, len(data)])
    first = rng.choice([0, max(0, len(data) - 600)]) if last == len(data) else 0
    for _ in range(rng.choice([1, 1, 1, 3])):
        data = damaged(data, rng, first, last)
    path.write_bytes(data)


def scores_of(detector: Detector, path: Path) -> Iterator[NDArray[np.float32]]:
    """Score the first tiles of a raster, as `score_scene` does."""
    from anomvae.mapping import ScoreOptions
    from anomvae.mapping.quicklook import QuickLookSpec
    from anomvae.mapping.tiles import score_tiles
    from anomvae.parallel import serial
    from anomvae.raster import Scene

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Scene.of(path).open(detector.bands) as opened:
            spec = QuickLookSpec.of(opened.grid.shape, opened.bands)
            tiles = score_tiles(detector, opened, spec, ScoreOptions(threads=1), serial)
            for tile in islice(tiles, MOST_TILES):
                yield tile.layers[0]


def _begin_commands(inputs: Path) -> Attempt:
    scenes = [stored(seed) for seed in range(1, 5)]

    def attempt(rng: Random, scratch: Path) -> int:
        written = write_tiff(scratch / "scene.tif", rng.choice(scenes), rng)
        mutate(written.path, rng)
        ran = called("score", written.path, "-m", inputs / MODEL, "-o", scratch / "maps")
        ran.expect(0, 3, 4)
        if ran.code and any((scratch / "maps").glob("scene*")):
            raise FaultFound("lost", f"exit {ran.code}, but there are results")
        return 0

    return attempt


KINDS = (
    Kind("tiff", "tiffs", 0.96, _prepare, _begin),
    Kind("tiff-command", "tiffs", 0.04, _prepare, _begin_commands),
)
