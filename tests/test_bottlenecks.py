import logging

import numpy as np
import pytest
import torch
from conftest import fit, spectra
from torch.distributions import Normal, kl_divergence

from anomvae.codeuse import CodeUse
from anomvae.detector import Detector
from anomvae.models import Codebook, Gaussian, Ladder
from anomvae.models.codebook import CODES, DEAD

PLACES = torch.tensor([[0.0, 0.0], [5.0, 1.0], [-3.0, 4.0]])


def book():
    """Make a codebook that takes two features as they are."""
    torch.manual_seed(0)
    made = Codebook(2, 2)
    made.to_e.weight.data, made.to_e.bias.data = torch.eye(2), torch.zeros(2)
    return made


def clusters(shares=(0.6, 0.3, 0.1), count=1000, spread=0.05):
    """Scatter features around three places."""
    torch.manual_seed(1)
    counts = torch.tensor([round(share * count) for share in shares])
    places = PLACES.repeat_interleave(counts, 0)
    return places + spread * torch.randn_like(places)


def taught(h, steps=100):
    made = book().train()
    for _ in range(steps):
        made(h)
    return made.eval()


def given(codes, usage):
    """Make a codebook that holds a few codes; the others are dead."""
    made = book()
    made.codes[: len(codes)] = torch.tensor(codes)
    made.usage[: len(usage)] = torch.tensor(usage)
    return made


# Codebook


def test_the_gradient_of_the_code_is_passed_on_to_the_features():
    made, h = book().train(), clusters().requires_grad_()

    code = made(h)
    (3 * code.z).sum().backward()

    assert torch.equal(h.grad, torch.full_like(h, 3.0))
    assert not torch.allclose(code.z, h)


def test_features_are_drawn_to_their_codes_by_the_penalty():
    made, h = given([[0.0, 0.0]], [1.0]).train(), torch.tensor([[1.0, 2.0]], requires_grad=True)
    made.usage.fill_(1.0)
    made.codes.fill_(0.0)

    penalty = made(h).penalty
    penalty.backward()

    assert penalty.item() == pytest.approx(0.25 * 5)
    assert torch.equal(h.grad, torch.tensor([[0.5, 1.0]]))


def test_codes_move_to_the_data_while_training():
    made = given([[0.5, 0.5], [4.0, 0.0], [-2.0, 3.0]], [1.0, 1.0, 1.0]).train()
    made.usage[3:] = 1e6  # alive, but far away
    made.codes[3:] = 1000.0

    for _ in range(200):
        made(clusters())

    assert torch.allclose(made.codes[:3], PLACES, atol=0.02)
    assert torch.allclose(made.usage[:3], torch.tensor([0.6, 0.3, 0.1]), atol=0.01)


def test_codes_and_usage_are_buffers_that_scoring_leaves_alone():
    made, h = taught(clusters()), clusters() + 1
    before = {name: buffer.clone() for name, buffer in made.named_buffers()}
    state = torch.random.get_rng_state()

    made(h)

    assert before.keys() == {"codes", "usage"}
    assert all(torch.equal(made.get_buffer(name), was) for name, was in before.items())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_dead_code_is_put_on_a_feature_of_the_batch():
    made, h = taught(clusters()).train(), clusters()
    made.codes[5], made.usage[5] = 1000.0, DEAD / 2

    made(h)

    assert (made.codes[5] - h).norm(dim=1).min() < 0.2
    assert made.usage[5] > DEAD


def test_a_code_that_nothing_needs_dies():
    made = given([[0.0, 0.0], [1000.0, 1000.0]], [1.0, 1.0]).train()
    made.usage[2:] = 1.0
    made.codes[2:] = -1000.0

    for _ in range(200):
        made(clusters())

    assert (made.codes.abs() < 10).all()


def test_scoring_does_not_choose_a_dead_code():
    made = given([[0.0, 0.0], [9.0, 9.0]], [1.0, DEAD / 2]).eval()

    assert torch.equal(made(torch.tensor([[9.0, 9.0]])).z, torch.zeros(1, 2))


def test_of_equally_near_codes_the_first_is_chosen():
    made = given([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]], [0.1, 0.8, 0.1]).eval()

    assert made.nearest(torch.tensor([[0.0, 0.0], [1.0, 0.0], [-0.5, 3.0]])).tolist() == [0, 0, 1]


def test_kl_is_the_negative_log_frequency_so_that_rare_codes_cost_more():
    made = given(PLACES.tolist(), [0.6, 0.3, 0.1]).eval()

    kl = made(PLACES).kl

    share = made.usage[:3] / (1 + (CODES - 3) * DEAD)
    assert torch.allclose(kl, -share.log())
    assert kl[0] < kl[1] < kl[2]


