"""The critic of `vae-gan`: what it sees and learns, and that nothing of it stays."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.spectra import fit, spectra

from anomvae.detector.modelfile import read_model
from anomvae.models.families import FAMILIES, Sizes
from anomvae.models.objectives import Elbo
from anomvae.training.discriminator import CriticBatch, Discriminator, judge
from anomvae.training.loop import Plan, fit_model

BANDS = 4
WEIGHT = 2.0
ADVERSARIAL = Elbo(adversarial=1.0)


def untrained(family="vae-gan", context=0):
    torch.manual_seed(0)
    return FAMILIES[family].build(Sizes(BANDS, 2, (8,), context))


def examples(*shape, seed=1):
    return torch.randn(*shape, BANDS, generator=torch.Generator().manual_seed(seed))


def shown(model, x, context=None):
    answer = model.train()(x, context)
    return CriticBatch(x, context, answer.mean, torch.arange(answer.kl.numel()))


def critic(weight=WEIGHT):
    torch.manual_seed(0)
    return Discriminator(torch.zeros(1, BANDS), weight)


def norms(network):
    return [float(torch.linalg.matrix_norm(layer.unit.detach(), 2)) for layer in network[::2]]


class Spy(Discriminator):
    """A critic that keeps what it was taught, and how far from 1 its spectral norms were."""

    def __init__(self, like, weight):
        super().__init__(like, weight)
        self.taught, self.norms = [], []

    def learn(self, real, made):
        super().learn(real, made)
        self.taught.append((real, made))
        self.norms += norms(self.judge)


def spied(*arguments, **options):
    """Fit a model against a spy, and give the spy."""
    found = []

    def begin(examples, weight):
        found.append(Spy(examples, weight))
        return found[-1]

    fit_model(*arguments, **options, discriminator=begin)
    (spy,) = found
    return spy


def test_the_loss_of_an_example_is_that_of_the_elbo():
    answer, asked = untrained()(examples(5)), {"beta": 3.0, "warm_up": 0.5, "free_bits": 1.0}

    loss = replace(ADVERSARIAL, **asked)(answer, 0.2)

    assert torch.equal(loss, Elbo(**asked)(answer, 0.2))


def test_the_configuration_weighs_the_kl_and_keeps_the_critic():
    settings = {"max_steps": 3, "beta": 0.5, "kl_warm_up": 0.5, "free_bits": 0.1}
    plain, opposed = (
        fit(spectra(100), model={"family": family}, training=settings)
        for family in ("vae", "vae-gan")
    )

    assert plain.card.training.beta == opposed.card.training.beta == 0.5
    assert not torch.equal(plain.model.likelihood.to_mean.weight, weight_of(opposed))


def weight_of(detector):
    return detector.model.likelihood.to_mean.weight


def test_an_objective_without_an_adversarial_term_has_no_critic():
    fit_model(
        untrained("vae"), Elbo(), examples(300), Plan(max_steps=2), 0, discriminator=pytest.fail
    )


def test_what_the_critic_learns_gives_the_model_no_gradient():
    model = untrained()

    critic()(model, shown(model, examples(30)))

    assert all(parameter.grad is None for parameter in model.parameters())


def test_what_the_model_pays_gives_the_critic_no_gradient():
    model, opponent = untrained(), critic()
    price = opponent(model, shown(model, examples(30)))
    before = [parameter.grad.clone() for parameter in opponent.judge.parameters()]

    price.backward()

    after = [parameter.grad for parameter in opponent.judge.parameters()]
    assert all(torch.equal(*pair) for pair in zip(before, after, strict=True))


def test_what_the_model_pays_moves_its_means_and_not_its_noise():
    model = untrained()

    critic()(model, shown(model, examples(30))).backward()

    assert (model.encoder.layers[0].weight.grad != 0).any()
    assert (model.likelihood.to_mean.weight.grad != 0).any()
    assert model.likelihood.log_sigma.grad is None


def test_a_mean_is_never_pulled_with_more_than_the_weight():
    model, opponent = untrained(), critic()
    seen = shown(model, examples(30))
    means = seen.mean.detach().requires_grad_()

    opponent(model, seen._replace(mean=means)).backward()

    pull = means.grad.norm(dim=-1) * 2 * len(means)  # there are as many draws
    assert 0 < pull.max() <= WEIGHT * 1.00001


def test_a_model_that_pays_less_is_taken_for_examples_more():
    model, opponent = untrained(), critic()
    seen = shown(model, examples(30))
    means = seen.mean.detach().requires_grad_()

    opponent(model, seen._replace(mean=means)).backward()

    with torch.no_grad():
        before, after = (opponent.judge(means - step * means.grad).mean() for step in (0, 1))
    assert after > before


def test_the_critic_learns_to_tell_examples_from_what_was_made():
    opponent = critic()

    for seed in range(200):
        opponent.learn(examples(64, seed=seed) + 1, examples(64, seed=1000 + seed) - 1)

    assert opponent.judge(examples(64) + 1).mean() > opponent.judge(examples(64) - 1).mean() + 1


def test_a_critic_sees_reconstructions_and_as_many_draws_with_noise():
    model, opponent = untrained(), critic()
    seen = shown(model, examples(2000))
    model.likelihood.log_sigma.data.fill_(-5)

    made = opponent.made(model, seen)

    reconstructed, drawn = made.split(2000)
    off = (reconstructed - seen.mean).abs().median()
    assert 0 < off < 3 * model.likelihood.sigma[0]
    assert not torch.allclose(drawn, reconstructed, atol=0.05)


def test_without_a_prior_a_critic_sees_reconstructions_alone():
    model = untrained("ae")

    assert len(critic().made(model, shown(model, examples(7)))) == 7


def test_all_axes_but_the_last_are_batch():
    model, opponent = untrained(), critic()
    seen = shown(model, examples(5, 3))._replace(kept=torch.tensor([0, 4, 14]))

    assert opponent.made(model, seen).shape == (6, BANDS)
    assert opponent(model, seen).isfinite()


def test_a_model_that_is_told_a_context_is_opposed_too():
    model, x = untrained("cvae", context=BANDS), examples(300)

    history = fit_model(model, ADVERSARIAL, x, Plan(max_steps=20), seed=0, context=x)

    assert np.isfinite(history.loss).all()


def test_spectral_norms_of_a_judge_begin_at_1():
    assert norms(judge(BANDS)) == pytest.approx([1, 1, 1], abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_spectral_norms_stay_at_1(seed):
    plan = Plan(epochs=100, max_steps=300)

    spy = spied(untrained(), ADVERSARIAL, examples(300), plan, seed)

    assert spy.norms == pytest.approx([1] * 900, abs=1e-5)


def test_what_is_trimmed_does_not_reach_the_critic():
    x = examples(320)
    x[::80] += 50

    spy = spied(untrained(), ADVERSARIAL, x, Plan(max_steps=30, batch_size=320, trim=0.1), seed=0)

    for real, made in spy.taught:
        assert len(real) == 36  # of an eighth
        assert len(made) == 72
    assert max(float(real.max()) for real, _ in spy.taught) < 40


def test_the_loss_of_the_history_is_that_of_the_elbo():
    losses = [
        fit_model(untrained(), Elbo(adversarial=weight), examples(300), Plan(max_steps=1), 0).loss
        for weight in (1.0, 1000.0)
    ]

    assert losses[0] == losses[1]


def test_the_same_seed_gives_the_same_bits_and_another_one_others():
    one, same, other = (
        fit(spectra(300), seed=seed, model={"family": "vae-gan"}, training={"max_steps": 30})
        for seed in (0, 0, 1)
    )

    assert one.to_bytes() == same.to_bytes() != other.to_bytes()


def test_nothing_of_the_critic_is_saved(tmp_path):
    files = []
    for family in ("vae", "vae-gan"):
        path = tmp_path / family
        fit(spectra(100), model={"family": family}, training={"max_steps": 3}).save(path)
        files.append({key: part.shape for key, part in read_model(path).tensors.items()})

    assert files[0] == files[1]


@pytest.mark.parametrize("seed", range(5))
def test_training_is_stable_whatever_the_seed(seed):
    x = spectra(2000)
    x[::250, 2:4] += 0.4

    detector = fit(x, seed=seed, model={"family": "vae-gan"}, training={"max_steps": 300})
    score = np.add(*detector.score_examples(x))

    assert np.isfinite(detector.card.training.loss).all()
    assert score[::250].min() > np.quantile(score, 0.99)
