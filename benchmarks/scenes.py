"""Labelled scenes as tasks: a raster to fit, a raster to score, and its labels.

A folder holds ``<name>/scene.tif`` and ``<name>/labels.tif``.  Mode ``whole``: a detector is fitted
to the scene that it scores.  Mode ``split``: it is fitted to the left half of the columns and
measured on the right half.  Scenes can be averaged to fewer bands: a
broad-band sensor.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import MaskFlags
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader, DatasetWriter
from rasterio.windows import Window

from anomvae.pixels.tiling import whole
from anomvae.raster import Scene, read_labels

FEWEST_PIXELS = 256
"""Minimum of pixels with data in the half that is fitted."""


@dataclass(frozen=True)
class Task:
    """The rasters that a detector is fitted to and measured on."""

    mode: str
    """``whole`` or ``split``."""
    fitted: Path
    """The raster to fit."""
    scored: Path
    """The raster to score; ``fitted`` in mode ``whole``."""
    labels: Path
    """Labels of ``scored``."""


def labelled(folder: Path) -> list[Path]:
    """Return the folders of scenes that have labels."""
    return sorted(path.parent for path in folder.glob("*/labels.tif"))


@contextmanager
def averaged(folders: Sequence[Path], bands: int | None) -> Iterator[list[Path]]:
    """Yield folders of the same scenes with so many bands; delete them at the end of the block.

    Each band is the mean of neighbours that have data.  A scene that has no more bands, and with
    None every scene, stays as it is.
    """
    with tempfile.TemporaryDirectory() as name:
        yield [
            folder if bands is None else _averaged(folder, bands, Path(name) / folder.name)
            for folder in folders
        ]


def _averaged(folder: Path, bands: int, out: Path) -> Path:
    block = spectra(folder / "scene.tif")
    if block.shape[-1] <= bands:
        return folder
    out.mkdir()
    shutil.copy(folder / "labels.tif", out)
    groups = np.array_split(np.arange(block.shape[-1]), bands)
    with warnings.catch_warnings(), rasterio.open(folder / "scene.tif") as source:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no value is no data
        means = np.stack([np.nanmean(block[..., group], axis=-1) for group in groups])
        where = {"crs": source.crs, "transform": source.transform} if source.crs else {}
        size = {"count": bands, "height": source.height, "width": source.width}
        kind = {"driver": "GTiff", "dtype": "float32", "nodata": np.nan}
        with rasterio.open(out / "scene.tif", "w", **kind, **size, **where) as copy:
            copy.write(means)
    return out


@contextmanager
def prepared(folder: Path, mode: str) -> Iterator[Task]:
    """Yield the task of a scene; delete its halves at the end of the block."""
    scene, labels = folder / "scene.tif", folder / "labels.tif"
    if mode == "whole":
        yield Task(mode, scene, scene, labels)
        return
    with tempfile.TemporaryDirectory() as name:
        halves = Path(name)
        task = Task(mode, halves / "left.tif", halves / "right.tif", halves / "labels.tif")
        left, right = _halves(scene)
        cut(scene, task.fitted, left)
        cut(scene, task.scored, right)
        cut(labels, task.labels, right)
        yield task


def why_excluded(folder: Path, mode: str) -> str:
    """Return why a scene cannot be measured; an empty text where it can."""
    with Scene.of(folder / "scene.tif").open() as opened:
        _, cols = opened.grid.shape
        truth = read_labels(folder / "labels.tif", opened.grid, opened.name)
        valid = np.isfinite(opened.read(whole(opened.grid.shape))[0]).any(axis=-1)
    middle = cols // 2 if mode == "split" else 0
    known = valid[:, middle:] & np.isfinite(truth[:, middle:])
    anomalous = (truth[:, middle:] > 0)[known]
    where = " in the right half" if mode == "split" else ""
    if not anomalous.any():
        return f"no anomaly{where}"
    if anomalous.all():
        return f"nothing normal{where}"
    if mode == "split" and valid[:, :middle].sum() < FEWEST_PIXELS:
        return f"fewer than {FEWEST_PIXELS} pixels with data in the left half"
    return ""


def contents(folder: Path) -> str:
    """Return a short digest of scene and labels."""
    sums = (hashlib.sha256((folder / name).read_bytes()) for name in ("scene.tif", "labels.tif"))
    return hashlib.sha256(b"".join(one.digest() for one in sums)).hexdigest()[:12]


def spectra(path: Path) -> NDArray[np.float32]:
    """Read a whole raster, axes (row, col, band), NaN = no data."""
    with Scene.of(path).open() as opened:
        return np.asarray(opened.read(whole(opened.grid.shape))[0])


def cut(path: Path, out: Path, window: Window) -> None:
    """Copy a window of a raster, with its georeference and the metadata of its bands."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        warnings.simplefilter("ignore", PendingDeprecationWarning)  # rasterio calls affine so
        with rasterio.open(path) as source:
            profile = {
                "driver": "GTiff",
                "count": source.count,
                "dtype": source.dtypes[0],
                "nodata": source.nodata,
                "width": window.width,
                "height": window.height,
            }
            if source.crs is not None or not source.transform.is_identity:
                profile |= {"crs": source.crs, "transform": source.window_transform(window)}
            with rasterio.open(out, "w", **profile) as copy:
                copy.write(source.read(window=window))
                _describe(source, copy)
                if MaskFlags.per_dataset in source.mask_flag_enums[0]:
                    copy.write_mask(source.dataset_mask(window=window))


def _describe(source: DatasetReader, copy: DatasetWriter) -> None:
    copy.descriptions = source.descriptions
    copy.scales, copy.offsets = source.scales, source.offsets
    copy.colorinterp = source.colorinterp
    copy.update_tags(**source.tags())
    for band in source.indexes:
        copy.update_tags(band, **source.tags(band))


def _halves(path: Path) -> tuple[Window, Window]:
    with Scene.of(path).open() as opened:
        rows, cols = opened.grid.shape
    return Window(0, 0, cols // 2, rows), Window(cols // 2, 0, cols - cols // 2, rows)
