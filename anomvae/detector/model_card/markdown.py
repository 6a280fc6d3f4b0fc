"""A model card as a document of Markdown (CommonMark with tables, as GitHub shows it)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ...names import markdown_text
from .facts import ModelCard
from .sections import Section


def markdown_of(card: ModelCard) -> str:
    """Write a model card; every text is escaped, so that names of others stay text."""
    title = f"# Model card: {markdown_text(card.name or card.id)}"
    parts = [title, *(part for section in card.sections for part in _section(section))]
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> Iterator[str]:
    yield f"## {markdown_text(section.title)}"
    if section.points:
        yield "\n".join(f"- {markdown_text(point, code=True)}" for point in section.points)
    if section.facts:
        yield _table(("Fact", "Value"), [(fact.name, fact.value) for fact in section.facts])
    if section.table is not None:
        yield _table(section.table.columns, section.table.rows)
    if section.code:
        yield _fenced(section.code, section.language)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = f"|{'---|' * len(columns)}"
    return "\n".join([_line(columns), rule, *map(_line, rows)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(markdown_text, cells))} |"


def _fenced(code: str, language: str) -> str:
    """Return a block of code, whose fence is longer than any run of backticks in it."""
    fence = "```"
    while fence in code:
        fence += "`"
    return f"{fence}{language}\n{code}\n{fence}"
