"""Folding: scores of the folded model are those of its parts, in float64, one after the other."""

from copy import deepcopy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.spectra import fit_scene, scene, spectra
from torch import nn

from anomvae.detector import CHUNK
from anomvae.detector.batches import FEWEST, NUMBERS, batch_rows, batches, run_in_threads
from anomvae.detector.fused import FusedDense, fuse
from anomvae.models import LIKELIHOODS, MLP
from anomvae.models.families import FAMILIES
from anomvae.stats.noise import KINDS
from anomvae.stats.scaler import FARTHEST, Scaler


@cache
def fitted(family="vae", noise="band", likelihood="student-t", bands=6):
    return fit_scene(
        scene((20, 30), bands, 3 if FAMILIES[family].of_dates else 1),
        model={"family": family, "likelihood": likelihood},
        training={"max_steps": 30},
        score={"noise": noise},
    )


def part_by_part(detector, x):
    """Scale, encode, decode, whiten and add up as the documentation says, in float64."""
    count, model = len(detector.bands), deepcopy(detector.model).double()
    away = (x[..., :count].astype(np.float64) - detector.scaler.centre) / detector.scaler.std
    scaled = torch.from_numpy(np.clip(away, -FARTHEST, FARTHEST))
    told = None
    if detector.context is not None:
        told = torch.from_numpy(detector.context.standardised(x[..., count:])).double()
    with torch.inference_mode():
        seen = model.prepare(scaled, told)
        code = model.encode(seen.x, seen.context)
        residual = seen.x - model.decode(code.z, seen.context) - torch.tensor(detector.noise.centre)
        root = torch.tensor(detector.noise.whitening)
        white = residual @ root if root.ndim == 2 else residual * root
        terms = (
            model.likelihood.nll_above_mode(white.square()).sum(-1),
            detector.card.kl_weight * code.kl,
        )
    return np.stack([term.numpy() for term in terms])


def examples_of(detector, seed=2):
    block = scene((10, 15), len(detector.bands), 3, seed)
    view = detector.view
    return view.split(block, view.where(block))[:]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("noise", KINDS)
