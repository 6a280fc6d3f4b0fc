"""Reading of configurations from TOML, and messages about what does not fit."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import documents
from ..documents import DocumentError, content_of
from ..errors import ConfigError, FileError, hint
from .tables import Config

MONITOR = "monitor"
"""The shipped file that configures `anomvae.monitoring`, not a detector."""


@dataclass(frozen=True)
class Resolved:
    """A configuration, and the source of each of its values."""

    config: Config
    """All values."""
    sources: Mapping[str, str]
    """Dotted key to the file or option that set it; other keys have their default."""

    def rows(self) -> Iterator[tuple[str, object, str]]:
        """Yield key, value and source."""
        for key, value in _flat(self.config.to_dict()):
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
    return Config.read(data, where)


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
