"""The latent space in two dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter
from numpy.typing import NDArray

from ..errors import ConfigError
from ..explaining.latent_sample import LatentSample
from ..explaining.projection import PCA, Projection, project
from ..names import printable
from .axes import COLOURS, MARKERS, ORDERED, legend_above, styled

COLOURINGS = SCORE, MARK, SCENE = ("score", "mark", "scene")
PALE = "#9A9A9A"
DOTS: dict[str, Any] = {"s": 5, "marker": "o", "linewidth": 0}
EDGE: dict[str, Any] = {"edgecolor": "black", "linewidth": 0.5, "zorder": 3}
OUTLINED: dict[str, Any] = {"s": 18, "marker": "^", **EDGE}
LONGEST = 30
"""Characters of the name of a scene."""
SPREAD = 0.012
"""Standard deviation by which pixels of equal codes are spread, as a share of the plane."""
Mask = NDArray[np.bool_]


def latent_figure(
    sample: LatentSample, method: str = PCA, colour: str = SCORE, *, seed: int = 0
) -> Figure:
    """Draw the codes of pixels in a plane; marked pixels, such as anomalies, lie on top.

    Parameters
    ----------
    sample : LatentSample
        The pixels, see `anomvae.explaining.sample_latent`.
    method : {"pca", "tsne"}
        As for `anomvae.explaining.project`; principal components are those of unmarked pixels.
    colour : {"score", "mark", "scene"}
        Score on a logarithmic scale, what each pixel is marked as, or the scene that it is of.
    seed : int, default 0
        Of t-SNE.

    Raises
    ------
    ConfigError
        When a word is unknown, there are more than seven scenes or marks, or one latent unit.
    """
    if colour not in COLOURINGS:
        raise ConfigError(f"colour = {colour!r}: give {', '.join(COLOURINGS[:2])} or {SCENE}.")
    if colour == SCENE and len(sample.scene_names) > len(COLOURS):
        raise ConfigError(
            f"{len(sample.scene_names)} scenes cannot be drawn apart. Give {len(COLOURS)} at most."
        )
    projection = project(sample.codes, method, seed, sample.marks == 0)
    return _drawn(sample, projection, colour, seed)


class _Plain(LogFormatter):
    """Labels the ticks that `LogFormatter` does, with 0.1 instead of 1e-01."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the label of a tick."""
        return f"{x:g}" if super().__call__(x, pos) else ""


@styled()
def _drawn(sample: LatentSample, projection: Projection, colour: str, seed: int) -> Figure:
    figure = Figure(figsize=(5.2, 3.8))
    axes = figure.subplots()
    points = _apart(projection.points, sample.codes, seed)
    if colour == SCORE:
        _by_score(figure, axes, points, sample)
    elif colour == MARK:
        _by_mark(axes, points, sample)
    else:
        _by_scene(axes, points, sample)
    axes.set(xlabel=projection.labels[0], ylabel=projection.labels[1])
    if not projection.scaled:
        axes.set(xticks=[], yticks=[])
    legend_above(figure, 2)
    return figure


def _apart(
    points: NDArray[np.float64], codes: NDArray[np.floating], seed: int
) -> NDArray[np.float64]:
    """Spread pixels of equal codes, as of a codebook, so that their number shows."""
    if 2 * len(np.unique(codes, axis=0)) > len(codes):
        return points
    noise = np.random.default_rng(seed).normal(0, SPREAD, points.shape)
    return np.asarray(points + noise * np.ptp(points, axis=0))


def _by_score(
    figure: Figure, axes: Axes, points: NDArray[np.float64], sample: LatentSample
) -> None:
    low, high = np.percentile(sample.scores, (1, 99.8))
    low = max(float(low), 1e-3)
    norm = LogNorm(low, max(float(high), low * 1.01))
    values = np.clip(sample.scores, low, None)
    for marked, style in ((False, DOTS), (True, OUTLINED)):
        chosen = (sample.marks > 0) == marked
        colours = {"c": values[chosen], "norm": norm, "cmap": ORDERED}
        _points(axes, points[chosen], _counted(sample, marked), style | colours)
    unit = f"{sample.unit}, " if sample.unit else ""
    bar = figure.colorbar(ScalarMappable(norm, ORDERED), ax=axes)
    bar.set_label(f"Score ({unit}log scale)")
    bar.ax.yaxis.set_major_formatter(_Plain())
    bar.ax.yaxis.set_minor_formatter(_Plain(minor_thresholds=(2, 0.5)))


def _by_mark(axes: Axes, points: NDArray[np.float64], sample: LatentSample) -> None:
    marks = [int(mark) for mark in np.unique(sample.marks[sample.marks > 0])]
    _points(axes, points[sample.marks == 0], _counted(sample, False), DOTS | {"color": PALE})
    for mark in marks:
        chosen = sample.marks == mark
        name = f"{sample.names[mark]} ({_pixels(chosen.sum())})"
        label = name if len(marks) > 1 else _counted(sample, True)
        _points(axes, points[chosen], label, OUTLINED | _kind(mark))


def _by_scene(axes: Axes, points: NDArray[np.float64], sample: LatentSample) -> None:
    marked = sample.marks > 0
    for number, name in enumerate(sample.scene_names):
        chosen = (sample.scenes == number) & ~marked
        short = printable(name if len(name) <= LONGEST else f"{name[: LONGEST - 3]}...")
        label = f"scene {short} ({_pixels(chosen.sum())})"
        _points(axes, points[chosen], label, DOTS | _kind(number))
    for number in range(len(sample.scene_names)):
        chosen = (sample.scenes == number) & marked
        label = "_" if number else f"{sample.names[1]}, outlined in black"
        _points(axes, points[chosen], label, OUTLINED | _kind(number))


def _points(axes: Axes, points: NDArray[np.float64], label: str, style: Mapping[str, Any]) -> None:
    if len(points):
        axes.scatter(*points.T, label=label, rasterized=True, **style)


def _kind(number: int) -> dict[str, Any]:
    at = number % len(COLOURS)
    return {"color": COLOURS[at], "marker": MARKERS[at]}


def _pixels(count: int) -> str:
    return f"{count:,} {'pixel' if count == 1 else 'pixels'}"


def _counted(sample: LatentSample, marked: bool) -> str:
    """Name what is marked, or not, with the number of pixels drawn and in all."""
    drawn = int(((sample.marks > 0) == marked).sum())
    return f"{sample.names[marked]} ({drawn:,} of {_pixels(sample.totals[marked])})"
