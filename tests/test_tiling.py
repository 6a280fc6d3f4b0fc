import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from anomvae.pixels.tiling import SamplingGrid, Tile, fitting_size, tile_at, tiles, whole

sides = st.integers(1, 40)
shapes = st.tuples(sides, sides)
halos = st.integers(0, 12)


@given(shape=shapes, size=shapes, halo=halos)
def test_kept_pixels_partition_the_raster(shape, size, halo):
    raster = np.arange(shape[0] * shape[1]).reshape(shape)
    rebuilt = np.full(shape, -1)
    visits = np.zeros(shape, int)

    for tile in tiles(shape, size, halo):
        rebuilt[tile.keep] = raster[tile.read][tile.inner]
        visits[tile.keep] += 1

    assert (visits == 1).all()
    assert (rebuilt == raster).all()


@given(shape=shapes, size=shapes, halo=halos)
def test_every_kept_pixel_comes_with_its_whole_halo_inside_the_grid(shape, size, halo):
    for tile in tiles(shape, size, halo):
        for keep, read, side in zip(tile.keep, tile.read, shape, strict=True):
            assert read.start == max(0, keep.start - halo)
            assert read.stop == min(side, keep.stop + halo)


@given(shape=shapes, size=shapes)
def test_no_tile_is_empty_or_larger_than_its_size(shape, size):
    cut = [tile.shape for tile in tiles(shape, size)]

    assert all(0 < rows <= size[0] and 0 < cols <= size[1] for rows, cols in cut)


@given(shape=shapes, size=shapes)
def test_tiles_come_row_by_row(shape, size):
    corners = [(tile.keep[0].start, tile.keep[1].start) for tile in tiles(shape, size)]

    assert corners == sorted(corners)


@given(shape=shapes, size=shapes, halo=halos)
def test_the_tile_size_never_shows_in_a_result_whose_radius_is_at_most_the_halo(shape, size, halo):
    raster = np.random.default_rng(0).integers(0, 9, shape)
    expected = _largest_nearby(raster, halo)
    mosaic = np.zeros(shape, int)

    for tile in tiles(shape, size, halo):
        mosaic[tile.keep] = _largest_nearby(raster[tile.read], halo)[tile.inner]

    assert (mosaic == expected).all()


def test_a_tile_at_the_edge_reads_no_further_than_the_grid():
    tile = tile_at((slice(0, 2), slice(8, 10)), (10, 10), halo=3)

    assert tile == Tile((slice(0, 2), slice(8, 10)), (slice(0, 5), slice(5, 10)))
    assert tile.inner == (slice(0, 2), slice(3, 5))
    assert tile.shape == (2, 2)


@given(shape=shapes, block=shapes, bands=st.integers(1, 400), budget=st.integers(1, 20_000))
def test_a_fitting_tile_holds_whole_file_blocks(shape, block, bands, budget):
    size = fitting_size(shape, block, bands, budget)

    for side, step, length in zip(size, block, shape, strict=True):
        assert side == length or side % step == 0
        assert 1 <= side <= length


@given(shape=shapes, block=shapes, bands=st.integers(1, 400), budget=st.integers(1, 20_000))
def test_a_fitting_tile_keeps_to_the_budget_or_is_one_file_block(shape, block, bands, budget):
    rows, cols = fitting_size(shape, block, bands, budget)

    one_block = (min(block[0], shape[0]), min(block[1], shape[1]))
    assert 4 * bands * rows * cols <= budget or (rows, cols) == one_block


def test_a_fitting_tile_uses_most_of_a_large_budget():
    rows, cols = fitting_size((20_000, 20_000), (256, 256), 10, 64 * 2**20)

    assert 4 * 10 * rows * cols > 0.5 * 64 * 2**20


def test_a_scene_within_the_budget_is_one_tile():
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
