"""Directories of TIFF files: the tags of temporary files of GDAL are read, those of a COG written.

A directory (IFD) describes an image by numbered tags (TIFF 6.0, Adobe 1992; BigTIFF, Aware Systems
2007).  All numbers are little-endian.  What a tag means stays with GDAL: its content is copied.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

SHORT, LONG, LONG8 = 3, 4, 16
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
SIZES |= dict.fromkeys((16, 17, 18), 8)
"""Bytes of a number of each type."""
UNSIGNED = {SHORT: "<u2", LONG: "<u4", LONG8: "<u8"}

SUBFILE, WIDTH, LENGTH = 254, 256, 257
TILE_OFFSETS, TILE_SIZES = 324, 325
OF_OVERVIEWS = {258, 259, 262, 277, 284, 317, 320, 322, 323, 338, 339, 42113, 50674}
"""Tags of the image that its overviews repeat: how pixels are stored, their colours, nodata."""


class Entry(NamedTuple):
    """The content of a tag."""

    kind: int
    """The type of its numbers."""
    length: int
    """How many it has."""
    content: bytes
    """These, little-endian."""


Directory = dict[int, Entry]


def unsigned(kind: int, values: ArrayLike) -> Entry:
    """Return a tag of unsigned numbers."""
    numbers = np.atleast_1d(np.asarray(values)).astype(UNSIGNED[kind])
    return Entry(kind, len(numbers), numbers.tobytes())


def numbers_of(entry: Entry) -> NDArray[np.int64]:
    """Return the unsigned numbers of a tag."""
    return np.frombuffer(entry.content, UNSIGNED[entry.kind]).astype(np.int64)


def read_directory(path: Path) -> Directory:
    """Read the first directory of a little-endian BigTIFF.

    Raises
    ------
    OSError
        If it is not there: GDAL reports no full disk when it closes a file.
    """
    try:
        return _directory(path)
    except (struct.error, KeyError) as error:
        raise OSError("the file was cut short, as on a full disk") from error


def _directory(path: Path) -> Directory:
    with path.open("rb") as file:
        _, start = struct.unpack("<8sQ", file.read(16))
        file.seek(start)
        (count,) = struct.unpack("<Q", file.read(8))
        table = file.read(20 * count)
        tags: Directory = {}
        for tag, kind, number, inline in struct.iter_unpack("<HHQ8s", table):
            size = SIZES[kind] * number
            if size > len(inline):
                file.seek(*struct.unpack("<Q", inline))
                inline = file.read(size)
            if len(inline) < size:
                raise struct.error
            tags[tag] = Entry(kind, number, inline[:size])
    return tags


def directory_bytes(tags: Directory, start: int, *, big: bool, last: bool) -> bytes:
    """Write a directory that begins at ``start``, an even number, with its values behind it.

    Unless it is the ``last``, another one follows these bytes at once.
    """
    head, entry, word = ("<Q", "<HHQ", "<Q") if big else ("<H", "<HHI", "<I")
    room = struct.calcsize(word)
    table = struct.calcsize(head) + len(tags) * (struct.calcsize(entry) + room) + room
    entries, values = struct.pack(head, len(tags)), b""
    for tag, (kind, length, content) in sorted(tags.items()):
        entries += struct.pack(entry, tag, kind, length)
        if len(content) <= room:
            entries += content.ljust(room, b"\0")
            continue
        entries += struct.pack(word, start + table + len(values))
        values += content + b"\0" * (len(content) % 2)
    end = start + table + len(values)
    return entries + struct.pack(word, 0 if last else end) + values
