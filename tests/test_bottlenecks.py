import numpy as np
import pytest
import torch
from support.spectra import fit, spectra
from torch.distributions import Normal, kl_divergence

from anomvae.models import Ladder


def ladder(latent=3):
    torch.manual_seed(0)
    return Ladder(8, latent).eval()


def distributions(made, h):
    """Give q(z2 | h), p(z1 | z2) and q(z1 | h, z2) at the mean of z2, in the words of the paper."""

    def normal(features):
        mean, log_sigma = features.chunk(2, -1)
        return Normal(mean, log_sigma.exp())

    q2 = normal(made.to_q2(torch.nn.functional.gelu(made.up(h))))
    p1 = normal(made.to_p1(torch.nn.functional.gelu(made.down(q2.mean))))
    seen = normal(made.to_q1(h))
    precisions = seen.variance.reciprocal(), p1.variance.reciprocal()
    total = sum(precisions)
    mean = (seen.mean * precisions[0] + p1.mean * precisions[1]) / total
    return q2, p1, Normal(mean, total.rsqrt())


def test_kl_of_a_ladder_is_the_sum_over_its_levels():
    made, h = ladder().requires_grad_(False), torch.randn(50, 8)

    code = made(h)

    q2, p1, q1 = distributions(made, h)
    levels = kl_divergence(q2, Normal(0.0, 1.0)).sum(-1), kl_divergence(q1, p1).sum(-1)
    assert torch.allclose(code.kl, sum(levels), atol=1e-5)
    assert torch.allclose(code.z, q1.mean, atol=1e-6)
    assert made.latent_statistics(h).levels == pytest.approx(
        [float(level.mean()) for level in levels], abs=1e-4
    )


def test_kl_of_a_ladder_is_what_draws_say_it_is():
    made, h = ladder().requires_grad_(False), torch.randn(1, 8)
    q2, p1, q1 = distributions(made, h)

    z2, z1 = q2.sample((100_000,)), q1.sample((100_000,))

    upper = (q2.log_prob(z2) - Normal(0.0, 1.0).log_prob(z2)).sum(-1).mean()
    lower = (q1.log_prob(z1) - p1.log_prob(z1)).sum(-1).mean()
    assert float(made(h).kl) == pytest.approx(float(upper + lower), abs=0.02)


def test_a_ladder_draws_only_while_training():
    made, h = ladder(), torch.randn(5, 8)

    assert torch.equal(made(h).z, made(h).z)
    assert not torch.equal(made.train()(h).z, made(h).z)


def test_codes_of_a_ladder_are_drawn_from_the_top():
    made = ladder()

    drawn = made.draw(50_000, torch.Generator().manual_seed(0))

    p1 = made.prior(torch.randn(50_000, made.upper))
    variance = p1.mean.var(0) + (2 * p1.log_sigma).exp().mean(0)
    assert drawn.shape == (50_000, 3)
    assert torch.allclose(drawn.mean(0), p1.mean.mean(0), atol=0.03)
    assert torch.allclose(drawn.var(0), variance, rtol=0.05)


def test_a_sharp_code_neither_overflows_nor_falls_below_zero():
    made = ladder()

    for size in (1e-6, 1e4):
        kl = made(size * torch.randn(1000, 8)).kl
        assert kl.isfinite().all()
        assert (kl >= 0).all()


@pytest.mark.parametrize("family", ["vq-vae", "hierarchical"])
def test_spectra_drawn_from_the_prior_look_like_those_of_training(family):
    x = spectra(1000)
    model = {"family": family, "likelihood": "gaussian"}
    detector = fit(x, model=model, training={"max_steps": 300})

    drawn = detector.sample(2000, seed=0)

    assert drawn.mean(0) == pytest.approx(x.mean(0), abs=0.02)
    assert drawn.std(0) == pytest.approx(x.std(0), abs=0.03)
    assert np.array_equal(drawn, detector.sample(2000, seed=0))
