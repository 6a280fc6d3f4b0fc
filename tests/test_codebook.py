"""A code that is the nearest of a fixed number of vectors."""

import pytest
import torch

from anomvae.models import Codebook
from anomvae.models.codebook import CODES, DEAD
from anomvae.stats.latent import LatentStatistics

CENTRES = torch.tensor([[0.0, 0.0], [5.0, 1.0], [-3.0, 4.0]])
FAR = 1000.0


def codebook(codes=(), usage=(), others=0.0):
    """Build one that takes two features as they are; ``others`` is the usage of other codes."""
    torch.manual_seed(0)
    built = Codebook(2, 2)
    built.to_e.weight.data, built.to_e.bias.data = torch.eye(2), torch.zeros(2)
    built.codes.fill_(FAR)
    built.usage.fill_(others)
    for index, (code, share) in enumerate(zip(codes, usage, strict=True)):
        built.codes[index], built.usage[index] = torch.tensor(code), share
    return built.eval()


def clusters(shares=(0.6, 0.3, 0.1), count=1000, std=0.05):
    """Scatter features around the centres."""
    torch.manual_seed(1)
    counts = torch.tensor([round(share * count) for share in shares])
    centres = CENTRES.repeat_interleave(counts, 0)
    return centres + std * torch.randn_like(centres)


def trained(h):
    built = codebook().train()
    for _ in range(100):
        built(h)
    return built.eval()


def test_the_gradient_of_the_code_reaches_the_features_unchanged():
    built, h = codebook().train(), clusters().requires_grad_()

    code = built(h)
    (3 * code.z).sum().backward()

    assert torch.equal(h.grad, torch.full_like(h, 3.0))
    assert not torch.allclose(code.z, h)


def test_the_penalty_moves_features_towards_their_codes():
    h = torch.tensor([[1.0, 2.0]], requires_grad=True)

    code = codebook([[2.0, 0.0]], [1.0], others=1.0).train()(h)
    code.penalty.backward()

    assert torch.allclose(code.z, torch.tensor([[2.0, 0.0]]))
    assert code.penalty.item() == pytest.approx(0.25 * 5)
    assert torch.equal(h.grad, torch.tensor([[-0.5, 1.0]]))


def test_one_step_moves_codes_and_usage_by_the_rate():
    built = codebook([[0.0, 0.0], [9.0, 9.0]], [0.5, 0.4], others=1.0).train()

    built(torch.tensor([[1.0, 2.0], [9.0, 9.0]]))

    assert built.usage[:3].tolist() == pytest.approx([0.5, 0.405, 0.95])
    assert torch.allclose(built.codes[:2], torch.tensor([[0.05, 0.1], [9.0, 9.0]]))


def test_scoring_changes_neither_buffers_nor_the_random_state():
    built, h = trained(clusters()), clusters() + 1
    before = {name: buffer.clone() for name, buffer in built.named_buffers()}
    state = torch.random.get_rng_state()

    built(h)

    assert before.keys() == {"codes", "usage"}
    assert all(torch.equal(built.get_buffer(name), values) for name, values in before.items())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_dead_code_is_moved_to_a_feature_of_the_batch():
    built, h = trained(clusters()).train(), clusters()
    built.codes[5], built.usage[5] = FAR, DEAD / 2

    built(h)

    assert (built.codes[5] - h).norm(dim=1).min() < 0.2
    assert built.usage[5] == pytest.approx(1 / CODES, rel=0.1)


def test_scoring_does_not_choose_a_dead_code():
    built = codebook([[0.0, 0.0], [9.0, 9.0], [7.0, 7.0]], [1.0, DEAD / 2, DEAD])

    assert built(torch.tensor([[9.0, 9.0]])).z.tolist() == [[7.0, 7.0]]


def test_the_first_of_equally_near_codes_is_chosen():
    built = codebook([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]], [0.1, 0.8, 0.1])

    assert built.nearest(torch.tensor([[0.0, 0.0], [1.0, 0.0], [-0.5, 3.0]])).tolist() == [0, 0, 1]


def test_the_kl_is_the_negative_log_frequency():
    built = codebook(CENTRES.tolist(), [0.6, 0.3, 0.1])

    kl = built(CENTRES).kl

    share = built.usage[:3] / (1 + (CODES - 3) * DEAD)
    assert torch.allclose(kl, -share.log())
    assert kl[0] < kl[1] < kl[2]


def test_frequencies_are_those_of_training():
    built = trained(clusters())

    nearest = torch.cdist(built.codes, CENTRES).argmin(1)

    share = torch.zeros(3).index_add_(0, nearest, built.frequency)
    assert torch.allclose(share, torch.tensor([0.6, 0.3, 0.1]), atol=0.05)


def test_the_kl_is_finite_and_not_negative_for_any_features():
    for built in (codebook(), trained(clusters())):
        kl = built(1e6 * torch.randn(100, 2)).kl

        assert kl.isfinite().all()
        assert (kl >= 0).all()


def test_codes_are_drawn_by_their_frequency():
    built = codebook(CENTRES.tolist(), [0.6, 0.3, 0.1])

    drawn = built.draw(20_000, torch.Generator().manual_seed(0))

    share = [(drawn == centre).all(1).float().mean() for centre in CENTRES[1:]]
    assert share == pytest.approx([0.3 / 1.095, 0.1 / 1.095], abs=0.01)


def test_perplexity_is_the_effective_number_of_codes():
    built = codebook(CENTRES.tolist(), [0.6, 0.3, 0.1])

    assert built.latent_statistics(CENTRES) == LatentStatistics(perplexity=3.0)
    assert built.latent_statistics(CENTRES[[0, 0, 1]]) == LatentStatistics(perplexity=1.8899)
    assert built.latent_statistics(CENTRES[:1].expand(2, 5, 2)) == LatentStatistics(perplexity=1.0)
