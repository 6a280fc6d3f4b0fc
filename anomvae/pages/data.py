"""Data inside a page: JSON that no name can end, and in which no text reorders a line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from ..names import printable

DIGITS = 6
"""Digits with which float32 is written: what it holds, but for the last."""
ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def script_json(value: object) -> str:
    r"""Return JSON for a ``<script type="application/json">``.

    Dataclasses are objects, arrays are lists, and what is not finite is null.  Texts are made
    printable, and no character of them can end the script.

    Examples
    --------
    >>> script_json(["</script>", float("nan"), 1.5])
    '["\\u003c/script\\u003e",null,1.5]'
    """
    text = json.dumps(plain(value), allow_nan=False, separators=(",", ":"))
    return text.translate(ESCAPES)


def rows_script(table_id: str, rows: Iterable[Sequence[object]]) -> bytes:
    """Return a script that adds rows to a table of a page beside it, as `Table.more` names it."""
    return f"anomvae.addRows({script_json(table_id)},{script_json(list(rows))});\n".encode()


def plain(value: object) -> Any:  # noqa: ANN401 - JSON
    """Return a value as JSON knows it.

    Raises
    ------
    TypeError
        When it, or what it holds, is none of the types that pages hold.
    """
    if isinstance(value, str):
        return printable_text(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):  # np.float64 as well
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.ndarray | np.generic):
        return _plain_array(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {printable_text(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [plain(item) for item in value]
    raise TypeError(f"A page holds no {type(value).__qualname__}. Give numbers, texts or lists.")


def _plain_array(value: np.ndarray[Any, Any] | np.generic) -> Any:  # noqa: ANN401 - JSON
    if value.dtype in (np.float32, np.float16):
        return _rounded(value.tolist())
    return plain(value.tolist())


def _rounded(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def printable_text(text: str) -> str:
    r"""Return a text of one or more lines with escapes in place of what is not printable.

    Examples
    --------
    >>> printable_text("bay\u202e\n.tif")
    'bay\\u202e\n.tif'
    """
    return text if text.isprintable() else "\n".join(map(printable, text.split("\n")))
