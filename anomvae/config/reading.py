"""Read a configuration from TOML, and say what does not fit."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ..errors import ConfigError, FileError, hint
from .tables import Config, ContextConfig, ModelConfig, ScoreConfig, TrainingConfig


@dataclass(frozen=True)
class Resolved:
    """A configuration, and where each of its values came from."""

    config: Config
    """The whole."""
    sources: Mapping[str, str]
    """Dotted key to the file or option that set it; what is missing is the default."""

    def rows(self) -> Iterator[tuple[str, object, str]]:
        """Go through key, value and source."""
        for key, value in _flat(self.config.model_dump()):
            yield key, value, self.sources.get(key, "default")


def shipped(folder: str) -> Path:
    """Find a folder that comes with anomvae: in the installed package, or beside it in a checkout.

    Parameters
    ----------
    folder : {"configs", "data_samples"}
        Its name.
    """
    package = Path(__file__).parent.parent
    inside = package / folder
    return inside if inside.is_dir() else package.parent / folder


def shipped_configs() -> list[str]:
    """Names that `resolve_config` knows without a path."""
    return sorted(path.stem for path in shipped("configs").glob("*.toml"))


def resolve_config(name: str = "default", settings: Sequence[str] = ()) -> Resolved:
    """Read a configuration and override parts of it.

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
    data = _read(path)
    sources = {key: str(path) for key, _ in _flat(data)}
    for setting in settings:
        key, value = _setting(setting)
        _put(data, key, value)
        sources[key] = f"--set {setting}"
    where = " with --set ".join([str(path), *settings])
    return Resolved(build_config(data, where), sources)


def build_config(data: Mapping[str, Any], where: str) -> Config:
    """Check a nested mapping; ``where`` says in messages what it came from."""
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{where} does not fit: {explain(error.errors())}") from error


def explain(details: Sequence[ErrorDetails]) -> str:
    """Say what was found and expected; for an unknown key, name the nearest known one."""
    problems: dict[str, list[str]] = {}
    for detail in details:
        keys = [str(part) for part in detail["loc"]]
        if detail["type"] == "extra_forbidden":
            problems[_unknown(keys)] = []
        elif detail["type"] == "value_error":  # one of ours says it all
            problems[detail["msg"].removeprefix("Value error, ")] = []
        else:
            # What follows the key in `loc` only names the alternatives of a union.
            key = ".".join(keys[:2] if keys[0] in _TABLES else keys[:1])
            start = f"{key} = {detail['input']!r}: expected "
            problems.setdefault(start, []).append(_wanted(detail))
    return " ".join(
        start + (" or ".join(ends) + "." if ends else "") for start, ends in problems.items()
    )


def _wanted(detail: ErrorDetails) -> str:
    ours = {
        "model_type": "a table",
        "too_short": "at least one number",
        "too_long": "two numbers",
        "missing": "two numbers",  # only a ring has a fixed count
        "tuple_type": "a list of numbers",
    }
    return ours.get(detail["type"], detail["msg"].removeprefix("Input should be "))


def _unknown(keys: list[str]) -> str:
    *tables, key = keys
    table: type[BaseModel] = _TABLES[tables[0]] if tables else Config
    where = f"[{tables[0]}]" if tables else "the top level"
    return f"{where} has no key {key!r}. {hint(key, table.model_fields)}"


_TABLES: dict[str, type[BaseModel]] = {
    "model": ModelConfig,
    "training": TrainingConfig,
    "context": ContextConfig,
    "score": ScoreConfig,
}


def _path(name: str) -> Path:
    path = Path(name)
    if path.suffix == ".toml" or path.is_file():
        return path
    if name in shipped_configs():
        return shipped("configs") / f"{name}.toml"
    raise ConfigError(
        f"No configuration is called {name!r}, and no file is. {hint(name, shipped_configs())}"
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}. Check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from error


def _setting(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    try:
        read = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        read = value.strip()  # a bare word, such as model.family=ae
    if not equals or isinstance(read, dict):
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
