"""Pages of the configurations, generated from their tables."""

from __future__ import annotations

from typing import Any

from commands import prose

from anomvae.config.schema import schema
from anomvae.config.tables import Config
from anomvae.monitoring.config import MonitorConfig

DETECTOR = "reference/configuration.md"
WATCH = "reference/watch-configuration.md"
DETECTOR_INTRO = """# Configuration of a detector

Keys of a TOML file for `--config`, of `--set KEY=VALUE`, and of `anomvae.train(config=...)`. Every
key is optional, an unknown one is refused. [`anomvae config show`](commands/config-show.md) prints
the values in use and where each comes from.
[Which configuration finds what](../configurations.md) compares the shipped ones, whose files are
[default](../../configs/default.toml), [medium-objects](../../configs/medium-objects.toml),
[small-objects](../../configs/small-objects.toml), [sentinel2](../../configs/sentinel2.toml),
[timeseries](../../configs/timeseries.toml) and [sequential](../../configs/sequential.toml).
"""
WATCH_INTRO = """# Configuration of a watch

Keys of the TOML file that `anomvae monitor` takes. An unknown key is refused;
[`anomvae config check FILE --deep`](commands/config-check.md) opens what the file names.
[A complete example](../../configs/monitor.toml) is shipped;
[watching sites](../monitoring.md) describes what the keys do.
"""


def pages() -> dict[str, str]:
    """Return the page of each kind of configuration."""
    return {
        DETECTOR: _page(DETECTOR_INTRO, schema(Config)),
        WATCH: _page(WATCH_INTRO, schema(MonitorConfig)),
    }


def _page(introduction: str, whole: dict[str, Any]) -> str:
    return "\n".join([introduction, *_table("", whole, whole["$defs"])])


def _table(name: str, table: dict[str, Any], held: dict[str, Any]) -> list[str]:
    """Return the keys of a table and, below them, the tables that it holds."""
    lines = [f"## `{name}`" if name else "## Keys at the top", "", prose(table["description"]), ""]
    below: list[str] = []
    for key, value in table["properties"].items():
        inner = _held(value, held)
        if inner is not None:
            full = key if not name else f"{name.strip('[]')}.{key}"
            below += _table(
                f"[[{full}]]" if value.get("type") == "array" else f"[{full}]", inner, held
            )
            continue
        facts = [_kind(value)]
        if "default" in value:
            facts.append(f"default `{_written(value['default'])}`")
        elif key in table["required"]:
            facts.append("required")
        lines += [f"`{key}`", f":   {prose(value['description'])} *({', '.join(facts)})*", ""]
    return lines + below


def _held(value: dict[str, Any], held: dict[str, Any]) -> dict[str, Any] | None:
    """Return the table that a key holds, if it does."""
    for one in (value, value.get("items", {}), *value.get("anyOf", ())):
        if "$ref" in one:
            table: dict[str, Any] = held[one["$ref"].rpartition("/")[2]]
            return table
    return None


def _kind(value: dict[str, Any]) -> str:
    """Return what a value may be, in words."""
    if "enum" in value:
        return " or ".join(f"`{one}`" for one in value["enum"])
    if "anyOf" in value:
        return " or ".join(_kind(one) for one in value["anyOf"] if one.get("type") != "null")
    limits = [
        f"{word} {value[name]}"
        for name, word in (
            *(("minimum", "from"), ("exclusiveMinimum", "above")),
            *(("maximum", "to"), ("exclusiveMaximum", "below")),
        )
        if name in value
    ]
    return " ".join([{"array": "list"}.get(value["type"], value["type"]), *limits])


def _written(value: object) -> str:
    """Return a default as TOML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
