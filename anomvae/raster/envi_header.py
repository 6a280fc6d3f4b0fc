"""An ENVI header: what it states about the bands of a raster (NV5, ENVI Header Files, 2024).

GDAL's ENVI driver applies ``data gain values`` and ``data offset values`` as scale and offset, and
``data ignore value`` as nodata; it does not apply ``bbl`` or ``reflectance scale factor``.  Beside
a raster of another format it reads nothing of a header; such a one is read here.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from rasterio.io import DatasetReader

from ..addresses import is_local
from ..documents import content_of
from ..errors import RasterError
from ..pixels.wavelengths import number_of

LISTS = ("band_names", "wavelength", "fwhm", "bbl", "data_gain_values", "data_offset_values")
"""Items with an entry for each band."""
ENVI = "ENVI"
"""The driver of GDAL, its domain of tags, and the first word of a header."""
VALUES = frozenset(
    {
        *("data_gain_values", "data_offset_values", "data_ignore_value", "data_units"),
        "reflectance_scale_factor",
    }
)
"""Items about the stored numbers."""
MOST_BYTES = 16_000_000
"""Length of the longest header."""
HAVE_OWN = frozenset({"ENVI", "EHdr", "RRASTER", "SAGA", "RST", "LAN", "VRT"})
"""Drivers of formats for which a file ``.hdr`` has its own meaning."""
TYPES = {
    **{"uint8": "1", "int16": "2", "int32": "3", "float32": "4", "float64": "5"},
    **{"uint16": "12", "uint32": "13", "int64": "14", "uint64": "15"},
}
"""Codes of ``data type``."""
NONE = frozenset({"", "unknown", "none"})
ITEM = re.compile(r"^([^={}\n;][^={}\n]*)=[ \t]*(\{[^}]*\}?|[^\n]*)", re.MULTILINE)
"""Name and value of an item; a value in braces may have several lines."""
DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)")


@dataclass(frozen=True)
class EnviHeader:
    """The items of an ENVI header, of a raster with ``count`` bands."""

    items: dict[str, str]
    """Values as they are written, by names in lower case with ``_`` for a space."""
    count: int
    """Bands of the raster."""
    name: str = ""
    """File name of a header beside a raster of another format; empty: the raster's own."""

    @classmethod
    def of(cls, dataset: DatasetReader) -> EnviHeader:
        """Read what GDAL keeps of a header; empty where the raster has none."""
        tags = dataset.tags(ns=ENVI)
        return cls({key.casefold(): value for key, value in tags.items()}, dataset.count)

    def text(self, key: str) -> str:
        """Return the value of an item; empty where there is none, or it is unknown."""
        value = self.items.get(key, "").strip(" {}\r\n\t")
        return "" if value.casefold() in NONE else value

    def number(self, key: str) -> float | None:
        """Return the number of an item; None where there is none."""
        return number_of(self.text(key))

    def entry(self, key: str, index: int) -> str:
        """Return the entry of a band, by its number from 1, in one of `LISTS`; empty: none."""
        entries = self._lists[key]
        return entries[index - 1] if len(entries) == self.count else ""

    @cached_property
    def _lists(self) -> dict[str, list[str]]:
        return {key: self._split(key) for key in LISTS}

    def _split(self, key: str) -> list[str]:
        text = self.text(key)
        return [entry.strip() for entry in text.split(",")] if text else []

    @property
    def misfits(self) -> dict[str, int]:
        """Number of entries of each list that has fewer or more than bands, so is not used."""
        lengths = {key: len(entries) for key, entries in self._lists.items()}
        return {key: length for key, length in lengths.items() if length not in {0, self.count}}

    @property
    def problems(self) -> tuple[str, ...]:
        """A sentence for each list that is not used."""
        return tuple(
            f"the list {key.replace('_', ' ')!r} of the ENVI header has {length} entries for "
            f"{self.count} bands, so it is not used"
            for key, length in self.misfits.items()
        )

    @property
    def gains(self) -> tuple[float, ...]:
        """The scale of each band; 1 where there is none, NaN where it is no number."""
        return self._numbers("data_gain_values", 1.0)

    @property
    def biases(self) -> tuple[float, ...]:
        """The offset of each band; 0 where there is none, NaN where it is no number."""
        return self._numbers("data_offset_values", 0.0)

    def _numbers(self, key: str, default: float) -> tuple[float, ...]:
        entries = self._lists[key]
        if len(entries) != self.count:
            return (default,) * self.count
        found = map(number_of, entries)
        return tuple(math.nan if number is None else number for number in found)

    @property
    def nodata(self) -> float | None:
        """The stored value of pixels without data; None where there is none."""
        return self.number("data_ignore_value")

    @property
    def day(self) -> date | None:
        """The day of the acquisition; None: unknown."""
        found = DAY.match(self.text("acquisition_time"))
        try:
            return None if found is None else date(*map(int, found.groups()))
        except ValueError:
            return None

    @property
    def reflectance_factor(self) -> float | None:
        """What stored values are divided by to become reflectance; None: unknown."""
        factor = self.number("reflectance_scale_factor")
        return factor if factor is not None and factor > 0 else None

    @property
    def picture(self) -> tuple[int, ...]:
        """Numbers of the bands to show as red, green and blue, from 1; empty where none are named.

        The standard counts from 1; a list with a 0, as some programs write it, counts from 0.
        """
        numbers = [number_of(entry) for entry in self._split("default_bands")]
        whole = [int(number) for number in numbers if number is not None and number == int(number)]
        first = 0 if 0 in whole else 1
        bands = tuple(number - first + 1 for number in whole)
        return bands if len(bands) == 3 and all(1 <= b <= self.count for b in bands) else ()

    def is_bad(self, index: int) -> bool:
        """Return whether a band, by its number from 1, is 0 in the list of bad bands."""
        entry = self.entry("bbl", index)
        return number_of(entry) == 0 or entry.casefold() == "false"

    def contradiction(self, dataset: DatasetReader) -> str:
        """Return what contradicts an open raster, as the end of a sentence; empty: nothing."""
        for key, found in (("samples", dataset.width), ("lines", dataset.height)):
            if self.number(key) != found:
                return f"{key} = {self.text(key) or 'none'}, but the raster has {found}"
        if self.number("bands") != self.count:
            return f"bands = {self.text('bands') or 'none'}, but the raster has {self.count}"
        return ""

    def describes_values(self, dataset: DatasetReader) -> bool:
        """Return whether the header is about the numbers of a raster, not of another version."""
        code = self.text("data_type")
        return not code or code in {TYPES.get(kind) for kind in dataset.dtypes}

    def without_values(self) -> EnviHeader:
        """Return the header without what is about stored numbers."""
        return replace(self, items={k: v for k, v in self.items.items() if k not in VALUES})


