"""What is beside a pixel: the dates before it, the pixels around it."""

import numpy as np
import pytest
import torch
from support.spectra import around, fit_scene, scene

from anomvae.errors import ConfigError
from anomvae.models.families import Sizes, family_named, require_dates
from anomvae.pixels.annulus import Annulus

BANDS = 4
DATES = 5


PATCH = Annulus(outer=5, guard=3)


def model(family, patch=PATCH):
    torch.manual_seed(0)
    sizes = Sizes(BANDS, latent=2, hidden=(16, 8), patch=patch)
    return family_named(family).build(sizes).eval()


def series(count=3, dates=DATES):
    return torch.randn(count, dates, BANDS, generator=torch.Generator().manual_seed(1))


def patches(side, count=3):
    return torch.randn(count, side, side, BANDS, generator=torch.Generator().manual_seed(1))


def changed(made, x, place, value):
    """Tell which numbers of the contexts change with one pixel."""
    other = x.clone()
    other[place] = value
    return made.prepare(other).context != made.prepare(x).context


@pytest.mark.parametrize("date", range(DATES))
@pytest.mark.parametrize("value", [3.0, torch.nan])
def test_a_date_is_told_to_those_after_it_and_to_no_other(date, value):
    told = changed(model("sequential"), series(), (1, date), value).any(-1)

    expected = torch.zeros_like(told)
    expected[1, date + 1 :] = True
    assert torch.equal(told, expected)


def test_before_the_first_date_there_is_nothing_to_tell():
    made = model("sequential")

    first = made.prepare(series()).context[:, 0]

    assert torch.equal(first, made.mean_context(3))
    assert (first == 0).all()


def test_the_latest_known_date_is_told_across_a_gap():
    made, x = model("sequential"), series()
    x[0, 2:4] = torch.nan

    seen = made.prepare(x)

    assert torch.equal(seen.context[0, 4, -BANDS:], x[0, 1])
    assert torch.equal(seen.context[1, 4, -BANDS:], x[1, 3])
    unknown = seen.known.logical_not().nonzero().tolist()
    assert unknown == [[0, 0], [0, 2], [0, 3], [1, 0], [2, 0]]


def test_scores_of_earlier_dates_do_not_depend_on_later_ones():
    block = scene((6, 7), BANDS, DATES, seed=2)
    detector = fit_scene(
        scene((10, 12), BANDS, DATES), model={"family": "sequential"}, training={"max_steps": 20}
    )

    whole, part = detector.score(block).total, detector.score(block[:3]).total

    assert np.allclose(whole[:3], part, rtol=1e-5, equal_nan=True)


def test_a_missing_date_is_masked_and_the_others_are_scored():
    block = scene((6, 7), BANDS, DATES, seed=2)
    block[1] = np.nan
    block[2, 0, 0, 1] = np.nan
    training = scene((10, 12), BANDS, DATES)
    training[3, :5] = np.nan

    detector = fit_scene(training, model={"family": "sequential"}, training={"max_steps": 20})
    scores = detector.score(block).total

    whole = np.isfinite(block).all(-1)
    assert np.isnan(scores[0]).all()
    assert np.array_equal(np.isnan(scores[1:]), ~whole[1:])
    assert detector.card.training.pixels == 10 * 12


@pytest.mark.parametrize(("side", "guard"), [(5, 1), (7, 3), (7, 5), (9, 3), (3, 1)])
def test_a_patch_shows_what_lies_outside_the_guard_window(side, guard):
    made, x = model("spatial", Annulus(side, guard)), patches(side)

    seen = [
        changed(made, x, (1, *place), value).any()
        for place in np.ndindex(side, side)
        for value in (5.0,)
    ]

    expected = around(Annulus(side, guard), (side, side), (side // 2, side // 2))
    assert np.array_equal(np.reshape(seen, (side, side)), expected)


def test_without_a_guard_the_pixel_is_seen_and_the_decoder_is_told_nothing():
    made, x = model("spatial", Annulus(5, 0)), patches(5)

    assert changed(made, x, (1, 2, 2), 5.0).any()
    z = torch.zeros(3, 2)
    assert torch.equal(made.decode(z, made.prepare(x).context), made.decode(z))


def test_neighbours_without_data_are_told_as_such():
    made = model("spatial")
    made.context_network.unseen.data.uniform_()

    nothing = made.prepare(torch.full((2, 5, 5, BANDS), torch.nan))

    assert not nothing.known.any()
    assert torch.allclose(nothing.context, made.mean_context(2), atol=1e-6)
    told = made.prepare(torch.zeros(2, 5, 5, BANDS)).context
    assert not torch.allclose(told, nothing.context, atol=1e-6)


@pytest.mark.parametrize("patch", [[4, 1], [7, 2], [7, 7], [257, 3], [5, -1]])
def test_what_is_no_patch_is_refused(patch):
    with pytest.raises(ValueError, match=r"is no patch: .* such as \[7, 3\]"):
        fit_scene(scene((8, 8)), model={"family": "spatial", "patch": patch})


def test_a_patch_is_kept_with_the_detector():
    detector = fit_scene(
        scene((12, 12)),
        model={"family": "spatial", "patch": [5, 0]},
        training={"max_steps": 2},
    )

    assert detector.card.patch == Annulus(5, 0)
    assert detector.radius == 2


def test_one_date_is_refused_by_a_family_that_compares_dates_alone():
    require_dates("vae", 1)
    require_dates("sequential", 2)
    with pytest.raises(
        ConfigError, match=r"compares a date .* one date is given. Give two or more"
    ):
        require_dates("sequential", 1)
