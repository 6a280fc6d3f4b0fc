"""An ENVI spectral library: ``.sli`` and its header (NV5, ENVI Header Files, 2024).

The file is a raster of one band whose rows are spectra and whose columns are wavelengths; the
header lists the wavelengths, their unit and the names of the spectra.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..documents import content_of
from ..errors import RasterError
from ..pixels.wavelengths import guessed_unit, number_of, unit_of
from .envi_header import TYPES, EnviHeader, read_header

LIBRARY = "envi spectral library"
MOST_BYTES = 256_000_000
"""Length of the largest library that is read."""


class Library(NamedTuple):
    """Spectra over wavelengths."""

    names: tuple[str, ...]
    """Names of the spectra."""
    wavelengths: NDArray[np.float64]
    """Centres, nm, (wavelength,)."""
    values: NDArray[np.float64]
    """The spectra, (spectrum, wavelength), as reflectance if the header has its factor; NaN = no
    data."""


def read_library(path: str) -> Library:
    """Read a spectral library, by the name of its ``.sli``.

    Raises
    ------
    RasterError
        When it or its header cannot be read, or it is no spectral library.
    """
    header = _header(path)
    samples, lines = (_count(path, header, key) for key in ("samples", "lines"))
    header = replace(header, count=samples)
    kind = {code: name for name, code in TYPES.items()}.get(header.text("data_type"))
    if kind is None:
        raise _unfit(path, f"its data type is {header.text('data_type') or 'not stated'!r}")
    dtype = np.dtype(kind).newbyteorder(">" if header.number("byte_order") == 1 else "<")
    start = int(header.number("header_offset") or 0)
    stored = _content(path)[start : start + samples * lines * dtype.itemsize]
    if len(stored) < samples * lines * dtype.itemsize:
        raise _unfit(path, f"it is shorter than {lines} spectra of {samples} values")
    with np.errstate(invalid="ignore"):  # of signalling NaN, as in a file of another byte order
        values = np.frombuffer(stored, dtype).reshape(lines, samples).astype(np.float64)
    values[values == header.nodata] = np.nan
    names = [name.strip() for name in header.text("spectra_names").split(",")]
    if len(names) != lines or not all(names):
        names = [str(number) for number in range(1, lines + 1)]
    return Library(
        tuple(names), _wavelengths(path, header), values / (header.reflectance_factor or 1.0)
    )


def _header(path: str) -> EnviHeader:
    file = Path(path)
    if not file.exists():
        raise RasterError(f"{path} does not exist. Check the path.")
    for name in (Path(f"{file}.hdr"), file.with_suffix(".hdr")):
        header = read_header(str(name), 0) if name.is_file() else None
        if header is not None:
            break
    else:
        raise RasterError(
            f"{path} has no ENVI header beside it. Copy {file.with_suffix('.hdr').name}, too."
        )
    if header.text("file_type").casefold() != LIBRARY:
        raise _unfit(path, f"the file type of its header is {header.text('file_type')!r:.80}")
    return header


def _content(path: str) -> bytes:
    try:
        content = content_of(path, MOST_BYTES)
    except OSError as error:
        raise RasterError(f"{path} cannot be read: {error.strerror}. Check the path.") from error
    if len(content) > MOST_BYTES:
        raise _unfit(path, f"it is longer than {MOST_BYTES} bytes")
    return content


def _count(path: str, header: EnviHeader, key: str) -> int:
    number = header.number(key)
    if number is None or not 1 <= number <= MOST_BYTES or number != int(number):
        raise _unfit(path, f"its header has {key} = {header.text(key) or 'none'}")
    return int(number)


def _wavelengths(path: str, header: EnviHeader) -> NDArray[np.float64]:
    numbers = [number_of(header.entry("wavelength", n)) for n in range(1, header.count + 1)]
    known = [number for number in numbers if number is not None]
    unit = unit_of(header.text("wavelength_units")) or guessed_unit(known)
    centres = [None if unit is None else unit.centre(number) for number in known]
    placed = [centre for centre in centres if centre is not None]
    if len(placed) != header.count:
        raise _unfit(path, f"its header places {len(placed)} of {header.count} wavelengths")
    return np.array(placed)


def _unfit(path: str, why: str) -> RasterError:
    return RasterError(f"{path} is no ENVI spectral library that can be read: {why}.")
