"""The text of a VRT, from whatever GDAL opens by name."""

from __future__ import annotations

from html import escape
from pathlib import Path

import rasterio

from ..addresses import is_local
from .gdal import GDAL_ERRORS, unwarned, virtual_name
from .limits import require_at_most
from .vrt import MARK

HEAD = 1024
"""Bytes in which GDAL looks for the root of a VRT."""
WIDTH = 16_384
"""Bytes read at a time; GDAL refuses a longer line that exceeds the file."""


def read_document(path: str, most: int | None) -> bytes | None:
    """Read the document of a VRT; None where a file is none.

    Raises `RasterError` if it has more than ``most`` bytes.
    """
    try:
        text = _local(path, most) if is_local(path) else _virtual(path, most)
    except (OSError, *GDAL_ERRORS):  # a folder, or unreadable: the error of opening it counts
        return None
    if text is not None and most is not None:
        require_at_most(path, "bytes of XML", len(text), most)
    return text


def _local(path: str, most: int | None) -> bytes | None:
    with Path(path).open("rb") as file:
        head = file.read(HEAD)
        if MARK not in head:
            return None
        return head + file.read(-1 if most is None else most)


def _virtual(path: str, most: int | None) -> bytes | None:
    """Read bytes as pixels: rasterio has no other way into the file systems of GDAL."""
    rows = 2**31 // WIDTH - 1 if most is None else most // WIDTH + 1
    raw = (
        f'<VRTDataset rasterXSize="{WIDTH}" rasterYSize="{rows}">'
        f'<VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand">'
        f'<SourceFilename relativeToVRT="0">{escape(virtual_name(path))}</SourceFilename>'
        f"<PixelOffset>1</PixelOffset><LineOffset>{WIDTH}</LineOffset>"
        f"</VRTRasterBand></VRTDataset>"
    )
    text = bytearray()
    with (
        rasterio.Env(GDAL_VRT_RAWRASTERBAND_ALLOWED_SOURCE="ALL"),
        unwarned(),
        rasterio.open(raw, driver="VRT") as file,
    ):
        for row in range(rows):
            line = file.read(1, window=((row, row + 1), (0, WIDTH))).tobytes()
            text += line.rstrip(b"\0")
            if MARK not in text[:HEAD]:
                return None
            if line.endswith(b"\0"):
                break
    return bytes(text)
