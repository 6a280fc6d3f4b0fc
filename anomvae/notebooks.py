"""How results present themselves: a short name in a line, and tables of HTML in notebooks.

Names of files, bands and rules are those of others: what is no text is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from .addresses import displayed
from .names import one_line

LONGEST = 40
"""Characters of a name in a line."""


def short(name: object) -> str:
    r"""Return the name of a file, a band or a rule as a short printable text without secrets.

    Examples
    --------
    >>> short("a/very/long/path/to/the/scene/of/the/year_2024.tif")
    '...ath/to/the/scene/of/the/year_2024.tif'
    >>> short("https://eo.example/a.tif?key=secret"), short("a\x1b.tif")
    ('https://eo.example/a.tif', 'a\\x1b.tif')
    """
    text = one_line(displayed(name))
    return text if len(text) <= LONGEST else f"...{text[3 - LONGEST :]}"


def html_table(title: str, rows: Iterable[Sequence[object]], header: Sequence[object] = ()) -> str:
    """Return a table of HTML in which every text is escaped.

    Examples
    --------
    >>> html_table("a<b", [("x", 0.123456)])
    '<table><caption>a&lt;b</caption><tr><td>x</td><td>0.1235</td></tr></table>'
    """
    lines = [_row(header, "th")] if header else []
    lines += [_row(row, "td") for row in rows]
    return f"<table><caption>{_cell(title)}</caption>{''.join(lines)}</table>"


def _row(cells: Sequence[object], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{_cell(cell)}</{tag}>' for cell in cells)}</tr>"


def _cell(value: object) -> str:
    return escape(f"{value:.4g}" if isinstance(value, float) else one_line(str(value)))