def header_beside(dataset: DatasetReader) -> EnviHeader | None:
    """Read the ENVI header beside a local raster of another format; None where there is none.

    It is called ``scene.tif.hdr`` or ``scene.hdr``.
    """
    path = dataset.name
    if dataset.driver in HAVE_OWN or not is_local(path) or not os.path.isfile(path):
        return None
    stem = os.path.splitext(path)[0]
    names = (f"{start}{end}" for start in (path, stem) for end in (".hdr", ".HDR"))
    name = next(filter(os.path.isfile, names), None)
    return None if name is None else read_header(name, dataset.count)


def read_header(path: str, count: int) -> EnviHeader | None:
    """Read a header; None where it is of another format.

    Raises
    ------
    RasterError
        When it cannot be read.
    """
    try:
        content = content_of(path)
    except OSError as error:
        raise RasterError(f"{path} cannot be read: {error.strerror}. Check its rights.") from error
    if not content.lstrip(b"\xef\xbb\xbf").startswith(ENVI.encode()) or len(content) > MOST_BYTES:
        return None
    text = content.decode("utf-8", errors="replace").replace("\r\n", "\n")
    items = {"_".join(key.split()).casefold(): value for key, value in ITEM.findall(text)}
    return EnviHeader(items, count, os.path.basename(path))
