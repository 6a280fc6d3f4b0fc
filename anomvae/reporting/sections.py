"""The part of a page about one scene: what its template prints, and its widgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..objects.items import DEGREES
from ..pages import Column, Table, Widget, data_uri
from ..pixels.picture_bands import band_label
from ..stats.held_out import HeldOutRate
from ..words import area, counted, number
from .charts import curves, histogram, sensitivity_chart, spectra
from .facts import Fact, scene_facts
from .findings import Findings, findings, kind_of, longitude_latitude, place_of
from .map_view import map_view, unit_of
from .measured import TITLES, MeasuredScene
from .objects import ListedObject
from .promise import Rate, rates, threshold_text
from .scene_report import SceneReport

LARGEST_PICTURE = 1_500_000
"""Bytes of a quick look that a page holds."""


@dataclass(frozen=True)
class ObjectPanel:
    """What a page shows of one of the top objects."""

    id: str
    title: str
    sentences: tuple[str, ...]
    chart: str
    """Id of the chart of its spectra; empty without."""
    leading: tuple[tuple[str, str, str], ...]
    """Band, residual and share of those that lead."""


@dataclass(frozen=True)
class SceneSection:
    """What the template prints about a scene."""

    prefix: str
    """Begins the ids of its elements."""
    name: str
    findings: Findings
    notes: tuple[str, ...]
    caption: str
    """Which bands the picture shows."""
    cells: int
    """Rows of pixels in a cell of the map."""
    close_ups: int
    """Windows of the map that show single pixels."""
    quicklook: str
    """Address that holds the quick look, where the map has no picture; else empty."""
    threshold: str
    condition: bool
    """Whether flags follow a condition beyond the threshold."""
    rates: tuple[Rate, ...]
    sensitivity: str
    """What is found, by size; empty where it was not measured."""
    panels: tuple[ObjectPanel, ...]
    panels_note: str
    """What stands for the panel of other objects; empty where there are none."""
    objects_note: str
    measured: MeasuredScene | None
    metrics: tuple[str, ...]
    """Titles of the table of metrics."""
    facts: Sequence[Fact]
    widgets: Mapping[str, Widget] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Return whether there is a widget of the scene."""
        return f"{self.prefix}-{name}" in self.widgets


def section_of(
    report: SceneReport, prefix: str, panels: int, held_out: HeldOutRate | None, *, known: bool
) -> SceneSection:
    """Make the part of a page about a scene; ``held_out`` and ``known`` are as for `rates`."""
    result = report.scene.result
    top = report.objects.listed[:panels]
    widgets: dict[str, Widget | None] = {
        "map": map_view(report),
        "scores": histogram(report),
        "objects": objects_table(report) if report.objects.listed else None,
        **{f"spectrum-{listed.item.id}": spectra(report, listed) for listed in top},
        **({} if report.measured is None else curves(report.measured)),
    }
    if result.sensitivity is not None:
        widgets["sensitivity"] = sensitivity_chart(result.sensitivity)
    placed = {f"{prefix}-{name}": made for name, made in widgets.items() if made is not None}
    return SceneSection(
        prefix=prefix,
        name=report.scene.files.stem,
        findings=findings(report),
        notes=report.notes,
        caption=report.picture.caption,
        cells=1 if report.maps is None else report.maps.grid.side,
        close_ups=len(report.close_ups),
        quicklook="" if report.picture.image is not None else _quicklook(report),
        threshold=threshold_text(result.threshold, unit_of(report), kind_of(report)),
        condition="+" in result.threshold.rule,
        rates=rates(report, held_out, known),
        sensitivity=_sensitivity(report),
        panels=tuple(_panel(report, one, prefix, placed) for one in top),
        panels_note=_panels_note(report, len(top)),
        objects_note=_objects_note(report),
        measured=report.measured,
        metrics=TITLES,
        facts=scene_facts(report),
        widgets=placed,
    )


