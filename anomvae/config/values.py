"""Values of a configuration: whether one fits its type, and the rules that types have.

What does not fit raises `Unfit` with what was expected, or a ValueError whose message is a whole
sentence.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

NAMES = {2: "two", 4: "four"}


class Unfit(ValueError):
    """A value does not fit; the message is what was expected."""


@dataclass(frozen=True)
class Between:
    """Limits of a number; None: there is none."""

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None

    def __call__(self, value: Any, folder: Path) -> Any:  # noqa: ANN401 - a number
        """Return a number that fits."""
        if self.least is not None and value < self.least:
            raise Unfit(f"greater than or equal to {self.least:g}")
        if self.above is not None and value <= self.above:
            raise Unfit(f"greater than {self.above:g}")
        if self.most is not None and value > self.most:
            raise Unfit(f"less than or equal to {self.most:.12g}")
        if self.below is not None and value >= self.below:
            raise Unfit(f"less than {self.below:g}")
        return value


@dataclass(frozen=True)
class Entries:
    """Fewest and most entries of a list."""

    fewest: int = 1
    most: int | None = None

    def __call__(self, value: Any, folder: Path) -> Any:  # noqa: ANN401 - a list
        """Return a list that fits."""
        if len(value) < self.fewest:
            raise Unfit("at least one entry")
        if self.most is not None and len(value) > self.most:
            raise Unfit(f"at most {self.most} entries")
        return value


@dataclass(frozen=True)
class After:
    """A check or change of a value that fits its type; it raises a ValueError."""

    change: Callable[[Any], Any]

    def __call__(self, value: Any, folder: Path) -> Any:  # noqa: ANN401 - a value
        """Return the value that follows."""
        return self.change(value)


@dataclass(frozen=True)
class Before:
    """A change of a value before its type is checked."""

    change: Callable[[Any], Any]


@dataclass(frozen=True)
class Located:
    """A change of a text that depends on the folder where relative paths start."""

    change: Callable[[str, Path], str]

    def __call__(self, value: Any, folder: Path) -> Any:  # noqa: ANN401 - a text
        """Return the text that follows."""
        return self.change(value, folder)


def alternatives(kind: object) -> tuple[Any, ...]:
    """Return what a type consists of: alternatives, entries, or what rules are added to."""
    parts = get_args(kind)
    if get_origin(kind) is Annotated:
        return parts[:1]
    return tuple(None if part is NoneType else part for part in parts)


def entries_of(kind: object) -> tuple[Any, ...]:
    """Return the types of the entries of a tuple; empty for other types."""
    if get_origin(kind) is Annotated:
        return entries_of(get_args(kind)[0])
    return get_args(kind) if get_origin(kind) is tuple else ()


def rules_of(kind: object) -> tuple[Any, ...]:
    """Return the rules of a type, those of an alternative, too."""
    if get_origin(kind) is Annotated:
        return tuple(get_args(kind)[1:]) + rules_of(get_args(kind)[0])
    if get_origin(kind) in {Union, UnionType}:
        return tuple(rule for part in get_args(kind) for rule in rules_of(part))
    return ()


def checked(kind: Any, value: Any, folder: Path) -> Any:  # noqa: ANN401 - any type
    """Return a value as its type has it.

    Raises Unfit, or another ValueError, when it does not fit.
    """
    origin = get_origin(kind)
    if origin is Annotated:
        return _ruled(kind, value, folder)
    if origin in {Union, UnionType}:
        return _one_of(get_args(kind), value, folder)
    if origin is Literal:
        return _named(get_args(kind), value)
    if origin is tuple:
        return _listed(get_args(kind), value, folder)
    return SCALARS[kind](value)


def _ruled(kind: Any, value: Any, folder: Path) -> Any:  # noqa: ANN401 - any type
    base, *rules = get_args(kind)
    for rule in rules:
        if isinstance(rule, Before):
            value = rule.change(value)
    value = checked(base, value, folder)
    for rule in rules:
        if not isinstance(rule, Before):
            value = rule(value, folder)
    return value


def _one_of(kinds: tuple[Any, ...], value: Any, folder: Path) -> Any:  # noqa: ANN401 - any type
    if value is None and NoneType in kinds:
        return None
    expected = []
    for kind in kinds:
        if kind is not NoneType:
            try:
                return checked(kind, value, folder)
            except Unfit as error:
                expected.append(str(error))
    raise Unfit(" or ".join(expected))


def _named(names: tuple[str, ...], value: object) -> object:
    if not isinstance(value, str) or value not in names:
        *first, last = map(repr, names)
        raise Unfit(f"{', '.join(first)} or {last}" if first else last)
    return value


def _listed(kinds: tuple[Any, ...], value: Any, folder: Path) -> tuple[Any, ...]:  # noqa: ANN401
    fixed = ... not in kinds
    if not isinstance(value, list | tuple):
        raise Unfit("a list")
    if fixed and len(value) != len(kinds):
        raise Unfit(f"{NAMES.get(len(kinds), len(kinds))} numbers")
    each, entries = kinds if fixed else kinds[:1] * len(value), []
    for number, (kind, item) in enumerate(zip(each, value, strict=True), start=1):
        try:
            entries.append(checked(kind, item, folder))
        except Unfit as error:
            raise Unfit(f"entry {number} to be {error}") from error
    return tuple(entries)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Unfit("a text")
    return value


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise Unfit("true or false")
    return value


def _number(value: Any) -> float:  # noqa: ANN401 - any value
    if not isinstance(value, Real) or isinstance(value, bool):
        raise Unfit("a number")
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        number = math.inf
    if not math.isfinite(number):
        raise Unfit("a finite number")
    return number


def _whole(value: Any) -> int:  # noqa: ANN401 - any value
    whole = isinstance(value, Integral) or (isinstance(value, Real) and value == value // 1)
    if not whole or isinstance(value, bool):
        raise Unfit("a whole number")
    return int(value)


SCALARS: dict[type, Callable[[Any], Any]] = {
    int: _whole,
    float: _number,
    str: _text,
    bool: _truth,
}
