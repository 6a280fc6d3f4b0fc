"""Bottlenecks without a prior and with normal ones."""

import numpy as np
import pytest
import torch
from support.spectra import fit, spectra
from torch.distributions import Normal, kl_divergence

from anomvae.models import Codebook, Deterministic, Gaussian, Ladder
from anomvae.models.families import FAMILIES
from anomvae.program import Arithmetic

STANDARD = Normal(0.0, 1.0)


def build(part=Ladder, latent=3):
    torch.manual_seed(0)
    return part(8, latent).eval().requires_grad_(False)


def distribution(features):
    mean, log_sigma = features.chunk(2, -1)
    return Normal(mean, log_sigma.exp())


def levels(ladder, h):
    """Return q(z2 | h), p(z1 | z2) and q(z1 | h, z2) at the mean of z2, as in the paper."""
    q2 = distribution(ladder.to_q2(torch.nn.functional.gelu(ladder.up(h))))
    p1 = distribution(ladder.to_p1(torch.nn.functional.gelu(ladder.down(q2.mean))))
    likelihood = distribution(ladder.to_q1(h))
    precisions = likelihood.variance.reciprocal(), p1.variance.reciprocal()
    total = sum(precisions)
    mean = (likelihood.mean * precisions[0] + p1.mean * precisions[1]) / total
    return q2, p1, Normal(mean, total.rsqrt())


def test_the_kl_of_a_gaussian_is_that_from_a_standard_normal_prior():
    gaussian, h = build(Gaussian), torch.randn(50, 8)

    code = gaussian(h)

    q = distribution(gaussian.to_q(h))
    assert torch.allclose(code.kl, kl_divergence(q, STANDARD).sum(-1), atol=1e-5)
    assert torch.equal(code.z, q.mean)


def test_the_kl_of_a_ladder_is_the_sum_over_its_levels():
    ladder, h = build(), torch.randn(50, 8)

    code = ladder(h)

    q2, p1, q1 = levels(ladder, h)
    kl = kl_divergence(q2, STANDARD).sum(-1), kl_divergence(q1, p1).sum(-1)
    assert torch.allclose(code.kl, sum(kl), atol=1e-5)
    assert torch.allclose(code.z, q1.mean, atol=1e-6)
    assert ladder.latent_statistics(h).levels == pytest.approx(
        [float(level.mean()) for level in kl], abs=1e-4
    )


@pytest.mark.parametrize("part", [Gaussian, Ladder])
def test_codes_are_random_in_training_mode_alone(part):
    bottleneck, h = build(part), torch.randn(5, 8)

    assert torch.equal(bottleneck(h).z, bottleneck(h).z)
    assert not torch.equal(bottleneck.train()(h).z, bottleneck(h).z)


def test_training_codes_of_a_gaussian_follow_the_posterior():
    gaussian, h = build(Gaussian).train(), torch.randn(1, 8)

    z = gaussian(h.expand(50_000, 8)).z

    q = distribution(gaussian.to_q(h))
    assert torch.allclose(z.mean(0), q.mean, atol=0.02)
    assert torch.allclose(z.std(0), q.stddev, rtol=0.02)


def test_codes_are_drawn_from_the_prior_of_a_gaussian():
    drawn = build(Gaussian).draw(50_000, torch.Generator().manual_seed(0))

    assert drawn.shape == (50_000, 3)
    assert torch.allclose(drawn.mean(0), torch.zeros(3), atol=0.02)
    assert torch.allclose(drawn.std(0), torch.ones(3), atol=0.02)


def test_codes_of_a_ladder_are_drawn_from_the_upper_level_down():
    ladder = build()

    drawn = ladder.draw(50_000, torch.Generator().manual_seed(0))

    p1 = ladder.lower_prior(torch.randn(50_000, ladder.upper))
    variance = p1.mean.var(0) + (2 * p1.log_sigma).exp().mean(0)
    assert drawn.shape == (50_000, 3)
    assert torch.allclose(drawn.mean(0), p1.mean.mean(0), atol=0.03)
    assert torch.allclose(drawn.var(0), variance, rtol=0.05)


@pytest.mark.parametrize(
    ("part", "latent", "units"), [(Gaussian, 3, 3), (Ladder, 1, 2), (Ladder, 3, 4), (Ladder, 6, 9)]
)
def test_the_kl_of_the_units_of_all_levels_adds_up_to_the_kl(part, latent, units):
    bottleneck, h = build(part, latent), torch.randn(10, 4, 8)

    statistics = bottleneck.latent_statistics(h)

    assert len(statistics.units) == units
    assert sum(statistics.units) == pytest.approx(float(bottleneck(h).kl.mean()), abs=1e-3)


