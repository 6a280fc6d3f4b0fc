"""The JSON schema of tables, for editors, and what each key is for."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import MISSING
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from .table import Table, fields_of, table_in, types_of
from .values import Between, Entries

SCALARS = {int: "integer", float: "number", str: "string", bool: "boolean", NoneType: "null"}


def descriptions(table: type[Table]) -> dict[str, str]:
    """Return the text below each key of a table, in one line."""
    found: dict[str, str] = {}
    for kind in reversed(table.__mro__[: table.__mro__.index(Table)]):
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
        assert isinstance(body, ast.ClassDef)  # the source of a class
        for key, text in zip(body.body, body.body[1:], strict=False):
            if not (isinstance(key, ast.AnnAssign) and isinstance(key.target, ast.Name)):
                continue
            if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                found[key.target.id] = " ".join(str(text.value.value).split())
    return found


def schema(table: type[Table]) -> dict[str, Any]:
    """Return the JSON schema of a table (draft 2020-12); those that it holds are ``$defs``."""
    held = dict.fromkeys(_held(table))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_object(table),
        "$defs": {one.__name__: _object(one) for one in held},
    }


def _held(table: type[Table]) -> Iterator[type[Table]]:
    for kind in types_of(table).values():
        inner = table_in(kind)
        if inner is not None:
            yield inner
            yield from _held(inner)


def _object(table: type[Table]) -> dict[str, Any]:
    about = descriptions(table)
    fields = fields_of(table)
    properties = {}
    for field in fields:
        value = _value(types_of(table)[field.name]) | {"description": about[field.name]}
        default = field.default
        if default is not MISSING and default is not None and not isinstance(default, Table):
            value["default"] = list(default) if isinstance(default, tuple) else default
        properties[field.name] = value
    return {
        "title": table.__name__,
        "description": inspect.getdoc(table),
        "type": "object",
        "properties": properties,
        "required": [field.name for field in fields if field.default is MISSING],
        "additionalProperties": False,
    }


def _value(kind: Any) -> dict[str, Any]:  # noqa: ANN401 - any type
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        rules = (_rule(rule) for rule in parts[1:])
        return {**_value(parts[0]), **{name: limit for rule in rules for name, limit in rule}}
    if origin in {Union, UnionType}:
        return {"anyOf": [_value(part) for part in parts]}
    if origin is Literal:
        return {"enum": list(parts)}
    if origin is tuple and ... in parts:
        return {"type": "array", "items": _value(parts[0])}
    if origin is tuple:
        few = {"minItems": len(parts), "maxItems": len(parts)}
        return {"type": "array", "prefixItems": [_value(part) for part in parts], **few}
    if issubclass(kind, Table):
        return {"$ref": f"#/$defs/{kind.__name__}"}
    return {"type": SCALARS[kind]}


def _rule(rule: object) -> list[tuple[str, float]]:
    """Return what a rule adds to the schema of a value."""
    limits: dict[str, float | None] = {}
    if isinstance(rule, Between):
        limits |= {"minimum": rule.least, "exclusiveMinimum": rule.above}
        limits |= {"maximum": rule.most, "exclusiveMaximum": rule.below}
    elif isinstance(rule, Entries):
        limits |= {"minItems": rule.fewest, "maxItems": rule.most}
    return [(name, limit) for name, limit in limits.items() if limit is not None]
