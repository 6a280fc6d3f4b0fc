"""Tables of a configuration: keys with types, and answers to what does not fit.

A table is a frozen dataclass.  The type of a key is a number, a text, a truth value, some of them
(``Literal``), another table, a tuple, one of several types, or a type with `Rule`s (``Annotated``);
the text below a key describes it.  `Table.read` answers everything that does not fit at once: what
was found, what was expected, and of an unknown key its new or the nearest known name.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import MISSING, Field, asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import (
    Any,
    ClassVar,
    Self,
    TypeVar,
    dataclass_transform,
    get_type_hints,
)

from ..errors import ConfigError, hint
from .values import Located, Unfit, alternatives, checked, entries_of, rules_of


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Table:
    """A table of the file; read-only, without unknown keys.

    Raises
    ------
    ConfigError
        When a value does not fit.
    """

    renamed: ClassVar[Mapping[str, str]] = {}
    """Names of keys before 0.2, each with its name now; they are answered, not accepted."""

    def __init_subclass__(cls) -> None:
        """Make a dataclass of each kind of table."""
        dataclass(frozen=True, kw_only=True)(cls)

    def __post_init__(self) -> None:
        """Check all values, as those of a file."""
        reader = _Reader(Path())
        for key, kind in types_of(type(self)).items():
            object.__setattr__(self, key, reader.value(kind, getattr(self, key), (key,)))
        reader.finish(type(self).__name__)
        try:
            self.require()
        except ValueError as error:
            raise ConfigError(str(error)) from error

    def require(self) -> None:
        """Raise a ValueError if values contradict each other; its message is a sentence."""

    @classmethod
    def prepared(cls, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the data of a file with what follows from them."""
        return data

    @classmethod
    def read(cls, data: Mapping[str, Any], where: str = "", folder: Path = Path()) -> Self:
        """Check a nested mapping.

        ``where`` is its source, for messages; relative paths start at the ``folder``.
        """
        reader = _Reader(folder)
        table = reader.table(cls, data, ())
        reader.finish(where or cls.__name__)
        return table

    def to_dict(self) -> dict[str, Any]:
        """Return nested tables as a file holds them."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]  # a dataclass

    def to_json(self, without: Collection[str] = ()) -> str:
        """Return all keys but some as a line of JSON."""
        kept = {key: value for key, value in self.to_dict().items() if key not in without}
        return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


AnyTable = TypeVar("AnyTable", bound=Table)


def fields_of(table: type[Table]) -> tuple[Field[Any], ...]:
    """Return the keys of a table, in their order."""
    return fields(table)  # type: ignore[arg-type]  # a dataclass


def types_of(table: type[Table]) -> dict[str, Any]:
    """Return the type of each key of a table."""
    return _types(table)  # type: ignore[arg-type]  # a class


@lru_cache
def _types(table: type) -> dict[str, Any]:
    hints = get_type_hints(table, include_extras=True)
    return {field.name: hints[field.name] for field in fields_of(table)}


def table_in(kind: object) -> type[Table] | None:
    """Return the table that a type stands for, alone or in a tuple, if any."""
    if isinstance(kind, type) and issubclass(kind, Table):
        return kind
    return next(filter(None, map(table_in, alternatives(kind))), None)


class _Reader:
    """Reads tables, and collects what does not fit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: list[str] = []

    def finish(self, where: str) -> None:
        """Raise ConfigError if there is any problem."""
        if self.problems:
            problems = " ".join(dict.fromkeys(self.problems))
            raise ConfigError(f"{where} does not fit: {problems}")

    def value(self, kind: Any, value: object, keys: tuple[str, ...]) -> Any:  # noqa: ANN401
        """Return the value of a key; None, and a problem, if it does not fit."""
        table = table_in(kind)
        try:
            if table is None or (value is None and None in alternatives(kind)):
                return checked(kind, value, self.folder)
            if entries_of(kind):
                return self.tables(table, value, keys, rules_of(kind))
            return self.table(table, value, keys)
        except Unfit as error:
            self.problems.append(f"{'.'.join(keys)} = {value!r}: expected {error}.")
        except ValueError as error:  # one of ours is a whole sentence
            self.problems.append(f"{_owner(keys)}{error}")
        return None

    def tables(
        self, kind: type[AnyTable], value: object, keys: tuple[str, ...], rules: tuple[Any, ...]
    ) -> tuple[AnyTable, ...]:
        """Read a list of tables."""
        if not isinstance(value, list | tuple):
            raise Unfit("a list of tables")
        for rule in rules:
            rule(value, self.folder)
        return tuple(
            self.value(kind, item, (*keys, str(number)))
            for number, item in enumerate(value, start=1)
        )

    def table(self, kind: type[AnyTable], data: object, keys: tuple[str, ...]) -> AnyTable:
        """Read a table; its problems make it None."""
        if isinstance(data, kind):
            return data
        if not isinstance(data, Mapping):
            raise Unfit("a table")
        before, data, types = len(self.problems), kind.prepared(data), types_of(kind)
        unknown = [key for key in data if key not in types]
        self.problems += [_unknown(kind, key, keys) for key in unknown]
        replaced = {kind.renamed.get(key) for key in unknown}
        for field in fields_of(kind):
            if field.default is MISSING and field.name not in {*data, *replaced}:
                self.problems.append(f"{_place(keys)} lacks the key {field.name!r}.")
        values = _located_defaults(kind, self.folder) | {
            key: self.value(types[key], data[key], (*keys, key)) for key in types if key in data
        }
        if len(self.problems) > before:
            return None  # type: ignore[return-value]  # `finish` raises
        return kind(**values)


def _located_defaults(kind: type[Table], folder: Path) -> dict[str, Any]:
    """Return the defaults that depend on the folder of the file."""
    return {
        field.name: checked(types_of(kind)[field.name], field.default, folder)
        for field in fields_of(kind)
        if any(isinstance(rule, Located) for rule in rules_of(types_of(kind)[field.name]))
        and isinstance(field.default, str)
    }


def _place(keys: tuple[str, ...]) -> str:
    """Return the name of a table, for messages."""
    return f"[{'.'.join(keys)}]" if keys else "the top level"


def _owner(keys: tuple[str, ...]) -> str:
    """Return the prefix of a message that names one of several tables."""
    return f"[{'.'.join(keys)}]: " if any(key.isdigit() for key in keys) else ""


def _unknown(kind: type[Table], key: str, keys: tuple[str, ...]) -> str:
    if key in kind.renamed:
        return f"{_place(keys)}: {key} is now called {kind.renamed[key]}."
    return f"{_place(keys)} has no key {key!r}. {hint(key, types_of(kind))}"