@pytest.mark.parametrize("part", [Gaussian, Ladder])
@pytest.mark.parametrize("size", [1e-6, 1e4])
def test_the_kl_is_finite_and_not_negative_for_any_features(part, size):
    kl = build(part)(size * torch.randn(1000, 8)).kl

    assert kl.isfinite().all()
    assert (kl >= 0).all()


@pytest.mark.parametrize("family", ["vq-vae", "hierarchical"])
def test_spectra_drawn_from_the_prior_are_distributed_as_in_training(family):
    x = spectra(1000)
    model = {"family": family, "likelihood": "gaussian"}
    detector = fit(x, model=model, training={"max_steps": 300})

    drawn = detector.sample(2000, seed=0)

    assert drawn.mean(0) == pytest.approx(x.mean(0), abs=0.02)
    assert drawn.std(0) == pytest.approx(x.std(0), abs=0.03)
    assert np.array_equal(drawn, detector.sample(2000, seed=0))


BOTTLENECKS = (Deterministic, Gaussian, Ladder, Codebook)


def built(part):
    bottleneck = build(part)
    if part is Codebook:
        bottleneck.codes.copy_(torch.randn(bottleneck.codes.shape))
        bottleneck.usage.copy_(torch.rand(len(bottleneck.usage)) + 0.5)
    return bottleneck


@pytest.mark.parametrize("part", BOTTLENECKS)
def test_a_draw_without_noise_is_the_posterior_mean(part):
    bottleneck, h = built(part), torch.randn(50, 8)

    draw = bottleneck.draw_posterior(h, torch.zeros(50, bottleneck.noise_width))

    assert torch.equal(draw.z, bottleneck(h).z)


@pytest.mark.parametrize("family", ["ae", "vae", "hierarchical", "vq-vae"])
def test_the_code_of_the_scoring_program_is_that_of_the_bottleneck(family):
    row, h = FAMILIES[family], torch.randn(50, 8)
    bottleneck = row.bottleneck(8, 3).eval().requires_grad_(False)
    for tensor in bottleneck.state_dict().values():
        tensor.uniform_(0.01, 1)
    code = row.code.of({name: one.numpy() for name, one in bottleneck.state_dict().items()})
    noise = torch.randn(50, bottleneck.noise_width)

    encoded = code.encode(h.numpy(), Arithmetic())
    draw = code.draw(h.numpy(), noise.numpy(), Arithmetic())

    expected, drawn = bottleneck(h), bottleneck.draw_posterior(h, noise)
    assert encoded.z == pytest.approx(expected.z.numpy(), abs=1e-5)
    assert encoded.kl.sum(-1) == pytest.approx(expected.kl.numpy(), rel=1e-4, abs=1e-5)
    assert draw.codes.shape[-1] == len(row.code.code_names(3))
    for ours, theirs in zip(draw, drawn, strict=True):
        # a log ratio is a small difference of large sums
        assert ours == pytest.approx(theirs.numpy(), rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("part", BOTTLENECKS)
def test_the_mean_log_ratio_of_draws_is_minus_the_kl(part):
    bottleneck, h = built(part), torch.randn(1, 8)
    noise = torch.randn(200_000, bottleneck.noise_width)

    ratio = bottleneck.draw_posterior(h.expand(200_000, 8), noise).log_ratio

    lower_alone = part is not Ladder  # whose lower KL is that at the mean of the upper level
    expected = -bottleneck(h).kl if lower_alone else -ladder_kl(bottleneck, h)
    assert torch.allclose(ratio.mean(), expected, atol=0.03)


def ladder_kl(ladder, h):
    """Return the KL of both levels, the lower averaged over draws of the upper."""
    q2 = distribution(ladder.to_q2(torch.nn.functional.gelu(ladder.up(h))))
    z2 = q2.sample((100_000,))
    p1 = distribution(ladder.to_p1(torch.nn.functional.gelu(ladder.down(z2))))
    likelihood = distribution(ladder.to_q1(h))
    precisions = likelihood.variance.reciprocal(), p1.variance.reciprocal()
    total = sum(precisions)
    q1 = Normal((likelihood.mean * precisions[0] + p1.mean * precisions[1]) / total, total.rsqrt())
    return kl_divergence(q2, STANDARD).sum(-1) + kl_divergence(q1, p1).sum(-1).mean(0)
