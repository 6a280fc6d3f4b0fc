"""Spectra over bands, as CSV: a row per band, a column per spectrum.

::

    band,wavelength_nm,spectrum_1,spectrum_2
    B2,490.0,0.0812,0.0779
    B3,560.0,0.1043,0.0981

Values are in data units.  A wavelength that is unknown, and a value that is no data, is an empty
cell.  A quote precedes names that a spreadsheet would run as a formula; reading takes it away.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..documents import DocumentError, content_of, text_of
from ..errors import FileError
from ..files import PathText, as_path, write_atomically
from ..names import one_line, spreadsheet_text, without_quote
from ..pixels.bands import Bands

HEADER = ("band", "wavelength_nm")
MAX_BYTES = 32_000_000
"""Length of the longest table that is read: 10,000 spectra of 200 bands have 25 MB."""


@dataclass(frozen=True, eq=False, repr=False)
class SpectraTable:
    """Named spectra over the same bands."""

    bands: tuple[str, ...]
    """Names of the bands, in order."""
    wavelengths: tuple[float | None, ...]
    """Centre of each band, nm; None where it is unknown."""
    names: tuple[str, ...]
    """Names of the spectra."""
    values: NDArray[np.float32]
    """The spectra, (spectrum, band), data units; NaN = no data."""

    def __repr__(self) -> str:
        """Return one line, whatever the number of spectra and bands."""
        return f"SpectraTable({len(self.names)} spectra of {len(self.bands)} bands)"

    @classmethod
    def of(cls, bands: Bands, names: Sequence[str], values: NDArray[np.float32]) -> SpectraTable:
        """Name spectra (spectrum, band) over the bands of a scene or a detector."""
        return cls(bands.names, tuple(band.wavelength for band in bands), tuple(names), values)

    @classmethod
    def read(cls, path: PathText) -> SpectraTable:
        """Read a table from CSV.

        Raises
        ------
        FileError
            When the file cannot be read, or holds no such table.
        """
        name = as_path(path)
        try:
            text = text_of(content_of(name, MAX_BYTES), MAX_BYTES)
            return _parsed(list(csv.reader(io.StringIO(text, newline=""))))
        except OSError as error:
            why = error.strerror or str(error)
            raise FileError(f"{name} cannot be read ({why}). Check the path.") from error
        except (DocumentError, csv.Error) as error:
            raise FileError(
                f"{name} is no table of spectra: {one_line(str(error))}. Give CSV with a row per "
                f"band and the columns {', '.join(HEADER)}, then one for each spectrum."
            ) from error

    def to_csv(self) -> str:
        """Return the table as CSV, numbers with the fewest digits that give the same float32."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*HEADER, *map(spreadsheet_text, self.names)])
        rows = zip(self.bands, self.wavelengths, self.values.T, strict=True)
        for band, wavelength, values in rows:
            centre = "" if wavelength is None else str(wavelength)
            writer.writerow([spreadsheet_text(band), centre, *map(_cell, values)])
        return text.getvalue()

    def write(self, path: PathText) -> None:
        """Write the table as CSV, whole or not at all; raises `NotWritten` or `LockHeld`."""
        write_atomically(path, self.to_csv().encode(errors="backslashreplace"))


def _cell(value: np.float32) -> str:
    return "" if math.isnan(value) else str(value)


def _parsed(rows: list[list[str]]) -> SpectraTable:
    """Read the rows of a table; raise `DocumentError` where they are none."""
    header, *lines = [row for row in rows if row] or [[]]
    if tuple(map(str.strip, header[:2])) != HEADER or len(header) < 3:
        raise DocumentError(f"its first row is {','.join(header[:3])[:80]!r}")
    if not lines:
        raise DocumentError("it has no band")
    for number, row in enumerate(lines, 1):
        if len(row) != len(header):
            raise DocumentError(f"row {number} has {len(row)} cells, the first one {len(header)}")
    centres = [_number(row[1], "wavelength_nm") for row in lines]
    columns = zip(*(row[2:] for row in lines), strict=True)
    names = tuple(map(without_quote, header[2:]))
    spectra = [
        [_number(cell, name) for cell in column]
        for name, column in zip(names, columns, strict=True)
    ]
    return SpectraTable(
        tuple(without_quote(row[0]) for row in lines),
        tuple(None if math.isnan(centre) else centre for centre in centres),
        names,
        np.array(spectra, np.float32),
    )


def _number(cell: str, column: str) -> float:
    """Return the number of a cell, NaN where it is empty."""
    if not cell.strip():
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        value = math.inf
    with np.errstate(over="ignore"):
        finite = np.isfinite(np.float32(value))
    if not finite:
        raise DocumentError(f"{cell[:40]!r} in column {column[:40]} is no number")
    return value
