import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from anomvae.bands import unnamed_bands
from anomvae.errors import BandMismatch
from anomvae.pixels import Spectra, matched

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


@given(blocks)
def test_a_pixel_can_be_scored_only_where_every_band_has_data(block):
    where = Spectra().where(block)

    assert where.shape == block.shape[:-1]
    assert all(where[place] == np.isfinite(block[place]).all() for place in np.ndindex(where.shape))


@given(blocks)
def test_joining_puts_each_value_back_where_its_spectrum_was_and_nan_elsewhere(block):
    view = Spectra()
    where = view.where(block)

    spectra = view.split(block, where)
    joined = view.join(spectra.sum(axis=-1), where)

    assert joined.dtype == np.float32
    assert (joined[where] == block[where].sum(axis=-1)).all()
    assert np.isnan(joined[~where]).all()


@given(blocks)
def test_the_split_of_what_can_be_scored_is_whole(block):
    view = Spectra()

    spectra = view.split(block, view.where(block))

    assert spectra.shape == (view.where(block).sum(), block.shape[-1])
    assert view.whole(spectra).all()


@given(blocks)
def test_a_view_leaves_its_block_as_it_was(block):
    before = block.copy()
    view = Spectra()

    view.split(block, view.where(block))[...] = 7.0

    np.testing.assert_array_equal(block, before)


def test_a_spectrum_looks_no_further_than_its_own_pixel():
    assert Spectra().reach == 0


def test_a_matched_reader_gives_the_bands_of_the_detector_in_its_order():
    reader = matched(Fake(unnamed_bands(4)), unnamed_bands(4).choose("3,1"))

    assert reader.bands.indexes == [3, 1]


def test_a_reader_without_the_bands_of_the_detector_is_refused():
    with pytest.raises(BandMismatch, match=r"scene\.tif"):
        matched(Fake(unnamed_bands(3)), unnamed_bands(4))
