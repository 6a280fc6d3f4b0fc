"""The panels of a quick look, read back from its file; axes (row, col[, 3]), a cell a pixel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .drawing import FLAG, PANELS

LARGEST = 20_000_000
"""Pixels of a picture that is read."""


@dataclass(frozen=True, eq=False)
class QuickLookPanels:
    """What a quick look shows, without frames and words."""

    scene: NDArray[np.uint8]
    """Red, green and blue."""
    flagged: NDArray[np.bool_]
    """Whether a pixel of each cell is flagged."""


def read_panels(path: Path) -> QuickLookPanels | None:
    """Read a quick look.

    None where there is none, it does not show the scene, or it is of an earlier version.
    """
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            places = _places(picture.info.get(PANELS))
            if len(places) != 3 or picture.width * picture.height > LARGEST:
                return None
            sheet = picture if picture.mode == "RGB" else picture.convert("RGB")
            scene, flags = (_cells(sheet, *places[number]) for number in (0, 2))
    except (OSError, ValueError, SyntaxError):  # Pillow's errors about damaged files
        return None
    colour = np.rint(255 * np.array(FLAG, np.float32)).astype(np.uint8)
    return QuickLookPanels(scene, (flags == colour).all(axis=-1))


def _places(text: object) -> list[tuple[int, ...]]:
    """Return left, top, width, height, rows and columns of each panel, from the left."""
    if not isinstance(text, str):
        return []
    places = [tuple(map(int, line.split())) for line in text.splitlines()]
    return places if all(len(one) == 6 and min(one[2:]) > 0 for one in places) else []


def _cells(sheet: Image.Image, *place: int) -> NDArray[np.uint8]:
    """Cut a panel out, and give each cell one pixel again."""
    x, y, width, height, rows, cols = place
    panel = sheet.crop((x, y, x + width, y + height))
    return np.asarray(panel.resize((cols, rows), Image.Resampling.NEAREST))
