"""The training loop: its budget, its care against anomalies, and that it repeats."""

import math

import pytest
import torch
from support.spectra import fit, spectra

from anomvae.errors import ConfigError
from anomvae.models import ModelInput, Reconstruction
from anomvae.models.families import FAMILIES, Sizes
from anomvae.models.objectives import Elbo
from anomvae.training.loop import Plan, best, fit_model

BANDS = 4
SHORT = Plan(max_steps=20)


def untrained(family="vae", likelihood="gaussian", context=0):
    torch.manual_seed(0)
    return FAMILIES[family].build(Sizes(BANDS, 2, (8,), context), likelihood)


def examples(count=300):
    return torch.randn(count, BANDS, generator=torch.Generator().manual_seed(1))


def weights(model):
    return b"".join(value.numpy().tobytes() for value in model.state_dict().values())


def trained(plan=SHORT, seed=0, x=None, objective=None):
    model = untrained()
    history = fit_model(model, objective or Elbo(), examples() if x is None else x, plan, seed)
    return model, history


class Spy(Elbo):
    """An objective that keeps what it was called with."""

    def __init__(self):
        super().__init__()
        self.__dict__["calls"] = []

    def __call__(self, answer, done=1.0):
        self.calls.append((answer, done))
        return super().__call__(answer, done)


def test_training_repeats_to_the_bit():
    (first, one), (second, other) = trained(), trained()

    assert weights(first) == weights(second)
    assert one == other


def test_another_seed_gives_another_model():
    assert weights(trained(seed=0)[0]) != weights(trained(seed=1)[0])


def test_the_state_of_the_global_generator_neither_matters_nor_changes():
    models = [untrained(), untrained()]
    states = []

    for seed, model in enumerate(models):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        fit_model(model, Elbo(), examples(), SHORT, seed=0)
        states.append(torch.equal(torch.get_rng_state(), before))

    assert states == [True, True]
    assert weights(models[0]) == weights(models[1])


def test_fitting_a_detector_leaves_the_global_generator_as_it_was():
    before = torch.get_rng_state()

    fit(spectra(100), training={"max_steps": 3})

    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("count", "batch", "steps"),
    [
        (5, 5, 40),  # one batch an epoch
        (32, 32, 40),
        (200, 32, 40 * 6),
        (800, 100, 40 * 8),  # a batch is at the most an eighth
        (8192, 1024, 40 * 8),
        (100_000, 1024, 40 * 97),
        (1_000_000, 1024, 4000),  # the steps end it first
    ],
)
def test_the_budget_is_the_least_of_40_epochs_and_4000_steps(count, batch, steps):
    plan = Plan()

    assert plan.batch_size_for(count) == batch
    assert plan.steps_for(count) == steps


def test_history_tells_the_steps_made_and_the_loss_in_about_fifty_parts():
    calls = Spy()

    _, history = trained(Plan(epochs=100, max_steps=120), objective=calls)

    assert len(calls.calls) == history.steps == 120
    assert history.batch_size == len(calls.calls[0][0].kl) == 37
    assert 40 <= len(history.loss) <= 50
    assert history.loss[-1] < history.loss[0]


@pytest.mark.parametrize("steps", [1, 2, 3, 9, 10, 19])
@pytest.mark.parametrize("lr_warmup", [0.01, 0.05, 0.1, 0.5, 0.99])
def test_any_number_of_steps_can_be_trained(steps, lr_warmup):
    _, history = trained(Plan(max_steps=steps, lr_warmup=lr_warmup))

    assert history.steps == steps
    assert len(history.loss) == steps
    assert all(map(math.isfinite, history.loss))


def test_the_objective_is_told_how_much_is_done():
    calls = Spy()

    trained(Plan(max_steps=4), objective=calls)

    assert [done for _, done in calls.calls] == [0.0, 0.25, 0.5, 0.75]


def test_the_model_is_left_ready_to_score():
    model, _ = trained()

    assert not model.training


