"""The scene verdict: what looks like another product, and what is only other land."""

import re
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomvae.stats.domain import BAND_LEVELS, Domain, InDomain
from anomvae.stats.scores import describe_scores
from anomvae.testing.simulate import simulate

BANDS = 24
NAMES = tuple(f"B{number}" for number in range(1, BANDS + 1))
SCORES = (0.5 * np.random.default_rng(0).chisquare(12, 5000)).astype(np.float32)
NORMAL = describe_scores(SCORES)


@cache
def spectra(seed):
    block = simulate((64, 64), seed).block[0].reshape(-1, BANDS)
    return 1e4 * block[np.isfinite(block).all(axis=-1)]


TRAINED = np.quantile(spectra(0), BAND_LEVELS, axis=0)


def verdict(scene, scores=SCORES, flagged=0.002, trained=TRAINED):
    domain = Domain(NAMES, trained, NORMAL)
    return domain.verdict(scene, describe_scores(scores)).with_flagged(flagged, 0.001)


@pytest.mark.parametrize("seed", range(1, 9))
def test_other_land_of_the_same_product_is_in_the_domain(seed):
    assert verdict(spectra(seed)).in_domain is InDomain.YES
    assert verdict(spectra(seed)).reasons == ()


@pytest.mark.parametrize("seed", range(1, 5))
def test_the_offset_of_another_baseline_is_recognised(seed):
    for offset in (1000, -1000):
        found = verdict(spectra(seed) + offset)

        assert found.in_domain is InDomain.NO
        assert "looks like another processing baseline" in found.reasons[0]
        direction, shift = re.search(r"are (\w+) by about ([\d.e+]+):", found.reasons[0]).groups()
        assert direction == ("higher" if offset > 0 else "lower")
        assert float(shift) == pytest.approx(1000, rel=0.2)


@pytest.mark.parametrize("factor", [1e-4, 1e4, 0.01])
def test_another_scaling_is_recognised(factor):
    found = verdict(spectra(1) * factor)

    assert found.in_domain is InDomain.NO
    assert "looks like another scaling" in found.reasons[0]


@given(st.floats(1e-6, 1e6), st.floats(-1e3, 1e3), st.sampled_from([0.0, 1000.0, 3000.0]))
def test_units_do_not_matter(gain, offset, shift):
    scene, known = spectra(1) + shift, verdict(spectra(1) + shift)

    found = verdict(gain * (scene + offset), trained=gain * (TRAINED + offset))

    scaling = any("scaling" in reason for reason in (*known.reasons, *found.reasons))
    assert found.in_domain is known.in_domain or scaling  # a factor depends on where 0 is


def test_clouds_over_most_of_a_scene_are_out_of_range():
    scene = spectra(1).copy()
    scene[: len(scene) * 7 // 10] = 9000.0

    found = verdict(scene)

    assert found.in_domain is InDomain.NO
    assert found.reasons[0].startswith("70% of its pixels lie outside of the training range")


def test_a_single_odd_band_makes_it_doubtful_and_is_named():
    scene = spectra(1).copy()
    scene[:, 6] += 30_000

    found = verdict(scene)

    assert found.in_domain is InDomain.DOUBTFUL
    assert found.reasons == ("most of its pixels lie outside of the training range in B7",)


@pytest.mark.parametrize(("flagged", "expected"), [(0.05, "yes"), (0.2, "doubtful"), (1.0, "no")])
def test_flags_everywhere_are_never_silent(flagged, expected):
    found = verdict(spectra(1), flagged=flagged)

    assert found.in_domain == expected
    assert bool(found.reasons) is (expected != "yes")


def test_a_rule_that_flags_much_of_normal_land_is_no_reason():
    assert verdict(spectra(1)).with_flagged(0.25, expected=0.2).in_domain is InDomain.YES
    assert verdict(spectra(1)).with_flagged(0.25, expected=0.0).in_domain is InDomain.DOUBTFUL


@pytest.mark.parametrize("before", [0.002, 0.2, 1.0])
def test_another_share_flagged_leaves_the_doubts_about_the_scene(before):
    scene = spectra(1) + 1000

    again = verdict(scene, flagged=before).with_flagged(0.2, expected=0.0)

    assert again == verdict(scene, flagged=0.2)
    assert again.reasons == (
        *verdict(scene).reasons,
        "20% of its pixels are above the threshold",
    )
    assert again.in_domain is InDomain.NO


def test_scores_that_are_high_everywhere_are_a_reason():
    assert verdict(spectra(1), SCORES + 5).in_domain is InDomain.DOUBTFUL
    assert verdict(spectra(1), SCORES + 50).in_domain is InDomain.NO


def test_hardly_any_pixels_are_judged_by_their_scores_alone():
    assert verdict(spectra(1)[:50] + 9e5).in_domain is InDomain.YES
    assert verdict(np.full((500, BANDS), np.nan)).in_domain is InDomain.YES
