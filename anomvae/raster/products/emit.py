"""EMIT L2A reflectance and L1B radiance (netCDF-4): bands last, in swath geometry.

Sources: EMIT L1B and L2A user guides, LP DAAC, 2022 (V001) to 2025 (V002).  Outputs lie on the grid
of the lookup table in the group ``location``; the mask file beside the product hides clouds.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from ...addresses import displayed, is_local
from ...errors import RasterError
from ...pixels.bands import Band, Bands
from ...pixels.dates import date_of
from ...pixels.grid import Grid
from ..access import DEFAULT, Access
from ..array_dataset import ArrayDataset, StoredArray
from ..dataset import Dataset
from ..gdal import absolute_uri
from ..georeference import Georeference
from ..mask_layers import MaskLayer
from ..mask_rules import Classes
from ..product_facts import ProductFacts
from .cf_grid import crs_text, transform_of
from .cf_values import Radiometry
from .glt import Orthorectified
from .hdf5 import HDF5File, HDF5Variable, open_hdf5, reading
from .product import Product, ProductOptions
from .swath import control_points
from .variables import StoredCube

FILES = re.compile(
    r"EMIT_(?P<level>L1B|L2A)_(?P<kind>RAD|OBS|RFL|RFLUNCERT|MASK)_(?P<version>\d+)_"
    r"(?P<scene>\d{8}T\d{6}.*)\.nc",
    re.IGNORECASE,
)
"""Names of the files of a granule."""
PIXELS = {"L1B": ("RAD", "radiance"), "L2A": ("RFL", "reflectance")}
"""Kind of the file with the pixels, and the name of their variable."""
HIDING = ("cloud flag", "cirrus flag", "spacecraft flag", "dilated cloud flag", "spectf-cloud flag")
"""Flags of the mask file that hide a pixel; water and the aggregate, which holds it, do not."""
FLAGS = ("cloud flag", "cirrus flag", "water flag", "spacecraft flag", "dilated cloud flag")
"""The first bands of a mask file of V001, where it does not name them."""
BAD = "good_wavelengths = 0"
NO_MASK = "mask: no file EMIT_L2A_MASK_... beside it, so clouds are not hidden"
NO_WAVELENGTHS = "wavelengths: unknown, the group sensor_band_parameters is missing from the file"
NO_PLACE = "place: unknown, the group location is missing from the file"


@dataclass(frozen=True)
class Emit(Product):
    """A granule of EMIT."""

    path: str
    """The file of its pixels."""
    mask: str | None = None
    """The mask file beside it."""

    @classmethod
    def recognise(cls, name: str, options: ProductOptions) -> Emit | None:
        """Take the files of a granule by their names; any one leads to that of the pixels."""
        match = FILES.fullmatch(os.path.basename(name)) if is_local(name) else None
        if match is None:
            return None
        beside = _beside(name, match)
        kind, _ = PIXELS[match["level"].upper()]
        path = name if match["kind"].upper() == kind else beside.get(kind)
        if path is None:
            return None
        options.require_default(name, "a product of EMIT")
        return cls(name, path, beside.get("MASK"))

    @property
    def stem(self) -> str:
        """The stem of the names of its deliverables."""
        return Path(self.path).stem

    @property
    def paths(self) -> tuple[str, ...]:
        """The files of pixels and masks."""
        return (self.path,) if self.mask is None else (self.path, self.mask)

    @property
    def date(self) -> date | None:
        """Day of the acquisition, UTC."""
        return date_of(self.path)

    def absolute(self) -> Emit:
        """Return the product with absolute paths."""
        mask = None if self.mask is None else os.path.abspath(self.mask)
        return Emit(absolute_uri(self.name), os.path.abspath(self.path), mask)

    @contextmanager
    def open(self, access: Access = DEFAULT) -> Iterator[Dataset]:
        """Open the pixels on their grid; the context closes the file."""
        masks = () if self.mask is None else _mask_layers(EmitMask(self.mask, self.mask, self.path))
        with open_hdf5(self.path, displayed(self.name)) as file:
            with reading(file.name):
                dataset = emit_dataset(file, self.path, self.date)
            guessed = (*dataset.facts.guessed, *(() if masks else (NO_MASK,)))
            yield replace(dataset, masks=masks, facts=replace(dataset.facts, guessed=guessed))


@dataclass(frozen=True)
class EmitMask(Product):
    """The mask file of a granule."""

    path: str
    """The file."""
    scene: str
    """The file of the pixels, whose lookup table holds where this one has none."""

    @property
    def stem(self) -> str:
        """The stem of its name."""
        return Path(self.path).stem

    @property
    def paths(self) -> tuple[str, ...]:
        """The file."""
        return (self.path,)

    def absolute(self) -> EmitMask:
        """Return the mask with absolute paths."""
        path = os.path.abspath(self.path)
        return EmitMask(absolute_uri(self.name), path, os.path.abspath(self.scene))

    @contextmanager
    def open(self, access: Access = DEFAULT) -> Iterator[Dataset]:
        """Open the masks on the grid of the pixels."""
        with ExitStack() as stack:
            file = stack.enter_context(open_hdf5(self.path, displayed(self.name)))
            variable = _swath(file, "mask")
            located = file
            if file.find("location/glt_x") is None:
                located = stack.enter_context(open_hdf5(self.scene))
            names = _flags(file, variable)
            items = tuple(Band(number, name) for number, name in enumerate(names, start=1))
            bands = Bands(items, source=len(items), named=len(set(names)) == len(names))
            with reading(file.name):
                dataset = _on_grid(file, variable, bands, (self.path,), located)
            yield dataset


def is_emit(file: HDF5File) -> bool:
    """Return whether a file of any name holds pixels of EMIT with a lookup table."""
    sensor = str(file.attributes().get("instrument", "")).strip().upper()
    return sensor == "EMIT" and file.find("location/glt_x") is not None and _kind(file) is not None


def emit_dataset(file: HDF5File, path: str, day: date | None) -> ArrayDataset:
    """Describe the pixels of an open file of EMIT.

    Raises
    ------
    RasterError
        When it has no pixels, or contradicts itself.
    """
    kind = _kind(file)
    if kind is None:
        raise RasterError(
            f"{file.name} has neither reflectance nor radiance, whatever its name. Fetch it again."
        )
    variable = _swath(file, PIXELS[kind][1])
    bands, missing = _bands(file, variable)
    dataset = _on_grid(file, variable, bands, (path,), file)
    if not (dataset.grid.located or dataset.where.gcps):
        missing = (*missing, NO_PLACE)
    unit = "reflectance" if kind == "L2A" else variable.text("units") or "uW/cm2/sr/nm"
    version = str(file.attributes().get("product_version", ""))
    details = (("version", version),) if version else ()
    facts = ProductFacts(f"EMIT {kind}", day, unit, details, missing)
    return replace(dataset, facts=facts)


def _kind(file: HDF5File) -> str | None:
    return next((kind for kind, (_, name) in PIXELS.items() if file.find(name) is not None), None)


def _swath(file: HDF5File, name: str) -> HDF5Variable:
    variable = file.variable(name)
    if len(variable.shape) != 3:
        raise RasterError(
            f"{file.name}: {name} has {len(variable.shape)} axes ({variable.axes}), and a swath "
            f"has rows, columns and bands. Fetch the file again."
        )
    return variable


def _bands(file: HDF5File, variable: HDF5Variable) -> tuple[Bands, tuple[str, ...]]:
    count, radiometry = variable.shape[2], Radiometry.of(variable, fills=True)
    lists: dict[str, list[float]] = {}
    for name in ("wavelengths", "fwhm", "good_wavelengths"):
        found = file.find(f"sensor_band_parameters/{name}")
        if found is None:
            continue
        if found.shape != (count,):
            raise RasterError(
                f"{file.name} contradicts itself: {found.shape[0]} {name} of {count} bands. Fetch "
                f"the file again."
            )
        lists[name] = found.whole().tolist()
    plain = Band(0, "", None, radiometry.scale, radiometry.offset, radiometry.nodata)
    items = tuple(
        replace(
            plain,
            index=index + 1,
            name=f"band_{index + 1}",
            wavelength=_length(lists, "wavelengths", index),
            fwhm=_length(lists, "fwhm", index),
            bad="" if lists.get("good_wavelengths", [1.0] * count)[index] else BAD,
        )
        for index in range(count)
    )
    missing = () if "wavelengths" in lists else (NO_WAVELENGTHS,)
    return Bands(items, source=count, named=False), missing


def _length(lists: Mapping[str, Sequence[float]], name: str, index: int) -> float | None:
    """Return an entry of a list, nm; None where there is none, or it is no length."""
    value = lists[name][index] if name in lists else 0.0
    return round(value, 4) if 0 < value < math.inf else None


def _on_grid(
    file: HDF5File,
    variable: HDF5Variable,
    bands: Bands,
    paths: tuple[str, ...],
    located: HDF5File,
) -> ArrayDataset:
    """Put a swath on the grid of a lookup table; without one, leave it in its geometry."""
    swath = StoredCube(variable, 0, 1, 2)
    samples, lines = (located.find(f"location/glt_{axis}") for axis in "xy")
    attributes = located.attributes()
    transform = transform_of(attributes.get("geotransform", ()))
    stored: StoredArray = swath
    if lines is not None and samples is not None and transform is not None:
        if lines.shape != samples.shape or len(lines.shape) != 2:
            raise RasterError(
                f"{located.name} contradicts itself: its lookup tables glt_x ({samples.axes}) and "
                f"glt_y ({lines.axes}) differ. Fetch the file again."
            )
        stored = Orthorectified(swath, lines, samples)
        grid = Grid(stored.shape, transform, crs_text(str(attributes.get("spatial_ref", ""))))
        where = Georeference(grid)
    else:
        where = _swath_place(located, swath.shape)
    return ArrayDataset(file.name, where.grid, bands, stored, where, paths)


def _swath_place(file: HDF5File, shape: tuple[int, int]) -> Georeference:
    latitude, longitude = (file.find(f"location/{name}") for name in ("lat", "lon"))
    if latitude is None or longitude is None or not latitude.shape == longitude.shape == shape:
        return Georeference(Grid(shape))
    return control_points(Grid(shape), latitude, longitude)


def _flags(file: HDF5File, variable: HDF5Variable) -> list[str]:
    """Return the names of the bands of a mask file, in lower case."""
    named = [name.casefold() for name in file.texts("sensor_band_parameters/mask_bands")]
    if len(named) == variable.shape[2]:
        return named
    return [*FLAGS, *(f"band {number}" for number in range(6, variable.shape[2] + 1))]


def _mask_layers(mask: EmitMask) -> tuple[MaskLayer, ...]:
    with open_hdf5(mask.path, displayed(mask.name)) as file:
        names = _flags(file, _swath(file, "mask"))
    return tuple(
        MaskLayer(mask, Classes((1,)), f"EMIT mask: {name.removesuffix(' flag')}", number)
        for number, name in enumerate(names, start=1)
        if name in HIDING
    )


def _beside(name: str, match: re.Match[str]) -> dict[str, str]:
    """Return the files of the granule in the same folder, by kind; the newest version of each."""
    folder = os.path.dirname(name)
    try:
        names = sorted(os.listdir(folder or os.curdir))
    except OSError:
        return {}
    found: dict[str, str] = {}
    for other in names:
        same = FILES.fullmatch(other)
        if same is not None and same["scene"].casefold() == match["scene"].casefold():
            found[same["kind"].upper()] = os.path.join(folder, other)
    return found
