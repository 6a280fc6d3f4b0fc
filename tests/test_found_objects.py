"""Objects that are found, missed and false, against brute force with scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from anomvae.evaluation.found import count_objects
from anomvae.evaluation.labelled import ANOMALOUS, FLAGGED, LABELLED, SCORED

NAN = float("nan")
planes = st.tuples(st.integers(1, 14), st.integers(1, 14)).flatmap(
    lambda shape: arrays(np.uint8, (4, *shape), elements=st.integers(0, 3))
)


def codes_of(planes):
    """Return codes of pixels, a third of them anomalous and a third flagged, few without data."""
    anomalous, flagged, scored, labelled = planes == 0
    scored, labelled = ~(scored & (planes[0] == 3)), ~(labelled & (planes[1] == 3))
    anomalous, flagged = anomalous & labelled, flagged & scored
    bits = ((scored, SCORED), (labelled, LABELLED), (anomalous, ANOMALOUS), (flagged, FLAGGED))
    return sum(part * np.uint8(bit) for part, bit in bits)


def objects_of(pixels, counted):
    """Return the counted pixels of each object that has some."""
    numbered, count = ndimage.label(pixels, np.ones((3, 3)))
    parts = [(numbered == number) & counted for number in range(1, count + 1)]
    return [part for part in parts if part.any()]


def brute_force(codes, overlap):
    anomalous, flagged = (codes & ANOMALOUS) > 0, (codes & FLAGGED) > 0
    own = objects_of(anomalous, (codes & SCORED) > 0)
    other = objects_of(flagged, (codes & LABELLED) > 0)
    shares = [(part & flagged).sum() / part.sum() for part in own]
    found = [share > 0 and share >= overlap for share in shares]
    shares_other = [(part & anomalous).sum() / part.sum() for part in other]
    true = [share > 0 and share >= overlap for share in shares_other]
    matched = sum((one & two).sum() > 0.5 * (one | two).sum() for one in own for two in other)
    mean = np.mean(shares) if shares else NAN
    return (len(own), sum(found), len(other), sum(true), int(matched)), mean


@settings(max_examples=60, deadline=None)
@given(planes, st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.integers(1, 5))
def test_objects_are_those_of_brute_force_in_strips_of_any_height(planes, overlap, height):
    codes = codes_of(planes)
    strips = [codes[row : row + height] for row in range(0, len(codes), height)]

    counted = count_objects(iter(strips), codes.shape[1], overlap)

    counts, mean = brute_force(codes, overlap)
    assert (
        counted.labelled,
        counted.found,
        counted.flagged,
        counted.true,
        counted.matched,
    ) == counts
    assert counted.mean_overlap == pytest.approx(mean, nan_ok=True)


def square(codes, row, col, side, bit):
    codes[row : row + side, col : col + side] |= bit


def test_shares_of_objects_are_those_computed_by_hand():
    codes = np.full((20, 20), SCORED + LABELLED, np.uint8)
    for row, col in ((1, 1), (1, 10), (10, 1)):
        square(codes, row, col, 4, ANOMALOUS)
    square(codes, 1, 1, 4, FLAGGED)  # the same
    square(codes, 4, 13, 3, FLAGGED)  # a corner pixel of the second
    square(codes, 16, 16, 2, FLAGGED)  # false

    any_, half = (count_objects([codes], 20, overlap) for overlap in (0.0, 0.5))

    assert (any_.recall, any_.precision, any_.f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert (half.recall, half.precision) == pytest.approx((1 / 3, 1 / 3))
    assert (any_.matched, any_.iou_recall, any_.iou_f1) == pytest.approx((1, 1 / 3, 1 / 3))
    assert any_.mean_overlap == pytest.approx((1 + 1 / 16 + 0) / 3)
    places = any_.places.labelled
    assert (places.rows[0], places.cols[0], places.area[0]) == (2.5, 2.5, 16)
    assert places.hit.tolist() == [True, True, False]


def test_without_objects_shares_are_undefined():
    counted = count_objects([np.full((4, 4), SCORED + LABELLED, np.uint8)], 4, 0.0)

    assert (counted.labelled, counted.flagged, counted.matched) == (0, 0, 0)
    assert np.isnan([counted.recall, counted.precision, counted.f1, counted.mean_overlap]).all()
