"""Reading of configurations from TOML, and messages about what does not fit."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from .. import documents
from ..documents import DocumentError, content_of
from ..errors import ConfigError, FileError, hint
from .tables import Config, Table

MONITOR = "monitor"
"""The shipped file that configures `anomvae.monitoring`, not a detector."""

Whole = TypeVar("Whole", bound=Table)


@dataclass(frozen=True)
class Resolved:
    """A configuration, and the source of each of its values."""

    config: Config
    """All values."""
    sources: Mapping[str, str]
    """Dotted key to the file or option that set it; other keys have their default."""

    def rows(self) -> Iterator[tuple[str, object, str]]:
        """Yield key, value and source."""
        for key, value in _flat(self.config.model_dump()):
            yield key, value, self.sources.get(key, "default")


def shipped(folder: str) -> Path:
    """Return ``configs`` or ``data_samples``: in the installed package, or beside a checkout's."""
    package = Path(__file__).parent.parent
    inside = package / folder
    return inside if inside.is_dir() else package.parent / folder


def shipped_configs() -> list[str]:
    """Return the names that `resolve_config` accepts without a path."""
    return sorted(path.stem for path in shipped("configs").glob("*.toml") if path.stem != MONITOR)


def resolve_config(name: str = "default", settings: Sequence[str] = ()) -> Resolved:
    """Read a configuration, and override some of its values.

    Parameters
    ----------
    name : str, default "default"
        The name of a shipped configuration, or the path of a TOML file.
    settings : sequence of str
        ``key=value`` pairs with dotted keys, as in ``model.latent=8``; later ones win.

    Raises
    ------
    ConfigError
        Names every key and value that does not fit.
    FileError
        If the file cannot be read.
    """
    path = _path(name)
    data = read_toml(path)
    sources = {key: str(path) for key, _ in _flat(data)}
    for setting in settings:
        sources[put_setting(data, setting)] = f"--set {setting}"
    where = " with --set ".join([str(path), *settings])
    return Resolved(build_config(data, where), sources)


def put_setting(data: dict[str, Any], text: str) -> str:
    """Put ``key=value`` with a dotted key into nested tables; return the key.

    Raises `ConfigError` if it is written otherwise, or a part of the key is no table.
    """
    key, value = _setting(text)
    _put(data, key, value)
    return key


def build_config(data: Mapping[str, Any], where: str) -> Config:
    """Check a nested mapping; ``where`` is its source, for messages."""
    return validated(Config, data, where, {})


def validated(
    kind: type[Whole], data: Mapping[str, Any], where: str, context: Mapping[str, Any]
) -> Whole:
    """Check a nested mapping against the tables of a configuration."""
    try:
        return kind.model_validate(data, context=dict(context))
    except ValidationError as error:
        raise ConfigError(f"{where} does not fit: {explain(error.errors(), kind)}") from error


def explain(details: Sequence[ErrorDetails], root: type[Table]) -> str:
    """Return what was found and expected; of an unknown key, its new or the nearest known name."""
    problems: dict[str, list[str]] = {}
    spots = [(detail, _spot(detail["loc"], root)) for detail in details]
    unknown = [spot for detail, spot in spots if detail["type"] == "extra_forbidden"]
    renamed = {(*spot.keys[:-1], spot.parent.renamed.get(spot.keys[-1])) for spot in unknown}
    for detail, spot in spots:
        if detail["type"] == "missing" and spot.keys in renamed:
            continue  # its old name is there
        if detail["type"] == "extra_forbidden":
            problems[_unknown(spot)] = []
        elif detail["type"] == "value_error":  # one of ours is a whole sentence
            problems[f"{spot.owner}{detail['msg'].removeprefix('Value error, ')}"] = []
        elif detail["type"] == "missing" and spot.whole:
            problems[f"{spot.table} lacks the key {spot.keys[-1]!r}."] = []
        else:
            start = f"{'.'.join(spot.keys)} = {detail['input']!r}: expected "
            problems.setdefault(start, []).append(_expected(detail, spot))
    return " ".join(
        start + (" or ".join(ends) + "." if ends else "") for start, ends in problems.items()
    )


