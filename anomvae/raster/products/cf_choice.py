"""Which variables of a file are the pixels: one cube of bands, or layers that share a grid."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ...errors import RasterError, listed
from ..access import Access
from ..limits import require_at_most
from .cf_axes import STANDARD_NAMES, UNITS, Axes, axes_of
from .cf_bands import wavelength_of
from .variables import Container, Variable

FLAGS = ("flag_values", "flag_masks", "flag_meanings")
REFERENCES = ("coordinates", "bounds", "ancillary_variables", "cell_measures", "grid_mapping")
"""Attributes that name variables which are no data themselves."""
STATUS = re.compile(r".*(status_flag|quality_flag|standard_error|number_of_observations)")
"""Standard names of what describes data."""


@dataclass(frozen=True)
class Layer:
    """A variable with its axes."""

    variable: Variable
    """The numbers."""
    axes: Axes
    """What its axes mean."""


def layers_of(
    file: Container, path: str | None, band_axis: str | None, access: Access
) -> tuple[Layer, ...]:
    """Return the variables that are the pixels of a file, on one grid.

    Parameters
    ----------
    file : Container
        The open file.
    path : str or None
        The variable that the user names; None: found.
    band_axis : str or None
        See `axes_of`.
    access : Access
        Its limits hold.

    Raises
    ------
    RasterError
        When there is none, when several could be meant, or when the axes are not known; the message
        asks.
    ConfigError
        When ``band_axis`` names no axis.
    """
    if path is not None:
        return (_layer(file, _named(file, path), band_axis, access),)
    candidates = list(_candidates(file))
    if not candidates:
        raise RasterError(
            f"{file.name} holds no pixels: no variable of numbers has two axes or more. Give "
            f"another file."
        )
    cubes = [one for one in candidates if len(_long(one)) > 2]
    if not cubes:
        return _one_grid(file, [_layer(file, one, band_axis, access) for one in candidates])
    if band_axis is None:
        return _chosen(file, _known(file, cubes, access))
    return _chosen(file, [_layer(file, cube, band_axis, access) for cube in cubes])


def _chosen(file: Container, layers: Sequence[Layer]) -> tuple[Layer, ...]:
    with_bands = [layer for layer in layers if layer.axes.bands is not None]
    spectral = [layer for layer in with_bands if layer.axes.spectrum.wavelengths]
    for found in (spectral, with_bands):
        if len(found) == 1:
            return (found[0],)
        if found:
            raise _which(file, [layer.variable for layer in found])
    return _one_grid(file, layers)


def _known(file: Container, cubes: Sequence[Variable], access: Access) -> list[Layer]:
    """Return the cubes whose axes are known; where none is, raise the question."""
    known: list[Layer] = []
    question: RasterError | None = None
    for cube in cubes:
        try:
            known.append(_layer(file, cube, None, access))
        except RasterError as error:
            question = error
    if question is not None and not known:
        raise question if len(cubes) == 1 else _which(file, cubes)
    return known


def _one_grid(file: Container, layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Return the layers that share one grid, in the order of their names."""
    grids = [tuple(group) for _, group in groupby(sorted(layers, key=_grid_key), key=_grid_key)]
    if len(grids) > 1:
        raise _which(file, [layer.variable for grid in grids for layer in grid])
    waves = {layer.variable.path: wavelength_of(layer.variable) for layer in grids[0]}
    spectral = [layer for layer in grids[0] if waves[layer.variable.path] is not None]
    if spectral:
        return tuple(sorted(spectral, key=lambda layer: waves[layer.variable.path] or 0.0))
    return tuple(sorted(grids[0], key=lambda layer: _natural(layer.variable.path)))


def _grid_key(layer: Layer) -> tuple[tuple[str, ...], tuple[int, ...]]:
    variable = layer.variable
    named = all(variable.dims)
    # Axes without names belong to one array each, but rasters of one size share a grid.
    return variable.dims if named else ("",) * len(variable.dims), variable.shape


def _natural(text: str) -> list[tuple[str, int]]:
    """Return a key that sorts B2 before B10."""
    return [(word, int(number or 0)) for word, number in re.findall(r"(\D+)(\d*)", text)]


def _layer(file: Container, variable: Variable, band_axis: str | None, access: Access) -> Layer:
    if access.limits is not None:
        longest, title = max(variable.shape), f"{file.name} ({variable.path})"
        require_at_most(title, "pixels along an axis", longest, access.limits.side)
    if len(variable.shape) < 2:
        raise RasterError(
            f"{file.name}: {variable.path} has one axis ({variable.axes}), and pixels have rows "
            f"and columns. Name another variable."
        )
    if 0 in variable.shape:
        raise RasterError(
            f"{file.name}: {variable.path} is empty ({variable.axes}). Give another file."
        )
    return Layer(variable, axes_of(file, variable, band_axis))


def _named(file: Container, path: str) -> Variable:
    found = file.find(path)
    if found is None:
        known = [one.path for one in file.variables() if len(one.shape) > 1]
        raise RasterError(
            f"{file.name} has no variable {path!r} of numbers. It has {listed(known) or 'none'}."
        )
    return found


def _candidates(file: Container) -> Iterator[Variable]:
    """Yield the variables that could be pixels: no coordinates, flags, bounds or errors."""
    variables = file.variables()
    described = {name for one in variables for name in _references(one)}
    axes = {dim for one in variables for dim in one.dims}
    for one in variables:
        if 0 in one.shape or (len(_long(one)) < 2 and len(one.shape) < 3):
            continue
        apart = one.name in described or one.path in axes or _describes(one)
        if not apart and not any(mark in one.attributes for mark in FLAGS):
            yield one


def _describes(variable: Variable) -> bool:
    """Return whether a variable is a coordinate, or describes others."""
    name = variable.text("standard_name")
    role = STANDARD_NAMES.get(name) or UNITS.get(variable.text("units").casefold())
    return role is not None or STATUS.match(name) is not None


def _references(variable: Variable) -> Iterator[str]:
    for attribute in REFERENCES:
        for word in variable.text(attribute).replace(":", " ").split():
            yield word.rpartition("/")[2]


def _long(variable: Variable) -> list[int]:
    """Return the lengths of the axes that are longer than 1."""
    return [size for size in variable.shape if size > 1]


def _which(file: Container, variables: Sequence[Variable]) -> RasterError:
    described = [f"{one.path} ({one.axes})" for one in variables]
    return RasterError(
        f"{file.name} holds {len(variables)} variables that may be meant: {listed(described, 6)}. "
        f"Name one, for example {file.member(variables[0])}."
    )