def objects_table(report: SceneReport) -> Table:
    """Return the table of the listed objects."""
    about = report.objects.provenance
    located = about is not None and about.coordinates == DEGREES
    explained = any(one.item.explanation is not None for one in report.objects.listed)
    listed = report.objects.listed
    measured = any(one.item.area_m2 is not None for one in listed)
    possible = (
        (True, Column("rank", "rank", "number")),
        (True, Column("score", "score", "number")),
        (True, Column("pixels", "pixels", "number", digits=9)),
        (measured, Column("area", "area", "number", unit="m²")),
        (True, Column("row", "row", "number", digits=9)),
        (True, Column("col", "column", "number", digits=9)),
        (located, Column("lat", "latitude", "number", unit="°", digits=8)),
        (located, Column("lon", "longitude", "number", unit="°", digits=8)),
        (explained, Column("band", "leading band", "text")),
        (explained, Column("residual", "residual", "number", digits=3)),
    )
    columns = tuple(column for wanted, column in possible if wanted)
    keys = {column.key for column in columns}
    return Table(
        f"Objects of {report.scene.files.stem}",
        columns,
        [_row(report, one, keys) for one in listed],
        ids=[str(one.item.id) for one in listed],
        page=10,
        total=report.objects.total,
        note=_objects_note(report),
    )


def _row(report: SceneReport, listed: ListedObject, keys: set[str]) -> list[object]:
    item = listed.item
    place = longitude_latitude(report, item)
    leading = () if item.explanation is None else item.explanation.leading[:1]
    cells: dict[str, object] = {
        "rank": item.rank or item.id,
        "score": item.score_max,
        "pixels": item.area_px,
        "area": item.area_m2,
        "row": item.peak[0],
        "col": item.peak[1],
        "lat": None if place is None else round(place[1], 5),
        "lon": None if place is None else round(place[0], 5),
        "band": band_label(leading[0].band, leading[0].wavelength) if leading else "",
        "residual": leading[0].residual if leading else None,
    }
    return [value for key, value in cells.items() if key in keys]


def _objects_note(report: SceneReport) -> str:
    listed, total = len(report.objects.listed), report.objects.total
    if not listed or listed >= total:
        return ""
    return f"{listed:,} of {total:,} objects, by rank; the file has all."


def _panels_note(report: SceneReport, panels: int) -> str:
    if len(report.objects.listed) <= panels:
        return ""
    return f"Details are shown of the first {panels} objects alone."


def _panel(
    report: SceneReport, listed: ListedObject, prefix: str, widgets: Mapping[str, Widget]
) -> ObjectPanel:
    item, chart = listed.item, f"{prefix}-spectrum-{listed.item.id}"
    size = counted(item.area_px, "pixel") + (f", {area(item.area_m2)}" if item.area_m2 else "")
    above = f", {number(item.margin)} above the threshold" if item.margin is not None else ""
    lines = [
        f"{size}, at {place_of(report, item)}.",
        f"Scores up to {number(item.score_max)}{above}.",
    ]
    if item.p is not None:
        lines.append(f"The chance of such a score in a normal pixel is {number(item.p)}.")
    why = item.explanation
    if why is None:
        lines.append(f"{report.scene.files.objects.name} has no spectra of it.")
        return ObjectPanel(str(item.id), f"Object {item.id}", tuple(lines), "", ())
    parts = {"reconstruction": why.share_reconstruction, "code (KL)": why.share_kl}
    parts |= {"linear term": why.share_linear} if why.share_linear else {}
    lines.append(
        "Its score comes from: " + ", ".join(f"{n} {v:.0%}" for n, v in parts.items()) + "."
    )
    if why.annulus is None:
        lines.append("No normal pixels surround it.")
    leading = tuple(
        (band_label(one.band, one.wavelength), f"{one.residual:+.1f}", f"{one.share:.1%}")
        for one in why.leading
    )
    there = chart if chart in widgets else ""
    return ObjectPanel(str(item.id), f"Object {item.id}", tuple(lines), there, leading)


def _sensitivity(report: SceneReport) -> str:
    measured = report.scene.result.sensitivity
    if measured is None:
        return ""
    fills = {"half": measured.fill_for(0.5), "nine in ten": measured.fill_for(0.9)}
    known = [f"{fill:.0%} of a pixel for {name}" for name, fill in fills.items() if fill]
    needed = " and ".join(known) if known else "more than a whole pixel"
    return (
        f"Spectra of other materials were implanted at {measured.places} places. To be found, they "
        f"must fill {needed} of them."
    )


def _quicklook(report: SceneReport) -> str:
    path = report.scene.files.quicklook
    try:
        if not report.scene.result.drawn or path.stat().st_size > LARGEST_PICTURE:
            return ""
        content = path.read_bytes()
    except OSError:
        return ""
    return data_uri(content) if content.startswith(b"\x89PNG\r\n\x1a\n") else ""
