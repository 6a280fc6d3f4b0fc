import pytest
import torch

from anomvae.models import Codebook
from anomvae.models.codebook import CODES, DEAD
from anomvae.stats.latent import LatentStatistics

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

    assert made.latent_statistics(PLACES) == LatentStatistics(perplexity=3.0)
    assert made.latent_statistics(PLACES[:1].expand(2, 5, 2)) == LatentStatistics(perplexity=1.0)
