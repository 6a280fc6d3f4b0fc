"""Intervals by a bootstrap of spatial blocks: repeatable, invariant to windows, and wide enough."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label
from scipy.special import ndtr

from anomvae.errors import ConfigError
from anomvae.pixels.tiling import tiles
from anomvae.stats.block_bootstrap import (
    MOST_BLOCKS,
    BlockGrid,
    count_blocks,
    draw,
    edges_of,
    interval_of_mean,
)
from anomvae.stats.metrics import measure
from anomvae.stats.ranks import count_bins


def scene(seed, side=96, gain=2.0, objects=24, reach=3.0, own=0.6):
    """Make labels and scores of smooth background with square objects, some harder than others."""
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.normal(size=(side, side)), reach, mode="wrap")
    scores = 0.6 * smooth / smooth.std() + 0.8 * rng.normal(size=(side, side))
    labels = np.zeros((side, side))
    for _ in range(objects):
        row, col = rng.integers(0, side - 3, 2)
        labels[row : row + 3, col : col + 3] = 1
        scores[row : row + 3, col : col + 3] += gain + own * rng.normal()
    return labels, scores.astype("float32")


def drawn(labels, scores, side=None, seed=0, draws=1000, window=(64, 64), first=None):
    """Draw blocks of a scene that is read in windows."""
    grid, metrics = BlockGrid.of(labels.shape, side), measure(labels, scores)
    parts = [
        (tile.keep, labels[tile.keep], scores[tile.keep]) for tile in tiles(labels.shape, window)
    ]
    bins = count_bins(lambda: ((labels, scores) for _, labels, scores in parts))
    counted = count_blocks(parts, edges_of(bins), grid)
    estimates = metrics.roc_auc, metrics.average_precision
    _, objects = label(labels > 0, np.ones((3, 3)))
    return draw(counted, estimates, draws, seed, objects=objects, first=first)


def ends(interval):
    return interval.low, interval.high


def test_an_interval_holds_the_estimate_and_repeats():
    labels, scores = scene(0)

    one, again, other = drawn(labels, scores), drawn(labels, scores), drawn(labels, scores, seed=1)

    assert one.intervals == again.intervals != other.intervals
    assert np.array_equal(one.values, again.values)
    for interval, value in zip(
        (one.intervals.roc_auc, one.intervals.average_precision), one.estimates, strict=True
    ):
        assert 0 < interval.low < value < interval.high < 1
    assert one.intervals.blocks == 36
    band = one.intervals.band
    assert (np.diff(band.false_alarms) > 0).all()
    assert (band.low <= band.high).all()
    assert band.high[-1] == 1


@pytest.mark.parametrize("window", [(1, 96), (7, 13), (96, 96)])
def test_windows_change_no_draw(window):
    labels, scores = scene(1)
    labels[30:40] = np.nan

    assert np.array_equal(drawn(labels, scores, window=window).values, drawn(labels, scores).values)


def test_a_draw_measures_the_pixels_of_its_blocks():
    labels, scores = scene(2, side=48)
    result = drawn(labels, scores, side=16, draws=100, seed=3)

    weights = np.random.default_rng(3).multinomial(9, np.full(9, 1 / 9), size=100)
    blocks = BlockGrid((48, 48), 16).numbers((slice(0, 48), slice(0, 48)))
    for number in (0, 1, 57):
        times = weights[number][blocks].ravel()
        repeated = measure(np.repeat(labels.ravel(), times), np.repeat(scores.ravel(), times))
        expected = repeated.roc_auc, repeated.average_precision
        assert result.values[:, number] == pytest.approx(expected, abs=1e-9)


def test_ranks_among_some_scores_are_near_to_those_among_all():
    labels, scores = scene(3, side=200, objects=400)
    assert len(np.unique(scores[labels > 0])) > 2000

    result = drawn(labels, scores, side=50)

    grid = BlockGrid((200, 200), 50)
    weights = np.random.default_rng(0).multinomial(16, np.full(16, 1 / 16), size=1000)[7]
    times = weights[grid.numbers((slice(0, 200), slice(0, 200)))].ravel()
    exact = measure(np.repeat(labels.ravel(), times), np.repeat(scores.ravel(), times))
    expected = exact.roc_auc, exact.average_precision
    assert result.values[:, 7] == pytest.approx(expected, abs=5e-4)


def test_a_difference_is_measured_on_the_same_draws():
    labels, scores = scene(4)
    noise = np.random.default_rng(0).normal(0, 0.3, scores.shape).astype("float32")

    first, second = drawn(labels, scores), drawn(labels, scores + noise)
    same, apart = first.difference(first), second.difference(first)

    assert (same.roc_auc, same.average_precision, same.roc_auc_interval) == (0, 0, None)
    assert apart.roc_auc == second.estimates[0] - first.estimates[0]
    paired = apart.roc_auc_interval.high - apart.roc_auc_interval.low
    alone = first.intervals.roc_auc
    assert paired < 0.5 * (alone.high - alone.low)


def test_a_map_without_scores_in_some_blocks_is_drawn_as_the_first_one_is():
    labels, scores = scene(4)
    fewer = scores.copy()
    fewer[:32, :32] = np.nan

    first = drawn(labels, scores)
    second = drawn(labels, fewer, first=first)

    weights = np.random.default_rng(0).multinomial(36, np.full(36, 1 / 36), size=1000)[5]
    blocks = BlockGrid((96, 96), 16).numbers((slice(0, 96), slice(0, 96)))
    times = weights[blocks].ravel()
    repeated = measure(np.repeat(labels.ravel(), times), np.repeat(fewer.ravel(), times))
    assert second.values[0, 5] == pytest.approx(repeated.roc_auc)
    assert np.array_equal(second.used, first.used)


@pytest.mark.parametrize(
    ("objects", "side", "reason"),
    [
        (1, None, "the labels mark 1 object, and an interval needs 5"),
        (3, 2, "the labels mark 3 objects, and an interval needs 5"),
        (
            24,
            48,
            "the anomalous pixels lie in 4 blocks of 48 x 48 pixels, and an interval needs 5",
        ),
    ],
)
def test_too_few_objects_or_blocks_give_no_interval_and_the_reason(objects, side, reason):
    labels, scores = scene(5, objects=objects)

    result = drawn(labels, scores, side)

    assert result.intervals.roc_auc is None
    assert result.intervals.reason == reason
    assert result.difference(result).roc_auc_interval is None


def test_perfect_scores_give_no_interval_and_the_reason():
    labels, _ = scene(6)

    intervals = drawn(labels, labels.astype("float32")).intervals

    assert intervals.roc_auc is None
    assert intervals.reason == "every draw of blocks gives the same value"


def test_blocks_follow_the_scene_and_too_many_are_refused():
    assert BlockGrid.of((100, 100)).side == 16
    assert BlockGrid.of((10_000, 300)).side == 313
    assert BlockGrid.of((10_000, 10_000)).blocks == 32 * 32
    with pytest.raises(ConfigError, match=r"Give a side of 157 or more \(--block\)"):
        BlockGrid.of((10_000, 10_000), 3)
    assert BlockGrid.of((10_000, 10_000), 157).blocks <= MOST_BLOCKS


def test_the_interval_of_a_mean_is_that_of_student_where_values_are_normal():
    values = np.random.default_rng(0).normal(size=8)

    interval = interval_of_mean(values, 5000, 0)

    half = 2.365 * values.std(ddof=1) / np.sqrt(8)  # t of 7 degrees of freedom
    expected = values.mean() - half, values.mean() + half
    assert ends(interval) == pytest.approx(expected, abs=0.2 * half)


@pytest.mark.slow
@pytest.mark.parametrize(("objects", "least"), [(12, 0.89), (40, 0.91)])
def test_intervals_contain_the_true_area_about_as_often_as_they_promise(objects, least):
    # The true area: an object's pixels gain 2 + 0.6 z1, all scores have a variance of 1.
    true = ndtr(2.0 / np.sqrt(1 + 1 + 0.6**2))
    held = []
    for seed in range(200):
        intervals = drawn(*scene(seed, side=128, objects=objects), draws=400).intervals
        if intervals.roc_auc is not None:
            held.append(intervals.roc_auc.low <= true <= intervals.roc_auc.high)

    assert len(held) > 150
    assert least <= np.mean(held) <= 0.995
