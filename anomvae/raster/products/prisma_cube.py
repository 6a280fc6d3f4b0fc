"""The cubes of a PRISMA product: two detectors, VNIR and SWIR, as one array of pixels.

The file stores a cube as (row, band, col), mostly by descending wavelength, and beside it a matrix
of errors of the same shape: 0 where a number is valid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import RasterError
from ...pixels.bands import Band
from ...pixels.tiling import Window, shape_of
from ..array_dataset import StoredArray
from ..losses import DAMAGED
from .hdf5 import HDF5File
from .variables import Attribute, StoredCube, Variable

FULL_SCALE = 65535
"""The stored number of the largest value of L2."""


@dataclass(frozen=True)
class Detector:
    """One detector of PRISMA."""

    name: str
    """``VNIR`` or ``SWIR``."""
    cube: Variable
    """Stored numbers, axes (row, band, col)."""
    errors: Variable | None
    """0 where a number is valid; same axes; None: the file has none."""
    wavelengths: tuple[float, ...]
    """Centre of each band, nm; 0 where the band was not acquired."""
    fwhm: tuple[float, ...]
    """Full width at half maximum of each band, nm."""
    scale: float
    """Physical value = stored number * scale + offset."""
    offset: float
    """See ``scale``."""

    @classmethod
    def of(cls, file: HDF5File, swath: str, name: str) -> Detector:
        """Read what the file states about a detector.

        Raises
        ------
        RasterError
            When something is missing, or the cube, its errors and its bands differ in number.
        """
        attributes, matrix = file.attributes(), "SAT" if "_L1_" in swath else "L2"
        key = name.capitalize()
        detector = cls(
            name,
            file.variable(f"{swath}/Data Fields/{name}_Cube"),
            file.find(f"{swath}/Data Fields/{name}_PIXEL_{matrix}_ERR_MATRIX"),
            _acquired(attributes, key, file.name),
            numbers(attributes, f"List_Fwhm_{key}", file.name),
            *_radiometry(attributes, key, file.name, raw=matrix == "SAT"),
        )
        detector._require_consistent(file.name)
        return detector

    def _require_consistent(self, name: str) -> None:
        bands, shape = len(self.wavelengths), self.cube.shape
        if len(shape) != 3 or self.cube.dtype.kind not in "ui":
            raise RasterError(
                f"{name}: {self.cube.path} is {self.cube.dtype} of the axes {shape}, but a cube of "
                f"PRISMA holds integers with the axes (row, band, col). {DAMAGED}"
            )
        errors = shape if self.errors is None else self.errors.shape
        if not bands == len(self.fwhm) == shape[1] or errors != shape:
            raise RasterError(
                f"{name} contradicts itself: {self.cube.path} has the axes (row, band, col) = "
                f"{shape}, its errors {errors}, and there are {bands} wavelengths and "
                f"{len(self.fwhm)} widths. {DAMAGED}"
            )

    def bands(self, start: int, nodata: float | None) -> Iterator[Band]:
        """Yield the bands that were acquired; their numbers in the product begin at ``start``."""
        for position, (nm, fwhm) in enumerate(zip(self.wavelengths, self.fwhm, strict=True)):
            if nm > 0:
                yield Band(
                    start + position,
                    f"{self.name} {position + 1}",
                    wavelength=nm,
                    scale=self.scale,
                    offset=self.offset,
                    nodata=nodata,
                    fwhm=fwhm,
                )

    def read(self, positions: Sequence[int], window: Window) -> NDArray[np.float32]:
        """Read bands by their positions, from 1; NaN where the product marks an error."""
        values = _stored(self.cube).read(positions, window).astype(np.float32)
        if self.errors is not None:
            values[_stored(self.errors).read(positions, window) != 0] = np.nan
        return values


@dataclass(frozen=True)
class PrismaCube(StoredArray):
    """The bands of both detectors, numbered in the order of the file: VNIR first."""

    detectors: tuple[Detector, ...]
    """The detectors, of one shape."""
    light: int | None = None
    """Number of a band that is 0 in no pixel with data; None: 0 is no data in each band."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, _, cols = self.detectors[0].cube.shape
        return rows, cols

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Type of each band."""
        return tuple(one.cube.dtype.name for one in self.detectors for _ in one.wavelengths)

    @property
    def block_shape(self) -> tuple[int, int]:
        """Rows and columns of a chunk; a row where the cubes are stored as one."""
        return _stored(self.detectors[0].cube).block_shape

    def read(self, indexes: Sequence[int], window: Window) -> NDArray[np.float32]:
        """Read bands by their numbers, from 1, of a window, axes (row, col, band).

        Raises
        ------
        OSError
            When the file is damaged there.
        """
        block = self._read(indexes, window)
        if self.light is not None:
            block[self._read([self.light], window)[..., 0] == 0] = np.nan
        return block

    def _read(self, indexes: Sequence[int], window: Window) -> NDArray[np.float32]:
        block = np.empty((*shape_of(window), len(indexes)), np.float32)
        wanted, start = np.asarray(indexes), 0
        for detector in self.detectors:
            end = start + len(detector.wavelengths)
            inside = (start < wanted) & (wanted <= end)
            if inside.any():
                block[..., inside] = detector.read((wanted[inside] - start).tolist(), window)
            start = end
        return block


def _stored(variable: Variable) -> StoredCube:
    return StoredCube(variable, rows=0, cols=2, bands=1)


def numbers(attributes: dict[str, Attribute], key: str, name: str) -> tuple[float, ...]:
    """Return an attribute that every product has as numbers.

    Raises
    ------
    RasterError
        When it is missing, or no finite number.
    """
    value = attributes.get(key, ())
    try:
        found = tuple(map(float, value.split() if isinstance(value, str) else value))
    except ValueError:
        found = ()
    if not found or not np.isfinite(found).all():
        raise RasterError(
            f"{name} has no attribute {key} of finite numbers, which every product of PRISMA has. "
            f"{DAMAGED}"
        )
    return tuple(map(_decimal, found))


def _decimal(number: float) -> float:
    """Return the number that was rounded to float32, if it was: 1.3107, not 1.31069997."""
    with np.errstate(over="ignore"):
        short = np.float32(number)
    return float(str(short)) if float(short) == number else number


def _acquired(attributes: dict[str, Attribute], key: str, name: str) -> tuple[float, ...]:
    """Return wavelengths, 0 where a band was not acquired."""
    wavelengths = numbers(attributes, f"List_Cw_{key}", name)
    flags = f"List_Cw_{key}_Flags"
    marks = numbers(attributes, flags, name) if flags in attributes else (1.0,) * len(wavelengths)
    if len(marks) != len(wavelengths):
        raise RasterError(
            f"{name} contradicts itself: {len(wavelengths)} wavelengths of {key.upper()}, but "
            f"{len(marks)} flags of them. {DAMAGED}"
        )
    return tuple(nm if mark else 0.0 for nm, mark in zip(wavelengths, marks, strict=True))


def _radiometry(
    attributes: dict[str, Attribute], key: str, name: str, *, raw: bool
) -> tuple[float, float]:
    """Return scale and offset: L1 is ``number / factor - offset``, L2 spans from min to max."""
    names = (f"ScaleFactor_{key}", f"Offset_{key}")
    if not raw:
        names = (f"L2Scale{key}Min", f"L2Scale{key}Max")
    (first, *_), (second, *_) = (numbers(attributes, one, name) for one in names)
    scale = 1 / first if raw and first else (second - first) / FULL_SCALE
    if scale <= 0 or (raw and not first):
        raise RasterError(f"{name} states no scale: {names[0]} = {first:g}. {DAMAGED}")
    return (scale, 0.0 - second) if raw else (scale, first)
