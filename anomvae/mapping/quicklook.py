"""The quick look: scene, score and flags side by side, as a PNG.

Its images are collected from the windows of a scene.  A pixel of an image stands for a cell of
pixels of the scene: the scene panel has the cell's middle pixel, the score panel its largest score,
and a cell with a flagged pixel is flagged, so that small anomalies stay visible.  Without the
scene, as for a map, there are two panels.  Images have at most `SIDE` pixels a side; axes (row,
col[, band]).
"""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from ..names import printable
from ..pixels.bands import Bands
from ..pixels.picture_bands import picture_bands
from ..pixels.tiling import SamplingGrid, Tile, Window
from ..pixels.views import Block
from ..stats.thresholds import Threshold
from .drawing import matplotlib_defaults

SIDE = 512
STRETCH = (2, 98)  # percent
FLAG = (0.84, 0.10, 0.11)
CAPTION = 60
"""Characters of a line under the scene."""
NO_DATA = (0.75, 0.75, 0.75)

Array = NDArray[np.float32]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class QuickLookSpec:
    """Pixels and bands of a scene that a quick look contains."""

    grid: SamplingGrid
    """Pixels of the quick look in the scene."""
    bands: list[int]
    """Bands for red, green and blue, positions from 0; none: the scene is not shown."""
    caption: str = ""
    """Which bands these are, for people."""

    @classmethod
    def of(
        cls, shape: tuple[int, int], bands: Bands | None = None, declared: Sequence[int] = ()
    ) -> QuickLookSpec:
        """Choose pixels and bands for a scene; without ``bands`` it is not shown.

        ``declared`` is as for `picture_bands`.
        """
        grid = SamplingGrid.fitting(shape, SIDE)
        if bands is None:
            return cls(grid, [])
        picture = picture_bands(bands, declared)
        return cls(grid, list(picture.positions), picture.caption)

    def preview(self, tile: Tile, block: Block) -> Array:
        """Sample the newest date of a tile, axes (row, col, band)."""
        _, (rows, cols) = self.grid.part(tile.keep)
        return np.asarray(block[-1][tile.inner][rows[:, np.newaxis], cols][..., self.bands])


class QuickLook:
    """The images of a quick look, filled tile by tile."""

    def __init__(self, spec: QuickLookSpec) -> None:
        """Begin with images of no data."""
        self.spec, self.grid = spec, spec.grid
        self.image = np.full((*spec.grid.shape, len(spec.bands)), np.nan, np.float32)
        """The scene, data units."""
        self.scores = np.full(spec.grid.shape, np.nan, np.float32)
        """The largest score of each cell; NaN where no pixel has one."""
        self.flags = np.zeros(spec.grid.shape, np.bool_)
        """Whether a pixel of each cell is flagged."""

    def add_preview(self, keep: Window, preview: Array) -> None:
        """Add the scene's pixels of a window, as `QuickLookSpec.preview` samples them."""
        self.image[self.grid.part(keep)[0]] = preview

    def add_scores(self, keep: Window, scores: Array, flags: NDArray[np.bool_]) -> None:
        """Add the scores and flags of a window, axes (row, col)."""
        cells, starts = self.grid.cells(keep)
        for whole, ufunc, part in ((self.scores, np.fmax, scores), (self.flags, np.maximum, flags)):
            rows = ufunc.reduceat(part, starts[0], axis=0)
            whole[cells] = ufunc(whole[cells], ufunc.reduceat(rows, starts[1], axis=1))


def stretched(image: Array) -> Array:
    """Stretch each band of an image (row, col, 3) from its 2 and 98 % to [0, 1]; grey = no data."""
    valid = np.isfinite(image).all(axis=-1)
    result = np.full(image.shape, NO_DATA, np.float32)
    if valid.any():
        low, high = np.percentile(image[valid], STRETCH, axis=0)
        span = np.where(high > low, high - low, 1)
        result[valid] = np.clip((image[valid] - low) / span, 0, 1)
    return result


def overlay(image: Array, flags: NDArray[np.bool_]) -> Array:
    """Lay flags in red over a pale grey version of an image in [0, 1]."""
    grey = 0.4 + 0.6 * image.mean(axis=-1, keepdims=True)
    return np.asarray(np.where(flags[..., None], FLAG, grey), np.float32)


def drawn(title: str, quicklook: QuickLook, threshold: Threshold) -> bytes | None:
    """Draw a quick look as `draw` does; None, and a warning, if that fails.

    Drawing depends on fonts, caches and settings outside anomvae: maps do not wait for them.
    """
    try:
        return draw(title, quicklook, threshold)
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        log.warning(
            "%s: the quick look cannot be drawn (%s); the other files are complete", title, reason
        )
        return None


def draw(title: str, quicklook: QuickLook, threshold: Threshold) -> bytes:
    """Draw scene, score and flags as a PNG; the threshold is marked in the colour bar.

    Without bands of the scene, the flags lie over the scores.
    """
    with matplotlib_defaults():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.colors import LogNorm
        from matplotlib.figure import Figure

        scores = quicklook.scores
        # Pixels are square, without making a strip unreadable.
        aspect = min(max(scores.shape[0] / scores.shape[1], 0.25), 2.5)
        shown = quicklook.image.shape[-1] > 0
        panels = 3 if shown else 2
        figure = Figure(
            figsize=(13.0 * panels / 3, 4.2 * aspect + 1.0), dpi=100, layout="constrained"
        )
        *scene, score, flags = figure.subplots(1, panels)
        image = stretched(quicklook.image if shown else _greys(scores))
        for axes in scene:
            axes.imshow(image)
            axes.set_title("scene")
            caption = textwrap.fill(printable(quicklook.spec.caption), CAPTION)
            axes.set_xlabel(caption, fontsize="small", parse_math=False)
        valid = scores[np.isfinite(scores)]
        low, high = np.percentile(valid, (1, 99.8)) if valid.size else (0.1, 1.0)
        low = max(float(low), 1e-3)
        norm = LogNorm(low, max(float(high), low * 1.01))
        colours = score.imshow(np.clip(scores, low, None), norm=norm, cmap="viridis")
        score.set_facecolor(NO_DATA)
        score.set_title("score (log scale)")
        bar = figure.colorbar(colours, ax=score, shrink=0.8)
        bar.ax.axhline(threshold.value, color=FLAG, linewidth=2)
        flags.imshow(overlay(image, quicklook.flags))
        flags.set_title(f"above {threshold.value:.4g} ({threshold.rule})")
        for axes in (*scene, score, flags):
            axes.set(xticks=[], yticks=[])
        figure.suptitle(title, parse_math=False)
        png = BytesIO()
        FigureCanvasAgg(figure)  # whatever backend the host has chosen
        figure.savefig(png, format="png")
        return png.getvalue()


def _greys(scores: Array) -> Array:
    """Return the logarithms of scores (row, col) as an image of three equal bands."""
    return np.repeat(np.log1p(scores)[..., np.newaxis], 3, axis=-1)
