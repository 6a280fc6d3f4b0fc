"""A spectrum of a library, and what a detector's bands would measure of it.

A band of centre c and full width at half maximum w weighs the spectrum by a Gaussian; where w is
unknown, or the spectrum has too few samples within it, the spectrum is interpolated at c::

    value(c) = sum_j g_j d_j x_j / sum_j g_j d_j
    g_j = exp(-(l_j - c)^2 / (2 sigma^2)),  sigma = w / 2.3548

over the samples x_j at wavelengths l_j, each standing for an interval of length d_j (Green et al.
1998 describe the responses of an imaging spectrometer so).  Nothing is extrapolated.
"""

from __future__ import annotations

import csv
import io
import logging
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..addresses import displayed
from ..documents import DocumentError, content_of, text_of
from ..errors import BandMismatch, ConfigError, FileError, hint, listed
from ..files import PathText, as_path
from ..names import one_line
from ..pixels.band import Band
from ..pixels.bands import Bands
from ..pixels.wavelengths import Unit, guessed_unit, number_of, unit_of
from ..raster.spectral_library import Library, read_library
from .spectra_table import HEADER, MAX_BYTES, SpectraTable

TO_SIGMA = 2.3548
"""Full width at half maximum over the standard deviation of a normal distribution."""
FEWEST_SAMPLES = 3
"""Samples within the full width that a weighted mean needs."""
REACH = 2.0
"""Distance from the centre up to which samples are weighed, full widths."""
BRIGHTER, DARKER = 10.0, 0.02
"""Ratio of the largest value to that of training beyond which the unit is doubted."""
DELETED = -1e30
"""Values below are no data: libraries mark deleted channels so, that of the USGS by -1.23e34."""
SPACES = re.compile(r"[,;\s]+")

log = logging.getLogger(__name__)

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LibrarySpectrum:
    """A spectrum of a library."""

    name: str
    """Its name."""
    wavelengths: Array
    """Ascending, nm, (wavelength,)."""
    values: Array
    """Finite values, (wavelength,)."""

    @classmethod
    def read(cls, path: PathText, name: str | None = None) -> LibrarySpectrum:
        """Read a spectrum of a CSV file or of an ENVI spectral library, ``.sli``.

        Parameters
        ----------
        path : path
            CSV as `SpectraTable` writes it, or two columns, wavelength and value; or ``.sli``.
        name : str, optional
            Which spectrum; may be left out where there is one.

        Raises
        ------
        FileError
            If the file cannot be read, or holds no spectra over wavelengths.
        ConfigError
            If there are several spectra, and ``name`` is none of them.
        """
        file = as_path(path)
        library = read_library(file) if Path(file).suffix.casefold() == ".sli" else _of_csv(file)
        chosen = _chosen(library.names, name, file)
        values = library.values[chosen]
        known = np.flatnonzero(np.isfinite(values) & (values > DELETED))
        order = known[np.argsort(library.wavelengths[known], kind="stable")]
        if len(order) < 2:
            raise FileError(
                f"{file} has {len(order)} values of {library.names[chosen]!r:.80}, and bands lie "
                f"between at least 2. Give a spectrum over the wavelengths of the bands."
            )
        return cls(library.names[chosen], library.wavelengths[order], values[order])

    def measured_by(self, bands: Bands) -> Array:
        """Return what bands measure of the spectrum, (band,).

        Raises
        ------
        BandMismatch
            If a band has no wavelength, or one beyond those of the spectrum.
        """
        unknown = [band.name for band in bands if band.wavelength is None]
        if unknown:
            raise BandMismatch(
                f"The model has no wavelength of {listed(unknown)}, so a spectrum of a library has "
                f"no value there. Train on scenes with wavelengths, or give a pixel (--at)."
            )
        low, high = self.wavelengths[0], self.wavelengths[-1]
        beyond = [b.name for b in bands if b.wavelength and not low <= b.wavelength <= high]
        if beyond:
            raise BandMismatch(
                f"The spectrum {self.name!r:.80} has values from {low:g} to {high:g} nm, and "
                f"{len(beyond)} of {len(bands)} bands of the model lie beyond: {listed(beyond)}. "
                f"Give a spectrum of all their wavelengths."
            )
        return np.array([self._at(band) for band in bands])

    def _at(self, band: Band) -> float:
        centre = band.wavelength or 0.0
        if band.fwhm:
            offsets = (self.wavelengths - centre) / band.fwhm
            if np.count_nonzero(np.abs(offsets) <= 0.5) >= FEWEST_SAMPLES:
                near = np.abs(offsets) <= REACH
                weights = np.exp(-0.5 * np.square(offsets * TO_SIGMA))
                weights = (weights * np.gradient(self.wavelengths))[near]
                if weights.sum() > 0:
                    return float(weights @ self.values[near] / weights.sum())
        return float(np.interp(centre, self.wavelengths, self.values))


