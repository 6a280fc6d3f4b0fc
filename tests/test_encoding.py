"""Random numbers of pixels, and the codes drawn by them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomvae.detector.encoding import Encoding, pixel_noise
from anomvae.errors import ConfigError


def places(rows, cols, start=(0, 0)):
    grid = np.mgrid[start[0] : start[0] + rows, start[1] : start[1] + cols]
    return grid.reshape(2, -1).T


@given(
    seed=st.integers(0, 2**63 - 1),
    draw=st.integers(0, 9999),
    start=st.tuples(*[st.integers(0, 10**6)] * 2),
)
def test_the_noise_of_a_pixel_depends_on_no_other_pixel(seed, draw, start):
    window = places(5, 7, start)

    noise = pixel_noise(seed, draw, window, 4)

    alone = [pixel_noise(seed, draw, window[i : i + 1], 4)[0] for i in (0, 17, 34)]
    assert np.array_equal(noise[[0, 17, 34]], alone)
    assert np.isfinite(noise).all()


def test_noise_is_standard_normal_and_independent_along_every_argument():
    square = places(200, 200)
    noise = np.concatenate([pixel_noise(s, d, square, 3) for s in (0, 1) for d in (0, 1)], axis=1)

    correlation = np.corrcoef(noise.T) - np.eye(12)
    image = noise[:, 0].reshape(200, 200)

    assert np.abs(noise.mean(axis=0)).max() < 0.02
    assert np.abs(noise.std(axis=0) - 1).max() < 0.02
    assert np.abs(correlation).max() < 0.03
    assert abs((image[1:] * image[:-1]).mean()) < 0.02
    assert abs((image[:, 1:] * image[:, :-1]).mean()) < 0.02
    assert abs((image * image.T).mean()) < 0.02


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"how": "mode"}, "how = 'mode'"),
        ({"samples": 4}, "samples = 4 with how = 'mean'"),
        ({"how": "average", "samples": 10_001}, "give 1 to 10000 draws"),
        ({"how": "sample", "seed": -1}, "seed = -1"),
    ],
)
def test_an_encoding_that_does_not_fit_is_refused(options, problem):
    with pytest.raises(ConfigError, match=problem):
        Encoding(**options)
