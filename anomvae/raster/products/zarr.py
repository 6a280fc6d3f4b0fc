"""Folders of Zarr (formats 2 and 3): their metadata are JSON, their chunks are read by GDAL.

GDAL takes the last two axes of an array for rows and columns, whatever they mean; here an array of
up to three axes is read as it is stored.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader

from ...addresses import displayed
from ...errors import RasterError
from ..access import DEFAULT, Access
from ..gdal import GDAL_ERRORS, reason
from ..opening import open_handle
from .files import ProductFiles
from .variables import Attribute, Container, Variable, native, numbers_of

MOST_AXES = 3
"""Axes of an array that is read."""
METADATA = (".zarray", "zarr.json", ".zattrs")


@dataclass(frozen=True)
class ZarrVariable(Variable):
    """An array of Zarr."""

    handle: DatasetReader = field(compare=False)
    """The array as GDAL opens it: the first of three axes are its bands."""

    def read(self, parts: tuple[slice, ...]) -> NDArray[Any]:
        """Read a part of each axis."""
        window = (slice(0, 1), parts[0]) if len(parts) == 1 else (parts[-2], parts[-1])
        layers = parts[0] if len(parts) == MOST_AXES else slice(0, 1)
        numbers = list(range(layers.start + 1, layers.stop + 1))
        try:
            stored = self.handle.read(numbers, window=window)
        except GDAL_ERRORS as error:
            raise OSError(reason(error)) from error
        shape = tuple(part.stop - part.start for part in parts)
        return np.reshape(stored, shape).astype(self.dtype, copy=False)


@dataclass(frozen=True)
class ZarrFolder(Container):
    """An open folder of Zarr."""

    name: str
    """The name that messages use."""
    arrays: Mapping[str, ZarrVariable]
    """Arrays by their paths."""
    groups: Mapping[str, Mapping[str, Attribute]]
    """Attributes of groups and arrays by their paths."""
    kind: str = "Zarr"
    """Format, for people."""
    fills: bool = False
    """Zarr states its fill values."""

    def find(self, path: str) -> ZarrVariable | None:
        """Return a variable by its path; None where there is no array of real numbers."""
        return self.arrays.get(f"/{path.strip('/')}")

    def attributes(self, path: str = "/") -> Mapping[str, Attribute]:
        """Return the attributes of a group or a variable; empty where it is missing."""
        return self.groups.get(f"/{path.strip('/')}", {})

    def variables(self) -> list[ZarrVariable]:
        """Return all arrays of real numbers, in order of their paths."""
        return [self.arrays[path] for path in sorted(self.arrays)]

    def member(self, variable: Variable) -> str:
        """Return how a user names one of its variables."""
        return f"'ZARR:\"{self.name}\":{variable.path}'"


@contextmanager
def open_zarr(root: str, name: str | None = None, access: Access = DEFAULT) -> Iterator[ZarrFolder]:
    """Open a folder of Zarr; the context closes it.

    Raises
    ------
    RasterError
        When its metadata are damaged, or GDAL does not read an array.
    """
    title, files = displayed(root if name is None else name), ProductFiles.of(root)
    groups: dict[str, Mapping[str, Attribute]] = {}
    arrays: dict[str, Mapping[str, Any]] = {}
    for file in files.names:
        path = PurePosixPath("/", file)
        if path.name not in METADATA:
            continue
        document = files.json(file)
        where, attributes = str(path.parent), document
        if path.name == "zarr.json" and isinstance(document, dict):
            attributes = document.get("attributes", {})
        if not isinstance(document, dict) or not isinstance(attributes, dict):
            raise RasterError(f"{title}: {file} is damaged: it is no table. Fetch it again.")
        if not _are_lengths(document.get("shape", [])):
            raise RasterError(
                f"{title}: {file} is damaged: its shape is no list of lengths. Fetch it again."
            )
        if path.name == ".zarray" or document.get("node_type") == "array":
            arrays[where] = document
        if path.name != ".zarray":
            groups[where] = _attributes(attributes)
    with ExitStack() as stack:
        opened = {
            path: _variable(stack, root, path, document, groups.get(path, {}), access)
            for path, document in arrays.items()
            if 0 < len(document.get("shape", ())) <= MOST_AXES
        }
        found = {path: one for path, one in opened.items() if one is not None}
        yield ZarrFolder(title, found, groups)


def _variable(
    stack: ExitStack,
    root: str,
    path: str,
    document: Mapping[str, Any],
    attributes: Mapping[str, Attribute],
    access: Access,
) -> ZarrVariable | None:
    handle = stack.enter_context(open_handle(f'ZARR:"{root}":{path}', access=access))
    dtype = np.dtype(handle.dtypes[0])
    if dtype.kind not in "iuf":
        return None
    fill, axes = document.get("fill_value"), attributes.get("_ARRAY_DIMENSIONS", "")
    if isinstance(fill, int | float) and fill and "_FillValue" not in attributes:
        attributes = {**attributes, "_FillValue": (fill,)}
    named = document.get("dimension_names") or (axes.split("\n") if isinstance(axes, str) else ())
    shape = tuple(document["shape"])
    dims = tuple(_dim(path, str(dim or "")) for dim in (named if isinstance(named, list) else ()))
    chunks = _chunks(document, shape)
    if len(dims) != len(shape):
        dims = ("",) * len(shape)
    return ZarrVariable(path, dims, shape, native(dtype), chunks, attributes, handle)


def _chunks(document: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[int, ...]:
    found: Any = document.get("chunks")
    for key in ("chunk_grid", "configuration", "chunk_shape") if found is None else ():
        table = document if key == "chunk_grid" else found
        found = table.get(key) if isinstance(table, Mapping) else None
    usable = _are_lengths(found) and len(found) == len(shape) and all(found)
    return tuple(found) if usable else shape


def _are_lengths(found: object) -> TypeGuard[list[int]]:
    return isinstance(found, list) and all(type(one) is int and one >= 0 for one in found)


def _dim(path: str, name: str) -> str:
    """Return the path of an axis: that of its coordinate in the same group."""
    return os.path.join(os.path.dirname(path), name) if name else ""


def _attributes(table: Mapping[str, Any]) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {}
    for name, value in table.items():
        values = value if isinstance(value, list) else [value]
        if values and all(isinstance(one, str) for one in values):
            found[name] = "\n".join(values)
        elif values and all(isinstance(one, int | float) for one in values):
            found[name] = numbers_of(np.asarray(values))
    system = table.get("_CRS")  # as GDAL writes it
    if isinstance(system, dict) and isinstance(system.get("wkt"), str):
        found["crs_wkt"] = system["wkt"]
    return found
