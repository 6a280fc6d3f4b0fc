"""The second panel of an object: its spectrum, and in words why it is unusual."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from matplotlib.axes import Axes

from ..mapping.location import place_text
from ..mapping.result import MapResult
from ..names import printable
from ..objects import AnomalyObject, ObjectExplanation, Provenance
from ..objects.items import DEGREES
from ..pixels.band import Band
from ..pixels.bands import Bands
from ..pixels.picture_bands import band_label
from ..words import area, counted
from .axes import SpectrumAxis
from .print_sheet import PrintSheet, broken, line_height

SPECTRUM = 52.0
"""Height of the spectrum with its labels, mm."""
FACTS = 54.0
"""Width of the facts, mm."""
SIDE, FOOT, HEAD = 15.0, 9.5, 6.0
"""Left of the spectrum, below it and above it, mm."""
LEFT, MARGIN, NARROW = 9.0, 2.0, 130.0
"""Left of facts that are not beside a spectrum, margin, and width from which they are, mm."""
NUMBER = 1.9
"""Space between two numbers above the spectrum, mm."""
FACT = 6.5
"""Size of letters, points."""


@dataclass(frozen=True)
class ObjectPanel:
    """Spectrum and facts of an object."""

    result: MapResult
    """The results that list it."""
    provenance: Provenance
    """Where it comes from."""
    item: AnomalyObject
    """The object."""

    width: float
    """Width of the page, mm."""

    @property
    def height(self) -> float:
        """Height of the panel, mm."""
        below = line_height(FACT) * (-(-len(self.facts) // self._columns) + 1)
        if self.item.explanation is None:
            return below
        return SPECTRUM + below if self._is_narrow else max(SPECTRUM, below)

    @property
    def _is_narrow(self) -> bool:
        return self.width < NARROW

    @property
    def _columns(self) -> int:
        """Columns of the facts: one beside a spectrum."""
        if self.item.explanation is not None and not self._is_narrow:
            return 1
        return max(1, int((self.width - LEFT) / FACTS))

    def draw(self, sheet: PrintSheet, top: float) -> None:
        """Draw it below a place, mm."""
        explanation, left, below = self.item.explanation, LEFT, top
        if explanation is not None:
            narrow = self._is_narrow
            width = sheet.width - SIDE - (2 * MARGIN if narrow else FACTS + 2 * MARGIN)
            height = (SPECTRUM if narrow else self.height) - HEAD - FOOT
            self._draw_spectrum(sheet.axes(SIDE, top + HEAD, width, height), explanation, width)
            left, below = (LEFT, top + SPECTRUM) if narrow else (SIDE + width + 2 * MARGIN, top)
        lines, step = -(-len(self.facts) // self._columns), line_height(FACT)
        for number, line in enumerate(self.facts):
            column, row = divmod(number, lines)
            sheet.text(left + column * FACTS, below + 1 + row * step, line, FACT)

    @property
    def facts(self) -> list[str]:
        """What is known of the object, a line each."""
        item, threshold = self.item, self.result.threshold
        size = "" if item.area_m2 is None else f", {area(item.area_m2)}"
        lines = [
            f"Rank {item.rank or item.id} of {self.result.objects:,}",
            f"{counted(item.area_px, 'pixel')}{size}",
            *self._place(),
            f"Score: highest {item.score_max:.4g}, mean {item.score_mean:.4g}",
            f"Threshold {threshold.value:.4g} ({threshold.rule})",
        ]
        if item.p is not None:
            lines.append(f"p-value {item.p:.2g}")
        if item.explanation is None:
            lines.append("Its spectrum is not in the objects file.")
        else:
            lines += ["", *_reasons(item.explanation)]
        return [part for line in lines for part in broken(line, FACTS, FACT, "    ") or [""]]

    def _place(self) -> list[str]:
        row, col = self.item.peak
        peak = f"Peak at row {row}, column {col}"
        centroid = self.item.centroid
        if self.provenance.coordinates != DEGREES or centroid is None:
            return [peak]
        square = self.item.area_m2 or 1.0
        pixel = (square / max(1, self.item.area_px)) ** 0.5
        return [peak, place_text(*centroid, pixel)]

    def _draw_spectrum(self, axes: Axes, explanation: ObjectExplanation, width: float) -> None:
        about = self.provenance
        pairs = zip(about.bands, about.wavelengths, strict=True)
        items = [Band(at, name, nm) for at, (name, nm) in enumerate(pairs, start=1)]
        axis = SpectrumAxis.of(Bands(tuple(items), len(items), named=True))
        drawn = (
            ("object", explanation.spectrum),
            ("reconstruction", explanation.reconstruction),
            ("surroundings", explanation.annulus),
        )
        for kind, (label, values) in enumerate(drawn):
            if values is not None:
                axis.plot(axes, values, kind, label=label, markersize=2.2)
        axis.finish(axes)
        _mark(axes, axis, [band.name for band in items], explanation, width)
        axes.tick_params(labelsize=FACT)
        axes.xaxis.label.set_fontsize(FACT + 0.5)
        axes.yaxis.label.set_fontsize(FACT + 0.5)
        axes.legend(
            loc="lower right",
            bbox_to_anchor=(1, 1.05),
            borderaxespad=0,
            ncols=3,
            fontsize=FACT,
            handlelength=2.2,
        )


def _mark(
    axes: Axes,
    axis: SpectrumAxis,
    names: Sequence[str],
    explanation: ObjectExplanation,
    width: float,
) -> None:
    """Mark the bands that lead in axes of a width, mm; their numbers above do not overlap."""
    places = [float(axis.positions[names.index(each.band)]) for each in explanation.leading]
    low, high = axes.get_xlim()
    apart = (high - low) * NUMBER / width
    shown, order = list(places), sorted(range(len(places)), key=places.__getitem__)
    for before, after in pairwise(order):
        shown[after] = max(shown[after], shown[before] + apart)
    shift = sum(shown) / len(shown) - sum(places) / len(places) if shown else 0.0
    for number, (place, at) in enumerate(zip(places, shown, strict=True), start=1):
        axes.axvline(place, color="0.6", linewidth=0.5, zorder=0)
        axes.text(
            at - shift,
            1.01,
            str(number),
            transform=axes.get_xaxis_transform(),
            fontsize=FACT,
            ha="center",
            va="bottom",
        )


def _reasons(explanation: ObjectExplanation) -> list[str]:
    """Return why an object is unusual, a line each."""
    lines = []
    if explanation.leading:
        lines.append("Bands that lead:")
    for number, band in enumerate(explanation.leading, start=1):
        name = printable(band_label(band.band, band.wavelength))
        lines.append(
            f"{number}  {name}: {band.residual:+.3g} \N{GREEK SMALL LETTER SIGMA}, "
            f"{band.share:.0%} of the score"
        )
    terms = (
        ("reconstruction", explanation.share_reconstruction),
        ("KL", explanation.share_kl),
        ("linear", explanation.share_linear),
    )
    shares = ", ".join(f"{name} {share:.0%}" for name, share in terms if share >= 0.005)
    lines.append(f"Terms: {shares}")
    if explanation.local_contrast is not None:
        lines.append(f"Local contrast: times {explanation.local_contrast:.3g}")
    return lines
