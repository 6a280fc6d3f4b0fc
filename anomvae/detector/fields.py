"""Dataclasses read from JSON: every field has its type, its range, and its place in the message.

The type is the annotation of the field: a dataclass, ``tuple[X, ...]``, ``X | None``, or a number,
a text or a truth value.  The range is an entry of a table (`Ranges`).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

LARGEST = sys.float_info.max
LEAST = sys.float_info.min
"""The least number above 0."""
NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}

Built = TypeVar("Built")


@dataclass(frozen=True)
class Range:
    """What a field may hold; of a list, each item."""

    low: float = -LARGEST
    """Least number."""
    high: float = LARGEST
    """Largest number."""
    items: tuple[int, int] = (0, sys.maxsize)
    """Fewest and most items of a list."""
    names: tuple[str, ...] = ()
    """The texts that are known; empty: any."""


ANY = Range()
Ranges = Mapping[type, Mapping[str, Range]]
"""Ranges by dataclass and field; a field without one may hold whatever its type does."""


class FieldError(ValueError):
    """A field is unknown, missing, or not what it must be; the message names it."""


def read_fields(kind: type[Built], data: Any, ranges: Ranges, where: str = "") -> Built:  # noqa: ANN401 - JSON
    """Make a dataclass of a JSON table; ``where`` is the table's own field, for messages.

    Raises
    ------
    FieldError
        When a field is unknown, missing, of another type, or out of its range.

    Examples
    --------
    >>> @dataclass
    ... class Size:
    ...     width: int
    >>> read_fields(Size, {"width": 3}, {Size: {"width": Range(1, 10)}})
    Size(width=3)
    >>> read_fields(Size, {"width": 11}, {Size: {"width": Range(1, 10)}})
    Traceback (most recent call last):
        ...
    anomvae.detector.fields.FieldError: width = 11: expected 1 to 10
    """
    if not isinstance(data, dict):
        raise _unfit(where, data, "a table")
    start = f"{where}." if where else ""
    types, known = _types(kind), ranges.get(kind, {})  # type: ignore[arg-type]  # a class
    for name in data.keys() - types.keys():
        raise FieldError(f"{start}{name!a:.80} is unknown")
    for field in fields(kind):  # type: ignore[arg-type]  # a dataclass
        if field.name not in data and field.default is MISSING:
            raise FieldError(f"{start}{field.name} is missing")
    return kind(
        **{
            name: _value(types[name], value, known.get(name, ANY), ranges, f"{start}{name}")
            for name, value in data.items()
        }
    )


@lru_cache
def _types(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(hint: Any, value: Any, within: Range, ranges: Ranges, where: str) -> Any:  # noqa: ANN401 - JSON
    if get_origin(hint) is UnionType:
        (inner,) = set(get_args(hint)) - {NoneType}
        return None if value is None else _value(inner, value, within, ranges, where)
    if get_origin(hint) is tuple:
        items = _items(value, within, where)
        inner = get_args(hint)[0]
        return tuple(
            _value(inner, item, within, ranges, f"{where}[{number}]")
            for number, item in enumerate(items)
        )
    if is_dataclass(hint):
        return read_fields(hint, value, ranges, where)  # type: ignore[arg-type]  # a class
    _require_type(hint, value, where)
    _require_range(value, within, where)
    return value


def _items(value: Any, within: Range, where: str) -> list[Any]:  # noqa: ANN401 - JSON
    fewest, most = within.items
    if not isinstance(value, list) or not fewest <= len(value) <= most:
        raise _unfit(where, value, f"a list of {fewest} to {most} items")
    return value


def _require_type(kind: type, value: object, where: str) -> None:
    allowed = (int, float) if kind is float else (kind,)
    if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
        raise _unfit(where, value, NAMES[kind])


def _require_range(value: object, within: Range, where: str) -> None:
    if isinstance(value, str):
        if within.names and value not in within.names:
            raise _unfit(where, value, " or ".join(within.names))
        if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
            raise _unfit(where, ascii(value), "a text of whole characters")
    elif isinstance(value, int | float) and not within.low <= value <= within.high:
        raise _unfit(where, value, f"{within.low:.6g} to {within.high:.6g}")


def _unfit(where: str, value: object, expected: str) -> FieldError:
    found = repr(value)
    return FieldError(f"{where} = {found:.60}: expected {expected}")
