"""The contents of a page: sections of scenes, the overview of several, and their model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from .. import __version__
from ..addresses import displayed
from ..detector.model_card import ModelCard, Section
from ..pages import Column, Table, Widget
from ..stats.domain import InDomain
from ..words import counted
from .charts import course_charts
from .facts import Fact, model_facts
from .findings import sentence
from .map_view import thumbnail
from .model import course_of
from .results import Results
from .scene_report import SceneReport
from .sections import SceneSection, section_of

THUMBNAIL = 72
"""Cells of the longer side of a small picture."""
DETAILED = 100
"""Scenes that are shown in detail; others are in the overview alone."""
OUTCOMES = {
    InDomain.YES: "fits",
    InDomain.DOUBTFUL: "doubtful",
    InDomain.NO: "does not fit",
}


@dataclass(frozen=True)
class ModelSection:
    """What a page shows of the model."""

    facts: Sequence[Fact]
    doubt: str
    """Why the promise of its threshold is contradicted; empty where it is not."""
    charts: tuple[str, ...]
    """Ids of the charts of its training."""
    card: Sequence[Section]
    """The whole card."""


@dataclass(frozen=True)
class Contents:
    """What the template prints."""

    title: str
    subject: str
    """What it is about: the path of the scene, or that there are several."""
    headline: str
    sections: tuple[SceneSection, ...]
    overview: str
    """Id of the table of scenes; empty where there is one scene."""
    summary: tuple[str, ...]
    """Sentences about all scenes; none where there is one."""
    notes: tuple[str, ...]
    """What is left out: sentences."""
    model: ModelSection | None
    version: str
    widgets: Mapping[str, Widget]


@dataclass(frozen=True)
class OverviewRow:
    """What the overview has of a scene."""

    picture: str
    name: str
    link: str
    """Empty where the scene is not shown in detail."""
    flagged: int
    valid: int
    objects: int
    score: float | None
    verdict: str
    state: str
    """What stands out: ``unusual``, ``nothing unusual`` or ``no data``."""


def contents_of(
    found: Results, reports: Iterable[SceneReport], model: ModelCard | None, panels: int
) -> Contents:
    """Put together the contents of a page; ``reports`` are taken one by one."""
    several = len(found.scenes) > 1
    sections, rows = [], []
    threshold = None if model is None else model.threshold
    held_out = None if threshold is None else threshold.measured
    for number, report in enumerate(reports, start=1):
        detailed = number <= DETAILED
        if several:
            rows.append(_row(report, f"#s{number}-top" if detailed else ""))
        if detailed:
            known = model is not None
            sections.append(section_of(report, f"s{number}", panels, held_out, known=known))
    widgets = {name: widget for each in sections for name, widget in each.widgets.items()}
    described, charts = (None, {}) if model is None else _model_section(model)
    widgets |= charts
    if several:
        widgets["scenes"] = _overview(rows)
    return Contents(
        title=f"{len(found.scenes)} scenes" if several else sections[0].name,
        subject="scored scenes" if several else displayed(found.scenes[0].result.scene),
        headline=_headline(rows) if several else sections[0].findings.headline,
        sections=tuple(replace(each, widgets={**each.widgets}) for each in sections),
        overview="scenes" if several else "",
        summary=tuple(_summary(rows)) if several else (),
        notes=tuple(_notes(found, len(sections))),
        model=described,
        version=__version__,
        widgets=widgets,
    )


def _row(report: SceneReport, link: str) -> OverviewRow:
    result = report.scene.result
    best = report.objects.listed[0].item.score_max if report.objects.listed else None
    verdict = "not known" if result.verdict is None else OUTCOMES[result.verdict.in_domain]
    state = "unusual" if result.flagged else "nothing unusual" if result.valid else "no data"
    return OverviewRow(
        picture=thumbnail(report, THUMBNAIL),
        name=report.scene.files.stem,
        link=link,
        flagged=result.flagged,
        valid=result.valid,
        objects=result.objects,
        score=result.quantiles.get("1") if best is None else best,
        verdict=verdict,
        state=state,
    )


def _overview(rows: Sequence[OverviewRow]) -> Table:
    columns = (
        Column("picture", "picture", "picture"),
        Column("scene", "scene", "link"),
        Column("share", "flagged", "number", unit="%", digits=3),
        Column("flagged", "pixels flagged", "number", digits=9),
        Column("objects", "objects", "number", digits=9),
        Column("score", "highest score", "number"),
        Column("state", "outcome", "state", choices=True),
        Column("verdict", "scene and model", "state", choices=True),
    )
    cells = [
        [
            row.picture,
            [row.name, row.link],
            100 * row.flagged / max(1, row.valid),
            row.flagged,
            row.objects,
            row.score,
            row.state,
            row.verdict,
        ]
        for row in rows
    ]
    return Table("Scenes", columns, cells, sort="share", descending=True, page=25)


def _headline(rows: Sequence[OverviewRow]) -> str:
    unusual = sum(bool(row.flagged) for row in rows)
    objects = counted(sum(row.objects for row in rows), "object")
    if not unusual:
        return f"In none of {counted(len(rows), 'scene')} is a pixel unusual."
    return f"{unusual:,} of {counted(len(rows), 'scene')} hold unusual pixels, in {objects}."


def _summary(rows: Sequence[OverviewRow]) -> Iterator[str]:
    most = max(rows, key=lambda row: row.flagged / max(1, row.valid))
    if most.flagged:
        part = 100 * most.flagged / max(1, most.valid)
        yield f"The largest share, {part:.2g} %, is flagged in {most.name}."
    doubtful = [row.name for row in rows if row.verdict in {"doubtful", "does not fit"}]
    if doubtful:
        yield f"Look twice at {counted(len(doubtful), 'scene')} that may not fit the model."
    empty = sum(not row.valid for row in rows)
    if empty:
        yield f"{counted(empty, 'scene')} without any score."


def _notes(found: Results, detailed: int) -> Iterator[str]:
    if found.unfinished:
        names = ", ".join(found.unfinished[:5]) + (", ..." if len(found.unfinished) > 5 else "")
        yield (
            f"Left out, because there is no summary that can be read (the run has not ended, or "
            f"was killed): {names}."
        )
    models = len({each.model for each in found.scenes})
    if models > 1:
        yield f"These scenes were scored by {models} models, whose scores do not compare."
    more = len(found.scenes) - detailed
    if more > 0:
        yield f"{counted(more, 'scene')} of {len(found.scenes):,} are in the overview alone."


def _model_section(card: ModelCard) -> tuple[ModelSection, dict[str, Widget]]:
    charts = course_charts(course_of(card.fitting), card.fitting.elbo)
    widgets: dict[str, Widget] = {f"training-{name}": chart for name, chart in charts.items()}
    doubt = "" if card.threshold is None else sentence(card.threshold.doubt)
    return ModelSection(model_facts(card), doubt, tuple(widgets), card.sections), widgets
