"""Registration: the displacement of a scene is known where the ground shows it, and only there."""

import numpy as np
import pytest
from scipy import ndimage

from anomvae.stats.registration import comparison_windows, displacement
from anomvae.testing.simulate import Sensor, draw_place, observe

SENSOR = Sensor(wavelengths=(490, 560, 665, 842), noise=0.003, wedge=0, shadow=0.03)
MARGIN = 8


def land(place_seed, day, shape=(64, 64)):
    """Image a place on a day, with a margin: (row, col, band)."""
    size = tuple(side + 2 * MARGIN for side in shape)
    place = draw_place(size, np.random.default_rng(place_seed))
    return observe(place, np.random.default_rng([day, 5]), (), SENSOR).block[0].astype(float)


def inner(image, shift=(0, 0)):
    moved = ndimage.shift(image, (*shift, 0), order=3, mode="nearest")
    return moved[MARGIN:-MARGIN, MARGIN:-MARGIN]


def between(reference, image):
    windows = comparison_windows(reference.shape[:2])
    return displacement((reference[window], image[window]) for window in windows)


@pytest.mark.parametrize("shift", [(0, 0), (1, 0), (0.5, -0.7), (-3, 2), (0.3, 0.3)])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_known_shift_between_two_days_is_found_to_a_quarter_of_a_pixel(seed, shift):
    found = between(inner(land(seed, 1)), inner(land(seed, 2), shift))

    assert (found.rows, found.cols) == pytest.approx(shift, abs=0.25)
    assert found.blocks >= 3
    assert found.distance == pytest.approx(np.hypot(found.rows, found.cols))


def test_clouds_gaps_and_another_light_move_nothing():
    reference, image = inner(land(2, 1)), 1.3 * inner(land(2, 2), (2, 1)) + 0.05
    image[10:25, 30:55] = 0.7  # a cloud that no mask hides
    image[40:50, :30] = np.nan
    reference[:12, :20] = np.nan

    found = between(reference, image)

    assert (found.rows, found.cols) == pytest.approx((2, 1), abs=0.25)


@pytest.mark.parametrize("seed", range(4))
def test_what_shows_no_common_detail_has_no_displacement(seed):
    rng = np.random.default_rng(seed)
    clouds = ndimage.gaussian_filter(rng.normal(size=(2, 64, 64, 4)), (0, 6, 6, 0))
    ground = inner(land(seed, 1))

    assert between(ground, inner(land(seed + 10, 1))) is None  # other land
    assert between(clouds[0], clouds[1]) is None
    assert between(*rng.normal(size=(2, 64, 64, 4))) is None  # noise
    assert between(np.ones((64, 64, 4)), ground) is None
    assert between(ground, np.full_like(ground, np.nan)) is None


def test_blocks_lie_in_the_scene_and_hold_a_bounded_number_of_pixels():
    for shape in [(24, 24), (50, 47), (30, 900), (10_980, 10_980)]:
        windows = comparison_windows(shape)

        sides = {(rows.stop - rows.start, cols.stop - cols.start) for rows, cols in windows}
        assert len(sides) == 1
        assert 1 <= len(windows) <= 9
        assert max(max(sides)) <= 160
        assert all(rows.stop <= shape[0] and cols.stop <= shape[1] for rows, cols in windows)
    assert comparison_windows((23, 100)) == []
