"""Which labelled objects are found, and which flagged objects are true: measures of whole objects.

An object is what touches at a side or a corner, of anomalous labels or of flagged pixels (as
`anomvae.objects` finds it).  Pixels without a score are of no labelled object, pixels without a
label of no flagged one; an object without any pixel left does not count.  With ``overlap`` the
least share::

    a labelled object is found  if flagged pixels are at least that share of it, and at least one
    a flagged object is true    if anomalous pixels are at least that share of it, and at least one
    recall = found / labelled        precision = true / flagged

So two flagged objects may find one labelled object, and one may find two.  Beside it stand matches
of one with one: two objects match if their intersection over union exceeds 0.5, which no object
does with two others (Everingham et al. 2010; Kirillov et al. 2019), and ``mean_overlap``, the mean
share of a labelled object that is flagged (Bergmann et al. 2021).

The pixels are labelled strip by strip, so memory grows with the parts of objects in strips alone,
by about 250 bytes for each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..objects.components import Labelling
from ..objects.strips import STRIP_PIXELS
from ..stats.metrics import NAN, ratio
from .labelled import ANOMALOUS, FLAGGED, LABELLED, SCORED, Codes

IOU = 0.5
"""Two objects match above this intersection over union."""

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ObjectPlaces:
    """Where objects are, and whether they meet the other ones; arrays have shape (object,)."""

    rows: NDArray[np.float32]
    """Row of each centre, pixels."""
    cols: NDArray[np.float32]
    """Column of each centre, pixels."""
    area: Numbers
    """Pixels that count."""
    hit: Flags
    """Whether it is found, or true."""


@dataclass(frozen=True, eq=False)
class ObjectMap:
    """Where the objects of a scene are."""

    shape: tuple[int, int]
    """Rows and columns of the scene."""
    labelled: ObjectPlaces
    """Objects of the labels."""
    flagged: ObjectPlaces
    """Flagged objects."""


@dataclass(frozen=True)
class ObjectMetrics:
    """Precision and recall of objects."""

    overlap: float
    """Least share of an object that must overlap; 0: one pixel is enough."""
    labelled: int
    """Objects of the labels."""
    found: int
    """Those among them that are found."""
    flagged: int
    """Flagged objects."""
    true: int
    """Those among them that are true."""
    matched: int
    """Pairs whose intersection over union exceeds 0.5."""
    mean_overlap: float = NAN
    """Mean share of a labelled object that is flagged."""
    places: ObjectMap | None = field(default=None, repr=False, compare=False)
    """Where they are."""

    @property
    def recall(self) -> float:
        """Share of the labelled objects that are found."""
        return ratio(self.found, self.labelled)

    @property
    def precision(self) -> float:
        """Share of the flagged objects that are true."""
        return ratio(self.true, self.flagged)

    @property
    def f1(self) -> float:
        """Harmonic mean of both; NaN where either is undefined."""
        total = self.recall + self.precision
        return 2 * self.recall * self.precision / total if total > 0 else total

    @property
    def iou_recall(self) -> float:
        """Share of the labelled objects that match a flagged one."""
        return ratio(self.matched, self.labelled)

    @property
    def iou_precision(self) -> float:
        """Share of the flagged objects that match a labelled one."""
        return ratio(self.matched, self.flagged)

    @property
    def iou_f1(self) -> float:
        """Twice the matches over all objects."""
        return ratio(2 * self.matched, self.labelled + self.flagged)

    def measures(self) -> dict[str, float]:
        """Return counts and shares by name."""
        counts = ("overlap", "labelled", "found", "flagged", "true", "matched", "mean_overlap")
        shares = ("recall", "precision", "f1", "iou_recall", "iou_precision", "iou_f1")
        return {name: getattr(self, name) for name in (*shares, *counts)}


class _Side:
    """The objects of one side: parts of strips with their pixels, and what joins them."""

    def __init__(self, width: int) -> None:
        self._labelling = Labelling(width)
        self._parts: list[Numbers] = []  # axes (number, part): area, hits, pixels, rows, cols

    def add(self, top: int, pixels: Flags, counts: Flags, hits: Flags) -> NDArray[np.int32]:
        """Label rows: the pixels of objects, those that count, and those that meet the others."""
        before = self._labelling.parts
        labels = self._labelling.add(pixels)
        at = np.nonzero(pixels)
        part, most = labels[at] - 1 - before, self._labelling.parts - before
        weights = (counts[at], hits[at], None, at[0] + top, at[1])
        self._parts.append(
            np.stack([np.bincount(part, weight, most).astype(np.int64) for weight in weights])
        )
        return labels

    def finish(self) -> tuple[NDArray[np.int32], Numbers]:
        """Return the object of each part, and numbers of objects, axes (number, object)."""
        group = self._labelling.objects()
        numbers = np.hstack([np.zeros((5, 0), np.int64), *self._parts])
        count = int(group.max(initial=0))
        sums = [np.bincount(group[1:] - 1, each, count).astype(np.int64) for each in numbers]
        return group, np.stack(sums)


def count_objects(strips: Iterable[Codes], width: int, overlap: float) -> ObjectMetrics:
    """Compare labelled and flagged objects, given what is known of whole rows, top to bottom."""
    labelled, flagged, top = _Side(width), _Side(width), 0
    pairs = [np.zeros((3, 0), np.int64)]  # labelled part, flagged part, pixels
    for codes in _cut(strips, width):
        anomalous, flags = (codes & ANOMALOUS) > 0, (codes & FLAGGED) > 0
        scored, known = (codes & SCORED) > 0, (codes & LABELLED) > 0
        one = labelled.add(top, anomalous, scored, flags)
        other = flagged.add(top, flags, known, anomalous)
        both = anomalous & flags
        met, pixels = np.unique(np.stack([one[both], other[both]]), axis=1, return_counts=True)
        pairs.append(np.vstack([met, pixels[np.newaxis]]).astype(np.int64))
        top += len(codes)
    return _compared(labelled.finish(), flagged.finish(), np.hstack(pairs), overlap, (top, width))


def _cut(strips: Iterable[Codes], width: int) -> Iterable[Codes]:
    rows = max(1, STRIP_PIXELS // width)
    for codes in strips:
        for first in range(0, len(codes), rows):
            yield codes[first : first + rows]


def _compared(
    labelled: tuple[NDArray[np.int32], Numbers],
    flagged: tuple[NDArray[np.int32], Numbers],
    pairs: Numbers,
    overlap: float,
    shape: tuple[int, int],
) -> ObjectMetrics:
    (group, own), (other_group, other) = labelled, flagged
    places = _places(own, overlap), _places(other, overlap)
    met, at = np.unique(
        np.stack([group[pairs[0]], other_group[pairs[1]]]) - 1, axis=1, return_inverse=True
    )
    shared = np.bincount(at.reshape(-1), pairs[2], met.shape[1])
    union = own[0][met[0]] + other[0][met[1]] - shared
    counted = own[0] > 0
    return ObjectMetrics(
        overlap=overlap,
        labelled=len(places[0].hit),
        found=int(places[0].hit.sum()),
        flagged=len(places[1].hit),
        true=int(places[1].hit.sum()),
        matched=int((shared > IOU * union).sum()),
        mean_overlap=float((own[1] / own[0].clip(1))[counted].mean()) if counted.any() else NAN,
        places=ObjectMap(shape, *places),
    )


def _places(numbers: Numbers, overlap: float) -> ObjectPlaces:
    """Return the objects that count."""
    area, hits, pixels, rows, cols = numbers[:, numbers[0] > 0]
    return ObjectPlaces(
        (rows / pixels).astype(np.float32),
        (cols / pixels).astype(np.float32),
        area,
        (hits > 0) & (hits >= overlap * area),
    )
