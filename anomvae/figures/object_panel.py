"""The second panel of an object: its spectrum, and in words why it is unusual."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes

from ..mapping.location import place_text
from ..mapping.result import MapResult
from ..names import printable
from ..objects import AnomalyObject, ObjectExplanation, Provenance
from ..objects.items import DEGREES
from ..pixels.band import Band
from ..pixels.bands import Bands
from ..pixels.picture_bands import band_label
from .axes import SpectrumAxis
from .print_sheet import PrintSheet, line_height

SPECTRUM = 52.0
"""Height of the spectrum with its labels, mm."""
FACTS = 54.0
"""Width of the facts, mm."""
SIDE, FOOT, HEAD = 15.0, 9.5, 6.0
"""Left of the spectrum, below it and above it, mm."""
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

    @property
    def height(self) -> float:
        """Height of the panel, mm."""
        if self.item.explanation is not None:
            return max(SPECTRUM, self._facts_height)
        return self._facts_height

    @property
    def _facts_height(self) -> float:
        return line_height(FACT) * (len(self.facts) + 1)

    def draw(self, sheet: PrintSheet, top: float) -> None:
        """Draw it below a place, mm."""
        explanation = self.item.explanation
        left = SIDE
        if explanation is not None:
            width = max(20.0, sheet.width - SIDE - FACTS - 4)
            axes = sheet.axes(SIDE, top + HEAD, width, self.height - HEAD - FOOT)
            self._draw_spectrum(axes, explanation)
            left = SIDE + width + 4
        for number, line in enumerate(self.facts):
            at = top + 1 + number * line_height(FACT)
            sheet.text(left, at, line, FACT)

    @property
    def facts(self) -> list[str]:
        """What is known of the object, a line each."""
        item, threshold = self.item, self.result.threshold
        area = "" if item.area_m2 is None else f", {_area(item.area_m2)}"
        lines = [
            f"Rank {item.rank or item.id} of {self.result.objects:,}",
            f"{item.area_px:,} {'pixel' if item.area_px == 1 else 'pixels'}{area}",
            *self._place(),
            f"Score: highest {item.score_max:.4g}, mean {item.score_mean:.4g}",
            f"Threshold {threshold.value:.4g} ({threshold.rule})",
        ]
        if item.p is not None:
            lines.append(f"p-value {item.p:.2g}")
        if item.explanation is None:
            return [*lines, "Its spectrum is not in the objects file."]
        return [*lines, "", *_reasons(item.explanation)]

    def _place(self) -> list[str]:
        row, col = self.item.peak
        peak = f"Peak at row {row}, column {col}"
        centroid = self.item.centroid
        if self.provenance.coordinates != DEGREES or centroid is None:
            return [peak]
        area = self.item.area_m2 or 1.0
        pixel = (area / max(1, self.item.area_px)) ** 0.5
        return [peak, place_text(*centroid, pixel)]

    def _draw_spectrum(self, axes: Axes, explanation: ObjectExplanation) -> None:
        about = self.provenance
        pairs = zip(about.bands, about.wavelengths, strict=True)
        items = [Band(at, name, nm) for at, (name, nm) in enumerate(pairs, start=1)]
        axis = SpectrumAxis.of(Bands(tuple(items), len(items), named=True))
        names = [band.name for band in items]
        for number, leading in enumerate(explanation.leading, start=1):
            at = float(axis.positions[names.index(leading.band)])
            axes.axvline(at, color="0.6", linewidth=0.5, zorder=0)
            axes.text(
                at,
                1.01,
                str(number),
                transform=axes.get_xaxis_transform(),
                fontsize=FACT,
                ha="center",
                va="bottom",
            )
        drawn = (
            ("object", explanation.spectrum),
            ("reconstruction", explanation.reconstruction),
            ("surroundings", explanation.annulus),
        )
        for kind, (label, values) in enumerate(drawn):
            if values is not None:
                axis.plot(axes, values, kind, label=label, markersize=2.2)
        axis.finish(axes)
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
    shares = ", ".join(f"{name} {share:.0%}" for name, share in terms if share)
    lines.append(f"Terms: {shares}")
    if explanation.local_contrast is not None:
        lines.append(f"Local contrast: times {explanation.local_contrast:.3g}")
    return lines


def _area(square_metres: float) -> str:
    if square_metres >= 1e6:
        return f"{square_metres / 1e6:.3g} km\N{SUPERSCRIPT TWO}"
    return f"{square_metres:,.4g} m\N{SUPERSCRIPT TWO}"
