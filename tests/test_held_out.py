"""The rate of a threshold on held-out pixels: the interval holds for pixels that are alike."""

import numpy as np
import pytest

from anomvae.stats.held_out import HeldOutRate, held_out_rate


def correlated(rng, blocks, pixels, share=0.25):
    """Draw normal scores, axes (block, pixel), of which a share of the variance is the block's."""
    common, own = rng.normal(size=(blocks, 1)), rng.normal(size=(blocks, pixels))
    return np.sqrt(share) * common + np.sqrt(1 - share) * own


def measure(scores, threshold, seed=0):
    blocks = np.repeat(np.arange(len(scores)), scores.shape[1])
    return held_out_rate(scores.ravel(), blocks, threshold, seed)


@pytest.mark.parametrize(("cut", "rate"), [(2.326, 0.01), (3.0, 0.00135)])
@pytest.mark.parametrize("blocks", [13, 50])
def test_the_interval_contains_the_true_rate_of_scores_that_blocks_share(blocks, cut, rate):
    rng = np.random.default_rng(0)

    intervals = [measure(correlated(rng, blocks, 64), cut) for _ in range(60)]

    assert np.mean([one.low <= rate <= one.high for one in intervals]) >= 0.9
    assert max(one.high for one in intervals) < 0.5


def test_pixels_that_are_alike_widen_the_interval():
    rng = np.random.default_rng(0)

    alone, alike = (measure(correlated(rng, 50, 100, share), 1.645) for share in (0.0, 0.5))

    assert alike.high - alike.low > 2 * (alone.high - alone.low)


def test_the_rate_counts_pixels_above_the_threshold_whatever_their_order():
    scores, blocks = np.array([1, 2, 3, 4, 5, 6.0]), np.array([9, 9, 9, 2, 2, 5])
    order = np.array([3, 0, 5, 4, 1, 2])

    one, other = (
        held_out_rate(scores, blocks, 4, 1),
        held_out_rate(scores[order], blocks[order], 4, 1),
    )

    assert one == other
    assert (one.rate, one.pixels, one.blocks) == (1 / 3, 6, 3)


def test_the_same_seed_gives_the_same_interval():
    scores = correlated(np.random.default_rng(0), 20, 50)

    one, same, other = (measure(scores, 1.0, seed) for seed in (0, 0, 1))

    assert one == same
    assert (one.low, one.high) != (other.low, other.high)


def test_few_pixels_contradict_no_promise_and_many_do():
    rng = np.random.default_rng(0)
    few, many = rng.normal(size=(13, 40)), rng.normal(size=(50, 400))

    assert measure(few, 9.0).rate == 0  # a third of the promise and less
    assert not measure(few, 9.0).contradicts(0.00135)
    assert measure(many, 9.0).contradicts(0.00135)
    assert measure(many, 1.5).contradicts(0.00135)
    assert not measure(many, 2.7).contradicts(0.00135)  # 2.6 times the promise


def test_a_cluster_in_one_block_contradicts_no_promise():
    scores = np.zeros((50, 400))
    scores[7] = 9.0  # 2 % of the pixels

    assert measure(scores, 3.0).rate == 0.02
    assert not measure(scores, 3.0).contradicts(0.00135)


@pytest.mark.parametrize("count", [1, 2, 500])
def test_one_block_has_an_interval_that_contains_its_rate(count):
    rate = measure(np.arange(count)[None] * 1.0, count / 2)

    assert rate.blocks == 1
    assert rate.low <= rate.rate <= rate.high


def test_a_threshold_without_a_promise_is_not_doubted():
    rate = HeldOutRate(0.5, 1000, 10, 0.4, 0.6)

    assert "promises to flag 0.10% of normal pixels, but 50.00%" in rate.doubt(0.001)
    assert rate.doubt(None) == rate.doubt(0.3) == ""


def test_a_rate_without_blocks_contradicts_nothing():
    assert not HeldOutRate(0.5, 1000).contradicts(0.001)
