"""Files of HDF5, netCDF-4 among them, read by h5py.

GDAL's drivers of these formats report neither the order of axes nor most attributes.  A file of
HDF5 may also take pixels from any local file, by external links, external storage and virtual
datasets: only what lies in the file itself is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ...addresses import displayed
from ...documents import require_regular
from ...errors import AnomvaeError, RasterError
from ...names import printable
from ..losses import DAMAGED
from .hdf5_attributes import FAILURES, attributes_of, words_of
from .unpacking import CACHE, Unpacking
from .variables import Attribute, Container, Variable, native

if TYPE_CHECKING:
    import h5py

SIGNATURE = b"\x89HDF\r\n\x1a\n"
"""The first bytes of a file of HDF5."""
INVISIBLE = b"This is a netCDF dimension but not a netCDF variable"
"""Name of a dimension scale that has no numbers (netCDF-4)."""
MOST_LINKS = 20
"""Soft links that are followed in one path."""
MOST_OBJECTS = 5000
"""Groups and datasets that are listed."""
SLOTS = 10_007
"""Places for chunks in the cache of an array: of two chunks in one place it keeps one."""


class NotAtHandError(RasterError):
    """Data lie in another file, or are compressed by what is not installed."""


@dataclass(frozen=True)
class HDF5Variable(Variable):
    """A dataset of HDF5."""

    stored: Unpacking = field(compare=False)
    """The open dataset."""

    @classmethod
    def of(cls, dataset: h5py.Dataset, path: str, stored: Unpacking) -> Self:
        """Describe a dataset."""
        return cls(
            path,
            dims=_dims(dataset),
            shape=tuple(dataset.shape),
            dtype=native(dataset.dtype),
            chunks=dataset.chunks,
            attributes=attributes_of(dataset),
            stored=stored,
        )

    def read(self, parts: tuple[slice, ...]) -> NDArray[Any]:
        """Read a part of each axis."""
        try:
            stored: NDArray[Any] = self.stored.source(parts)[parts]
        except (RuntimeError, ValueError, KeyError) as error:
            raise OSError(str(error)) from error
        return stored.astype(self.dtype, copy=False)


@dataclass(frozen=True)
class HDF5File(Container):
    """An open file of HDF5; it serves one thread."""

    name: str
    """The name that messages use."""
    handle: h5py.File
    """The open file."""
    stack: ExitStack = field(repr=False)
    """What is closed with it."""
    kind: str = "HDF5"
    """Format, for people."""
    fills: bool = False
    """Whether it is of netCDF-4, whose floats have a fill value where nothing was written."""
    known: dict[str, HDF5Variable | None] = field(default_factory=dict, repr=False)
    """What was found at each path: h5py takes a while for attributes."""

    def variable(self, path: str) -> HDF5Variable:
        """Return a variable by its path.

        Raises
        ------
        RasterError
            When it is missing, damaged, no array of real numbers, or lies in another file.
        """
        found = self.find(path)
        if found is None:
            raise RasterError(
                f"{self.name} has no array of numbers {path!r}, which its product has. {DAMAGED}"
            )
        return found

    def find(self, path: str) -> HDF5Variable | None:
        """Return a variable by its path; None where there is no array of real numbers."""
        name = f"/{path.strip('/')}"
        if name not in self.known:
            with reading(self.name):
                item = self._item(path)
                if _is_array(item):
                    self._require_inside(item, path)
                    _require_filters(self.name, item)
                self.known[name] = self._described(item, name) if _is_array(item) else None
        return self.known[name]

    def _described(self, dataset: h5py.Dataset, path: str) -> HDF5Variable:
        title = f"{self.name} ({path})"
        return HDF5Variable.of(dataset, path, Unpacking(dataset, title, self.stack))

    def attributes(self, path: str = "/") -> dict[str, Attribute]:
        """Return the attributes of a group or a dataset; empty where it is missing."""
        found = self.known.get(f"/{path.strip('/')}")
        if found is not None:
            return dict(found.attributes)
        if path == "/":
            return self._attributes
        with reading(self.name):
            item = self._item(path)
            return {} if item is None else attributes_of(item)

    @cached_property
    def _attributes(self) -> dict[str, Attribute]:
        with reading(self.name):
            return attributes_of(self.handle)

    def texts(self, path: str) -> tuple[str, ...]:
        """Return an array of texts; empty where there is none."""
        with reading(self.name):
            item = self._item(path)
            if item is None or getattr(item, "dtype", None) is None or item.dtype.kind not in "SO":
                return ()
            self._require_inside(item, path)
            return tuple(words_of(np.asarray(item[()])))

    def variables(self) -> list[HDF5Variable]:
        """Return all arrays of real numbers in the file, in order of their paths.

        What is not at hand is left out if an array of two axes remains; `find` refuses it.
        """
        return list(self._variables)

    @cached_property
    def _variables(self) -> tuple[HDF5Variable, ...]:
        with reading(self.name):
            paths = sorted(islice(_paths(self.handle), MOST_OBJECTS))
        found: list[HDF5Variable | None] = []
        refusals: list[NotAtHandError] = []
        for path in paths:
            try:
                found.append(self.find(path))
            except NotAtHandError as error:
                refusals.append(error)
        variables = tuple(variable for variable in found if variable is not None)
        if refusals and not any(len(variable.shape) > 1 for variable in variables):
            raise refusals[0]
        return variables

    def member(self, variable: Variable) -> str:
        """Return how a user names one of its variables."""
        return f"'HDF5:\"{self.name}\":/{variable.path}'"

    def _item(self, path: str, links: int = MOST_LINKS) -> Any:  # noqa: ANN401 - h5py is untyped
        """Return the object at a path, each part of which lies in the file; None: missing."""
        import h5py

        item: Any = self.handle
        for part in filter(None, path.split("/")):
            link = item.get(part, getlink=True) if isinstance(item, h5py.Group) else None
            if link is None:
                return None
            if isinstance(link, h5py.SoftLink) and links:
                start = "" if link.path.startswith("/") else f"{item.name}/"
                item = self._item(start + link.path, links - 1)
            elif isinstance(link, h5py.HardLink):
                item = item[part]
            else:
                raise self._elsewhere(path, f"{part!r} is a link to another file")
        return item

    def _require_inside(self, dataset: h5py.Dataset, path: str) -> None:
        if dataset.external:
            raise self._elsewhere(path, "its numbers are stored in another file")
        for source in dataset.virtual_sources() if dataset.is_virtual else ():
            if source.file_name != "." or "%" in source.dset_name:
                raise self._elsewhere(path, "its numbers come from another file")
            if (inner := self._item(source.dset_name)) is None or inner.is_virtual:
                raise self._elsewhere(path, "its numbers come from a missing or virtual array")
            self._require_inside(inner, source.dset_name)

    def _elsewhere(self, path: str, reason: str) -> NotAtHandError:
        return NotAtHandError(
            f"{self.name}: {path!r} is not read, because {printable(reason)}. Copy all data into "
            f"one file (h5repack, nccopy, h5py)."
        )


@contextmanager
def open_hdf5(path: str, name: str | None = None) -> Iterator[HDF5File]:
    """Open a file of HDF5 for reading; the context closes it.

    Raises
    ------
    RasterError
        When it does not exist, is damaged, or h5py is not installed.
    """
    title = displayed(path if name is None else name)
    try:
        import h5py
    except ImportError as error:
        raise RasterError(
            f"{title} is a file of HDF5, which needs h5py. Install anomvae[products]."
        ) from error
    with reading(title):
        require_regular(path)
        handle = h5py.File(path, "r", rdcc_nbytes=CACHE, rdcc_nslots=SLOTS)
    with handle, ExitStack() as stack:
        netcdf = "_NCProperties" in handle.attrs or path.casefold().endswith((".nc", ".nc4"))
        yield HDF5File(title, handle, stack, "netCDF" if netcdf else "HDF5", netcdf)


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Read what a file called ``name`` states; a failure of h5py becomes a `RasterError`."""
    try:
        yield
    except AnomvaeError:
        raise
    except FileNotFoundError as error:
        raise RasterError(f"{name} does not exist. Check the path.") from error
    except FAILURES as error:
        reason = " ".join(str(error).strip("'\"").split()).rstrip(".")
        raise RasterError(f"{name} cannot be read: {printable(reason)}. {DAMAGED}") from error


