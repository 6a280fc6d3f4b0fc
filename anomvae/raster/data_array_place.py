"""Where the pixels of a DataArray of xarray lie, as rioxarray reads it."""

from __future__ import annotations

from typing import Any

from ..pixels.grid import Grid
from .crs import text_of
from .data_array_bands import Axes
from .georeference import Georeference


def place_of(array: Any, axes: Axes) -> Georeference:  # noqa: ANN401 - a DataArray
    """Return what locates the pixels of a DataArray; nothing without rioxarray."""
    shape = int(array.sizes[axes.row]), int(array.sizes[axes.col])
    try:
        from rioxarray.exceptions import RioXarrayError
    except ModuleNotFoundError:
        return Georeference(Grid(shape))
    # One band without the others: reading a transform computes no pixel.
    try:
        plane = array.isel(dict.fromkeys(axes.order[:-2], 0))
        place = plane.rio.set_spatial_dims(x_dim=axes.col, y_dim=axes.row).rio
        a, b, c, d, e, f = tuple(place.transform())[:6]
        return Georeference(Grid(shape, (a, b, c, d, e, f), text_of(place.crs)))
    except RioXarrayError:
        return Georeference(Grid(shape))
