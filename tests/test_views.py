import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from anomvae.pixels.views import Newest, Patches, Series, Spectra

blocks = npst.arrays(
    np.float32,
    npst.array_shapes(min_dims=4, max_dims=4, max_side=4),
    elements=st.sampled_from([0.0, 1.5, -3.0, np.nan, np.inf, -np.inf]),
)
VIEWS = [Spectra(), Series(), Newest(most_dates=3), Patches(0), Patches(1)]
every_view = pytest.mark.parametrize("view", VIEWS, ids=repr)


def scored_spectra(view, examples):
    """Return the spectra that are scored, with a date axis at the end."""
    if isinstance(view, Series):
        return examples.transpose(0, 2, 1)
    if isinstance(view, Newest):
        examples = examples[:, -1]
    if isinstance(view, Patches):
        examples = examples[:, view.radius, view.radius]
    return examples[..., np.newaxis]


@given(blocks)
@every_view
def test_a_pixel_is_scored_where_every_band_has_data_and_a_series_has_an_earlier_date(view, block):
    where = view.where(block)

    valid = np.isfinite(block).all(-1)
    assert where.shape == valid.shape
    for date, row, col in np.ndindex(where.shape):
        newest = view.most_dates is not None
        first = max(0, date + 1 - view.most_dates) if newest else 0
        comparable = not view.compares_dates or valid[first:date, row, col].any()
        comparable &= date == len(block) - 1 or not newest
        assert where[date, row, col] == (valid[date, row, col] and comparable)


@given(blocks)
@every_view
def test_joining_returns_each_value_at_its_pixel_and_nan_elsewhere(view, block):
    where = view.where(block)

    examples = view.split(block, where)[:]
    sums = scored_spectra(view, examples).sum(axis=1)
    joined = view.join(sums if isinstance(view, Series) else sums[:, 0], where)

    assert joined.dtype == np.float32
    assert (joined[where] == block[where].sum(axis=-1)).all()
    assert np.isnan(joined[~where]).all()


@given(blocks)
@every_view
def test_examples_of_scored_pixels_are_known_and_the_block_is_not_changed(view, block):
    before, where = block.copy(), view.where(block)

    examples = view.split(block, where)

    assert len(examples) == examples.shape[0] == len(examples[:])
    assert view.known(examples[:]).sum() == where.sum()
    assert not np.isinf(examples[:]).any()
    np.testing.assert_array_equal(block, before)


@given(blocks)
def test_a_patch_holds_the_neighbours_and_nan_beyond_the_edge(block):
    all_pixels = np.ones(block.shape[:-1], bool)

    examples = Patches(1).split(block, all_pixels)[:]

    padded = np.pad(block, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=np.nan)
    for example, (date, row, col) in zip(examples, np.ndindex(all_pixels.shape), strict=True):
        expected = padded[date, row : row + 3, col : col + 3]
        assert np.array_equal(example, np.where(np.isfinite(expected), expected, np.nan), True)


def test_only_a_series_compares_dates_and_only_a_patch_has_a_receptive_radius():
    assert [view.compares_dates for view in VIEWS] == [False, True, True, False, False]
    assert [view.radius for view in VIEWS] == [0, 0, 0, 0, 1]
    assert [view.side for view in VIEWS[3:]] == [1, 3]
