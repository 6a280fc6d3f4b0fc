"""The displacement between two images of the same ground.

Both are compared in a few blocks.  Of each band, the local mean is taken away, which season and
light change, and what is left of it is limited, so that clouds and new objects do not outweigh the
rest.  Then the correlation coefficient of the pixels that both images know is computed for every
whole shift s at once, by Fourier transforms (Padfield 2012, Masked object registration in the
Fourier domain, IEEE Trans. Image Process. 21)::

    c(s) = cov(a(x), b(x + s)) / sqrt(var(a(x)) var(b(x + s)))      over x known in both

and a parabola through the largest value and its neighbours, on each axis, gives parts of a pixel.
A block counts if its largest coefficient is high and lies inside of the shifts that are tried; the
displacement is the median of these blocks, and is known only where nearly all of them agree:
smooth or clouded ground, or that of another season, gives no answer rather than a wrong one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ..pixels.tiling import Window

SIDES = 24, 160
"""Least and largest side of a block, pixels."""
ACROSS = 3
"""Blocks across a scene, and down."""
LARGEST = 8
"""Largest shift that is tried, pixels, and at most a quarter of a block."""
SMOOTH = 7
"""Side of the window of the local mean, pixels."""
CLIP = 3.0
"""Robust standard deviations at which what is left is limited."""
CORRELATED = 0.35
"""Least coefficient of a block that counts."""
FILLED = 0.5
"""Least share of a block that both images know."""
FEWEST = 3
"""Least number of blocks that count."""
AGREE = 0.5, 0.75
"""Distance from the median within which a block agrees, pixels, and least share of them."""

Image = NDArray[np.floating]


@dataclass(frozen=True)
class Displacement:
    """How far an image lies from another one of the same ground."""

    rows: float
    """By which it lies further down, pixels."""
    cols: float
    """By which it lies further right, pixels."""
    correlation: float
    """Median of the coefficients of the blocks, -1 to 1."""
    blocks: int
    """Blocks that count."""

    @property
    def distance(self) -> float:
        """Its length, pixels."""
        return math.hypot(self.rows, self.cols)


def comparison_windows(shape: tuple[int, int]) -> list[Window]:
    """Return the windows of the blocks of a scene of ``shape``; they overlap in a small one.

    There are none where it is too small for any.
    """
    least, most = SIDES
    if min(shape) < least:
        return []
    side = max(least, min(most, min(shape) // 2))
    rows, cols = (
        sorted({round(part * (length - side) / (ACROSS - 1)) for part in range(ACROSS)})
        for length in shape
    )
    return [(slice(row, row + side), slice(col, col + side)) for row in rows for col in cols]


def displacement(pairs: Iterable[tuple[Image, Image]]) -> Displacement | None:
    """Return how far an image lies from a reference; None where the blocks do not show it.

    Parameters
    ----------
    pairs : iterable of (reference, image)
        The blocks, each (row, col, band); NaN = no data.
    """
    found = [shift for pair in pairs if (shift := _shift_of_block(*pair)) is not None]
    if len(found) < FEWEST:
        return None
    shifts = np.array([shift[:2] for shift in found])
    middle = np.median(shifts, axis=0)
    near, share = AGREE
    if (np.hypot(*(shifts - middle).T) <= near).mean() < share:
        return None
    correlation = float(np.median([shift[2] for shift in found]))
    return Displacement(float(middle[0]), float(middle[1]), correlation, len(found))


def _shift_of_block(reference: Image, image: Image) -> tuple[float, float, float] | None:
    """Return rows, columns and coefficient of a block; None where it does not count."""
    known = np.isfinite(reference).all(axis=-1) & np.isfinite(image).all(axis=-1)
    if known.mean() < FILLED:
        return None
    bands = range(reference.shape[-1])
    correlation = np.mean(
        [_correlation(_detail(reference[..., k]), _detail(image[..., k])) for k in bands], axis=0
    )
    row, col = np.unravel_index(correlation.argmax(), correlation.shape)
    middle = len(correlation) // 2
    if correlation[row, col] < CORRELATED or max(abs(row - middle), abs(col - middle)) == middle:
        return None
    down = _vertex(*correlation[row - 1 : row + 2, col])
    right = _vertex(*correlation[row, col - 1 : col + 2])
    return row - middle + down, col - middle + right, float(correlation[row, col])


def _detail(band: Image) -> NDArray[np.float64]:
    """Return an image (row, col) without its local mean, limited; NaN = no data."""
    known = np.isfinite(band)
    share, mean = (_smoothed(part) for part in (known, np.where(known, band, 0.0)))
    detail = np.where(known, band - mean / np.maximum(share, 1e-9), np.nan)
    limit = CLIP * 1.4826 * float(np.nanmedian(np.abs(detail)))
    return np.asarray(detail.clip(-limit, limit))


def _smoothed(image: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean of the square of `SMOOTH` pixels around each pixel; edges are repeated."""
    half, smooth = SMOOTH // 2, image.astype(np.float64)
    for axis in (0, 1):
        framed = np.pad(smooth, [(half * (axis == one),) * 2 for one in (0, 1)], mode="edge")
        smooth = sliding_window_view(framed, SMOOTH, axis=axis).mean(axis=-1)
    return smooth


def _correlation(a: Image, b: Image) -> NDArray[np.float64]:
    """Return the coefficients of a(x) and b(x + s), (row, col) of s; the middle is no shift.

    They are 0 where too few pixels overlap.
    """
    most = min(LARGEST, min(a.shape) // 4)
    size = [side + most for side in a.shape]  # zeros, so that nothing wraps around within `most`
    known = [np.isfinite(image) for image in (a, b)]
    filled = [np.where(*pair, 0.0) for pair in zip(known, (a, b), strict=True)]
    spectra = [
        [np.fft.rfft2(part, size) for part in (mask, image, image**2)]
        for mask, image in zip(known, filled, strict=True)
    ]
    (ones_a, sum_a, square_a), (ones_b, sum_b, square_b) = spectra

    def over_shifts(
        first: NDArray[np.complexfloating], second: NDArray[np.complexfloating]
    ) -> Image:
        whole = np.fft.irfft2(first.conj() * second, size)
        steps = np.arange(-most, most + 1)
        return np.asarray(whole[np.ix_(steps, steps)])

    count = np.maximum(over_shifts(ones_a, ones_b), 1.0)
    mean_a, mean_b = over_shifts(sum_a, ones_b) / count, over_shifts(ones_a, sum_b) / count
    variance_a = over_shifts(square_a, ones_b) / count - mean_a**2
    variance_b = over_shifts(ones_a, square_b) / count - mean_b**2
    covariance = over_shifts(sum_a, sum_b) / count - mean_a * mean_b
    scale = np.sqrt(np.maximum(variance_a, 0) * np.maximum(variance_b, 0))
    enough = (count >= FILLED**2 * a.size) & (scale > 0)
    return np.where(enough, covariance / np.where(enough, scale, 1.0), 0.0)


def _vertex(before: float, middle: float, after: float) -> float:
    """Return where a parabola through three values is largest, from the middle one, in steps."""
    bend = 2 * middle - before - after
    return 0.0 if bend <= 0 else 0.5 * (after - before) / bend
