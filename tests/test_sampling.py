"""Examples are drawn evenly, without bias, and never from held-out blocks; views need not be
pixels."""

from dataclasses import dataclass

import numpy as np
import pytest
from support.spectra import ArrayReader, numbered, scene

from anomvae.pixels.tiling import tile_at
from anomvae.pixels.views import Patches, Series, Spectra
from anomvae.training import sampling
from anomvae.training.sampling import (
    Blocks,
    TrainingScene,
    choose_blocks,
    cut_blocks,
    draw_blocks,
    draw_sample,
    held_out_blocks,
)


@dataclass(frozen=True)
class Normal:
    """A mask of normal pixels in memory."""

    mask: np.ndarray

    def read(self, window):
        return self.mask[window]


@pytest.fixture
def small_tiles(monkeypatch):
    """Read scenes in tiles of 3 x 5 pixels, as if they were large."""
    monkeypatch.setattr(sampling, "fitting_size", lambda *about: (3, 5))


def scenes(*blocks):
    return [TrainingScene(ArrayReader(block, f"scene {i}")) for i, block in enumerate(blocks)]


def draw(training, count=10**6, view=None, held_out=None, seed=0):
    return draw_sample(training, view or Spectra(), count, held_out, seed)


def centres(view, examples):
    """Give the numbers of the pixels that examples of `numbered` stand for."""
    if isinstance(view, Patches):
        return examples[:, 1, 1, 0]
    return examples[..., 0].ravel()


# Drawing


@pytest.mark.usefixtures("small_tiles")
def test_where_there_is_room_every_pixel_is_drawn_once():
    sample = draw(scenes(numbered((7, 11)), numbered((4, 4), first=77)))

    assert sorted(sample.examples[:, 0]) == list(range(77 + 16))
    assert sample.held_out.size == 0
    assert sample.scenes == ("scene 0", "scene 1")


@pytest.mark.usefixtures("small_tiles")
def test_examples_are_drawn_evenly_over_scenes_of_very_different_size():
    blocks = [np.full((1, *shape, 1), i, np.float32) for i, shape in enumerate(SHAPES)]

    sample = draw(scenes(*blocks), count=300)

    assert np.bincount(sample.examples[:, 0].astype(int)).tolist() == [100, 100, 100]


SHAPES = ((30, 4), (80, 80), (13, 11))


@pytest.mark.usefixtures("small_tiles")
def test_what_a_small_scene_leaves_free_is_shared_by_the_scenes_after_it():
    blocks = [np.full((1, side, side, 1), i, np.float32) for i, side in enumerate((4, 40, 60))]

    sample = draw(scenes(*blocks), count=300)

    assert np.bincount(sample.examples[:, 0].astype(int)).tolist() == [16, 142, 142]


@pytest.mark.usefixtures("small_tiles")
def test_a_scene_without_data_takes_nothing_from_the_others():
    empty = np.full((1, 9, 9, 1), np.nan, np.float32)

    sample = draw(scenes(empty, numbered((9, 9)), empty), count=50)

    assert len(sample.examples) == 25  # the last scene's share stays free: it is read only once
    assert np.isfinite(sample.examples).all()


@pytest.mark.usefixtures("small_tiles")
def test_no_example_is_drawn_twice():
    sample = draw(scenes(numbered((20, 20))), count=350)

    assert len(np.unique(sample.examples)) == 350


@pytest.mark.usefixtures("small_tiles")
def test_every_pixel_is_as_likely_as_any_other():
    training, runs, count = scenes(numbered((6, 8))), 1500, 12
    times = np.zeros(48)

    for seed in range(runs):
        times[draw(training, count, seed=seed).examples[:, 0].astype(int)] += 1

    # Each of 48 pixels is drawn with probability 1/4; chi-squared has 47 degrees of freedom, of
    # which the drawing without replacement takes the share 1/4 away.
    expected = runs * count / 48
    chi_squared = ((times - expected) ** 2 / expected).sum() / (1 - 1 / 4)
    assert times.sum() == runs * count
    assert 20 < chi_squared < 85


def test_the_seed_decides_what_is_drawn():
    training = scenes(numbered((20, 20)))

    same = [draw(training, 50, seed=1).examples.tobytes() for _ in range(2)]

    assert same[0] == same[1]
    assert same[0] != draw(training, 50, seed=2).examples.tobytes()


