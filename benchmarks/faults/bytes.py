"""Damage to bytes, and hostile values for documents."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any


def damaged(data: bytes, rng: Random, first: int = 0, last: int | None = None) -> bytes:
    """Flip, cut, insert, overwrite or repeat bytes between two positions."""
    end = len(data) if last is None else min(last, len(data))
    changes: tuple[Callable[[bytearray, int, Random], None], ...]
    changes = (_flip, _flip, _flip, _cut, _insert, _zero, _drop, _repeat)
    changed = bytearray(data)
    rng.choice(changes)(changed, rng.randrange(first, max(end, first + 1)), rng)
    return bytes(changed)


def _flip(data: bytearray, at: int, rng: Random) -> None:
    for _ in range(rng.choice([1, 1, 2, 8])):
        if at < len(data):
            data[at] ^= rng.choice([1 << rng.randrange(8), rng.randrange(1, 256)])
        at += rng.randrange(1, 16)


def _cut(data: bytearray, at: int, rng: Random) -> None:
    del data[at:]


def _insert(data: bytearray, at: int, rng: Random) -> None:
    data[at:at] = rng.randbytes(rng.randint(1, 16))


def _zero(data: bytearray, at: int, rng: Random) -> None:
    length = min(rng.choice([1, 4, 64, 512]), len(data) - at)
    data[at : at + length] = bytes([rng.choice([0, 255])]) * max(length, 0)


def _drop(data: bytearray, at: int, rng: Random) -> None:
    del data[at : at + rng.randint(1, 64)]


def _repeat(data: bytearray, at: int, rng: Random) -> None:
    data[at:at] = data[at : at + rng.randint(1, 64)]


def nested(depth: int) -> Any:  # noqa: ANN401 - JSON
    """Return lists in lists."""
    node: Any = []
    for _ in range(depth):
        node = [node]
    return node


NUMBERS = (0, -1, 1, 1e9, -1e9, 10**30, 1e300, -1e300, 1e-300, 5e-324, 0.5, 2**31, 2**63, 65537)
NOT_FINITE = (float("nan"), float("inf"), float("-inf"))
TEXTS = ("", "x", "\x00", "\x1b[2J", "\ud800", "NaN", "a" * 10_000, "地" * 90, "../../x", "=1+1",
         "9" * 5_000, "2025-06-01T00:00:00Z", "0000-00-00", "é\n\r", "-x", "/dev/null",
         "http://127.0.0.1:9/", "<VRTDataset/>", "%s{0}", "fixed:1e999", "sigma:-1")  # fmt: skip


DEEP = "@deep@"
"""Stands for nesting that Python itself cannot write; `as_json` writes it."""


def as_json(document: Any, depth: int) -> bytes:  # noqa: ANN401 - JSON
    """Write a document; `DEEP` becomes lists nested to a depth."""
    text = json.dumps(document)
    return text.replace(f'"{DEEP}"', "[" * depth + "]" * depth).encode()


def hostile(rng: Random, *, deep: bool = False) -> Any:  # noqa: ANN401 - JSON
    """Draw a value that nobody expects."""
    draws: list[Callable[[], Any]] = [
        lambda: rng.choice(NUMBERS),
        lambda: rng.choice(NOT_FINITE),
        lambda: rng.choice(TEXTS),
        lambda: rng.choice([None, True, False]),
        lambda: rng.choice([[], {}, [[]], [None], {"a": {}}, [1, "x"], [0] * 5_000]),
        lambda: nested(rng.choice([3, 50, 200, 700])),
        lambda: DEEP if deep else None,
    ]
    return rng.choice(draws)()


def changed(node: Any, rng: Random, *, deep: bool = False) -> Any:  # noqa: ANN401 - JSON
    """Replace, remove, add, repeat or swap one value anywhere in a document, in place."""
    while isinstance(node, dict | list) and node:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = rng.choice(keys)
        inside = node[key]
        if isinstance(inside, dict | list) and inside and rng.random() < 0.8:
            node = inside
            continue
        return _change(node, key, rng, deep)
    return None


def _change(node: Any, key: Any, rng: Random, deep: bool) -> None:  # noqa: ANN401 - JSON
    draw = rng.random()
    if draw < 0.6:
        node[key] = _near(node[key], rng) if draw < 0.2 else hostile(rng, deep=deep)
    elif draw < 0.75:
        del node[key]
    elif isinstance(node, dict):
        node[rng.choice(["x", "", key + "x"])] = hostile(rng, deep=deep)
    else:
        node.insert(key, rng.choice([node[key], hostile(rng, deep=deep)]))


def _near(value: Any, rng: Random) -> Any:  # noqa: ANN401 - JSON
    """Change a value a little, in its type."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int | float):
        return rng.choice([-value, value + 1, value * 2, value * 1e6, 0 * value])
    if isinstance(value, str):
        return rng.choice([value[:-1], value + "x", value.upper(), value[::-1]])
    return value