def test_the_score_of_every_family_is_that_of_its_parts(family, noise):
    detector = fitted(family, noise)
    x = examples_of(detector)

    terms = np.stack(detector.score_examples(x))

    assert terms == pytest.approx(part_by_part(detector, x), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("noise", KINDS)
@pytest.mark.parametrize("bands", [6, 16, 40])
def test_the_score_is_that_of_its_parts_whatever_the_likelihood(likelihood, noise, bands):
    detector, x = fitted("vae", noise, likelihood, bands), spectra(500, bands, seed=2)

    terms = np.stack(detector.score_examples(x))

    assert terms.sum(0) == pytest.approx(part_by_part(detector, x).sum(0), rel=2e-5)


@settings(deadline=None)  # the first example trains
@given(
    offset=st.floats(-1e6, 1e6, width=32),
    ratio=st.floats(1e-6, 1e4),
    noise=st.sampled_from(["band", "covariance"]),
)
def test_bands_far_from_zero_keep_their_digits(offset, ratio, noise):
    # The same pixels as before in other units: mean and spread of a band may be far apart.
    fit, x = fitted("vae", noise), spectra(200, seed=2)
    std = fit.scaler.std * ratio
    told = (x - fit.scaler.centre) * ratio + offset
    scaler = Scaler(np.full(6, offset) + 1e-7 * offset, std)
    detector = replace(fit, scaler=scaler)
    given_units = told.astype(np.float32)

    terms = np.stack(detector.score_examples(given_units)).sum(0)

    assert terms == pytest.approx(part_by_part(detector, given_units).sum(0), rel=2e-5)


@pytest.mark.parametrize("family", sorted(FAMILIES.keys() - {"cvae", "sequential", "spatial"}))
def test_codes_and_means_are_those_of_the_model_that_is_not_folded(family):
    detector, x = fitted(family), spectra(50, seed=2)
    scaled = torch.from_numpy(detector.scaler.scale(x))

    with torch.inference_mode():
        code = detector.model.encode(scaled).z.numpy()
        mean = detector.scaler.unscale(detector.model.mean(scaled).numpy())

    assert detector.encode(x) == pytest.approx(code, rel=1e-4, abs=1e-5)
    assert detector.reconstruct(x) == pytest.approx(mean, rel=1e-5)


def test_folding_leaves_the_model_as_it_was():
    detector = fitted()
    before = detector.to_bytes()

    detector.score(scene((4, 4)))

    assert detector.to_bytes() == before


@given(widest=st.integers(1, 10**6))
def test_a_pass_is_a_power_of_two_that_fits_the_cache_within_bounds(widest):
    rows = batch_rows(widest)

    assert FEWEST <= rows <= CHUNK
    assert rows & (rows - 1) == 0
    assert rows * widest <= NUMBERS or rows == FEWEST
    assert 2 * rows * widest > NUMBERS or rows == CHUNK


@pytest.mark.parametrize("count", [0, 1, 8, 9, 16])
def test_only_the_last_pass_is_padded_and_whole_ones_are_not_copied(count):
    x = spectra(count)

    parts = list(batches(x, 8))

    assert [len(part) for part in parts] == [8] * max(1, -(-count // 8))
    assert np.array_equal(np.concatenate(parts)[:count], x)
    assert not np.concatenate(parts)[count:].any()
    assert all(np.shares_memory(part, x) for part in parts[: count // 8])


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 64), (12, 5), (12, 64), (64, 12), (200, 128)])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_layer_in_one_call_gives_an_example_the_same_bits_wherever_it_lies(
    inputs, outputs, threads
):
    torch.manual_seed(0)
    network = MLP(inputs, [outputs]).requires_grad_(False)
    fused, x = nn.Sequential(deepcopy(network)), torch.randn(37, inputs)
    fuse(fused)
    expected = network.double()(x.double())

    torch.set_num_threads(threads)
    try:
        answers = fused(x.repeat(28, 1)[:1024]).split(37)
    finally:
        torch.set_num_threads(1)

    assert any(isinstance(part, FusedDense) for part in fused.modules())
    assert answers[0].numpy() == pytest.approx(expected.numpy(), rel=1e-5, abs=1e-5)
    assert all(torch.equal(part, answers[0][: len(part)]) for part in answers)


@pytest.mark.parametrize("family", FAMILIES)
def test_where_torch_lacks_the_call_scores_are_the_same_but_for_rounding(family, monkeypatch):
    detector = fitted(family)
    x = examples_of(detector)
    expected = np.stack(detector.score_examples(x))

    monkeypatch.setattr("anomvae.detector.fused.OPERATOR", "_missing")
    without = replace(detector)  # folded anew

    assert np.stack(without.score_examples(x)) == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 100])
def test_runs_on_threads_come_in_order_and_are_of_whole_passes(count):
    x, seen = spectra(count), []

    def work(run):
        seen.append((len(run), torch.get_num_threads()))
        return run

    torch.set_num_threads(2)
    try:
        done = run_in_threads(work, x, 8)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)

    assert np.array_equal(np.concatenate(done), x)
    assert sum(len(run) % 8 > 0 for run in done) <= 1
    assert all(threads == 1 for _, threads in seen) or len(seen) == 1


def test_a_failure_on_a_thread_is_told_and_torch_has_its_threads_again():
    def work(run):
        raise RuntimeError("broken")

    torch.set_num_threads(2)
    try:
        with pytest.raises(RuntimeError, match="broken"):
            run_in_threads(work, spectra(100), 8)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_examples_that_may_not_be_written_to_are_scored():
    x = spectra(CHUNK + 5, seed=2)
    expected = np.stack(fitted().score_examples(x))
    x.flags.writeable = False

    assert np.stack(fitted().score_examples(x)).tobytes() == expected.tobytes()