@pytest.mark.usefixtures("small_tiles")
def test_only_normal_pixels_with_data_are_drawn():
    block = numbered((8, 8), bands=2)
    block[0, :2] = np.nan
    block[0, 2, 0, 1] = np.nan  # one band lacks: the detector decides what to do with it
    mask = np.zeros((8, 8), bool)
    mask[:4, :5] = True

    sample = draw([TrainingScene(ArrayReader(block), Normal(mask))])

    assert sorted(sample.examples[:, 0]) == [16, 17, 18, 19, 20, 24, 25, 26, 27, 28]


@pytest.mark.usefixtures("small_tiles")
def test_the_share_without_data_is_that_of_the_pixels_not_of_the_tiles():
    block = numbered((8, 8), bands=2)
    block[0, :2, :4] = np.nan

    sample = draw(scenes(block, numbered((8, 8), bands=2)), view=Patches(1))

    assert sample.nodata == 8 / 128


@pytest.mark.usefixtures("small_tiles")
def test_progress_counts_the_rows_of_all_scenes():
    told = []

    draw_sample(
        scenes(numbered((6, 5)), numbered((3, 6))),
        Spectra(),
        10,
        None,
        seed=0,
        progress=lambda *step: told.append(step),
    )

    assert told[-1] == ("read", 9, 9)
    assert told == sorted(told)


def test_memory_is_bounded_in_bytes_however_many_examples_are_asked_for(monkeypatch):
    monkeypatch.setattr(sampling, "EXAMPLE_BYTES", 4800)
    training = scenes(scene((20, 20), bands=4), scene((30, 30), bands=4))

    spectra = draw(training).examples
    patches = draw(training, view=Patches(1)).examples

    assert spectra.shape == (300, 4)
    assert patches.shape == (33, 3, 3, 4)


@pytest.mark.usefixtures("small_tiles")
def test_under_the_bound_scenes_still_share_evenly(monkeypatch):
    monkeypatch.setattr(sampling, "EXAMPLE_BYTES", 400)
    blocks = [np.full((1, *shape, 1), i, np.float32) for i, shape in enumerate(SHAPES)]

    drawn = draw(scenes(*blocks)).examples

    counts = np.bincount(drawn[:, 0].astype(int))
    assert counts.sum() == 100
    assert counts.max() - counts.min() <= 1


# Views that are not pixels


@pytest.mark.usefixtures("small_tiles")
def test_patches_see_their_true_neighbours_across_tiles():
    block = scene((10, 12), bands=2)

    drawn = draw(scenes(block), view=Patches(1)).examples

    padded = np.pad(block[0], ((1, 1), (1, 1), (0, 0)), constant_values=np.nan)
    expected = [padded[r : r + 3, c : c + 3] for r in range(10) for c in range(12)]
    assert sorted(p.tobytes() for p in drawn) == sorted(p.tobytes() for p in expected)


def test_each_date_gives_its_own_spectra():
    drawn = draw(scenes(numbered((4, 5), dates=3))).examples

    assert sorted(drawn[:, 0]) == list(range(60))


@pytest.mark.usefixtures("small_tiles")
def test_a_view_of_several_dates_draws_series():
    block = numbered((6, 7), bands=2, dates=3)
    block[1, 0, 0] = np.nan

    drawn = draw(scenes(block), view=Series()).examples

    steps = np.diff(drawn, axis=1)  # one pixel's dates lie a whole date apart
    assert drawn.shape == (42, 3, 2)
    assert np.isnan(drawn).any(axis=(1, 2)).sum() == 1
    assert (steps[np.isfinite(steps)] == 42).all()


# Held-out blocks


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("view", [Spectra(), Patches(1), Series()], ids=lambda v: type(v).__name__)
def test_held_out_pixels_are_never_in_the_sample(view):
    dates = 3 if isinstance(view, Series) else 1
    block = numbered((24, 30), dates=dates)
    held_out = held_out_blocks((24, 30), seed=4, scene=0)
    where = held_out.inside((slice(0, 24), slice(0, 30)))

    sample = draw(scenes(block), view=view, held_out=[held_out])

    assert set(centres(view, sample.held_out)) == set(block[:, where].ravel())
    seen = sample.examples[np.isfinite(sample.examples)]
    assert not set(seen) & set(block[:, where].ravel())
    if view.radius == 0:
        assert set(centres(view, sample.examples)) == set(block[:, ~where].ravel())


