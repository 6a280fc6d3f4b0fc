"""Classes of a map of flags; a map of candidates has further ones between anomalous and masked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

NORMAL, ANOMALOUS, MASKED, NO_DATA = 0, 1, 254, 255
COLOURS = {
    NORMAL: (230, 230, 230),
    ANOMALOUS: (214, 26, 28),
    MASKED: (150, 170, 200),
    NO_DATA: (0, 0, 0),
}
"""Red, green and blue of each, bytes."""


def is_flagged(classes: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which pixels are flagged, as anomalous or candidates; NaN is no data."""
    return np.asarray((classes > NORMAL) & (classes < MASKED))


def hex_of(colour: Sequence[int]) -> str:
    """Return red, green and blue, bytes, as ``#rrggbb``.

    Examples
    --------
    >>> hex_of(COLOURS[ANOMALOUS])
    '#d61a1c'
    """
    return "#" + bytes(colour).hex()