def test_frequencies_are_those_of_training():
    made = taught(clusters())

    there = torch.cdist(made.codes, PLACES).argmin(1)

    share = torch.zeros(3).index_add_(0, there, made.frequency)
    assert torch.allclose(share, torch.tensor([0.6, 0.3, 0.1]), atol=0.05)


@pytest.mark.parametrize("made", [book(), taught(clusters())])
def test_kl_is_finite_and_not_negative_whatever_the_features(made):
    kl = made.eval()(1e6 * torch.randn(100, 2)).kl

    assert kl.isfinite().all()
    assert (kl >= 0).all()


def test_codes_are_drawn_as_often_as_in_training():
    made = given(PLACES.tolist(), [0.6, 0.3, 0.1])

    drawn = made.draw(20_000, torch.Generator().manual_seed(0))

    share = [(drawn == place).all(1).float().mean() for place in PLACES[1:]]
    assert share == pytest.approx([0.3 / 1.095, 0.1 / 1.095], abs=0.01)


def test_perplexity_is_the_number_of_codes_that_are_as_good_as_in_use():
    made = given(PLACES.tolist(), [0.6, 0.3, 0.1])

    assert made.use(PLACES) == CodeUse(perplexity=3.0)
    assert made.use(PLACES[:1].expand(2, 5, 2)) == CodeUse(perplexity=1.0)


# Ladder


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
    assert made.use(h).levels == pytest.approx([float(level.mean()) for level in levels], abs=1e-4)


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


# What is told of them


@pytest.mark.parametrize(("part", "units"), [(Gaussian, 3), (Ladder, 4)])
def test_kl_per_unit_adds_up_to_the_kl(part, units):
    torch.manual_seed(0)
    made, h = part(8, 3).eval().requires_grad_(False), torch.randn(10, 4, 8)

    use = made.use(h)

    assert len(use.units) == units
    assert sum(use.units) == pytest.approx(float(made(h).kl.mean()), abs=1e-3)


def test_units_above_a_hundredth_of_a_nat_are_active():
    assert CodeUse(units=(0.0, 0.01, 0.0101, 3.0)).active == 2


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (CodeUse(units=(0.005, 0.0)), r"none of 2 .*beta = 1.*kl_warm_up.*free_bits"),
        (CodeUse(perplexity=1.4), r"perplexity 1\.4.* more pixels.* smaller training\.trim"),
    ],
)
def test_a_collapsed_code_says_what_to_do(use, words):
    with pytest.raises(ValueError, match=words):
        raise ValueError(use.collapse)


@pytest.mark.parametrize(
    "use", [CodeUse(), CodeUse(units=(0.0, 0.02), levels=(0.0, 0.02)), CodeUse(perplexity=1.5)]
)
def test_a_code_that_is_used_has_not_collapsed(use):
    assert use.collapse is None


def test_a_collapsed_code_is_warned_of_when_training_ends(caplog):
    training = {"max_steps": 150, "beta": 1000.0}

    with caplog.at_level(logging.WARNING, logger="anomvae"):
        detector = fit(spectra(500), training=training)

    assert detector.card.training.code.active == 0
    assert caplog.messages == [detector.card.training.code.collapse]


def test_a_codebook_of_which_one_code_is_used_is_warned_of(caplog):
    x = spectra(1).repeat(1000, 0)
    x[0] = spectra(2)[1]

    with caplog.at_level(logging.WARNING, logger="anomvae"):
        fit(x, model={"family": "vq-vae"}, training={"max_steps": 20})

    assert "nearly all pixels have the same one (perplexity 1)" in caplog.text


@pytest.mark.parametrize(
    ("family", "told"),
    [
        ("ae", set()),
        ("vae", {"units"}),
        ("hierarchical", {"units", "levels"}),
        ("vq-vae", {"perplexity"}),
    ],
)
def test_what_a_code_carries_is_kept_with_the_detector(family, told, tmp_path, caplog):
    detector = fit(spectra(1000), model={"family": family}, training={"max_steps": 150})
    detector.save(tmp_path / "model.safetensors")

    kept = Detector.load(tmp_path / "model.safetensors").card.training.code

    assert {name for name, value in vars(kept).items() if value} == told
    assert kept == detector.card.training.code
    assert not caplog.messages


@pytest.mark.parametrize("family", ["vq-vae", "hierarchical"])
def test_spectra_drawn_from_the_prior_look_like_those_of_training(family):
    x = spectra(1000)
    model = {"family": family, "likelihood": "gaussian"}
    detector = fit(x, model=model, training={"max_steps": 300})

    drawn = detector.sample(2000, seed=0)

    assert drawn.mean(0) == pytest.approx(x.mean(0), abs=0.02)
    assert drawn.std(0) == pytest.approx(x.std(0), abs=0.03)
    assert np.array_equal(drawn, detector.sample(2000, seed=0))
