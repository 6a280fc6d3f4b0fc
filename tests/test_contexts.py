"""Context networks: the dates before a pixel, the pixels around it."""

import numpy as np
import pytest
import torch
from support.models import BANDS, examples, untrained
from support.spectra import around, fit_scene, scene

from anomvae.errors import ConfigError
from anomvae.pixels.annulus import Annulus
from anomvae.pixels.views import Series, Spectra, require_dates

DATES = 5
PATCH = Annulus(outer=5, guard=3)


def model(family, patch=PATCH):
    return untrained(family, patch=patch).eval()


def changed(built, x, index, value):
    """Return which context features change with one pixel."""
    other = x.clone()
    other[index] = value
    return built.prepare(other).context != built.prepare(x).context


@pytest.mark.parametrize("date", range(DATES))
@pytest.mark.parametrize("value", [3.0, torch.nan])
def test_the_context_of_a_date_depends_on_earlier_dates_alone(date, value):
    features = changed(model("sequential"), examples(3, DATES), (1, date), value).any(-1)

    expected = torch.zeros_like(features)
    expected[1, date + 1 :] = True
    assert torch.equal(features, expected)


def test_the_context_is_empty_at_first_and_holds_the_latest_known_date_across_a_gap():
    built, x = model("sequential"), examples(3, DATES)
    x[0, 2:4] = torch.nan

    prepared = built.prepare(x)

    assert torch.equal(prepared.context[:, 0], torch.zeros_like(prepared.context[:, 0]))
    assert torch.equal(prepared.context[0, 4, -BANDS:], x[0, 1])
    assert torch.equal(prepared.context[1, 4, -BANDS:], x[1, 3])
    unknown = prepared.known.logical_not().nonzero().tolist()
    assert unknown == [[0, 0], [0, 2], [0, 3], [1, 0], [2, 0]]


def test_training_and_scores_skip_missing_dates_and_do_not_depend_on_later_ones():
    block, training = scene((6, 7), BANDS, DATES, seed=2), scene((10, 12), BANDS, DATES)
    block[1] = np.nan
    block[2, 0, 0, 1] = np.nan
    training[3, :5] = np.nan

    detector = fit_scene(training, model={"family": "sequential"}, training={"max_steps": 20})
    scores = detector.score(block).total

    assert np.allclose(scores[:3], detector.score(block[:3]).total, rtol=1e-5, equal_nan=True)
    assert np.isnan(scores[0]).all()
    assert np.array_equal(np.isnan(scores[1:]), ~np.isfinite(block[1:]).all(-1))
    assert detector.card.training.pixels == 10 * 12


@pytest.mark.parametrize(("side", "guard"), [(5, 1), (7, 3), (7, 5), (9, 3), (3, 1)])
def test_the_context_of_a_patch_depends_on_the_pixels_outside_the_guard_window(side, guard):
    built, x = model("spatial", Annulus(side, guard)), examples(3, side, side)

    pixels = [changed(built, x, (1, *index), 5.0).any() for index in np.ndindex(side, side)]

    expected = around(Annulus(side, guard), (side, side), (side // 2, side // 2))
    assert np.array_equal(np.reshape(pixels, (side, side)), expected)


def test_without_a_guard_window_the_context_holds_the_pixel_and_goes_to_the_encoder_alone():
    built, x, z = model("spatial", Annulus(5, 0)), examples(3, 5, 5), torch.zeros(3, 2)

    assert changed(built, x, (1, 2, 2), 5.0).any()
    assert torch.equal(built.decode(z, built.prepare(x).context), built.decode(z))


@pytest.mark.parametrize("guard", [0, 1, 3])
def test_neighbours_without_data_count_as_the_mean_of_those_that_have_some(guard):
    built, x = model("spatial", Annulus(5, guard)), examples(3, 5, 5)
    built.context_network.missing.data.uniform_()
    given = (
        torch.from_numpy(around(Annulus(5, guard), (5, 5), (2, 2))) if guard else x[0, ..., 0] < 9
    )
    hole = torch.zeros(5, 5, dtype=torch.bool)
    hole[:2, 1:] = True
    holed, filled = x.clone(), x.clone()
    holed[1, hole] = torch.nan
    filled[1, hole] = x[1, given & ~hole].mean(dim=0)

    contexts = built.prepare(holed).context, built.prepare(filled).context

    assert torch.allclose(*contexts, atol=1e-5)
    assert torch.equal(contexts[0][[0, 2]], built.prepare(x).context[[0, 2]])


def test_neighbours_without_data_are_not_the_same_as_neighbours_of_0():
    built = model("spatial")
    built.context_network.missing.data.uniform_()

    missing = built.prepare(torch.full((2, 5, 5, BANDS), torch.nan))
    zeros = built.prepare(torch.zeros(2, 5, 5, BANDS))

    assert not missing.known.any()
    assert not torch.allclose(zeros.context, missing.context, atol=1e-6)


@pytest.mark.parametrize("patch", [[4, 1], [7, 2], [7, 7], [257, 3], [5, -1]])
def test_an_impossible_patch_is_refused(patch):
    with pytest.raises(ValueError, match=r"is no patch: .* such as \[7, 3\]"):
        fit_scene(scene((8, 8)), model={"family": "spatial", "patch": patch})


def test_a_detector_keeps_its_patch():
    model = {"family": "spatial", "patch": [5, 0]}

    detector = fit_scene(scene((12, 12)), model=model, training={"max_steps": 2})

    assert detector.card.patch == Annulus(5, 0)
    assert detector.radius == 2


def test_a_family_that_compares_dates_refuses_a_single_one():
    require_dates(Spectra(), 1, "vae")
    require_dates(Series(), 2, "sequential")
    with pytest.raises(ConfigError, match=r"compares a date .* one date is given. Give two or mo"):
        require_dates(Series(), 1, "sequential")
