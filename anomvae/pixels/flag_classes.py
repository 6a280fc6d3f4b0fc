"""Classes of a map of flags; a map of candidates has further ones between anomalous and masked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NORMAL, ANOMALOUS, MASKED, NO_DATA = 0, 1, 254, 255


def is_flagged(classes: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which pixels are flagged, as anomalous or candidates; NaN is no data."""
    return np.asarray((classes > NORMAL) & (classes < MASKED))
