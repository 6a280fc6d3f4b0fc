import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from anomvae.errors import BandMismatch
from anomvae.pixels.bands import unnamed_bands
from anomvae.pixels.views import Patches, Series, Spectra, matched

blocks = npst.arrays(
    np.float32,
    npst.array_shapes(min_dims=4, max_dims=4, max_side=4),
    elements=st.sampled_from([0.0, 1.5, -3.0, np.nan, np.inf, -np.inf]),
)


class Fake:
    """A reader that only knows its bands."""

    name = "scene.tif"

    def __init__(self, bands):
        self.bands = bands

    def using(self, bands):
        return Fake(bands)


VIEWS = [Spectra(), Series(), Patches(0), Patches(1)]

every_view = pytest.mark.parametrize("view", VIEWS, ids=repr)


def newest(view, examples):
    """Take what the examples are about, with a date axis at the end."""
    if isinstance(view, Series):
        return examples.transpose(0, 2, 1)
    if isinstance(view, Patches):
        examples = examples[:, view.radius, view.radius]
    return examples[..., np.newaxis]


@given(blocks)
@pytest.mark.parametrize("view", [Spectra(), Patches(1)], ids=repr)
def test_a_pixel_can_be_scored_only_where_every_band_has_data(view, block):
    where = view.where(block)

    assert where.shape == block.shape[:-1]
    assert all(where[place] == np.isfinite(block[place]).all() for place in np.ndindex(where.shape))


@given(blocks)
def test_a_date_can_be_scored_only_with_one_before_it(block):
    where = Series().where(block)

    whole = np.isfinite(block).all(-1)
    for date, row, col in np.ndindex(where.shape):
        past = whole[:date, row, col].any()
        assert where[date, row, col] == (whole[date, row, col] and past)


@given(blocks)
@every_view
def test_joining_puts_each_value_back_where_it_was_and_nan_elsewhere(view, block):
    where = view.where(block)

    examples = view.split(block, where)[:]
    sums = newest(view, examples).sum(axis=1)
    joined = view.join(sums if isinstance(view, Series) else sums[:, 0], where)

    assert joined.dtype == np.float32
    assert (joined[where] == block[where].sum(axis=-1)).all()
    assert np.isnan(joined[~where]).all()


@given(blocks)
@every_view
def test_the_split_of_what_can_be_scored_is_known(view, block):
    where = view.where(block)

    examples = view.split(block, where)

    assert len(examples) == examples.shape[0] == len(examples[:])
    assert view.known(examples[:]).sum() == where.sum()
    assert not np.isinf(examples[:]).any()


@given(blocks)
@every_view
def test_a_view_leaves_its_block_as_it_was(view, block):
    before = block.copy()

    view.split(block, view.where(block))[:]

    np.testing.assert_array_equal(block, before)


@given(blocks)
def test_a_patch_holds_the_neighbours_and_nan_beyond_the_edge(block):
    view = Patches(1)
    everywhere = np.ones(block.shape[:-1], bool)

    examples = view.split(block, everywhere)[:]

    padded = np.pad(block, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=np.nan)
    for example, (date, row, col) in zip(examples, np.ndindex(everywhere.shape), strict=True):
        expected = padded[date, row : row + 3, col : col + 3]
        assert np.array_equal(example, np.where(np.isfinite(expected), expected, np.nan), True)


def test_a_spectrum_looks_no_further_than_its_own_pixel():
    assert Spectra().radius == 0


def test_a_matched_reader_gives_the_bands_of_the_detector_in_its_order():
    reader = matched(Fake(unnamed_bands(4)), unnamed_bands(4).choose("3,1"))

    assert reader.bands.indexes == [3, 1]


def test_a_reader_without_the_bands_of_the_detector_is_refused():
    with pytest.raises(BandMismatch, match=r"scene\.tif"):
        matched(Fake(unnamed_bands(3)), unnamed_bands(4))
