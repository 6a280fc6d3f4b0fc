"""Files of netCDF and HDF5, and folders of Zarr, by the CF Conventions 1.11, as products.

The axis of bands is the one with wavelengths, or that which the user names.  A time axis makes one
product of each date.  What a file leaves open is asked, see `cf_axes` and `cf_choice`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path, PurePosixPath

from ...addresses import displayed, is_local
from ...errors import RasterError
from ...pixels.bands import Band, Bands
from ..access import DEFAULT, Access
from ..array_dataset import ArrayDataset, StoredArray
from ..dataset import Dataset
from ..gdal import absolute_uri
from ..limits import require_at_most
from ..product_facts import ProductFacts
from .cf_axes import coordinate_of
from .cf_bands import wavelength_of
from .cf_choice import Layer, layers_of
from .cf_grid import place_of
from .cf_time import times_of
from .cf_values import Cleaned, Flipped, Joined, Radiometry
from .emit import emit_dataset, is_emit
from .files import ProductFiles
from .hdf5 import SIGNATURE, HDF5File, open_hdf5
from .netcdf3 import SIGNATURES, open_netcdf3
from .product import Product, ProductOptions
from .variables import Container, StoredCube
from .zarr import open_zarr

SUFFIXES = frozenset((".nc", ".nc4", ".cdf", ".h5", ".hdf5", ".he5"))
SUBDATASET = re.compile(r'(NETCDF|HDF5|ZARR):("?)(?P<path>.+?)\2:(?P<member>[^"]+)', re.IGNORECASE)
"""How GDAL names one variable of a file."""


@dataclass(frozen=True)
class Cube(Product):
    """Pixels of a file of netCDF or HDF5."""

    path: str
    """The file."""
    member: str | None = None
    """Path of the variable that the user names; None: found."""
    band_axis: str | None = None
    """See `ProductOptions.band_axis`."""
    index: int | None = None
    """Index, from 0, along the time axis; None: it has at most one date."""
    when: datetime | None = None
    """Time of that index; None: unknown."""
    clock: bool = False
    """Whether the file has other times of the same day."""

    @classmethod
    def recognise(cls, name: str, options: ProductOptions) -> Cube | None:
        """Take local files with a suffix of netCDF or HDF5, and variables in them."""
        match = SUBDATASET.fullmatch(name)
        path, member = (match["path"], match["member"]) if match else (name, None)
        suffix = PurePosixPath(path).suffix.lower()
        known = (
            suffix in SUFFIXES or match is not None or (suffix == ".zarr" and os.path.isdir(path))
        )
        if not is_local(path) or not known:
            return None
        options.require_side(name, "a cube")
        return cls(name, path, member, options.band_axis)

    @property
    def stem(self) -> str:
        """The stem of the names of its deliverables, with its date where the file has several."""
        parts = [Path(self.path).stem]
        if self.member is not None:
            parts += re.findall(r"[^/]+", self.member)
        if self.when is not None:
            parts.append(f"{self.when:%Y%m%dT%H%M%S}" if self.clock else f"{self.when:%Y%m%d}")
        return "_".join(parts)

    @property
    def paths(self) -> tuple[str, ...]:
        """The file alone, or what lies in a folder."""
        return ProductFiles.of(self.path).paths if os.path.isdir(self.path) else (self.path,)

    @property
    def date(self) -> date | None:
        """Day of the acquisition."""
        return super().date if self.when is None else self.when.date()

    def absolute(self) -> Cube:
        """Return the product with an absolute path; what is no path stays."""
        if self.member is not None:
            return self
        return replace(self, name=absolute_uri(self.name), path=os.path.abspath(self.path))

    def parts(self, access: Access = DEFAULT) -> tuple[Product, ...]:
        """Return one product for each date of its time axis, oldest first.

        Raises
        ------
        RasterError
            When the file cannot be read, or its times are not understood.
        """
        if self.index is not None:
            return (self,)
        with open_container(self.path) as file:
            times = _times(file, self._layers(file, access))
        if len(times) < 2:
            return (self,)
        days = [time.date() for time in times]
        return tuple(
            replace(self, index=index, when=times[index], clock=days.count(days[index]) > 1)
            for index in sorted(range(len(times)), key=times.__getitem__)
        )

    @contextmanager
    def open(self, access: Access = DEFAULT) -> Iterator[Dataset]:
        """Open the file, one date of it; the context closes it."""
        with open_container(self.path, displayed(self.name)) as file:
            yield self._dataset(file, access)

    def _layers(self, file: Container, access: Access) -> tuple[Layer, ...]:
        return layers_of(file, self.member, self.band_axis, access)

    def _dataset(self, file: Container, access: Access) -> ArrayDataset:
        if isinstance(file, HDF5File) and self.member is None and is_emit(file):
            return emit_dataset(file, self.path, self.date)
        layers = self._layers(file, access)
        times = _times(file, layers)
        if len(times) > 1 and self.index is None:
            raise RasterError(
                f"{file.name} holds {len(times)} dates, from {min(times):%Y-%m-%d} to "
                f"{max(times):%Y-%m-%d}, and one is read here. Train a family that compares dates "
                f"(anomvae train --set model.family=sequential), or score them all (anomvae score)."
            )
        first = layers[0]
        _require_within(file, layers, access)
        place = place_of(file, first.variable, first.axes)
        stored: StoredArray = _joined([self._stored(file, layer) for layer in layers])
        if place.flip_rows or place.flip_cols:
            stored = Flipped(stored, place.flip_rows, place.flip_cols)
        dataset = ArrayDataset(
            file.name,
            place.where.grid,
            _bands(file, layers),
            stored,
            place.where,
            self.paths,
            (self.member, self.index, [(one.variable.path, one.axes) for one in layers]),
        )
        when = self.when or (times[0] if times else None)
        return replace(dataset, facts=_facts(file, layers, when, place.guessed))

    def _stored(self, file: Container, layer: Layer) -> StoredArray:
        variable, axes = layer.variable, layer.axes
        used = {axes.rows, axes.cols, axes.bands}
        fixed = {axis: 0 for axis in range(len(variable.shape)) if axis not in used}
        if axes.time is not None:
            fixed[axes.time] = self.index or 0
        cube = StoredCube(variable, axes.rows, axes.cols, axes.bands, fixed)
        radiometry = Radiometry.of(variable, fills=file.fills)
        return cube if radiometry.is_plain else Cleaned(cube, radiometry)


def open_container(path: str, name: str | None = None) -> AbstractContextManager[Container]:
    """Open a folder of Zarr, or a file of HDF5 or netCDF by its first bytes.

    Raises
    ------
    RasterError
        When it does not exist, is damaged, or is neither.
    """
    if os.path.isdir(path):
        return open_zarr(path, name)
    try:
        with open(path, "rb") as file:
            start = file.read(8)
    except FileNotFoundError as error:
        raise RasterError(f"{name or path} does not exist. Check the path.") from error
    except OSError as error:
        raise RasterError(
            f"{name or path} cannot be opened: {error.strerror}. Check the path."
        ) from error
    if start[:4] in SIGNATURES:
        return open_netcdf3(path, name)
    if start.startswith(b"CDF"):
        raise RasterError(
            f"{name or path} is a file of netCDF with 64-bit data, which is not read. Convert it "
            f"to netCDF-4 (nccopy -k nc4)."
        )
    if start != SIGNATURE and not start.startswith(b"\0"):  # a block of the user may come first
        raise RasterError(
            f"{name or path} is neither netCDF nor HDF5, whatever its name. Fetch it again, or "
            f"name it after its format."
        )
    return open_hdf5(path, name)


def _joined(cubes: list[StoredArray]) -> StoredArray:
    return cubes[0] if len(cubes) == 1 else Joined(tuple(cubes))


def _times(file: Container, layers: Sequence[Layer]) -> list[datetime]:
    """Return the times of the time axis; empty where there is none, or its one is unknown."""
    variable, axis = layers[0].variable, layers[0].axes.time
    coordinate = None if axis is None else coordinate_of(file, variable, axis)
    if axis is None or (coordinate is None and variable.shape[axis] == 1):
        return []
    if coordinate is None:
        raise RasterError(
            f"{file.name}: the {variable.shape[axis]} dates along {variable.dims[axis]!r} of "
            f"{variable.path} are not stated. Add a coordinate variable of days since a date."
        )
    if variable.shape[axis] > 1:
        return times_of(coordinate, file.name)
    try:
        return times_of(coordinate, file.name)
    except RasterError:  # of one date: the name may hold it
        return []


def _require_within(file: Container, layers: Sequence[Layer], access: Access) -> None:
    if access.limits is None:
        return
    for layer in layers:
        variable, axes, title = layer.variable, layer.axes, f"{file.name} ({layer.variable.path})"
        rows, cols = variable.shape[axes.rows], variable.shape[axes.cols]
        require_at_most(title, "pixels", rows * cols, access.limits.pixels)
        bands = 1 if axes.bands is None else variable.shape[axes.bands]
        require_at_most(title, "bands", bands, access.limits.bands)
        size = variable.dtype.itemsize
        for length in variable.chunks or ():
            size *= length
        require_at_most(title, "bytes in a block", size, access.limits.block_bytes)


def _bands(file: Container, layers: Sequence[Layer]) -> Bands:
    items: list[Band] = []
    for layer in layers:
        items += _bands_of(file, layer, len(items) + 1)
    named = all(layer.axes.bands is None for layer in layers)
    return Bands(tuple(items), source=len(items), named=named)


def _bands_of(file: Container, layer: Layer, first: int) -> Iterator[Band]:
    variable, spectrum = layer.variable, layer.axes.spectrum
    radiometry = Radiometry.of(variable, fills=file.fills)
    plain = Band(
        first,
        variable.name,
        wavelength_of(variable),
        radiometry.scale,
        radiometry.offset,
        radiometry.nodata,
    )
    if layer.axes.bands is None:
        yield plain
        return
    for number in range(variable.shape[layer.axes.bands]):
        yield replace(
            plain,
            index=first + number,
            name=f"band_{first + number}",
            wavelength=spectrum.wavelengths[number] if spectrum.wavelengths else None,
            fwhm=spectrum.fwhm[number] if spectrum.fwhm else None,
            bad=spectrum.bad[number] if spectrum.bad else "",
        )


def _facts(
    file: Container, layers: Sequence[Layer], when: datetime | None, guessed: tuple[str, ...]
) -> ProductFacts:
    first = layers[0]
    units = {Radiometry.of(layer.variable, fills=file.fills).unit for layer in layers}
    unit = units.pop() if len(units) == 1 else ""
    if unit in {"1", "unitless", "none", "-"}:
        unit = "reflectance" if "reflectance" in first.variable.name.casefold() else "1"
    return ProductFacts(
        file.kind,
        None if when is None else when.date(),
        unit,
        (("variable", ", ".join(layer.variable.path for layer in layers)),),
        (*first.axes.guessed, *first.axes.spectrum.guessed, *guessed),
    )
