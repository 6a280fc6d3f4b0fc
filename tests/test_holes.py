"""Holes in a scene: pixels beside them are as often anomalous as they are without the hole."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, maximum_filter
from support.spectra import fit_scene, scene

from anomvae.pixels.annulus import Annulus
from anomvae.stats.local_contrast import LocalContrastWeighting, fit_local_contrast

SIDE = 128
ROW, COL = np.indices((SIDE, SIDE))
HOLES = {
    "squares": (ROW // 16 % 2 == 0) & (COL // 16 % 2 == 0),
    "lines": ROW % 12 < 8,
    "broken clouds": np.random.default_rng(0).random((SIDE, SIDE)) < 0.6,
    "closed clouds": np.random.default_rng(0).random((SIDE, SIDE)) < 0.85,
}


def land(seed):
    """Draw scores (time, row, col) and codes (time, row, col, latent), alike nearby."""
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.normal(size=(SIDE, SIDE, 9)), 6, axes=(0, 1))
    field = smooth / smooth.std(axis=(0, 1)) + 0.3 * rng.normal(size=smooth.shape)
    return np.exp(field[None, ..., 0]).astype(np.float32), field[None, ..., 1:].astype(np.float32)


def flags(weighting, hole, seed):
    """Count the pixels beside a hole that are above one threshold, with and without the hole."""
    score, code = land(seed)
    fit = fit_local_contrast(weighting, score.ravel(), code.reshape(-1, 8), seed)
    holed = np.where(hole, np.nan, score), np.where(hole[..., None], np.nan, code)
    without, within = score * fit.factor(score, code), holed[0] * fit.factor(*holed)
    near, threshold = maximum_filter(hole, 5) & ~hole, np.quantile(without, 0.98)
    return np.array([(one[0][near] > threshold).sum() for one in (within, without)])


@pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES)
@pytest.mark.parametrize("distance", [0.5, 1.0])
def test_pixels_beside_a_hole_are_flagged_as_often_as_without_it(hole, distance):
    weighting = LocalContrastWeighting(Annulus(21, 7), 0.65, distance)

    within, without = flags(weighting, hole, seed=0) + flags(weighting, hole, seed=1)

    assert without > 60
    assert 1 / 1.5 < within / without < 1.5


@pytest.mark.parametrize("family", ["cvae", "spatial"])
def test_a_hole_changes_no_score_beyond_the_receptive_radius(family):
    block = scene((48, 48), seed=4)
    score = {"local_contrast": 0.65, "latent_distance": 0.5, "annulus": [9, 3]}
    detector = fit_scene(block, model={"family": family}, score=score, training={"max_steps": 5})
    holed = block.copy()
    holed[:, :8, :8] = np.nan

    same = detector.score(holed).total[0] == detector.score(block).total[0]

    reach = 8 + detector.radius
    assert same[reach:].all()
    assert same[:, reach:].all()
    assert not same[8:reach, 8:reach].all()
