"""Ranks of any number of pixels are exact, whatever the windows and the bits of the scores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from anomvae.stats.metrics import measure, measure_ranks, measure_stream, measure_with_curve
from anomvae.stats.ranks import (
    BINS,
    bins_of,
    count_bins,
    count_ranks,
    lowest_of_bins,
    rank_ranges,
)

AWKWARD = [0.0, -0.0, 1e-45, -1e-45, 1e-310, 1.0, -1.0, 3.4e38, -3.4e38, np.nan, np.inf, -np.inf]
numbers = st.one_of(st.sampled_from(AWKWARD), st.floats(-3, 3, width=32).map(lambda x: round(x, 1)))
pixels = st.lists(st.tuples(st.sampled_from([0.0, 1.0, np.nan]), numbers), min_size=2, max_size=80)


def known(labels, scores):
    """Return the truth and scores of pixels that count."""
    valid = np.isfinite(labels) & np.isfinite(scores)
    return labels[valid] > 0, scores[valid]


def best_f1(truth, scores):
    precision, recall, _ = precision_recall_curve(truth, scores)
    return (2 * precision * recall / np.maximum(precision + recall, 1e-300)).max()


@settings(max_examples=40)
@given(pixels, st.sampled_from([np.float32, np.float64]))
def test_areas_are_those_of_scikit_learn_on_ties_and_awkward_numbers(pixels, kind):
    with np.errstate(over="ignore"):
        labels, scores = (np.array(column, kind) for column in zip(*pixels, strict=True))
    truth, ranked = known(labels, scores)

    metrics = measure(labels, scores)

    if truth.all() or not truth.any():
        assert np.isnan(metrics.roc_auc)
        return
    assert metrics.roc_auc == pytest.approx(roc_auc_score(truth, ranked), abs=1e-12)
    assert metrics.average_precision == pytest.approx(average_precision_score(truth, ranked))
    assert metrics.best_f1 == pytest.approx(best_f1(truth, ranked))


@settings(max_examples=20)
@given(pixels, st.integers(1, 9), st.integers(1, 5))
def test_neither_parts_nor_ranges_change_a_metric(pixels, length, edges):
    labels, scores = (np.array(column, np.float32) for column in zip(*pixels, strict=True))
    cuts = range(0, len(labels), length)

    whole = measure(labels, scores, 0.5)
    parts = measure_stream(
        lambda: [(labels[cut : cut + length], scores[cut : cut + length]) for cut in cuts], 0.5
    )
    ranges = measure_stream(lambda: [(labels, scores)], 0.5, max_edges=edges)

    assert repr(parts) == repr(whole)
    assert ranges.roc_auc == pytest.approx(whole.roc_auc, nan_ok=True, abs=1e-15)
    assert ranges.average_precision == pytest.approx(whole.average_precision, nan_ok=True)
    assert ranges.best_f1 == pytest.approx(whole.best_f1, nan_ok=True)
    assert ranges.true_positive == whole.true_positive


def test_many_pixels_are_ranked_in_ranges_of_few_edges():
    rng = np.random.default_rng(0)
    labels = (rng.random(60_000) < 0.4).astype("float32")
    scores = (rng.normal(size=60_000) + labels).astype("float32")

    def pairs():
        return [(labels, scores)]

    bins = count_bins(pairs, max_edges=500)
    ranges = list(rank_ranges(pairs, bins, max_edges=500))
    measured = measure_ranks(pairs, bins, max_edges=500)

    assert bins.edges is None
    assert len(ranges) > 20
    assert max(len(part.edges) for part in ranges) < 2000  # of one bin, perhaps
    assert sum(int(part.normal.sum() + part.anomalous.sum()) for part in ranges) == 60_000
    whole = measure_with_curve(pairs)
    assert measured.metrics.roc_auc == whole.metrics.roc_auc == roc_auc_score(labels, scores)
    assert measured.curve.detected[-1] == measured.curve.false_alarms[-1] == 1
    assert len(measured.curve.detected) <= 1000
    joined = count_ranks(pairs, max_edges=500)
    assert (np.diff(joined.edges) > 0).all()


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=2, max_size=50)
)
def test_a_higher_score_has_no_lower_bin(values):
    for kind in (np.float32, np.float64):
        ordered = np.sort(np.array(values, kind))

        bins = bins_of(ordered)

        assert (np.diff(bins) >= 0).all()
        assert bins.min() >= 0
        assert bins.max() < BINS
        assert (lowest_of_bins(np.dtype(kind))[bins] <= ordered).all()
