from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomvae.pixels.tiling import SamplingGrid, fitting_size, spread_windows, tiles, whole

sides = st.integers(1, 40)
shapes = st.tuples(sides, sides)
halos = st.integers(0, 12)


@given(shape=shapes, size=shapes, halo=halos)
def test_kept_pixels_partition_the_raster_and_are_found_in_what_is_read(shape, size, halo):
    raster = np.arange(shape[0] * shape[1]).reshape(shape)
    rebuilt = np.full(shape, -1)
    visits = np.zeros(shape, int)

    for tile in tiles(shape, size, halo):
        rebuilt[tile.keep] = raster[tile.read][tile.inner]
        visits[tile.keep] += 1
        assert tile.shape == raster[tile.keep].shape

    assert (visits == 1).all()
    assert (rebuilt == raster).all()


@given(shape=shapes, size=shapes, halo=halos)
def test_tiles_come_row_by_row_of_at_most_their_size_with_the_halo_inside_the_grid(
    shape, size, halo
):
    cut = list(tiles(shape, size, halo))

    corners = [(tile.keep[0].start, tile.keep[1].start) for tile in cut]
    assert corners == sorted(corners)
    for tile in cut:
        assert all(0 < side <= most for side, most in zip(tile.shape, size, strict=True))
        for keep, read, side in zip(tile.keep, tile.read, shape, strict=True):
            assert read.start == max(0, keep.start - halo)
            assert read.stop == min(side, keep.stop + halo)


@given(shape=shapes, size=shapes, halo=halos)
def test_the_tile_size_never_shows_in_a_result_whose_radius_is_at_most_the_halo(shape, size, halo):
    raster = np.random.default_rng(0).integers(0, 9, shape)
    mosaic = np.zeros(shape, int)

    for tile in tiles(shape, size, halo):
        mosaic[tile.keep] = _largest_nearby(raster[tile.read], halo)[tile.inner]

    assert (mosaic == _largest_nearby(raster, halo)).all()


@given(shape=shapes, block=shapes, bands=st.integers(1, 400), budget=st.integers(1, 20_000))
def test_a_fitting_tile_holds_whole_file_blocks_within_the_budget_or_one(
    shape, block, bands, budget
):
    size = fitting_size(shape, block, bands, budget)

    for side, step, length in zip(size, block, shape, strict=True):
        assert side == length or side % step == 0
        assert 1 <= side <= length
    one_block = (min(block[0], shape[0]), min(block[1], shape[1]))
    assert 4 * bands * size[0] * size[1] <= budget or size == one_block


def test_a_fitting_tile_uses_most_of_a_large_budget_or_is_the_whole_scene():
    rows, cols = fitting_size((20_000, 20_000), (256, 256), 10, 64 * 2**20)

    assert 4 * 10 * rows * cols > 0.5 * 64 * 2**20
    assert fitting_size((300, 400), (1, 400), bands=4) == (300, 400)


@given(shape=shapes, side=sides, size=shapes)
def test_each_sample_is_the_middle_one_of_its_pixels_and_lies_in_one_window(shape, side, size):
    raster = np.arange(shape[0] * shape[1]).reshape(shape)
    samples = SamplingGrid.fitting(shape, side)
    image = np.full(samples.shape, -1)

    for tile in tiles(shape, size):
        part, (rows, cols) = samples.part(tile.keep)
        image[part] = raster[tile.keep][np.ix_(rows, cols)]

    rows, cols = (
        ((np.arange(count) + 0.5) * length / count).astype(int)
        for length, count in zip(shape, samples.shape, strict=True)
    )
    assert max(samples.shape) <= side or samples.shape == shape
    assert (image == raster[np.ix_(rows, cols)]).all()
    assert samples.part(whole(shape))[0] == whole(samples.shape)


def _largest_nearby(raster, radius):
    padded = np.pad(raster, radius, constant_values=-1)
    views = np.lib.stride_tricks.sliding_window_view(padded, (2 * radius + 1, 2 * radius + 1))
    return views.max(axis=(2, 3))


@pytest.mark.parametrize("most", [2, 4])
@pytest.mark.parametrize("side", [1, 128, 256])
@pytest.mark.parametrize("shape", [(1, 1), (3, 4), (1000, 20), (1025, 30_000), (11_000, 10_000)])
def test_spread_windows_are_few_and_apart_and_cover_a_small_grid(shape, side, most):
    windows = spread_windows(shape, side, most)
    rows, cols = ({window[axis].indices(shape[axis])[:2] for window in windows} for axis in (0, 1))

    assert len(windows) == len(rows) * len(cols) <= most**2
    for spans, length in ((rows, shape[0]), (cols, shape[1])):
        ordered = sorted(spans)
        assert all(end - start <= side for start, end in spans)
        assert all(end <= start for (_, end), (start, _) in pairwise(ordered))
        assert (ordered[0][0], ordered[-1][1]) == (0, length)
        assert length > most * side or sum(end - start for start, end in spans) == length
