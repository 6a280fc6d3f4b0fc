"""The discriminator of `vae-gan`: its batches, its training, and that no detector keeps it."""

from dataclasses import replace

import pytest
import torch
from support.models import BANDS, examples, state_bytes, untrained
from support.spectra import fit, plan_of, spectra

from anomvae.detector.modelfile import read_model
from anomvae.models.objectives import Elbo
from anomvae.training.discriminator import Discriminator, SpectralLinear, spectral_network
from anomvae.training.loop import fit_model

WEIGHT = 2.0


class Recorder(Discriminator):
    """A discriminator that keeps its batches, and the spectral norms of its layers."""

    def __init__(self, like):
        super().__init__(like, WEIGHT)
        self.batches, self.norms = [], []

    def update(self, spectra, generated):
        super().update(spectra, generated)
        self.batches.append((spectra, generated))
        self.norms += norms(self.network)


def norms(network):
    layers = (layer for layer in network if isinstance(layer, SpectralLinear))
    return [float(torch.linalg.matrix_norm(layer.normalised.detach(), 2)) for layer in layers]


def discriminator():
    torch.manual_seed(0)
    return Discriminator(torch.zeros(1, BANDS), WEIGHT)


def arguments(model, x, context=None):
    """Return the arguments of an adversarial term for a batch, of which all is kept."""
    batch = model.train().prepare(x, context)
    output = model(batch.x, batch.context)
    return batch, output.mean, torch.arange(output.kl.numel())


def recorded(x, **training):
    """Train a model, and return its recorder."""
    recorder, plan = Recorder(x), plan_of(model={"family": "vae-gan"}, training=training)
    fit_model(untrained(), plan, x, discriminator=lambda *arguments: recorder)
    return recorder


def test_an_objective_without_an_adversarial_term_has_no_discriminator():
    plan = plan_of(training={"max_steps": 2})

    fit_model(untrained(), plan, examples(300), discriminator=pytest.fail)


def test_the_adversarial_term_trains_the_means_and_neither_the_noise_nor_the_discriminator():
    model, adversary = untrained(), discriminator()
    term = adversary.adversarial_term(model, *arguments(model, examples(30)))
    before = [parameter.grad.clone() for parameter in adversary.network.parameters()]
    assert all(parameter.grad is None for parameter in model.parameters())

    term.backward()

    after = [parameter.grad for parameter in adversary.network.parameters()]
    assert all(map(torch.equal, before, after))
    assert (model.encoder.layers[0].weight.grad != 0).any()
    assert (model.likelihood.to_mean.weight.grad != 0).any()
    assert model.likelihood.log_sigma.grad is None


def test_the_gradient_by_a_mean_is_at_most_the_weight_and_raises_the_output():
    model, adversary = untrained(), discriminator()
    batch, means, kept = arguments(model, examples(30))
    means = means.detach().requires_grad_()

    adversary.adversarial_term(model, batch, means, kept).backward()

    gradient = means.grad.norm(dim=-1) * 2 * len(means)  # as many spectra are drawn
    assert 0 < gradient.max() <= WEIGHT * 1.00001
    with torch.no_grad():
        before, after = (adversary.network(means - s * means.grad).mean() for s in (0, 1))
    assert after > before


def test_the_discriminator_learns_to_separate_training_from_generated_spectra():
    adversary = discriminator()

    for seed in range(200):
        adversary.update(examples(64, seed=seed) + 1, examples(64, seed=1000 + seed) - 1)

    output = adversary.network(torch.stack([examples(64) + 1, examples(64) - 1])).mean((1, 2))
    assert output[0] > output[1] + 1


@pytest.mark.parametrize(
    ("of_spectra", "of_generated", "gradient"), [(0.9, -1.1, -1), (1.1, -1.1, 0), (1.1, -0.9, 1)]
)
def test_outputs_beyond_1_on_their_side_give_the_discriminator_no_gradient(
    of_spectra, of_generated, gradient
):
    adversary = discriminator()
    adversary.network = torch.nn.Linear(1, 1)
    adversary.network.weight.data, adversary.network.bias.data = torch.eye(1), torch.zeros(1)

    adversary.update(torch.tensor([[of_spectra]]), torch.tensor([[of_generated]]))

    assert adversary.network.bias.grad == gradient


def test_noisy_reconstructions_and_as_many_draws_are_generated():
    model = untrained()
    batch, means, kept = arguments(model, examples(2000))
    model.likelihood.log_sigma.data.fill_(-5)

    generated = discriminator().generate(model, batch.context, means, kept)

    reconstructed, drawn = generated.split(2000)
    noise = (reconstructed - means).abs().median()
    assert 0 < noise < 3 * model.likelihood.sigma[0]
    assert not torch.allclose(drawn, reconstructed, atol=0.05)


@pytest.mark.parametrize(
    ("family", "context", "spectra"),
    [("ae", None, 3), ("vae", None, 6), ("cvae", examples(5, 3), 6)],
)
def test_all_axes_are_batch_and_spectra_are_drawn_from_a_prior_alone(family, context, spectra):
    model = untrained(family, context=0 if context is None else BANDS)
    batch, means, _ = arguments(model, examples(5, 3), context)
    kept = torch.tensor([0, 4, 14])

    generated = discriminator().generate(model, batch.context, means, kept)

    assert generated.shape == (spectra, BANDS)
    assert discriminator().adversarial_term(model, batch, means, kept).isfinite()


def test_spectral_norms_are_1_before_and_throughout_training():
    recorder = recorded(examples(300), epochs=100, max_steps=300)

    assert norms(spectral_network(BANDS)) == pytest.approx([1, 1, 1], abs=1e-5)
    widths = [len(parameter) for parameter in spectral_network(BANDS).parameters()]
    assert widths == [64, 64, 32, 32, 1, 1]  # of weights and biases
    assert recorder.norms == pytest.approx([1] * 900, abs=1e-5)


def test_trimmed_examples_do_not_reach_the_discriminator():
    x = examples(320)
    x[::80] += 50

    recorder = recorded(x, max_steps=30, batch_size=320, trim=0.1)

    for kept, generated in recorder.batches:
        assert len(kept) == 36  # of an eighth
        assert len(generated) == 72
        assert kept.max() < 40


def test_the_adversarial_term_changes_the_training_and_is_not_part_of_the_history():
    plan = plan_of(training={"max_steps": 1})
    plans = [replace(plan, objective=Elbo(adversarial=weight)) for weight in (1.0, 1000.0)]
    models = [untrained(), untrained()]

    one, other = (fit_model(*each, examples(300)) for each in zip(models, plans, strict=True))

    assert one == other
    assert state_bytes(models[0]) != state_bytes(models[1])


def test_the_same_seed_gives_the_same_bits_and_another_one_others():
    one, same, other = (
        fit(spectra(300), seed=seed, model={"family": "vae-gan"}, training={"max_steps": 30})
        for seed in (0, 0, 1)
    )

    assert one.to_bytes() == same.to_bytes() != other.to_bytes()


def test_a_detector_does_not_keep_the_discriminator(tmp_path):
    shapes = []
    for family in ("vae", "vae-gan"):
        path = tmp_path / family
        fit(spectra(100), model={"family": family}, training={"max_steps": 3}).save(path)
        shapes.append({name: array.shape for name, array in read_model(path).tensors.items()})

    assert shapes[0] == shapes[1]
