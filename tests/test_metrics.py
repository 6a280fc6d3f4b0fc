from dataclasses import asdict
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from anomvae.stats.metrics import Metrics, measure, table

METRICS = ("roc_auc", "average_precision", "tpr_at_fpr_1e2", "tpr_at_fpr_1e3", "best_f1")

# Few levels, so that there are ties.
pixels = st.lists(
    st.tuples(st.booleans(), st.integers(0, 6).map(float)), min_size=2, max_size=40
).filter(lambda pixels: len({label for label, _ in pixels}) == 2)


def arrays(pixels):
    labels, scores = zip(*pixels, strict=True)
    return np.array(labels, float), np.array(scores)


def same(one, other):
    return np.array_equal(list(asdict(one).values())[:-1], list(asdict(other).values())[:-1], True)


def test_metrics_are_those_computed_by_hand():
    labels = np.array([1.0, 0.0, 1.0, 0.0, 0.0])
    scores = np.array([9.0, 8.0, 7.0, 2.0, 1.0])

    metrics = measure(labels, scores, threshold=7.5)

    ranking = (5 / 6, (1 + 2 / 3) / 2, 0.5, 0.5, 0.8)
    decisions = (7.5, 0.5, 0.5, 0.5, 1, 1, 1, 2)
    assert asdict(metrics) == pytest.approx(asdict(Metrics(5, 2, *ranking, *decisions)))


@settings(max_examples=15)
@given(pixels)
def test_the_area_under_the_roc_is_how_often_an_anomaly_outranks_a_normal_pixel(pixels):
    labels, scores = arrays(pixels)
    pairs = list(product(scores[labels > 0], scores[labels == 0]))

    won = np.mean([(high > low) + 0.5 * (high == low) for high, low in pairs])

    assert measure(labels, scores).roc_auc == pytest.approx(won)


@settings(max_examples=15)
@given(pixels)
def test_the_best_f1_is_that_of_the_best_threshold(pixels):
    labels, scores = arrays(pixels)

    each = [f1_score(labels > 0, scores >= cut) for cut in np.unique(scores)]

    assert measure(labels, scores).best_f1 == pytest.approx(max(each))


@settings(max_examples=15)
@given(pixels, st.floats(-1, 7))
def test_the_four_counts_add_up_to_the_pixels(pixels, threshold):
    labels, scores = arrays(pixels)

    metrics = measure(labels, scores, threshold)

    assert metrics.true_positive + metrics.false_negative == metrics.anomalous
    assert metrics.true_positive + metrics.false_positive == (scores > threshold).sum()
    assert metrics.false_positive + metrics.true_negative == metrics.pixels - metrics.anomalous


@settings(max_examples=15)
@given(pixels, st.integers(0, 5), st.integers(0, 5))
def test_pixels_without_a_score_or_a_label_never_count(pixels, no_score, no_label):
    labels, scores = arrays(pixels)
    more_labels = np.concatenate([labels, np.ones(no_score), np.full(no_label, np.nan)])
    more_scores = np.concatenate([scores, np.full(no_score, np.nan), np.full(no_label, 99.0)])

    assert same(measure(more_labels, more_scores, 3.0), measure(labels, scores, 3.0))


@settings(max_examples=15)
@given(pixels)
def test_neither_the_shape_nor_the_scale_of_the_scores_matters_to_the_ranking(pixels):
    labels, scores = arrays(pixels)

    assert same(measure(labels[:, None], np.exp(scores[:, None])), measure(labels, scores))


@pytest.mark.parametrize(("rate", "name"), [(1e-2, "tpr_at_fpr_1e2"), (1e-3, "tpr_at_fpr_1e3")])
def test_a_detection_rate_has_at_most_its_rate_of_false_alarms(rate, name):
    rng = np.random.default_rng(0)
    normal, anomalous = np.sort(rng.normal(0, 1, 5000)), rng.normal(2, 1, 300)
    labels = np.repeat([0.0, 1.0], [5000, 300])

    detected = getattr(measure(labels, np.concatenate([normal, anomalous])), name)

    # As many normal pixels as the rate allows lie above the best cut-off, and not one more.
    cut = normal[-int(rate * 5000) - 1]
    assert detected == (anomalous > cut).mean()


def test_a_false_alarm_with_the_score_of_an_anomaly_counts():
    metrics = measure(np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(4))

    assert (metrics.tpr_at_fpr_1e2, metrics.roc_auc, metrics.average_precision) == (0, 0.5, 0.25)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([0.0, 0.0, 0.0], "all 3 labelled pixels are normal"),
        ([1.0, 1.0, 1.0], "all 3 labelled pixels are anomalous"),
        ([np.nan, np.nan, np.nan], "no pixel has both a score and a label"),
    ],
)
@pytest.mark.parametrize("threshold", [None, 0.0, 2.0, 9.0])
def test_labels_of_one_class_give_nan_with_a_reason(labels, reason, threshold):
    metrics = measure(np.array(labels), np.array([1.0, 2.0, 3.0]), threshold)

    assert all(np.isnan(getattr(metrics, name)) for name in METRICS)
    assert metrics.reason.startswith(reason)


@pytest.mark.parametrize(
    ("labels", "threshold", "expected"),
    [
        ([0, 1, 1, 0], None, [np.nan, np.nan, np.nan, np.nan]),
        ([0, 1, 1, 0], 5.0, [5.0, np.nan, 0.0, 0.0]),  # nothing is flagged
        ([1, 1, 1, 1], 1.5, [1.5, 1.0, 0.5, 2 / 3]),  # no normal pixels are needed
    ],
)
def test_precision_is_nan_where_nothing_is_flagged_and_all_without_a_threshold(
    labels, threshold, expected
):
    metrics = measure(np.array(labels, float), np.arange(4.0), threshold)

    values = [metrics.threshold, metrics.precision, metrics.recall, metrics.f1]
    assert values == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int16, np.float32])
def test_labels_may_be_of_any_type_and_anything_above_0_is_anomalous(kind):
    labels = np.array([0, 1, 1, 0]).astype(kind)

    assert measure(labels, np.array([0.1, 0.9, 0.8, 0.2], np.float32)).roc_auc == 1.0


def test_a_table_has_one_row_per_detector_in_their_order():
    rows = {"vae": Metrics(4, 1, roc_auc=0.9), "rx": Metrics(4, 1, roc_auc=0.8)}

    metrics = table(rows)

    assert list(metrics.index) == ["vae", "rx"]
    assert list(metrics["roc_auc"]) == [0.9, 0.8]
    assert set(metrics.columns) == set(asdict(rows["rx"]))
    assert metrics.columns[0] == "roc_auc"
