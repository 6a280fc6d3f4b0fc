"""Attributes of groups and datasets of HDF5, as text or numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .variables import Attribute, numbers_of

MOST_NUMBERS = 10_000
"""Numbers, or texts, of an attribute."""
FAILURES = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError)
"""What h5py raises for a damaged file."""


def attributes_of(item: Any) -> dict[str, Attribute]:  # noqa: ANN401 - h5py is untyped
    """Return the attributes of a group or dataset that are text or numbers."""
    found = {str(name): _attribute(item, name) for name in item.attrs}
    return {name: value for name, value in found.items() if value is not None}


def _attribute(item: Any, name: str) -> Attribute | None:  # noqa: ANN401 - as above
    try:
        value = np.asarray(item.attrs[name])
    except FAILURES:  # of a type that numpy does not have
        return None
    if value.dtype.kind in "SUO" and value.size == 1:
        text = value.reshape(-1)[0]
        if isinstance(text, bytes):
            return text.decode("utf-8", errors="replace")
        return str(text) if isinstance(text, str) else None
    if value.dtype.kind in "biuf" and value.size <= MOST_NUMBERS:
        return numbers_of(value)
    if value.dtype.kind in "SUO" and value.size <= MOST_NUMBERS:
        return " ".join(words_of(value))
    return None


def words_of(value: NDArray[Any]) -> Iterator[str]:
    """Yield the texts of an array."""
    for word in value.reshape(-1).tolist():
        if isinstance(word, bytes | str):
            yield word.decode("utf-8", errors="replace") if isinstance(word, bytes) else word
