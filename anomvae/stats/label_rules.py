"""Rules that choose a threshold from labelled pixels, to be used as ``fixed:VALUE`` elsewhere.

They read labels and scores as a stream (`anomvae.stats.ranks.Pairs`), in memory that does not grow
with the number of normal pixels.
"""

from __future__ import annotations

import numpy as np

from ..errors import NotEnoughPixels
from .ranks import Pairs, count_ranks, valid_parts
from .scene_rules import SceneScores


def best_f1(pairs: Pairs, number: float = 0.0) -> float:
    """Return the threshold of the best F1, the harmonic mean of precision and recall.

    Raises
    ------
    NotEnoughPixels
        If no pixel with a score has an anomalous label.
    """
    counts = count_ranks(pairs)
    if not len(counts.edges):
        raise NotEnoughPixels(
            "threshold = f1 needs anomalous labels, but no pixel that has a score has one. Give "
            "labels above 0, or choose fpr:RATE."
        )
    flagged = counts.normal + counts.anomalous
    flagged, found = (np.cumsum(n[::-1])[::-1][1::2] for n in (flagged, counts.anomalous))
    f1 = found / (flagged + counts.anomalous.sum())
    best = np.argmax(np.where(counts.edges > 0, f1, -1))  # no threshold flags a score of 0
    return float(np.nextafter(np.float32(counts.edges[best]), np.float32(0)))


def rate_of_normal(pairs: Pairs, rate: float) -> float:
    """Return the lowest threshold that at most a share ``rate`` of the normal labels exceeds.

    Raises
    ------
    NotEnoughPixels
        If there are too few normal labels to show the rate.
    """
    normal = SceneScores(lambda: (score[~truth] for truth, score in valid_parts(pairs())))
    count = int(normal.counts(np.empty(0, np.float32)).sum())
    if count * rate < 1:
        raise NotEnoughPixels(
            f"{count} pixels with a normal label cannot show a false-positive rate of {rate:g}: "
            f"raise it, or label {int(np.ceil(1 / rate))}."
        )
    return normal.largest(int(count * rate * (1 + 1e-12)) + 1)
