"""Red, green and blue of a scene, read window by window for pictures of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..pixels.bands import Bands
from ..pixels.picture_bands import picture_bands
from ..pixels.tiling import Window
from ..raster import OpenScene


@dataclass(frozen=True)
class SceneColours:
    """The bands of the newest date of an open scene that its picture shows."""

    opened: OpenScene
    """The scene."""
    caption: str
    """Which bands these are, for people."""
    bands: Bands
    """The bands, each once."""
    order: tuple[int, ...]
    """Which of them are red, green and blue, from 0."""

    @classmethod
    def of(cls, opened: OpenScene) -> SceneColours:
        """Choose the bands of a scene."""
        picture = picture_bands(opened.bands, opened.newest.dataset.facts.picture)
        items = [opened.bands.items[position] for position in picture.positions]
        single = list(dict.fromkeys(items))
        order = tuple(map(single.index, items))
        return cls(opened, picture.caption, opened.bands.keep(single), order)

    def read(self, window: Window) -> NDArray[np.float32]:
        """Read a window, data units, axes (row, col, 3); masks hide nothing."""
        return self.opened.newest.dataset.read(self.bands, window)[..., list(self.order)]
