"""The scoring program: its scores are those of the model's parts, in float64, step by step."""

from copy import deepcopy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.spectra import fit_scene, plan_of, scene, spectra
from torch import nn

from anomvae.detector import torch_threads
from anomvae.detector.batches import (
    CHUNK,
    FEWEST_ROWS,
    LAYER_VALUES,
    batch_rows,
    batches,
    run_in_threads,
)
from anomvae.detector.fused import FusedDense, fuse
from anomvae.models import LIKELIHOODS, MLP
from anomvae.models.families import FAMILIES
from anomvae.stats.scaler import FARTHEST, Scaler


@cache
def fitted(family="vae", noise="band", likelihood="student-t", bands=6):
    return fit_scene(
        scene((20, 30), bands, 3 if plan_of(model={"family": family}).view.compares_dates else 1),
        model={"family": family, "likelihood": likelihood},
        training={"max_steps": 30},
        score={"noise": noise},
    )


def terms_of(detector, x):
    return np.stack(detector.score_examples(x)[:3])


def expected_terms(detector, x):
    """Scale, encode, decode, whiten and add up as the documentation does, in float64."""
    count, model = len(detector.bands), deepcopy(detector.model).double()
    distance = (x[..., :count].astype(np.float64) - detector.scaler.centre) / detector.scaler.std
    scaled = torch.from_numpy(np.clip(distance, -FARTHEST, FARTHEST))
    features = None
    if detector.context is not None:
        features = torch.from_numpy(detector.context.standardised(x[..., count:])).double()
    noise = detector.noise
    with torch.inference_mode():
        batch = model.prepare(scaled, features)
        code = model.encode(batch.x, batch.context)
        residual = batch.x - model.decode(code.z, batch.context) - torch.tensor(noise.centre)
        root = torch.tensor(noise.whitening)
        white = residual @ root if root.ndim == 2 else residual * root
        nll = model.likelihood.nll_above_mode(white.square()).sum(-1)
    spectra, linear = batch.x.numpy(), np.zeros(nll.shape)
    if detector.linear is not None:
        linear = detector.linear.score(spectra.reshape(-1, count)).reshape(nll.shape)
    return np.stack([nll.numpy(), (detector.card.kl_weight * code.kl).numpy(), linear])


def examples_of(detector, seed=2):
    block = scene((10, 15), len(detector.bands), 3, seed)
    view = detector.view
    return view.split(block, view.where(block))[:]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("noise", ["unit", "band", "covariance"])
