"""Pictures inside a page, as addresses that hold their data."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray


def data_uri(data: bytes, media_type: str = "image/png") -> str:
    """Return the address that holds a file's data.

    Examples
    --------
    >>> data_uri(b"GIF89a", "image/gif")
    'data:image/gif;base64,R0lGODlh'
    """
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def picture(image: NDArray[np.uint8], quality: int | None = None) -> str:
    """Return a picture as a data URI.

    Parameters
    ----------
    image
        Of shape (row, col), (row, col, 3) or (row, col, 4): grey, RGB or RGBA.
    quality
        That of a JPEG, 1 to 95, which has no transparency; a PNG if None.
    """
    from PIL import Image

    file = io.BytesIO()
    drawn = Image.fromarray(np.ascontiguousarray(image))
    if quality is None:
        drawn.save(file, "PNG", optimize=False, compress_level=6)
        return data_uri(file.getvalue())
    drawn.convert("RGB").save(file, "JPEG", quality=quality)
    return data_uri(file.getvalue(), "image/jpeg")
