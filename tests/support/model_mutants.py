"""Faults of model files under right checksums, so that a reader meets the fault itself.

Needs no pytest: `benchmarks/soak.py` makes its model files here, too.  A seed gives the same files.
"""

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from safetensors.numpy import load, save

from anomvae.detector.modelfile import KEY

from .format1 import digest, entry_of, sealed

DEEP = "@deep@"
"""Stands for lists nested deeper than any reader's stack."""
DEPTH = 50_000
VALUES = (
    *(None, True, False, "", "x", "\ud800", "9" * 5000, [], {}, [None], [[]], {"a": 1}, DEEP),
    *(0, 1, 2, 3, -1, -7, 0.5, -0.5, 5001, 10**6 + 1, 10**9, 2**31, 2**63, -(2**63), 10**400),
    *(1e-320, 1e38, 1e308, -1e308, -1e9, float("nan"), float("inf"), -float("inf")),
    *([0], [-1], [1e308], [10**9], [64] * 10_000, ["a"] * 10_000, [True], [float("nan")]),
)
"""What a field may be changed to."""


class Mutant(NamedTuple):
    """A model file with one fault."""

    fault: str
    """Where it is, and what."""
    content: bytes
    """The file."""


def seal(entry: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> bytes:
    """Write a model file with this card and these tensors, whatever they are, with checksums."""
    content = sealed({**entry, "tensors": digest(tensors)}, tensors)
    if DEEP.encode() not in content:
        return content
    text = json.dumps(entry).replace(f'"{DEEP}"', "[" * DEPTH + "]" * DEPTH)
    return save(dict(tensors), metadata={KEY: text})


def fields_of(entry: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every field of a card, tables included."""
    inside = entry.items() if isinstance(entry, dict) else enumerate(entry)
    for key, value in inside:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from fields_of(value, (*path, key))


def changed(entry: Mapping[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return a card with another value in the field of this path."""
    whole = json.loads(json.dumps(entry))
    table = whole
    for key in path[:-1]:
        table = table[key]
    table[path[-1]] = value
    return whole


def with_field(content: bytes, path: tuple[Any, ...], value: Any) -> bytes:
    """Return a model file with another value in a field of its card."""
    return seal(changed(entry_of(content), path, value), load(content))


def with_tensors(content: bytes, **changes: np.ndarray | None) -> bytes:
    """Return a model file with other tensors; None removes one, and ``__`` in names is a dot."""
    tensors = load(content) | {name.replace("__", "."): array for name, array in changes.items()}
    kept = {name: array for name, array in tensors.items() if array is not None}
    return seal(entry_of(content), kept)


def faults_of(array: np.ndarray) -> dict[str, np.ndarray | None]:
    """Return an array with a fault of each kind."""
    first = np.zeros(array.shape, bool)
    first[(0,) * array.ndim] = True
    return {
        "missing": None,
        **{
            f"one value {value}": np.where(first, value, array).astype(array.dtype)
            for value in (np.nan, np.inf, -np.inf)
        },
        "of another type": array.astype(np.float32 if array.dtype == np.float64 else np.float64),
        "of half precision": array.astype(np.float16),
        "of whole numbers": array.astype(np.int64),
        "with another axis": array[None],
        "empty": array[:0],
        "too long": np.concatenate([array, array]),
        "without axes": np.array(array.flat[0]),
    }


def mutants(content: bytes, seed: int) -> Iterator[Mutant]:
    """Yield model files without end, each with a fault of a field or of a tensor."""
    rng, entry, tensors = random.Random(seed), entry_of(content), load(content)
    paths = sorted(set(fields_of(entry)) - {("checksum",), ("tensors",)}, key=str)
    while True:
        if rng.random() < 0.75:
            path, value = rng.choice(paths), rng.choice(VALUES)
            fault = f"{'.'.join(map(str, path))} = {value!r:.40}"
            yield Mutant(fault, seal(changed(entry, path, value), tensors))
        else:
            name = rng.choice(sorted(tensors))
            fault, array = rng.choice(sorted(faults_of(tensors[name]).items(), key=str))
            other = {**tensors, name: array}
            kept = {key: value for key, value in other.items() if value is not None}
            yield Mutant(f"{name} {fault}", seal(entry, kept))