@pytest.mark.parametrize(
    ("shape", "side"), [((96, 96), 12), ((80, 1000), 10), ((600, 512), 64), ((7, 50), 4)]
)
def test_a_block_has_an_eighth_of_the_shorter_side_from_4_to_64_pixels(shape, side):
    blocks = cut_blocks(shape)

    assert blocks.side == side
    assert blocks.chosen.all()


@pytest.mark.parametrize("shape", [(96, 96), (65, 83), (512, 700)])
def test_a_fifth_of_the_blocks_is_held_out(shape):
    every, held_out = cut_blocks(shape), held_out_blocks(shape, seed=0, scene=0)

    assert held_out.side == every.side
    assert held_out.chosen.sum() == round(0.2 * every.chosen.size)


def test_held_out_blocks_differ_by_seed_and_by_scene_and_repeat():
    def held_out(seed, scene):
        return held_out_blocks((96, 96), seed, scene).chosen.tobytes()

    assert held_out(0, 0) == held_out(0, 0)
    assert len({held_out(0, 0), held_out(0, 1), held_out(1, 0)}) == 3


@pytest.mark.parametrize(("share", "count"), [(0.0, 1), (0.01, 1), (0.5, 4), (1.0, 7)])
def test_at_least_one_block_is_chosen_and_at_the_most_all_but_one(share, count):
    blocks = Blocks((2, 4), 1, np.ones((2, 4), bool))

    assert choose_blocks(blocks, share, (0,)).chosen.sum() == count


def test_only_blocks_that_were_chosen_can_be_chosen_again():
    half = Blocks((2, 4), 1, np.array([[True] * 4, [False] * 4]))

    chosen = choose_blocks(half, 0.5, (3,)).chosen

    assert chosen[0].sum() == 2
    assert not chosen[1].any()


@pytest.mark.parametrize("halo", [0, 2])
def test_blocks_as_tiles_partition_the_grid_and_carry_their_halo(halo):
    shape = (19, 33)
    visits = np.zeros(shape, int)

    for tile in cut_blocks(shape).tiles(halo):
        visits[tile.keep] += 1
        assert tile == tile_at(tile.keep, shape, halo)

    assert (visits == 1).all()


def test_chosen_blocks_and_their_pixels_agree():
    blocks = held_out_blocks((40, 50), seed=0, scene=0)
    visited = np.zeros((40, 50), bool)

    for tile in blocks.tiles(halo=3):
        visited[tile.keep] = True

    assert np.array_equal(visited, blocks.inside((slice(0, 40), slice(0, 50))))
    window = slice(7, 31), slice(11, 50)
    assert np.array_equal(visited[window], blocks.inside(window))


def test_a_block_is_read_with_its_halo_but_only_its_own_pixels_are_wanted():
    training = TrainingScene(ArrayReader(numbered((20, 20))), Normal(np.ones((20, 20), bool)))
    tile = tile_at((slice(4, 8), slice(0, 4)), (20, 20), halo=2)

    block, wanted = training.read(tile)

    assert block.shape == (1, 8, 6, 1)
    assert wanted.shape == (1, 8, 6)
    assert wanted.sum() == 16
    assert block[wanted][0, 0] == 4 * 20


# Going through blocks


def test_all_chosen_blocks_are_gone_through_where_they_hold_few_pixels():
    training = scenes(numbered((40, 40)), numbered((30, 50)))
    blocks = [held_out_blocks(s.reader.grid.shape, 0, i) for i, s in enumerate(training)]

    visited = list(draw_blocks(training, blocks, 10**6, halo=1, seed=0))

    assert [tile for _, tile in visited] == [t for cut in blocks for t in cut.tiles(1)]
    assert [s for s, _ in visited] == [
        s for s, cut in zip(training, blocks, strict=True) for _ in range(cut.chosen.sum())
    ]


def test_many_blocks_are_thinned_evenly_over_scenes_and_by_the_seed():
    training = scenes(numbered((80, 80)), numbered((80, 160)))
    blocks = [cut_blocks(s.reader.grid.shape) for s in training]

    def visit(seed):
        return list(draw_blocks(training, blocks, 4000, halo=0, seed=seed))

    pixels = [sum(np.prod(t.shape) for s, t in visit(0) if s is one) for one in training]
    assert pixels == [2000, 2000]
    assert visit(0) == visit(0)
    assert visit(0) != visit(1)
