"""Files of netCDF-3 (classic, and with 64-bit offsets), read by SciPy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...addresses import displayed
from ...documents import require_regular
from ...errors import RasterError
from ...names import printable
from ..losses import DAMAGED
from .variables import Attribute, Container, Variable, native, numbers_of

if TYPE_CHECKING:
    from scipy.io import netcdf_file

SIGNATURES = (b"CDF\x01", b"CDF\x02")
"""The first bytes of files that SciPy reads."""
FAILURES = (OSError, ValueError, TypeError, IndexError, KeyError, OverflowError, AttributeError)
"""What SciPy raises for a damaged file."""


@dataclass(frozen=True)
class NetCDF3Variable(Variable):
    """A variable of netCDF-3."""

    stored: NDArray[Any] = field(compare=False)
    """Its numbers, mapped into memory."""

    def read(self, parts: tuple[slice, ...]) -> NDArray[Any]:
        """Read a part of each axis."""
        return np.array(self.stored[parts], self.dtype)


@dataclass(frozen=True)
class NetCDF3File(Container):
    """An open file of netCDF-3."""

    name: str
    """The name that messages use."""
    handle: netcdf_file
    """The open file."""
    kind: str = "netCDF-3"
    """Format, for people."""
    fills: bool = True
    """Floats that were never written have the fill value of netCDF."""

    def find(self, path: str) -> NetCDF3Variable | None:
        """Return a variable by its path; None where there is no array of real numbers."""
        found = self.handle.variables.get(path.strip("/"))
        if found is None or not found.shape or found.data.dtype.kind not in "biuf":
            return None
        attributes, stored = _attributes(found), found.data
        if attributes.get("_Unsigned") == "true":  # netCDF-3 has signed types only
            stored = stored.view(stored.dtype.str.replace("i", "u"))
        return NetCDF3Variable(
            f"/{path.strip('/')}",
            dims=tuple(f"/{dim}" for dim in found.dimensions),
            shape=tuple(stored.shape),
            dtype=native(stored.dtype),
            chunks=None,
            attributes=attributes,
            stored=stored,
        )

    def attributes(self, path: str = "/") -> Mapping[str, Attribute]:
        """Return the attributes of the file or of a variable; empty where it is missing."""
        name = path.strip("/")
        item = self.handle.variables.get(name) if name else self.handle
        return {} if item is None else _attributes(item)

    def variables(self) -> list[NetCDF3Variable]:
        """Return all arrays of real numbers, in order of their names."""
        found = map(self.find, sorted(self.handle.variables))
        return [variable for variable in found if variable is not None]

    def member(self, variable: Variable) -> str:
        """Return how a user names one of its variables."""
        return f"'NETCDF:\"{self.name}\":{variable.name}'"


@contextmanager
def open_netcdf3(path: str, name: str | None = None) -> Iterator[NetCDF3File]:
    """Open a file of netCDF-3 for reading; the context closes it.

    Raises
    ------
    RasterError
        When it does not exist or is damaged.
    """
    from scipy.io import netcdf_file

    title = displayed(path if name is None else name)
    try:
        require_regular(path)
        handle = netcdf_file(path, "r", mmap=True, maskandscale=False)
    except FAILURES as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise RasterError(f"{title} cannot be read: {printable(reason)}. {DAMAGED}") from error
    try:
        yield NetCDF3File(title, handle)
    finally:
        handle.fp.close()  # numbers that are mapped stay until nobody has them: SciPy would warn


def _attributes(item: Any) -> dict[str, Attribute]:  # noqa: ANN401 - SciPy is untyped
    found: dict[str, Attribute] = {}
    for name, value in item._attributes.items():
        if isinstance(value, bytes):
            found[name] = value.decode("utf-8", errors="replace").rstrip("\0")
        else:
            found[name] = numbers_of(np.asarray(value))
    return found
