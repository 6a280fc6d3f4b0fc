"""Where the pixels of a variable are: coordinates and grid mapping (CF Conventions 1.11, 5.6)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from rasterio.errors import CRSError

from ...pixels.grid import IDENTITY, Grid
from ..crs import named_crs, text_of
from ..georeference import FARTHEST, Georeference
from .cf_axes import COL, ROW, STANDARD_NAMES, UNITS, Axes, coordinate_of
from .swath import control_points
from .variables import Attribute, Container, Variable

IRREGULAR = 0.1
"""How far a coordinate may lie from a regular grid, pixels."""
WGS84 = "EPSG:4326"
CRS_TEXTS = ("crs_wkt", "spatial_ref", "esri_pe_string", "epsg_code", "EPSG_code", "proj4")
"""Attributes that hold a coordinate reference system as text."""

Transform = tuple[float, float, float, float, float, float]

PROJECTIONS = {
    "transverse_mercator": "+proj=tmerc",
    "lambert_conformal_conic": "+proj=lcc",
    "albers_conical_equal_area": "+proj=aea",
    "lambert_azimuthal_equal_area": "+proj=laea",
    "polar_stereographic": "+proj=stere",
    "stereographic": "+proj=stere",
    "sinusoidal": "+proj=sinu",
    "mercator": "+proj=merc",
    "azimuthal_equidistant": "+proj=aeqd",
    "latitude_longitude": "+proj=longlat",
}
PARAMETERS = {
    "longitude_of_central_meridian": "lon_0",
    "longitude_of_projection_origin": "lon_0",
    "straight_vertical_longitude_from_pole": "lon_0",
    "latitude_of_projection_origin": "lat_0",
    "scale_factor_at_central_meridian": "k_0",
    "scale_factor_at_projection_origin": "k_0",
    "false_easting": "x_0",
    "false_northing": "y_0",
    "semi_major_axis": "a",
    "semi_minor_axis": "b",
    "inverse_flattening": "rf",
}
"""Attributes of a grid mapping and the parameters of PROJ that they are."""


@dataclass(frozen=True)
class Place:
    """Where pixels are, and in which order they are stored."""

    where: Georeference
    """Of the pixels from north to south and from west to east."""
    flip_rows: bool = False
    """Whether the rows are stored from south to north."""
    flip_cols: bool = False
    """Whether the columns are stored from east to west."""
    guessed: tuple[str, ...] = ()
    """What was taken for granted, a sentence each."""


def place_of(file: Container, variable: Variable, axes: Axes) -> Place:
    """Read where the pixels of a variable are; without coordinates they lie nowhere."""
    shape = variable.shape[axes.rows], variable.shape[axes.cols]
    mapping = _mapping(file, variable)
    ys = _Coordinate.of(file, variable, axes.rows)
    xs = _Coordinate.of(file, variable, axes.cols)
    crs, guessed = _crs(mapping, file), tuple[str, ...]()
    if not crs and xs is not None and xs.units.casefold() in UNITS:
        crs, guessed = WGS84, (f"coordinate reference system: {WGS84}, because x is in degrees",)
    if xs is not None and ys is not None and xs.regular and ys.regular:
        grid = Grid(shape, _transform(xs, ys), crs_text(crs))
        return Place(Georeference(grid), ys.step > 0, xs.step < 0, guessed)
    transform = _geotransform(mapping)
    if transform is not None and (xs is None or ys is None):
        return Place(Georeference(Grid(shape, transform, crs_text(crs))))
    swath = _swath(file, variable, axes)
    if swath is not None:
        return Place(swath)
    reason = "irregular" if xs is not None and ys is not None else "missing"
    unknown = f"place: unknown, its coordinates are {reason}"
    return Place(Georeference(Grid(shape)), guessed=(unknown,))


@dataclass(frozen=True)
class _Coordinate:
    """Coordinates of the centres of pixels along one axis."""

    first: float
    step: float
    count: int
    units: str
    regular: bool

    @classmethod
    def of(cls, file: Container, variable: Variable, axis: int) -> _Coordinate | None:
        """Read the coordinates of an axis; None where it has none."""
        found = coordinate_of(file, variable, axis)
        if found is None:
            return None
        values = physical(found)
        steps, count = np.diff(values), len(values)
        step = float((values[-1] - values[0]) / max(1, count - 1))
        ideal = values[0] + step * np.arange(count)
        near = bool(np.abs(values - ideal).max(initial=0) <= IRREGULAR * abs(step))
        finite = bool((np.abs(values) <= FARTHEST).all())
        regular = finite and count > 1 and near and bool(steps.all())
        return cls(float(values[0]), step, count, found.text("units"), regular)

    @property
    def low(self) -> float:
        """The smallest centre."""
        return min(self.first, self.first + self.step * (self.count - 1))

    @property
    def high(self) -> float:
        """The largest centre."""
        return max(self.first, self.first + self.step * (self.count - 1))


def physical(variable: Variable) -> NDArray[np.float64]:
    """Read all numbers of a variable, unpacked; NaN where they are missing."""
    values = variable.whole().astype(np.float64)
    for name in ("_FillValue", "missing_value"):
        for fill in variable.numbers(name):
            values[values == fill] = np.nan
    scale, offset = variable.numbers("scale_factor"), variable.numbers("add_offset")
    return values * (scale[0] if scale else 1.0) + (offset[0] if offset else 0.0)


def _transform(xs: _Coordinate, ys: _Coordinate) -> Transform:
    unit = 1000.0 if {xs.units.casefold(), ys.units.casefold()} <= {"km", "kilometers"} else 1.0
    width, height = abs(xs.step) * unit, abs(ys.step) * unit
    left, top = xs.low * unit - width / 2, ys.high * unit + height / 2
    return width, 0.0, left, 0.0, -height, top


def _mapping(file: Container, variable: Variable) -> Mapping[str, Attribute]:
    """Return the attributes of the grid mapping of a variable, in its group or above.

    Without one they are those of the variable itself, which may state its system.
    """
    named = variable.text("grid_mapping").split(":")[0].split()
    for name in named[:1] or ("crs", "spatial_ref"):
        for path in _paths(variable, name):
            attributes = file.attributes(path)
            if attributes:
                return attributes
    return variable.attributes


def _paths(variable: Variable, name: str) -> Iterator[str]:
    if name.startswith("/"):
        yield name
        return
    yield from (str(parent / name) for parent in PurePosixPath(variable.path).parents)


def _crs(mapping: Mapping[str, Attribute], file: Container) -> str:
    """Return the first coordinate reference system that PROJ understands; empty without one."""
    texts = [mapping.get(name) for name in CRS_TEXTS]
    whole = file.attributes()
    texts += [_projection(mapping), *(whole.get(name) for name in CRS_TEXTS)]
    for text in texts:
        if isinstance(text, tuple) and len(text) == 1:
            text = f"EPSG:{text[0]:.0f}"
        if isinstance(text, str) and text.strip() and crs_text(text):
            return text
    return ""


def crs_text(crs: str) -> str:
    """Return a coordinate reference system as a grid holds it; empty where PROJ knows none."""
    if not crs:
        return ""
    try:
        name = f"EPSG:{crs.strip()}" if crs.strip().isdecimal() else crs
        return text_of(named_crs(name))
    except CRSError:
        return ""


def _projection(mapping: Mapping[str, Attribute]) -> str:
    """Return the parameters of a grid mapping as text of PROJ (CF 1.11, appendix F)."""
    name = mapping.get("grid_mapping_name")
    if not isinstance(name, str) or name not in PROJECTIONS:
        return ""
    parts = [PROJECTIONS[name]]
    for attribute, parameter in PARAMETERS.items():
        value = mapping.get(attribute)
        if isinstance(value, tuple) and value and math.isfinite(value[0]):
            parts.append(f"+{parameter}={value[0]!r}")
    parallels = mapping.get("standard_parallel", ())
    if isinstance(parallels, tuple):
        named = ("lat_ts",) if name in {"polar_stereographic", "mercator"} else ("lat_1", "lat_2")
        parts += [f"+{key}={value!r}" for key, value in zip(named, parallels, strict=False)]
    ellipsoid = [] if any(part.startswith("+a=") for part in parts) else ["+datum=WGS84"]
    return " ".join([*parts, *ellipsoid, "+no_defs"])


def _geotransform(mapping: Mapping[str, Attribute]) -> Transform | None:
    """Return the transform that GDAL writes into a grid mapping."""
    return transform_of(mapping.get("GeoTransform", ""))


def transform_of(value: Attribute) -> Transform | None:
    """Return a transform in the order of GDAL as that of a grid; None where it is none."""
    numbers = value.split() if isinstance(value, str) else value
    try:
        c, a, b, f, d, e = map(float, numbers)
    except ValueError:
        return None
    found = (a, b, c, d, e, f)
    usable = all(abs(number) <= FARTHEST for number in found) and found != IDENTITY
    return found if usable and a * e != b * d else None


def _swath(file: Container, variable: Variable, axes: Axes) -> Georeference | None:
    """Return control points of a swath whose latitude and longitude have rows and columns."""
    dims = variable.dims[axes.rows], variable.dims[axes.cols]
    shape = variable.shape[axes.rows], variable.shape[axes.cols]
    found: dict[str, Variable] = {}
    for one in file.variables():
        role = STANDARD_NAMES.get(one.text("standard_name")) or UNITS.get(
            one.text("units").casefold()
        )
        if role in {ROW, COL} and one.dims == dims and one.shape == shape and all(dims):
            found.setdefault(role, one)
    return control_points(Grid(shape), found[ROW], found[COL]) if len(found) == 2 else None
