"""What all figures share: the axis of a spectrum, the style, and the files they are saved in.

A figure is a `matplotlib.figure.Figure` without pyplot, so no window, no backend and no state of a
host program is touched.  It is drawn with `styled` and saved with `save`: colours of Okabe & Ito
(2008), which differ for people with any colour vision, always with a line style or marker of their
own; sizes in inches for a column (`COLUMN`) or a page (`PAGE`) in print.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from ..errors import ConfigError
from ..files import PathText, write_atomically
from ..pixels.bands import Bands
from .defaults import matplotlib_defaults

COLUMN, PAGE = 3.5, 7.0
"""Width of a figure, inches."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Of Okabe & Ito, without yellow, which is too pale for lines on white."""
LINES = ("-", "--", "-.", ":", (0, (6, 2, 1, 2, 1, 2)), (0, (3, 1)), (0, (8, 2)))
"""Line styles, one for each colour."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""Markers, one for each colour."""
ORDERED = "viridis"
"""Colour map of numbers: its lightness rises, so that it is readable in grey."""

FORMATS = ("png", "svg", "pdf")
METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""Neither dates nor versions: the same figure gives the same bytes."""
STYLE: dict[str, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.1,
    "lines.markersize": 3,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,  # TrueType, as journals want it
    "svg.hashsalt": "anomvae",
    "svg.fonttype": "none",  # text stays text, to be searched and edited
}

FEW_BANDS = 32
"""Up to so many bands are marked one by one, and joined: they have no usual step."""
GAP = 4.0
"""A step of more than so many median ones is a gap: bands were removed there."""
BAND_NUMBER = "Band number"
MICROMETRES_FROM = 10_000
"""Wavelengths from here on, nm, are labelled in micrometres."""


@contextmanager
def styled() -> Iterator[None]:
    """Draw figures of one style, whatever the settings of the host; also a decorator."""
    with matplotlib_defaults(STYLE):
        yield


@dataclass(frozen=True, eq=False)
class SpectrumAxis:
    """Where the bands of a spectrum lie on an axis, and how it is labelled.

    Examples
    --------
    >>> from anomvae.pixels.bands import unnamed_bands
    >>> axis = SpectrumAxis.of(unnamed_bands(3))
    >>> axis.label, axis.laid_out([5.0, 6.0, 7.0]).tolist()
    ('Band number', [5.0, 6.0, 7.0])
    """

    label: str
    """Quantity and unit."""
    positions: NDArray[np.float64]
    """Where each band lies, (band,), in their order."""
    order: NDArray[np.int_]
    """Bands from left to right, and -1 where there is a gap."""

    @classmethod
    def of(cls, bands: Bands) -> SpectrumAxis:
        """Place bands by their wavelengths, or by their numbers unless all wavelengths are known.

        Lines are broken where bands are missing between neighbours, such as those of water vapour.
        """
        known = [band.wavelength for band in bands if band.wavelength is not None]
        if len(known) == len(bands):
            positions, label = np.array(known, np.float64), "Wavelength (nm)"
            if positions.max() >= MICROMETRES_FROM:
                positions, label = positions / 1000, "Wavelength (\N{MICRO SIGN}m)"
        else:
            numbers = bands.indexes
            distinct = len(set(numbers)) == len(numbers)  # not in a stack of files
            positions = np.array(numbers if distinct else range(1, len(bands) + 1), np.float64)
            label = BAND_NUMBER
        return cls(label, positions, _with_gaps(positions))

    @property
    def laid_out_positions(self) -> NDArray[np.float64]:
        """Positions from left to right; NaN in gaps."""
        return self.laid_out(self.positions)

    def laid_out(self, values: ArrayLike) -> NDArray[np.float64]:
        """Order values (..., band) from left to right; NaN in gaps, where lines are broken."""
        padded = np.asarray(values, np.float64)
        padded = np.concatenate([padded, np.full((*padded.shape[:-1], 1), np.nan)], axis=-1)
        return np.asarray(padded[..., self.order])

    def plot(self, axes: Axes, spectrum: ArrayLike, kind: int = 0, **style: Any) -> None:  # noqa: ANN401
        """Draw a spectrum (band,) as a line of the ``kind``-th colour, line style and marker.

        ``style`` is that of `Axes.plot`.
        """
        given = line_style(kind) | style
        if len(self.positions) > FEW_BANDS:
            given |= {"marker": ""}
        axes.plot(self.laid_out_positions, self.laid_out(spectrum), **given)

    def fill(
        self,
        axes: Axes,
        low: ArrayLike,
        high: ArrayLike,
        kind: int = 0,
        **style: Any,  # noqa: ANN401
    ) -> None:
        """Shade between two spectra (band,), of a kind as for `plot`; `fill_between` styles it."""
        given: dict[str, Any] = {
            "color": COLOURS[kind % len(COLOURS)],
            "alpha": 0.2,
            "linewidth": 0,
        } | style
        x = self.laid_out_positions
        axes.fill_between(x, self.laid_out(low), self.laid_out(high), **given)

    def finish(self, axes: Axes, values: str = "Value (data units)") -> None:
        """Label axes that show spectra, and cut them where the bands end."""
        axes.set(xlabel=self.label, ylabel=values)
        low, high = float(self.positions.min()), float(self.positions.max())
        margin = 0.02 * (high - low) or 0.5
        axes.set_xlim(low - margin, high + margin)
        if self.label == BAND_NUMBER:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _with_gaps(positions: NDArray[np.float64]) -> NDArray[np.int_]:
    order = np.argsort(positions, kind="stable")
    if len(order) <= FEW_BANDS:
        return order
    steps = np.diff(positions[order])
    gaps = np.flatnonzero(steps > GAP * np.median(steps))
    return np.insert(order, gaps + 1, -1)


def panels(count: int, height: float = 1.9, shared: bool = False) -> tuple[Figure, list[Axes]]:
    """Make a figure with so many panels, at most three in a row of a height in inches.

    ``shared``: all have one scale.
    """
    cols = count if count <= 3 else 2 if count == 4 else 3
    rows = -(-count // cols)
    figure = Figure(figsize=(COLUMN if cols == 1 else PAGE, max(2.4, height * rows)))
    made: list[Axes] = []
    for number in range(1, count + 1):
        scale = made[0] if shared and made else None
        made.append(figure.add_subplot(rows, cols, number, sharex=scale, sharey=scale))
    return figure, made


def legend_above(figure: Figure, columns: int = 4) -> None:
    """Explain the lines of a figure above it, where no line lies behind, each label once."""
    handles = {
        label: handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    columns = min(columns, len(handles))
    legend = figure.legend(
        handles.values(), handles.keys(), loc="outside upper center", ncols=columns
    )
    for text in legend.get_texts():
        text.set_parse_math(False)  # a name of a file may hold a dollar


def line_style(kind: int) -> dict[str, Any]:
    """Return colour, line style and marker of the ``kind``-th of several lines."""
    at = kind % len(COLOURS)
    return {"color": COLOURS[at], "linestyle": LINES[at], "marker": MARKERS[at]}


def shades(count: int) -> Sequence[Any]:
    """Return colours of ordered things, from dark to light, none too pale for white paper."""
    from matplotlib import colormaps

    return [colormaps[ORDERED](share) for share in np.linspace(0, 0.85, count)]


def require_format(path: PathText) -> str:
    """Return the format of a figure's file, by its suffix, before the work.

    Raises
    ------
    ConfigError
        When it is none of PNG, SVG and PDF.
    """
    suffix = Path(path).suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        raise ConfigError(
            f"{path} does not end in .png, .svg or .pdf, the formats of figures. "
            f"Choose a name that does."
        )
    return suffix


def to_bytes(figure: Figure, kind: str, dpi: float | None = None) -> bytes:
    """Return a figure as ``png``, ``svg`` or ``pdf``; the same figure gives the same bytes.

    ``dpi`` is dots per inch, by default 300.
    """
    content = BytesIO()
    with styled():
        figure.savefig(
            content,
            format=kind,
            metadata=METADATA[kind],
            dpi=STYLE["savefig.dpi"] if dpi is None else dpi,
        )
    return content.getvalue()


def save(figure: Figure, path: PathText, dpi: float | None = None) -> None:
    """Write a figure to a PNG, SVG or PDF, by the suffix, whole or not at all.

    An old file is replaced; ``dpi`` is as for `to_bytes`.

    Raises
    ------
    ConfigError
        When the suffix is another.
    NotWritten, LockHeld
        When the file cannot be written, or another run is writing it.
    """
    write_atomically(path, to_bytes(figure, require_format(path), dpi))
