"""What a DataArray of xarray states about its axes and bands, as rioxarray and CF name it.

What GDAL keeps of an ENVI header (``bbl``, ``reflectance scale factor``) counts as in a file.
Values may be stored numbers: ``scale_factor`` and ``add_offset`` (of each band: ``scales`` and
``offsets``), ``_FillValue`` and ``missing_value`` count where they are still attributes; what has
decoded the values has removed them.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..names import one_line
from ..pixels.bands import Band, Bands
from ..pixels.wavelengths import Unit, guessed_unit, nanometres, number_of, unit_of
from .envi_header import ENVI, EnviHeader

TIME = ("time", "date", "dates", "t")
BAND = ("band", "bands", "wavelength", "wavelengths", "channel", "channels", "spectral")
ROW = ("y", "row", "rows", "line", "lines", "lat", "latitude", "northing")
COL = ("x", "col", "cols", "column", "sample", "samples", "lon", "longitude", "easting")
CENTRES = ("wavelength", "wavelengths", "center_wavelength", "central_wavelength")
WIDTHS = ("fwhm", "bandwidth")
NAMES = ("long_name", "band_names", "descriptions")
BAD = "bbl = 0"


@dataclass(frozen=True)
class Axes:
    """The dimensions of a DataArray."""

    band: Hashable
    row: Hashable
    col: Hashable
    time: Hashable | None = None
    """None: it is of one date."""

    @property
    def order(self) -> tuple[Hashable, ...]:
        """All of them: time if there is one, band, row, col."""
        return (*(() if self.time is None else (self.time,)), self.band, self.row, self.col)


def axes_of(array: Any) -> Axes:  # noqa: ANN401 - a DataArray
    """Return the dimensions of a DataArray by their names, in whatever order they are.

    Raises
    ------
    ConfigError
        When one is missing or unknown, or two have the same meaning.
    """
    found = {kind: _named(array.dims, names) for kind, names in _KINDS.items()}
    known = [name for names in found.values() for name in names]
    missing = [kind for kind in ("band", "y", "x") if len(found[kind]) != 1]
    others = [name for name in array.dims if name not in known]
    if missing or others or len(found["time"]) > 1:
        raise ConfigError(
            f"The array has the dimensions {_listed(array.dims)}, and band, y, x are expected, or "
            f"time, band, y, x{_lacking(missing)}. Rename them (da.rename), select one of what is "
            f"more (da.isel), or give one band a dimension (da.expand_dims('band'))."
        )
    time = found["time"][0] if found["time"] else None
    return Axes(found["band"][0], found["y"][0], found["x"][0], time)


_KINDS = {"time": TIME, "band": BAND, "y": ROW, "x": COL}


def _named(dims: Sequence[Hashable], names: tuple[str, ...]) -> list[Hashable]:
    return [name for name in dims if str(name).casefold() in names]


def _listed(dims: Sequence[Hashable]) -> str:
    return ", ".join(one_line(str(name)) for name in dims) or "of a single value"


def _lacking(missing: list[str]) -> str:
    return f" ({', '.join(missing)} is not found once)" if missing else ""


def bands_of(array: Any, axes: Axes) -> Bands:  # noqa: ANN401 - a DataArray
    """Describe the bands of a DataArray.

    Raises
    ------
    ConfigError
        When a scale is 0, or a scale or an offset is no number: values would be wrong.
    """
    count = array.sizes[axes.band]
    names = _names(array, axes.band, count)
    named = all(names) and len(set(names)) == count
    centres = _centres(array, axes.band, names)
    widths = _widths(array, axes.band, centres)
    scales, offsets = _scales(array, count)
    if 0 in scales or not all(map(math.isfinite, (*scales, *offsets))):
        raise ConfigError(
            "The array has a scale of 0, or a scale or an offset that is no number, so its values "
            "are unknown. Correct its attributes scale_factor and add_offset."
        )
    nodata, bad = _nodata(array), _bad(array, axes.band)
    items = tuple(
        Band(
            number + 1,
            names[number] if named else f"band_{number + 1}",
            wavelength=centres[number],
            fwhm=widths[number],
            scale=scales[number],
            offset=offsets[number],
            nodata=nodata,
            bad=BAD if bad[number] else "",
        )
        for number in range(count)
    )
    return Bands(items, source=count, named=named, unclear=any(names) and not named)


def _names(array: Any, dim: Hashable, count: int) -> list[str]:  # noqa: ANN401 - a DataArray
    """Return the name of each band; empty where it has none."""
    for name in NAMES:
        given = array.attrs.get(name)
        texts = [given] if isinstance(given, str) and count == 1 else given
        if isinstance(texts, list | tuple | np.ndarray) and len(texts) == count:
            return [str(text or "").strip() for text in texts]
    coordinate = array.coords.get(dim)
    candidates = [coordinate, *(array.coords.get(name) for name in ("band_name", *NAMES))]
    for values in candidates:
        if values is not None and values.dims == (dim,) and values.dtype.kind in "UOST":
            return [str(text).strip() for text in values.values]
    return [""] * count


def _of_bands(array: Any, dim: Hashable, names: tuple[str, ...]) -> Any:  # noqa: ANN401 - xarray's
    """Return the coordinate of the bands that has one of these names and holds numbers."""
    for name, values in array.coords.items():
        of_bands = values.dims == (dim,) and values.dtype.kind in "iuf"
        if of_bands and str(name).casefold() in names:
            return values
    return None


def _centres(array: Any, dim: Hashable, names: list[str]) -> list[float | None]:  # noqa: ANN401
    """Return the wavelength of each band, nm: of a coordinate, else of its name."""
    given = _of_bands(array, dim, CENTRES)
    if given is None:
        return [nanometres(name) for name in names]
    unit = _unit(given)
    return [None if unit is None else unit.centre(float(value)) for value in given.values]


def _unit(coordinate: Any) -> Unit | None:  # noqa: ANN401 - a DataArray
    """Return the unit of wavelengths; of those without one, that of their size."""
    text = coordinate.attrs.get("units", "")
    return unit_of(str(text)) if text else guessed_unit([float(v) for v in coordinate.values])


def _widths(array: Any, dim: Hashable, centres: list[float | None]) -> list[float | None]:  # noqa: ANN401
    given, wave = _of_bands(array, dim, WIDTHS), _of_bands(array, dim, CENTRES)
    source = given if given is None or given.attrs.get("units") else wave
    unit = None if source is None else _unit(source)
    if given is None or unit is None:
        return [None] * len(centres)
    pairs = zip(given.values, centres, strict=True)
    return [None if centre is None else unit.width(float(width), centre) for width, centre in pairs]


def _numbers(
    array: Any,  # noqa: ANN401 - a DataArray
    names: tuple[str, ...],
    default: float,
    count: int,
) -> list[float]:
    """Return a number for each band, of the first attribute that has one, or one for each."""
    for name in names:
        given = np.ravel(array.attrs.get(name, ()))
        if given.size in {1, count}:
            try:
                return list(map(float, np.broadcast_to(given, count)))
            except (TypeError, ValueError):
                return [math.nan] * count
    return [default] * count


def _nodata(array: Any) -> float | None:  # noqa: ANN401 - a DataArray
    for name in ("_FillValue", "missing_value"):
        given = np.ravel(array.attrs.get(name, ()))
        if given.size == 1 and given.dtype.kind in "iuf" and math.isfinite(given[0]):
            return float(given[0])
    return None


def _bad(array: Any, dim: Hashable) -> list[bool]:  # noqa: ANN401 - a DataArray
    """Return whether each band is 0 in a list of bad bands: a coordinate, or of an ENVI header."""
    given, count = _of_bands(array, dim, ("bbl",)), array.sizes[dim]
    if given is not None:
        return [bool(value == 0) for value in given.values]
    header = _envi(array, count)
    numbers = array.coords[dim].values if dim in array.coords else np.arange(1, count + 1)
    if numbers.dtype.kind not in "iu":
        return [False] * count
    return [0 < number <= header.count and header.is_bad(int(number)) for number in numbers]


def _envi(array: Any, count: int) -> EnviHeader:  # noqa: ANN401 - a DataArray
    """Return the ENVI header that the attributes hold; empty where they hold none.

    It is that of the whole file, of which the array may have some bands only.
    """
    items = {str(name).casefold(): str(value) for name, value in array.attrs.items()}
    if not items.get("file_type", "").startswith(ENVI):
        return EnviHeader({}, count)
    whole = number_of(items.get("bands", ""))
    return EnviHeader(items, count if whole is None else int(whole))


def _scales(array: Any, count: int) -> tuple[list[float], list[float]]:  # noqa: ANN401 - a DataArray
    """Return scale and offset of each band; those of an ENVI header as in a file."""
    factor = _envi(array, count).reflectance_factor
    if factor is not None:
        return [1 / factor] * count, [0.0] * count
    scales = _numbers(array, ("scale_factor", "scales"), 1.0, count)
    return scales, _numbers(array, ("add_offset", "offsets"), 0.0, count)


def unit_of_values(array: Any) -> str:  # noqa: ANN401 - a DataArray
    """Return the unit of the values, as an ENVI header states it; empty: unknown."""
    header = _envi(array, 1)
    return "reflectance" if header.reflectance_factor is not None else header.text("data_units")