def _is_array(item: Any) -> bool:  # noqa: ANN401 - as above
    import h5py

    if not isinstance(item, h5py.Dataset) or not item.size or not item.shape:
        return False
    if item.dtype.kind not in "biuf":
        return False
    return not bytes(item.attrs.get("NAME", b"")).startswith(INVISIBLE)


def _require_filters(name: str, dataset: h5py.Dataset) -> None:
    """Require that what compresses an array is at hand: h5py reads it only when it reads pixels."""
    import h5py

    stored = dataset.id.get_create_plist()
    filters = [stored.get_filter(number) for number in range(stored.get_nfilters())]
    lacking = [str(one[0]) for one in filters if not h5py.h5z.filter_avail(one[0])]
    if lacking:
        raise NotAtHandError(
            f"{name}: {dataset.name} is compressed by the HDF5 filter {lacking[0]}, which is not "
            f"installed. Store it by another one (h5repack -f GZIP=4 IN OUT)."
        )


def _paths(group: h5py.Group) -> Iterator[str]:
    """Yield the paths of all that is linked by hard links, each once."""
    import h5py

    known, pending = {hash(group.id)}, [group]
    while pending:
        current = pending.pop()
        for name in islice(current, MOST_OBJECTS):
            if not isinstance(current.get(name, getlink=True), h5py.HardLink):
                continue
            item = current[name]
            if isinstance(item, h5py.Dataset):
                yield f"{current.name.rstrip('/')}/{name}"
            elif isinstance(item, h5py.Group) and hash(item.id) not in known:
                known.add(hash(item.id))
                pending.append(item)


def _dims(dataset: h5py.Dataset) -> tuple[str, ...]:
    if dataset.is_scale and len(dataset.shape) == 1:
        return (str(dataset.name),)
    return tuple(
        str(next(iter(dim.values())).name or "") if len(dim) else str(dim.label)
        for dim in dataset.dims
    )