def test_each_epoch_shows_every_example_once():
    class Numbers(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(()))
            self.seen = []

        def prepare(self, x, told):
            return ModelInput(x, told, torch.ones(len(x), dtype=torch.bool))

        def forward(self, x, context=None):
            self.seen += x[:, 0].tolist()
            error = x * self.weight
            return Reconstruction(x, error, error.sum(-1) * 0, error.new_zeros(()))

    model, numbers = Numbers(), torch.arange(64.0)[:, None]

    fit_model(model, Elbo(), numbers, Plan(epochs=3), seed=0)

    epochs = [model.seen[start : start + 64] for start in (0, 64, 128)]
    assert [sorted(epoch) for epoch in epochs] == [numbers[:, 0].tolist()] * 3
    assert epochs[0] != epochs[1]


def test_trimming_leaves_out_the_worst_share():
    losses = torch.tensor([9.0, 1.0, 2.0, 100.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])

    known = torch.ones(10, dtype=torch.bool)

    assert best(losses, known, 0.0).tolist() == list(range(10))
    assert sorted(best(losses, known, 0.1).tolist()) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert sorted(best(losses, known, 0.2).tolist()) == [1, 2, 4, 5, 6, 7, 8, 9]


def test_what_is_unknown_is_no_part_of_what_is_trimmed():
    losses = torch.tensor([9.0, 1.0, 2.0, 100.0, 3.0])
    known = torch.tensor([True, False, True, False, True])

    assert best(losses, known, 0.0).tolist() == [0, 2, 4]
    assert sorted(best(losses, known, 0.34).tolist()) == [2, 4]


def test_trimming_always_leaves_one():
    assert best(torch.tensor([3.0, 2.0]), torch.tensor([True, True]), 0.99).tolist() == [1]


def test_trimming_counts_the_examples_of_every_axis():
    calls = Spy()

    _, history = trained(
        Plan(max_steps=1, trim=0.25), x=examples(120).reshape(40, 3, BANDS), objective=calls
    )

    losses = Elbo()(calls.calls[0][0]).detach().flatten()
    kept = losses.sort().values[: round(0.75 * len(losses))]
    assert losses.shape == (32 * 3,)
    assert history.loss[0] == pytest.approx(float(kept.mean()))


def test_trimming_keeps_anomalies_from_being_learnt():
    # The anomalies, a thirtieth, differ in the last band.
    x = 0.1 * examples(600)
    x[:, 0] *= 10
    x[::30, -1] += 4

    errors = {trim: error_of_anomalies(x, trim) for trim in (0.0, 0.05)}

    assert errors[0.05] > 3 * errors[0.0]


def error_of_anomalies(x, trim):
    model, _ = trained(Plan(epochs=30, learning_rate=2e-2, trim=trim), x=x)
    with torch.inference_mode():
        return float(model(x).error[::30].sum(-1).mean())


def test_each_example_is_learnt_with_its_own_context():
    x = examples()
    model = untrained("cvae", context=BANDS)

    fit_model(model, Elbo(), x, Plan(epochs=100, learning_rate=1e-2), seed=0, context=x)

    with torch.inference_mode():
        right, wrong = (model(x, told).error.sum(-1).mean() for told in (x, x.flip(0)))
    assert right < wrong - 1


def test_progress_is_told_about_a_hundred_times_and_ends_whole():
    told = []

    fit_model(untrained(), Elbo(), examples(), Plan(epochs=100, max_steps=250), 0, collect(told))

    assert 100 <= len(told) <= 130
    assert told[0] == ("train", 0, 250)
    assert told[-1] == ("train", 250, 250)


def collect(told):
    return lambda *progress: told.append(progress)


def test_a_training_that_diverges_is_reported_with_the_remedy():
    with pytest.raises(ConfigError, match=r"training.learning_rate = 1e\+20 .* Lower it"):
        fit(spectra(200), training={"max_steps": 20, "learning_rate": 1e20})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("objective", [Elbo(), Elbo(adversarial=1.0)])
def test_training_repeats_to_the_bit_on_a_gpu(objective):
    runs = []
    for _ in range(2):
        model = untrained().to("cuda")
        fit_model(model, objective, examples().to("cuda"), SHORT, seed=0)
        runs.append(weights(model.cpu()))

    assert runs[0] == runs[1]
