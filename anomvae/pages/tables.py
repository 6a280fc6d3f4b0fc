"""Tables of a page: sorted, filtered and paged in the browser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Column:
    """A column; a cell of a ``link`` is (text, relative address), of a ``picture`` its address."""

    key: str
    name: str
    kind: Literal["text", "number", "date", "link", "picture", "state"] = "text"
    unit: str = ""
    digits: int = 4
    choices: bool = False
    """Offer the values of the column to filter by."""


@dataclass(frozen=True)
class Table:
    """Rows of cells, in the order of the columns."""

    name: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[object]]
    ids: Sequence[str] | None = None
    """Objects to which the rows lead, if they do."""
    sort: str = ""
    """Key of the column by which it is sorted at first; the order of the rows if empty."""
    descending: bool = False
    page: int = 50
    """Rows on a page."""
    total: int | None = None
    """How many there are, where only the first are listed."""
    note: str = ""
    more: Sequence[str] = ()
    """Addresses, relative to the page, of scripts with further rows (`rows_script`)."""
