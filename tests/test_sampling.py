"""Examples are drawn evenly over scenes and pixels, and never from held-out blocks."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from support.spectra import ArrayScene, in_memory, numbered, scene

from anomvae.pixels.tiling import TILE_BYTES, tile_at
from anomvae.pixels.views import Newest, Patches, Series, Spectra
from anomvae.training import sampling
from anomvae.training.sampling import (
    Blocks,
    choose_blocks,
    cut_blocks,
    draw_blocks,
    draw_sample,
    fold_blocks,
    held_out_blocks,
)
from anomvae.training.scenes import read_tile

UNEVEN = ((30, 4), (80, 80), (13, 11))


@dataclass(frozen=True)
class WideScene(ArrayScene):
    """A scene in memory that is read in tiles of 3 x 5 pixels, as if it had many bands."""

    block_shape: tuple[int, int] = (3, 5)
    values_per_pixel = TILE_BYTES // (4 * 3 * 5)


wide = partial(in_memory, kind=WideScene)


def draw(scenes, count=10**6, view=None, held_out=None, seed=0, **options):
    return draw_sample(scenes, view or Spectra(), count, held_out, seed, **options)


def centres(view, examples):
    """Return the numbers of the pixels of `numbered` that examples are centred on."""
    if isinstance(view, Patches):
        return examples[:, 1, 1, 0]
    return examples[..., 0].ravel()


# Drawing


def test_with_enough_room_every_pixel_of_every_date_is_drawn_once():
    sample = draw(wide(numbered((7, 11), dates=3), numbered((4, 4), dates=3, first=231)))

    assert sorted(sample.examples[:, 0]) == list(range(231 + 48))
    assert sample.held_out.size == 0
    assert sample.scenes == ("scene 0", "scene 1")


@pytest.mark.parametrize(
    ("shapes", "most", "expected"),
    [
        (UNEVEN, {"count": 300}, [100, 100, 100]),
        (UNEVEN, {"most_bytes": 400}, [33, 33, 34]),
        (((4, 4), (40, 40), (60, 60)), {"count": 300}, [16, 142, 142]),  # later ones share the rest
    ],
)
def test_examples_are_drawn_evenly_over_scenes(shapes, most, expected):
    scenes = wide(*(np.full((1, *shape, 1), i, np.float32) for i, shape in enumerate(shapes)))

    drawn = draw(scenes, **most).examples[:, 0]

    assert np.bincount(drawn.astype(int)).tolist() == expected


def test_a_scene_without_data_takes_nothing_from_the_others():
    empty = np.full((1, 9, 9, 1), np.nan, np.float32)

    sample = draw(wide(empty, numbered((9, 9)), empty), count=50)

    assert len(sample.examples) == 25  # the last scene's share stays free: each is read once
    assert np.isfinite(sample.examples).all()


def test_every_pixel_is_equally_likely_and_drawn_at_most_once():
    scenes, runs, count = wide(numbered((6, 8))), 1500, 12
    times = np.zeros(48)

    for seed in range(runs):
        drawn = draw(scenes, count, seed=seed).examples[:, 0].astype(int)
        assert len(np.unique(drawn)) == count
        times[drawn] += 1

    # Each of 48 pixels is drawn with probability 1/4; chi-squared has 47 degrees of freedom, less
    # the share 1/4 because a pixel is not drawn twice.
    expected = runs * count / 48
    chi_squared = ((times - expected) ** 2 / expected).sum() / (1 - 1 / 4)
    assert 20 < chi_squared < 85


def test_the_seed_decides_the_examples():
    scenes = wide(numbered((20, 20)))

    one, same, other = (draw(scenes, 50, seed=seed).examples.tobytes() for seed in (1, 1, 2))

    assert one == same != other


def test_normal_pixels_with_data_alone_are_drawn():
    block = numbered((8, 8), bands=2)
    block[0, :2] = np.nan
    block[0, 2, 0, 1] = np.nan  # one missing band: the detector decides about this pixel
    mask = np.zeros((8, 8), bool)
    mask[:4, :5] = True

    sample = draw(wide(block, normal=mask))

    assert sorted(sample.examples[:, 0]) == [16, 17, 18, 19, 20, 24, 25, 26, 27, 28]


def test_the_share_without_data_counts_each_pixel_once():
    block = numbered((8, 8), bands=2)
    block[0, :2, :4] = np.nan

    sample = draw(wide(block, numbered((8, 8), bands=2)), view=Patches(1))

    assert sample.nodata == 8 / 128


def test_progress_counts_the_rows_of_all_scenes():
    steps = []

    draw(wide(numbered((6, 5)), numbered((3, 6))), progress=lambda *step: steps.append(step))

    assert steps[-1] == ("read", 9, 9)
    assert steps == sorted(steps)


@pytest.mark.parametrize(("view", "shape"), [(Spectra(), (300, 4)), (Patches(1), (33, 3, 3, 4))])
def test_the_bytes_of_the_examples_are_bounded(view, shape):
    scenes = in_memory(scene((20, 20), bands=4), scene((30, 30), bands=4))

    assert draw(scenes, view=view, most_bytes=4800).examples.shape == shape


# Other views


def test_patches_hold_their_true_neighbours_across_tiles():
    block = scene((10, 12), bands=2)

    drawn = draw(wide(block), view=Patches(1)).examples

    padded = np.pad(block[0], ((1, 1), (1, 1), (0, 0)), constant_values=np.nan)
    expected = [padded[r : r + 3, c : c + 3] for r in range(10) for c in range(12)]
    assert sorted(p.tobytes() for p in drawn) == sorted(p.tobytes() for p in expected)


# Held-out blocks


@pytest.mark.parametrize("view", [Spectra(), Patches(1), Series()], ids=lambda v: type(v).__name__)
def test_no_example_holds_a_held_out_pixel(view):
    block = numbered((24, 30), dates=3 if isinstance(view, Series) else 1)
    blocks = held_out_blocks((24, 30), seed=4, scene=0)
    inside = blocks.inside((slice(0, 24), slice(0, 30)))

    sample = draw(wide(block), view=view, held_out=[blocks])

    held_out = set(block[:, inside].ravel())
    pixels = sample.examples[np.isfinite(sample.examples)]
    assert set(centres(view, sample.held_out)) == held_out
    assert not set(pixels) & held_out
    if view.radius == 0:
        assert set(centres(view, sample.examples)) == set(block[:, ~inside].ravel())


@pytest.mark.parametrize(
    ("shape", "radius", "side"),
    [
        ((96, 96), 0, 12),
        ((80, 1000), 0, 10),
        ((600, 512), 0, 64),
        ((7, 50), 0, 4),
        ((96, 96), 4, 16),
        ((96, 96), 3, 12),
        ((40, 50), 7, 20),  # at least two blocks fit
        ((900, 900), 20, 64),
    ],
)
def test_a_block_has_an_eighth_of_the_shorter_side_from_4_to_64_pixels(shape, radius, side):
    blocks = cut_blocks(shape, radius)

    assert blocks.side == side
    assert blocks.chosen.shape == (-(-shape[0] // side), -(-shape[1] // side))
    assert blocks.chosen.all()


@pytest.mark.parametrize("shape", [(96, 96), (65, 83), (512, 700)])
def test_a_fifth_of_the_blocks_is_held_out(shape):
    whole, held_out = cut_blocks(shape), held_out_blocks(shape, seed=0, scene=0)

    assert held_out.side == whole.side
    assert held_out.chosen.sum() == round(0.2 * whole.chosen.size)


def test_held_out_blocks_repeat_and_differ_by_seed_and_scene():
    chosen = {
        (seed, number): held_out_blocks((96, 96), seed, number).chosen.tobytes()
        for seed, number in ((0, 0), (0, 1), (1, 0))
    }

    assert held_out_blocks((96, 96), 0, 0).chosen.tobytes() == chosen[0, 0]
    assert len(set(chosen.values())) == 3


@pytest.mark.parametrize("shape", [(96, 96), (65, 83), (40, 1000), (8, 9), (4, 5)])
def test_folds_divide_the_blocks_and_begin_with_those_held_out(shape):
    folds = fold_blocks(shape, seed=5, scene=2)

    assert np.array_equal(sum(fold.chosen.astype(int) for fold in folds), cut_blocks(shape).chosen)
    assert np.array_equal(folds[0].chosen, held_out_blocks(shape, seed=5, scene=2).chosen)
    assert np.ptp([fold.chosen.sum() for fold in folds]) <= 1


def test_folds_repeat_and_differ_by_seed_and_scene():
    folds = {
        (seed, scene): tuple(fold.chosen.tobytes() for fold in fold_blocks((96, 96), seed, scene))
        for seed, scene in ((0, 0), (0, 1), (1, 0))
    }

    again = fold_blocks((96, 96), seed=0, scene=0)
    assert folds[0, 0] == tuple(fold.chosen.tobytes() for fold in again)
    assert len({fold for some in folds.values() for fold in some}) == 3 * len(again)


@pytest.mark.parametrize(("share", "count"), [(0.0, 1), (0.01, 1), (0.5, 4), (1.0, 7)])
def test_at_least_one_block_and_at_most_all_but_one_are_chosen(share, count):
    blocks = Blocks((2, 4), 1, np.ones((2, 4), bool))

    assert choose_blocks(blocks, share, (0,)).chosen.sum() == count


def test_chosen_blocks_are_chosen_from_alone():
    half = Blocks((2, 4), 1, np.array([[True] * 4, [False] * 4]))

    chosen = choose_blocks(half, 0.5, (3,)).chosen

    assert chosen[0].sum() == 2
    assert not chosen[1].any()


@pytest.mark.parametrize("halo", [0, 2])
@pytest.mark.parametrize("cut", [cut_blocks, partial(held_out_blocks, seed=0, scene=0)])
def test_the_tiles_of_chosen_blocks_have_a_halo_and_visit_their_pixels_once(cut, halo):
    blocks, visits = cut((19, 33)), np.zeros((19, 33), int)

    for tile in blocks.tiles(halo):
        visits[tile.keep] += 1
        assert tile == tile_at(tile.keep, (19, 33), halo)

    for window in ((slice(0, 19), slice(0, 33)), (slice(7, 18), slice(11, 30))):
        assert np.array_equal(visits[window], blocks.inside(window))


@pytest.mark.parametrize("radius", [0, 1, 3])
def test_pixels_near_a_block_have_one_of_its_pixels_within_the_radius(radius):
    blocks = held_out_blocks((40, 50), seed=0, scene=0)
    tile = tile_at((slice(8, 30), slice(10, 40)), (40, 50), halo=radius)

    near = blocks.near(tile, radius)

    inside = np.pad(blocks.inside(tile.read), radius)
    rows, cols = near.shape
    shifts = np.ndindex(2 * radius + 1, 2 * radius + 1)
    expected = np.any([inside[r : r + rows, c : c + cols] for r, c in shifts], axis=0)
    assert np.array_equal(near, expected)


def test_the_pixels_of_a_tile_without_its_halo_are_wanted():
    opened = ArrayScene(numbered((20, 20)))
    tile = tile_at((slice(4, 8), slice(0, 4)), (20, 20), halo=2)

    result = read_tile(opened, tile)

    assert result.tile == tile
    assert result.block.shape == (1, 8, 6, 1)
    assert result.wanted.shape == (1, 8, 6)
    assert result.wanted.sum() == 16
    assert result.block[result.wanted][0, 0] == 4 * 20


# Reading blocks


def test_all_pixels_are_read_once_where_they_are_few():
    scenes = wide(numbered((40, 40)), numbered((30, 50), first=1600))

    read = list(draw_blocks(scenes, 10**6, halo=1, seed=0))

    pixels = [tile.block[tile.wanted].ravel() for _, tile in read]
    assert sorted(np.concatenate(pixels)) == list(range(1600 + 1500))
    assert all((tile.block >= 1600).all() == (number == 1) for number, tile in read)


@pytest.mark.parametrize("most", [10**6, 400])
def test_chosen_blocks_alone_are_read(most):
    scenes = wide(numbered((80, 80)), numbered((60, 100), first=6400))
    blocks = [held_out_blocks(shape, 0, scene=0) for shape in scenes.shapes]
    inside = [
        each.inside((slice(0, each.shape[0]), slice(0, each.shape[1]))).ravel() for each in blocks
    ]

    tiles = draw_blocks(scenes, most, halo=0, seed=0, blocks=blocks)

    pixels = np.concatenate([tile.block[tile.wanted].ravel() for _, tile in tiles]).astype(int)
    assert np.concatenate(inside)[pixels].all()
    assert len(set(pixels)) == len(pixels)
    assert (len(pixels) == np.concatenate(inside).sum()) == (most == 10**6)


def test_the_numbers_of_blocks_name_the_chosen_block_of_each_pixel():
    blocks = held_out_blocks((40, 50), seed=0, scene=0)
    window = slice(3, 31), slice(10, 50)

    numbers = blocks.numbers(window)

    assert np.array_equal(numbers >= 0, blocks.inside(window))
    whole = blocks.numbers((slice(0, 40), slice(0, 50)))
    assert np.array_equal(whole[window], numbers)
    for tile in blocks.tiles(0):
        assert len(set(whole[tile.keep].ravel())) == 1
    assert len(set(whole.ravel())) == blocks.chosen.sum() + 1


def test_many_blocks_are_thinned_evenly_over_scenes_and_by_the_seed():
    scenes = in_memory(numbered((80, 80)), numbered((80, 160), first=6400))

    def pixels(seed):
        return [
            int(number)
            for _, each in draw_blocks(scenes, 4000, halo=0, seed=seed)
            for number in each.block[each.wanted].ravel()
        ]

    assert np.bincount(np.array(pixels(0)) >= 6400).tolist() == [2000, 2000]
    assert pixels(0) == pixels(0)
    assert pixels(0) != pixels(1)


@pytest.fixture
def few(monkeypatch):
    """Count a scene of a thousand pixels as a large one."""
    monkeypatch.setattr(sampling, "MOST_READ", 120)


def test_a_part_of_a_large_scene_in_many_places_is_read_for_its_newest_date(few):
    block = numbered((60, 50), dates=2)
    block[-1, 30:] = np.nan  # a half of the scene has no data

    drawn = [draw(wide(block), view=Newest(most_dates=2), seed=seed).examples for seed in (0, 0, 1)]

    numbers = drawn[0][:, 0, 0]
    known = np.isfinite(drawn[0][:, 1]).all(axis=-1)
    assert 120 <= known.sum() < 120 + 3 * 5
    assert np.ptp(numbers[known] // 50) > 15
    assert np.array_equal(*drawn[:2], equal_nan=True)
    assert not np.array_equal(drawn[0][:100], drawn[2][:100], equal_nan=True)


def test_whole_tiles_are_read_until_enough_pixels_have_data():
    block = numbered((60, 50))
    block[:, 30:] = np.nan

    tiles = list(draw_blocks(wide(block), 200, halo=0, seed=0, whole_tiles=True))

    assert 200 <= sum(each.wanted.sum() for _, each in tiles) < 200 + 3 * 5
    assert all(each.block.shape[1:3] == (3, 5) for _, each in tiles)
