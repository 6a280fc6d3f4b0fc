"""An eventful season: what differs between its scenes, and that it is drawn the same each time."""

from dataclasses import replace

import numpy as np
import pytest

from anomvae.testing.eventful import EventfulSeason, archive, course, season
from anomvae.testing.simulate import Sensor

SEASON = EventfulSeason()
CALM = replace(
    SEASON, clouds=0.0, stray=0, hazy=0, sensor=Sensor((560, 665, 842), 0.0, (), 0.0, 0.0)
)


@pytest.fixture(scope="module")
def calm():
    """Draw a season without clouds, noise, shadows and haze."""
    drawn = course(CALM, 0)
    return drawn, list(season(drawn))


def block(acquisition):
    return acquisition.scene.block[0].astype(float)


def apart(one, other):
    return float(np.nanmean(np.abs(one - other)))


def test_equal_arguments_give_equal_seasons_and_another_seed_another():
    small = replace(SEASON, scenes=3, archive=2)

    one, again, other = (course(small, seed) for seed in (0, 0, 1))

    for draw in (archive, season):
        for first, second, third in zip(draw(one), draw(again), draw(other), strict=True):
            assert first.scene.block.tobytes() == second.scene.block.tobytes()
            assert apart(block(first), block(third)) > 0


def test_the_archive_ends_where_the_season_begins_and_holds_land_alone():
    drawn = course(SEASON, 0)

    before, first = archive(drawn), next(season(drawn))

    assert len(before) == SEASON.archive
    assert (first.date - before[-1].date).days == SEASON.every
    assert all(one.scene.valid.all() and not one.scene.labels.any() for one in before)


def test_an_object_lasts_and_another_is_there_on_one_date_alone(calm):
    drawn, scenes = calm
    pixels = {
        one.number: int((one.scene.fraction > 0.99).sum()) for one in scenes if not any(one.shift)
    }

    lasting = {number: 30 * (number >= CALM.lasting) for number in pixels}
    lasting[drawn.vanishing] += 30

    assert pixels == lasting


def test_crops_grow_over_the_season_further_than_in_the_winter_before(calm):
    drawn, scenes = calm
    crops = drawn.place.abundances[5:-5, 5:-5, 0] > 0.9

    def green(acquisition):
        red, infrared = (block(acquisition)[crops, band] for band in (1, 2))
        return float(np.mean((infrared - red) / (infrared + red)))

    before = [green(one) for one in archive(drawn)[-30:]]
    after = [green(one) for one in scenes if not any(one.shift) and not one.offset]

    assert max(before) < max(after)
    assert min(before) < min(after) < max(before)
    assert np.abs(np.diff(after)).max() < 0.3 * np.ptp(before + after)


@pytest.mark.parametrize("seed", range(3))
def test_a_shifted_grid_shows_the_land_a_few_pixels_further(seed):
    drawn = course(replace(CALM, lasting=24), seed)
    scenes = list(season(drawn))

    assert len(drawn.shifts) == CALM.shifted
    for number in sorted(drawn.shifts.keys() - {drawn.vanishing}):
        down, right = (round(float(np.trunc(step))) for step in scenes[number].shift)
        plain = next(one for one in scenes[number - 1 :: -1] if not any(one.shift))
        moved = np.roll(block(scenes[number]), (down, right), (0, 1))
        inner = (slice(4, -4), slice(4, -4))
        if down or right:
            as_is = apart(block(scenes[number])[inner], block(plain)[inner])
            assert apart(moved[inner], block(plain)[inner]) < as_is


def test_haze_brightens_dark_pixels_and_hides_differences():
    drawn = course(replace(SEASON, clouds=0.0), 0)
    hazy = [one for one in season(drawn) if one.hazy]

    clear = block(archive(drawn)[-1])

    assert len(hazy) == SEASON.hazy
    for one in hazy:
        assert np.quantile(block(one), 0.05, (0, 1))[0] > np.quantile(clear, 0.95, (0, 1))[0]
        assert block(one)[..., 0].std() < clear[..., 0].std()


def test_from_a_date_on_all_values_are_higher(calm):
    _, scenes = calm

    plain, offset = scenes[CALM.offset_from - 2], scenes[CALM.offset_from :]

    assert [one.number for one in scenes if one.offset] == [*range(24, 30)]
    for one in offset:
        assert np.median(block(one) - block(plain)) == pytest.approx(CALM.offset, abs=0.04)


def test_clouds_are_no_data_but_for_a_few_small_ones():
    drawn = course(SEASON, 0)
    scenes = [one for one in season(drawn) if not one.hazy and not one.offset]

    hidden = [1 - one.scene.valid.mean() for one in scenes]
    bright = {one.number for one in scenes if (block(one)[..., :3] > 0.4).all(-1).sum() > 9}

    assert 0.03 < np.mean(hidden) < 0.2
    assert np.std(hidden) > 0.02
    assert bright == drawn.stray
