"""Pixels near anomalies are kept while a scene is scored, to be explained without a second read."""

import resource

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import maximum_filter

from anomvae.errors import NotWritten
from anomvae.mapping import near_pixels
from anomvae.mapping import stored as stored_scores
from anomvae.mapping.near_pixels import Nearness, NearPixels, near_store, widened
from anomvae.mapping.stored import stored
from anomvae.pixels.tiling import tiles

sides = st.integers(1, 24)


@pytest.fixture(scope="module", autouse=True)
def small_tiles():
    """Keep all pixels of small tiles, most of which lie at their sides."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_pixels, "MOST_SHARE", 1)
        yield


def filled(store, block, scores, size, nearness, halo=0):
    for tile in tiles(scores.shape, size, halo):
        read = block[(slice(None), *tile.read)]
        pixels = nearness.pixels(tile, read, scores[tile.keep])
        if pixels is not None:
            store.add(tile.keep, pixels)


@given(
    shape=st.tuples(sides, sides),
    size=st.tuples(sides, sides),
    window=st.tuples(sides, sides),
    reach=st.integers(0, 7),
    dates=st.integers(1, 2),
    seed=st.integers(0, 2**32),
)
def test_what_lies_near_anomalies_is_kept_whatever_the_tiles(
    tmp_path_factory, shape, size, window, reach, dates, seed
):
    rng = np.random.default_rng(seed)
    block = rng.normal(size=(dates, *shape, 3)).astype(np.float32)
    scores = rng.random(shape).astype(np.float32)
    scores[rng.random(shape) < 0.1] = np.nan
    near = maximum_filter(scores > 0.95, 2 * reach + 1, mode="constant")
    needed = near & (rng.random(shape) < 0.8)

    with near_store(tmp_path_factory.getbasetemp()) as store:
        filled(store, block, scores, size, Nearness(0.95, reach), halo=2)
        for part in tiles(shape, window):
            values = store.read(part.keep, needed[part.keep])
            inside = block[(slice(None), *part.keep)]
            expected = np.moveaxis(inside, 0, 2)[needed[part.keep]]
            np.testing.assert_array_equal(values, expected)


def test_what_was_not_kept_is_read_again(tmp_path, monkeypatch):
    block, scores = np.ones((1, 40, 40, 3), np.float32), np.zeros((40, 40), np.float32)
    scores[20, 20] = 2
    whole, near, nothing = (slice(0, 40), slice(0, 40)), Nearness(1, 5), Nearness(np.nan, 0)
    needed = scores > 1

    def is_kept(nearness=near, needed=needed, **limits):
        with monkeypatch.context() as patch, near_store(tmp_path) as store:
            for name, limit in limits.items():
                patch.setattr(near_pixels, name, limit)
            filled(store, block, scores, (40, 40), nearness)
            return store.read(whole, needed) is not None

    assert is_kept()
    assert is_kept(needed=scores > 9)
    assert not is_kept(needed=scores > 9, MOST_BYTES=0)  # the shape of pixels is unknown
    assert not is_kept(nothing)
    assert not is_kept(MOST_SHARE=0.3)
    assert not is_kept(MOST_BYTES=100)


def keep_pixels(folder, window):
    with near_store(folder) as store:
        store.add(window, NearPixels(np.ones((20, 10), np.bool_), np.ones((200, 1, 3), np.float32)))


def keep_scores(folder, window):
    with stored((20, 10), np.float32, folder) as scores:
        scores.write(window, np.ones((20, 10), np.float32))


@pytest.mark.parametrize("keep", [keep_pixels, keep_scores])
def test_a_full_disk_is_reported_where_few_numbers_are_written(tmp_path, monkeypatch, keep):
    monkeypatch.setattr(stored_scores, "MEMORY_BYTES", 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        with pytest.raises(NotWritten, match="free space"):
            keep(tmp_path, (slice(0, 20), slice(0, 10)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@given(shape=st.tuples(sides, sides), reach=st.integers(0, 30), seed=st.integers(0, 2**32))
def test_widening_follows_the_larger_of_rows_and_columns(shape, reach, seed):
    mask = np.random.default_rng(seed).random(shape) < 0.05

    expected = maximum_filter(mask, 2 * reach + 1, mode="constant")
    np.testing.assert_array_equal(widened(mask, reach), expected)