@dataclass(frozen=True)
class _Spot:
    """The position in a file of something that does not fit."""

    keys: tuple[str, ...]
    """Keys of tables, and positions in lists from 1."""
    parent: type[Table]
    """The table that holds it."""
    inner: type[Table] | None
    """The table that it should be, if any."""
    whole: bool
    """Whether it is a key, and not a part of a key's value."""

    @property
    def table(self) -> str:
        """Name of the table that holds it, for messages."""
        return f"[{'.'.join(self.keys[:-1])}]" if len(self.keys) > 1 else "the top level"

    @property
    def owner(self) -> str:
        """Prefix of a message that names one of several tables."""
        numbered = any(key.isdigit() for key in self.keys)
        return f"[{'.'.join(self.keys)}]: " if numbered else ""


def _spot(loc: tuple[int | str, ...], root: type[Table]) -> _Spot:
    """Follow a location of pydantic's, up to a key that holds no table."""
    parent, inner, keys = root, root, list[str]()
    for count, step in enumerate(loc, start=1):
        if isinstance(step, int):
            keys.append(str(step + 1))
            continue
        parent = inner
        keys.append(str(step))
        field = parent.model_fields.get(str(step))
        table = None if field is None else _table_in(field.annotation)
        if table is None:  # the rest of ``loc`` only names the alternatives of a union
            return _Spot(tuple(keys), parent, None, count == len(loc))
        inner = table
    return _Spot(tuple(keys), parent, inner, True)


def _table_in(annotation: Any) -> type[Table] | None:  # noqa: ANN401 - any type
    """Return the table that a field holds, alone or in a list, if any."""
    if isinstance(annotation, type) and issubclass(annotation, Table):
        return annotation
    return next(filter(None, map(_table_in, get_args(annotation))), None)


def _length(annotation: Any) -> str:  # noqa: ANN401 - any type
    """Describe the length of a tuple of numbers, such as an annulus."""
    parts = get_args(annotation)
    if get_origin(annotation) is tuple and ... not in parts:
        return f"{ {2: 'two', 4: 'four'}.get(len(parts), len(parts)) } numbers"
    return next(filter(None, map(_length, parts)), "")


def _expected(detail: ErrorDetails, spot: _Spot) -> str:
    field = spot.parent.model_fields.get(spot.keys[-1])
    numbers = "" if field is None else _length(field.annotation)
    ours = {
        "model_type": "a table",
        "too_short": "at least one entry",
        "too_long": numbers or f"at most {detail.get('ctx', {}).get('max_length')} entries",
        "missing": numbers,
        "tuple_type": "a list of tables" if spot.inner else "a list",
    }
    return ours.get(detail["type"], detail["msg"].removeprefix("Input should be "))


def _unknown(spot: _Spot) -> str:
    key = spot.keys[-1]
    if key in spot.parent.renamed:
        return f"{spot.table}: {key} is now called {spot.parent.renamed[key]}."
    return f"{spot.table} has no key {key!r}. {hint(key, spot.parent.model_fields)}"


def _path(name: str) -> Path:
    path = Path(name)
    if path.suffix == ".toml" or path.is_file():
        return path
    if name in shipped_configs():
        return shipped("configs") / f"{name}.toml"
    raise ConfigError(
        f"No configuration is called {name!r}, and no file is. {hint(name, shipped_configs())}"
    )


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file."""
    try:
        content = content_of(path)
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}. Check the path.") from error
    try:
        return documents.read_toml(content)
    except DocumentError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from error


def _setting(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    try:
        table = documents.read_toml(f"value = {value}")
    except DocumentError as error:
        if not isinstance(error.__cause__, tomllib.TOMLDecodeError):
            raise ConfigError(f"--set {key.strip()}: {error}.") from error
        table = {"value": value.strip()}  # a bare word, such as model.family=ae
    read = table["value"]
    if not equals or isinstance(read, dict) or len(table) > 1:
        raise ConfigError(f"--set {text}: write it as key=value, such as model.latent=8.")
    return key.strip(), read


def _put(data: dict[str, Any], key: str, value: object) -> None:
    *tables, last = key.split(".")
    for name in tables:
        data = data.setdefault(name, {})
        if not isinstance(data, dict):
            raise ConfigError(f"--set {key}: {name} is a value, not a table.")
    data[last] = value


def _flat(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
