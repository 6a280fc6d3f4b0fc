"""Files of netCDF and HDF5, and folders of Zarr, by the CF Conventions 1.11, as products.

The axis of bands is the one with wavelengths, or that which the user names.  A time axis makes one
product of each date.  What a file leaves open is asked, see `cf_axes` and `cf_choice`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
from .cf_grid import Place, place_of
from .cf_time import times_of
from .cf_values import Cleaned, Flipped, Joined, Radiometry
from .containers import open_container
from .emit import emit_dataset, is_emit
from .files import ProductFiles
from .hdf5 import HDF5File, reading
from .product import Product, ProductOptions
from .variables import Container, StoredCube

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
        with open_container(self.path) as file, reading(file.name):
            times = _times(file, self._layers(file, access))
        if len(times) < 2:
            return (self,)
        days = [time.date() for time in times]
        return tuple(
            replace(self, index=index, when=times[index], clock=days.count(days[index]) > 1)
            for index in sorted(range(len(times)), key=times.__getitem__)
        )

    @property
    def container(self) -> Cube:
        """The file of all dates."""
        return replace(self, index=None, when=None, clock=False)

    @contextmanager
    def open(self, access: Access = DEFAULT) -> Iterator[Dataset]:
        """Open the file, one date of it; the context closes it."""
        with self.open_parts((self,), access) as (dataset,):
            yield dataset

    @contextmanager
    def open_parts(
        self, parts: Sequence[Product], access: Access = DEFAULT
    ) -> Iterator[Sequence[Dataset]]:
        """Open the file once for dates of it; the context closes it."""
        with open_container(self.path, displayed(self.name)) as file:
            with reading(file.name):
                datasets = list(self._datasets(file, access, parts))
            yield datasets

    def _layers(self, file: Container, access: Access) -> tuple[Layer, ...]:
        return layers_of(file, self.member, self.band_axis, access)

    def _datasets(
        self, file: Container, access: Access, parts: Sequence[Product]
    ) -> Iterator[ArrayDataset]:
        if isinstance(file, HDF5File) and self.member is None and is_emit(file):
            yield from [emit_dataset(file, self.path, self.date)] * len(parts)
            return
        layers = self._layers(file, access)
        only = _only_day(file, layers) if self.index is None else None
        _require_within(file, layers, access)
        place = place_of(file, layers[0].variable, layers[0].axes)
        bands, facts = _bands(file, layers), _facts(file, layers, place.guessed)
        for part in parts:
            index = part.index if isinstance(part, Cube) else None
            when = part.date if index is not None else only
            yield ArrayDataset(
                file.name,
                place.where.grid,
                bands,
                _stored(file, layers, place, index or 0),
                place.where,
                self.paths,
                (self.member, index, [(one.variable.path, one.axes) for one in layers]),
                facts=replace(facts, date=when),
            )


def _only_day(file: Container, layers: Sequence[Layer]) -> date | None:
    """Return the one day of a file; None where it states none."""
    times = _times(file, layers)
    if len(times) > 1:
        raise RasterError(
            f"{file.name} holds {len(times)} dates, from {min(times):%Y-%m-%d} to "
            f"{max(times):%Y-%m-%d}, and one is read here. Compare them (anomvae "
            f"detect), or score them all (anomvae score)."
        )
    return times[0].date() if times else None


def _stored(file: Container, layers: Sequence[Layer], place: Place, time: int) -> StoredArray:
    """Return the pixels of layers at an index along their time axis, north up."""
    cubes = tuple(_cube(file, layer, time) for layer in layers)
    stored: StoredArray = cubes[0] if len(cubes) == 1 else Joined(cubes)
    if place.flip_rows or place.flip_cols:
        stored = Flipped(stored, place.flip_rows, place.flip_cols)
    return stored


def _cube(file: Container, layer: Layer, time: int) -> StoredArray:
    variable, axes = layer.variable, layer.axes
    used = {axes.rows, axes.cols, axes.bands}
    fixed = {axis: 0 for axis in range(len(variable.shape)) if axis not in used}
    if axes.time is not None:
        fixed[axes.time] = time
    cube = StoredCube(variable, axes.rows, axes.cols, axes.bands, fixed)
    radiometry = Radiometry.of(variable, fills=file.fills)
    return cube if radiometry.is_plain else Cleaned(cube, radiometry)


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


def _facts(file: Container, layers: Sequence[Layer], guessed: tuple[str, ...]) -> ProductFacts:
    first = layers[0]
    units = {Radiometry.of(layer.variable, fills=file.fills).unit for layer in layers}
    unit = units.pop() if len(units) == 1 else ""
    if unit in {"1", "unitless", "none", "-"}:
        unit = "reflectance" if "reflectance" in first.variable.name.casefold() else "1"
    return ProductFacts(
        file.kind,
        None,
        unit,
        (("variable", ", ".join(layer.variable.path for layer in layers)),),
        (*first.axes.guessed, *first.axes.spectrum.guessed, *guessed),
    )