def warn_of_unit(spectrum: NDArray[np.float32], name: str, largest: float) -> None:
    """Warn where a spectrum is of another unit than the training scenes.

    ``largest`` is the value that nearly all their pixels stay below, in the brightest band.
    """
    ratio = float(spectrum.max()) / largest if largest > 0 else 1.0
    if not DARKER <= ratio <= BRIGHTER:
        log.warning(
            "%s has values up to %.3g, the training scenes up to %.3g: it looks like another unit, "
            "such as reflectance of 0 to 1 against percent or 0 to 10000. If so, give --scale "
            "with the factor between them",
            *(displayed(name), float(spectrum.max()), largest),
        )


def _chosen(names: tuple[str, ...], name: str | None, file: str) -> int:
    if name is None and len(names) == 1:
        return 0
    if name is None:
        raise ConfigError(
            f"{file} has {len(names)} spectra: {listed(names, 20)}. Choose one by --name."
        )
    if name not in names:
        raise ConfigError(f"{file} has no spectrum {name!r:.80}. {hint(name, names)}")
    if names.count(name) > 1:
        raise ConfigError(
            f"{file} has {names.count(name)} spectra of the name {name!r:.80}, and one is "
            f"expected. Give each a name of its own in the file."
        )
    return names.index(name)


def _of_csv(file: str) -> Library:
    try:
        text = text_of(content_of(file, MAX_BYTES), MAX_BYTES)
    except OSError as error:
        why = error.strerror or str(error)
        raise FileError(f"{file} cannot be read ({why}). Check the path.") from error
    except DocumentError as error:
        raise FileError(
            f"{file} is no table of spectra: {one_line(str(error))}. Save it as CSV in UTF-8."
        ) from error
    if text.lstrip().replace('"', "", 2).startswith(HEADER[0] + ","):
        return _of_table(SpectraTable.read(file), file)
    try:
        return _of_columns(text, Path(file).stem)
    except (DocumentError, csv.Error) as error:
        raise FileError(
            f"{file} is no spectrum: {one_line(str(error))}. Give CSV of two columns, wavelength "
            f"and value, with the unit of wavelengths in the first row, as in wavelength_nm,value."
        ) from error


def _of_table(table: SpectraTable, file: str) -> Library:
    known = [number for number, at in enumerate(table.wavelengths) if at is not None]
    if not known:
        raise FileError(f"{file} has no wavelengths. Give a table with some (wavelength_nm).")
    wavelengths = np.array([at for at in table.wavelengths if at is not None])
    return Library(table.names, wavelengths, table.values[:, known].astype(np.float64))


def _of_columns(text: str, name: str) -> Library:
    """Read two columns of numbers, with a row of titles or without."""
    lines = [line.strip() for line in text.splitlines()]
    rows = [
        SPACES.split(line.replace('"', ""))  # which R writes around titles, others around all
        for line in lines
        if line and not line.startswith("#")
    ]
    numbers = [[number_of(cell) for cell in row if cell] for row in rows]
    titles = 0
    while titles < len(numbers) and None in numbers[titles]:
        titles += 1
    pairs = numbers[titles:]
    odd = [titles + n for n, pair in enumerate(pairs, 1) if len(pair) != 2 or None in pair]
    if not pairs or odd:
        raise DocumentError(f"row {odd[0]} has no two numbers" if odd else "it has no numbers")
    table = np.array(pairs, np.float64)
    title = next((line for line in lines if line and not line.startswith("#")), "")
    first, *others = next(csv.reader(io.StringIO(title))) if titles else ["", ""]
    unit = _unit_in(first) or guessed_unit(table[:, 0].tolist())
    centres = [None if unit is None else unit.centre(value) for value in table[:, 0]]
    placed = [centre for centre in centres if centre is not None]
    if len(placed) != len(table):
        raise DocumentError("the unit of its wavelengths is not clear")
    percent = any("%" in other or "percent" in other.casefold() for other in others)
    return Library((name,), np.array(placed), table[np.newaxis, :, 1] / (100 if percent else 1))


def _unit_in(title: str) -> Unit | None:
    """Return the unit that a title names, as in ``wavelength_nm`` or ``Wavelength (um)``."""
    words = re.split(r"[\s_()\[\],;]+", title)
    return next((unit for word in words if len(word) > 1 and (unit := unit_of(word))), None)
