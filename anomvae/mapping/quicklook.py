"""A first look: scene, score and flags side by side, as a PNG.

Arrays are decimated to at most `SIDE` pixels a side; axes (row, col[, band]).
"""

from __future__ import annotations

import warnings
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from ..pixels.bands import Bands
from ..pixels.tiling import SamplingGrid
from ..pixels.views import Reader
from ..stats.thresholds import Threshold
from .tiles import QuickLookSpec

SIDE = 512
RED_GREEN_BLUE = (650.0, 550.0, 470.0)  # nm
STRETCH = (2, 98)  # percent
FLAG = (0.84, 0.10, 0.11)
NO_DATA = (0.75, 0.75, 0.75)

Array = NDArray[np.float32]


def picture_of(reader: Reader) -> QuickLookSpec:
    """Choose what a picture shows of a scene."""
    return QuickLookSpec(SamplingGrid.fitting(reader.grid.shape, SIDE), picture_bands(reader.bands))


def picture_bands(bands: Bands) -> list[int]:
    """Choose three bands for a picture, positions from 0: by wavelength, else spread evenly."""
    waves = [band.wavelength for band in bands]
    known = [wave for wave in waves if wave is not None]
    if len(known) == len(waves) and min(known) < RED_GREEN_BLUE[1] and max(known) > 600:
        return [int(np.argmin(np.abs(np.array(known) - wanted))) for wanted in RED_GREEN_BLUE]
    if len(bands) < 3:
        return [0, 0, 0]
    if len(bands) == 3:
        return [0, 1, 2]
    return [int(place) for place in np.linspace(len(bands) - 1, 0, 5)[1:4]]


def stretched(image: Array) -> Array:
    """Bring an image (row, col, 3) to [0, 1], each band between its 2 and 98 %; grey = no data."""
    seen = np.isfinite(image).all(axis=-1)
    shown = np.full(image.shape, NO_DATA, np.float32)
    if seen.any():
        low, high = np.percentile(image[seen], STRETCH, axis=0)
        span = np.where(high > low, high - low, 1)
        shown[seen] = np.clip((image[seen] - low) / span, 0, 1)
    return shown


def overlay(image: Array, flags: NDArray[np.bool_]) -> Array:
    """Draw flags in red on a pale grey version of an image in [0, 1]."""
    grey = 0.4 + 0.6 * image.mean(axis=-1, keepdims=True)
    return np.asarray(np.where(flags[..., None], FLAG, grey), np.float32)


def draw(title: str, image: Array, scores: Array, threshold: Threshold) -> bytes:
    """Draw scene, score and flags.

    Parameters
    ----------
    title : str
        What stands above.
    image : array, shape (row, col, 3)
        The scene, data units, NaN = no data.
    scores : array, shape (row, col)
        Score, NaN = no data.
    threshold : Threshold
        Drawn into the colour bar.

    Returns
    -------
    bytes
        A PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    shown = stretched(image)
    figure = Figure(figsize=_size(scores.shape), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    scene, score, flags = figure.subplots(1, 3)
    scene.imshow(shown)
    scene.set_title("scene")
    seen = scores[np.isfinite(scores)]
    low, high = (0.1, 1.0) if not seen.size else np.percentile(seen, (1, 99.8))
    low = max(float(low), 1e-3)
    drawn = score.imshow(
        np.clip(scores, low, None), norm=LogNorm(low, max(float(high), low * 1.01)), cmap="viridis"
    )
    score.set_facecolor(NO_DATA)
    score.set_title("score (log scale)")
    bar = figure.colorbar(drawn, ax=score, shrink=0.8)
    bar.ax.axhline(threshold.value, color=FLAG, linewidth=2)
    flags.imshow(overlay(shown, scores > threshold.value))
    flags.set_title(f"above {threshold.value:.4g} ({threshold.rule})")
    for axes in (scene, score, flags):
        axes.set_xticks([])
        axes.set_yticks([])
    figure.suptitle(title, parse_math=False)
    png = BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a name may need any font
        figure.savefig(png, format="png")
    return png.getvalue()


def _size(shape: tuple[int, ...]) -> tuple[float, float]:
    """Give inches that keep the pixels square without making a strip unreadable."""
    aspect = min(max(shape[0] / shape[1], 0.25), 2.5)
    return 13.0, 4.2 * aspect + 1.0
