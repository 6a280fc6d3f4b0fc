"""JSON and TOML documents: those of others are read within limits; JSON is written.

Whatever is wrong with a document (its encoding, syntax, depth, length, or a number that is not
finite) is a `DocumentError` whose message ends a sentence such as "scene.json cannot be read: ...".
Callers check types and ranges of what they read.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import tomllib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

MAX_BYTES = 256_000_000
"""Length of the longest document: a model card has kilobytes, the outlines of a country 100 MB."""
MAX_TOML_BYTES = 2_000_000
"""Length of the longest TOML: a configuration has kilobytes."""
MAX_DOTS = 10_000
"""Most dots in TOML: to read a dotted key takes time that grows by the square of its parts."""
MAX_DEPTH = 100
"""Deepest nesting of lists and tables."""
MAX_DIGITS = 4300
"""Digits of the longest integer, by default Python's own limit."""
ESCAPED_BYTE = re.compile("[\udc80-\udcff]")
"""A byte that is no UTF-8, where a text was decoded by ``surrogateescape``."""


class DocumentError(ValueError):
    """A document is not what its format demands, or beyond the limits; the message is the cause."""


def read_json(content: str | bytes) -> Any:  # noqa: ANN401 - JSON
    """Read a JSON document (RFC 8259); bytes are UTF-8, with or without a byte order mark.

    Raises
    ------
    DocumentError
        When it is no JSON, too long or too deep, or holds NaN, an infinite number or one that a
        float cannot hold.

    Examples
    --------
    >>> read_json('{"threshold": 10.7}')
    {'threshold': 10.7}
    >>> read_json("[1e999]")
    Traceback (most recent call last):
        ...
    anomvae.documents.DocumentError: 1e999 is not a finite number
    """
    parse = partial(json.loads, parse_float=_finite, parse_constant=_finite)
    return _parsed(parse, text_of(content), "JSON")


def read_parts(content: str | bytes) -> Any:  # noqa: ANN401 - JSON
    """Read a JSON document of parts that are checked one by one, by `checked`.

    What is wrong with a part, and leaves the others readable, is kept: numbers that are not finite,
    depth, and, as surrogates, bytes that are no UTF-8.

    Raises
    ------
    DocumentError
        When it is no JSON, too long, or too deep for Python.
    """
    text = text_of(content, errors="surrogateescape")
    try:
        return json.loads(text, parse_int=_integer)
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise DocumentError(f"it is no JSON ({error})") from error


def checked(part: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a part of a document of `read_parts`; raise `DocumentError` as `read_json` does."""
    try:
        text = json.dumps(part, ensure_ascii=False)
    except RecursionError as error:
        raise _too_deep() from error
    if ESCAPED_BYTE.search(text):
        raise _no_utf8()
    return read_json(text)


def content_of(path: str | Path, most: int = MAX_BYTES) -> bytes:
    """Return the content of a file, of which no more is read than shows that it is too long.

    Raises `OSError` if it cannot be read.
    """
    require_regular(path)
    with Path(path).open("rb") as file:
        return file.read(most + 1)


def require_regular(path: str | Path) -> None:
    """Require that reading a path waits for nobody, and ends.

    Raises `OSError` where a device, a pipe or a socket has the name, or a link leads to one.
    """
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        raise OSError(errno.EINVAL, "it is a device, a pipe or a socket, not a file", str(path))


def read_toml(content: str | bytes) -> dict[str, Any]:
    """Read a TOML document; bytes are UTF-8.

    Raises
    ------
    DocumentError
        When it is no TOML, too long or too deep, or holds NaN, an infinite number or one that a
        float cannot hold.
    """
    text = text_of(content, MAX_TOML_BYTES)
    if (dots := text.count(".")) > MAX_DOTS:
        raise DocumentError(f"it has {dots} dots, at most {MAX_DOTS} are read")
    return cast(dict[str, Any], _parsed(partial(tomllib.loads, parse_float=_finite), text, "TOML"))


def _parsed(parse: Callable[[str], Any], text: str, kind: str) -> Any:  # noqa: ANN401 - a document
    try:
        document = parse(text)
    except DocumentError:
        raise
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise DocumentError(f"it is no {kind} ({error})") from error
    _require_shallow(document)
    return document


def to_json(data: object, *, indent: int | None = None) -> str:
    """Write a JSON document (RFC 8259) in ASCII, without control characters.

    A number that JSON cannot hold, NaN or infinity, becomes null.

    Examples
    --------
    >>> to_json({"elbo": float("nan"), "steps": 20})
    '{"elbo": null, "steps": 20}'
    """
    try:
        text = json.dumps(data, indent=indent, allow_nan=False)
    except ValueError:
        text = json.dumps(_without_infinite(data), indent=indent, allow_nan=False)
    return text.replace("\x7f", "\\u007f")  # the only control character that JSON need not escape


def _without_infinite(node: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(node, Mapping):
        return {key: _without_infinite(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_without_infinite(value) for value in node]
    return None if isinstance(node, float) and not math.isfinite(node) else node


def text_of(content: str | bytes, most: int = MAX_BYTES, errors: str = "strict") -> str:
    """Return a text of UTF-8 without its byte order mark; raise `DocumentError` if it is none.

    By ``errors="surrogateescape"``, bytes that are no UTF-8 become surrogates.
    """
    if len(content) > most:
        raise DocumentError(f"it has {len(content)} bytes, at most {most} are read")
    if isinstance(content, bytes) and content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise DocumentError("it is encoded in UTF-16, not in UTF-8")
    try:
        return content if isinstance(content, str) else content.decode("utf-8-sig", errors)
    except UnicodeDecodeError as error:
        raise _no_utf8() from error


def _no_utf8() -> DocumentError:
    return DocumentError("it is not encoded in UTF-8")


def _integer(text: str) -> int | float:
    """Read an integer; one of more digits than a float holds is infinite, as `checked` refuses."""
    return int(text) if len(text) <= MAX_DIGITS else math.inf


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise DocumentError(f"{text[:40]} is not a finite number")
    return value


def _too_deep() -> DocumentError:
    return DocumentError(f"its lists and tables are nested deeper than {MAX_DEPTH}")


def _require_shallow(document: Any) -> None:  # noqa: ANN401 - JSON
    # Below the depth at which Python gives up, which depends on its version and on the caller.
    level, depth = [document], 0
    while level := [item for node in level for item in _items(node)]:
        depth += 1
        if depth > MAX_DEPTH:
            raise _too_deep()


def _items(node: Any) -> list[Any]:  # noqa: ANN401 - JSON
    """Return the lists and tables inside a list or a table."""
    inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [item for item in inside if isinstance(item, dict | list)]
