"""The measures of Chang (2021): areas over a normalised threshold are those of the curves."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomvae.errors import ConfigError
from anomvae.evaluation import EvaluateOptions
from anomvae.stats.metrics import measure
from anomvae.stats.ranks import BinCounter, valid_parts
from anomvae.stats.roc3d import TauSums

pixels = st.lists(
    st.tuples(st.booleans(), st.floats(0.125, 64, width=32)), min_size=4, max_size=60
).filter(lambda pixels: len({label for label, _ in pixels}) == 2 and len(dict(pixels)) > 1)


def roc3d(labels, scores, normalisation="minmax", parts=1):
    """Measure scores against labels, in so many parts."""
    counter, sums = BinCounter(), TauSums(normalisation)
    pairs = zip(np.array_split(labels, parts), np.array_split(scores, parts), strict=True)
    for truth, values in valid_parts(pairs):
        counter.add(truth, values)
        sums.add(truth, values)
    return sums.measures(counter.finish(), measure(labels, scores).roc_auc)


def integrated(labels, scores, normalisation):
    """Integrate both rates over a fine grid of thresholds."""
    values = np.log(scores.astype(float)) if normalisation == "log" else scores.astype(float)
    normalised = (values - values.min()) / (values.max() - values.min())
    tau = (np.arange(20_000) + 0.5) / 20_000
    return [
        float((1 - np.searchsorted(np.sort(normalised[which]), tau) / which.sum()).mean())
        for which in (labels > 0, labels == 0)
    ]


@settings(max_examples=30)
@given(pixels, st.sampled_from(["minmax", "log"]), st.integers(1, 3))
def test_areas_are_those_of_numeric_integration(pixels, normalisation, parts):
    labels, scores = (np.array(column, np.float32) for column in zip(*pixels, strict=True))
    if scores.min() == scores.max():
        return

    measured = roc3d(labels, scores, normalisation, parts)

    areas = [measured.auc_d_tau, measured.auc_f_tau]
    assert areas == pytest.approx(integrated(labels, scores, normalisation), abs=2e-4)
    assert measured.auc_d_f == measure(labels, scores).roc_auc


def test_the_measures_are_those_of_chang_by_hand():
    labels, scores = np.array([0.0, 0, 0, 1, 1]), np.array([0.0, 1, 2, 1, 4], np.float32)

    measured = roc3d(labels, scores)

    one, detected, alarms = (1 + 0.5 + 0 + 3) / 6, (0.25 + 1) / 2, (0.25 + 0.5) / 3
    assert list(measured.measures().values()) == pytest.approx(
        [
            *(one, detected, alarms, one + detected, one - alarms),
            *(detected - alarms, one + detected - alarms, detected + 1 - alarms, detected / alarms),
        ]
    )
    assert (measured.lowest, measured.highest, measured.normalisation) == (0, 4, "minmax")


def test_the_curve_has_the_rates_of_the_pixels():
    rng = np.random.default_rng(0)
    labels = (rng.random(20_000) < 0.1).astype(float)
    scores = (rng.gamma(2, 2, 20_000) + 3 * labels).astype("float32")

    curve = roc3d(labels, scores).curve

    normalised = (scores - scores.min()) / (scores.max() - scores.min())
    for tau, detected, alarms in zip(
        curve.tau[1:-1:20], curve.detected[1:-1:20], curve.false_alarms[1:-1:20], strict=True
    ):
        above = normalised >= tau - 1e-7
        assert detected == pytest.approx(above[labels > 0].mean(), abs=2e-3)
        assert alarms == pytest.approx(above[labels == 0].mean(), abs=2e-3)
    assert (curve.tau[0], curve.detected[0], curve.false_alarms[0]) == (0, 1, 1)
    assert curve.tau[-1] == 1


@pytest.mark.parametrize(
    ("labels", "scores", "kind", "reason"),
    [
        ([0, 1, 0], [1, 1, 1], "minmax", "all scores are equal"),
        ([1, 1, 1], [1, 2, 3], "minmax", "one class"),
        ([0, 1, 0], [0, 1, 2], "log", "log needs scores above 0, and the lowest is 0"),
        ([0, 1, 0], [-2, 1, 2], "log", "the lowest is -2"),
    ],
)
def test_an_area_that_is_undefined_is_nan_with_its_reason(labels, scores, kind, reason):
    measured = roc3d(np.array(labels, float), np.array(scores, np.float32), kind)

    assert math.isnan(measured.auc_d_tau)
    assert math.isnan(measured.tdbs)
    assert reason in measured.reason


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({"tau": "minimax"}, "Did you mean 'minmax'"),
        ({"overlap": 1.5}, "Give a number in"),
        ({"block": 0}, "above 0"),
        ({"draws": 3}, "100 and more"),
        ({"seed": -1}, "0 or more"),
    ],
)
def test_options_that_are_impossible_are_refused(options, answer):
    with pytest.raises(ConfigError, match=answer):
        EvaluateOptions(**options)