def test_terms_of_every_family_are_those_of_its_parts(family, noise):
    detector = fitted(family, noise)
    x = examples_of(detector)

    terms = terms_of(detector, x)

    assert terms == pytest.approx(expected_terms(detector, x), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("noise", ["unit", "band", "covariance"])
@pytest.mark.parametrize("bands", [6, 16, 40])
def test_scores_of_every_likelihood_are_those_of_its_parts(likelihood, noise, bands):
    detector, x = fitted("vae", noise, likelihood, bands), spectra(500, bands, seed=2)

    terms = terms_of(detector, x)

    assert terms.sum(0) == pytest.approx(expected_terms(detector, x).sum(0), rel=2e-5)


@settings(deadline=None)  # the first example trains
@given(
    offset=st.floats(-1e6, 1e6, width=32),
    ratio=st.floats(1e-6, 1e4),
    noise=st.sampled_from(["band", "covariance"]),
)
def test_bands_far_from_zero_keep_their_digits(offset, ratio, noise):
    # The same pixels in other units: the mean of a band may be far above its deviation.
    detector, x = fitted("vae", noise), spectra(200, seed=2)
    converted = ((x - detector.scaler.centre) * ratio + offset).astype(np.float32)
    scaler = Scaler(np.full(6, offset) + 1e-7 * offset, detector.scaler.std * ratio)
    detector = replace(detector, scaler=scaler)

    scores = terms_of(detector, converted).sum(0)

    assert scores == pytest.approx(expected_terms(detector, converted).sum(0), rel=2e-5)


@pytest.mark.parametrize(
    "family", sorted(FAMILIES.keys() - {"change", "cvae", "sequential", "spatial"})
)
def test_codes_and_reconstructions_are_those_of_the_model(family):
    detector, x = fitted(family), spectra(50, seed=2)
    scaled = torch.from_numpy(detector.scaler.scale(x))

    with torch.inference_mode():
        code = detector.model.encode(scaled).z.numpy()
        mean = detector.scaler.unscale(detector.model(scaled).mean.numpy())

    assert detector.encode(x) == pytest.approx(code, rel=1e-4, abs=1e-5)
    assert detector.reconstruct(x) == pytest.approx(mean, rel=1e-5)


@given(widest=st.integers(1, 10**6))
def test_a_batch_is_a_power_of_two_that_fits_the_cache_within_bounds(widest):
    rows = batch_rows(widest)

    assert FEWEST_ROWS <= rows <= CHUNK
    assert rows & (rows - 1) == 0
    assert rows * widest <= LAYER_VALUES or rows == FEWEST_ROWS
    assert 2 * rows * widest > LAYER_VALUES or rows == CHUNK


@pytest.mark.parametrize("count", [0, 1, 8, 9, 16])
def test_only_the_last_batch_is_padded_and_whole_ones_are_not_copied(count):
    x = spectra(count)

    cut = list(batches(x, 8))

    assert [len(batch) for batch in cut] == [8] * max(1, -(-count // 8))
    assert np.array_equal(np.concatenate(cut)[:count], x)
    assert not np.concatenate(cut)[count:].any()
    assert all(np.shares_memory(batch, x) for batch in cut[: count // 8])


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 64), (12, 5), (12, 64), (64, 12), (200, 128)])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_fused_layer_gives_an_example_the_same_bits_anywhere_in_a_batch(inputs, outputs, threads):
    torch.manual_seed(0)
    network = MLP(inputs, [outputs]).requires_grad_(False)
    fused, x = nn.Sequential(deepcopy(network)), torch.randn(37, inputs)
    fuse(fused)
    expected = network.double()(x.double())

    with torch_threads(threads):
        results = fused(x.repeat(28, 1)[:1024]).split(37)

    assert any(isinstance(part, FusedDense) for part in fused.modules())
    assert results[0].numpy() == pytest.approx(expected.numpy(), rel=1e-5, abs=1e-5)
    assert all(torch.equal(part, results[0][: len(part)]) for part in results)


@pytest.mark.parametrize("family", FAMILIES)
def test_without_the_operator_scores_differ_by_rounding_only(family, monkeypatch):
    detector = fitted(family)
    x = examples_of(detector)
    expected = terms_of(detector, x)

    monkeypatch.setattr("anomvae.detector.fused.OPERATOR", "_missing")
    without = replace(detector)  # its program is made anew

    assert terms_of(without, x) == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 100])
def test_runs_in_threads_are_in_order_and_of_whole_batches(count):
    x, calls = spectra(count), []

    def work(run):
        calls.append(torch.get_num_threads())
        return run

    with torch_threads(2):
        runs = run_in_threads(work, x, 8)
        assert torch.get_num_threads() == 2

    assert np.array_equal(np.concatenate(runs), x)
    assert sum(len(run) % 8 > 0 for run in runs) <= 1
    assert set(calls) == {1} if count > 8 else len(calls) == 1


def test_a_failure_in_a_thread_is_raised_and_torch_has_its_threads_again():
    def work(run):
        raise RuntimeError("broken")

    with torch_threads(2):
        with pytest.raises(RuntimeError, match="broken"):
            run_in_threads(work, spectra(100), 8)
        assert torch.get_num_threads() == 2


def test_reversed_bands_are_scored():
    x = spectra(CHUNK + 5, seed=2)[:, ::-1]

    assert terms_of(fitted(), x).tobytes() == terms_of(fitted(), x.copy()).tobytes()


def test_read_only_examples_are_scored():
    x = spectra(CHUNK + 5, seed=2)
    expected = terms_of(fitted(), x)
    x.flags.writeable = False

    assert terms_of(fitted(), x).tobytes() == expected.tobytes()
