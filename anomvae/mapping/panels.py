"""The panels of a quick look, read back from its file; axes (row, col[, 3]), a cell a pixel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..pixels.flag_classes import ANOMALOUS, COLOURS

LARGEST = 20_000_000
"""Pixels of a picture that is read."""


@dataclass(frozen=True, eq=False)
class QuickLookPanels:
    """What a quick look shows, without frames and words."""

    scene: NDArray[np.uint8]
    """Red, green and blue."""
    flagged: NDArray[np.bool_]
    """Whether a pixel of each cell is flagged, but for cells under the number of an object."""
    caption: str
    """Which bands are shown."""


def read_panels(path: Path) -> QuickLookPanels | None:
    """Read a quick look.

    None where there is none, it does not show the scene, or it is of an earlier version.
    """
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            scene, flags, cells = (_note(picture, name) for name in ("scene", "flags", "cells"))
            if picture.width * picture.height > LARGEST:
                return None
            sheet = picture if picture.mode == "RGB" else picture.convert("RGB")
            images = [_cells(sheet, frame, cells) for frame in (scene, flags)]
            caption = str(picture.info["anomvae:caption"])
    except (OSError, KeyError, ValueError, TypeError, SyntaxError):  # Pillow's of damaged files
        return None
    flagged = (images[1] == COLOURS[ANOMALOUS]).all(axis=-1)
    return QuickLookPanels(images[0], flagged, caption)


def _note(picture: Image.Image, name: str) -> tuple[int, ...]:
    """Return the numbers of a note for programs."""
    return tuple(map(int, str(picture.info[f"anomvae:{name}"]).split(",")))


def _cells(sheet: Image.Image, frame: tuple[int, ...], cells: tuple[int, ...]) -> NDArray[np.uint8]:
    """Cut a panel out, and give each cell one pixel again."""
    left, top, width, height = frame
    rows, cols = cells
    panel = sheet.crop((left, top, left + width, top + height))
    return np.asarray(panel.resize((cols, rows), Image.Resampling.NEAREST))
