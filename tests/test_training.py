"""The training loop: its budget, its robustness to anomalies, and that it repeats."""

import math
from dataclasses import dataclass, field, replace

import pytest
import torch
from support.models import BANDS, examples, state_bytes, untrained
from support.spectra import fit, plan_of, spectra

from anomvae.config import TrainingConfig
from anomvae.errors import ConfigError
from anomvae.models import ModelInput, Reconstruction
from anomvae.models.objectives import Elbo
from anomvae.training.loop import fit_model, lowest_losses


def plan(objective=None, **training):
    """Plan training on clean pixels: without trim unless it is set."""
    resolved = plan_of(clean=True, training=training)
    return replace(resolved, objective=objective or resolved.objective)


def trained(x=None, *, seed=0, **settings):
    model = untrained()
    x = examples(300) if x is None else x
    return model, fit_model(model, plan(**{"max_steps": 20} | settings), x, seed=seed)


@dataclass(frozen=True)
class Recorder(Elbo):
    """An objective that keeps its calls."""

    calls: list = field(default_factory=list)

    def __call__(self, output, done=1.0):
        self.calls.append((output, done))
        return super().__call__(output, done)


def test_training_repeats_to_the_bit_for_the_same_seed_alone():
    (one, history), (same, repeated), (other, _) = (trained(seed=seed) for seed in (0, 0, 1))

    assert state_bytes(one) == state_bytes(same) != state_bytes(other)
    assert history == repeated


def test_the_global_generator_neither_matters_nor_changes():
    models = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        models.append(fit(spectra(100), training={"max_steps": 3}).model)

        assert torch.equal(torch.get_rng_state(), before)

    assert state_bytes(models[0]) == state_bytes(models[1])


@pytest.mark.parametrize(
    ("count", "batch_size", "steps"),
    [
        (5, 5, 40),  # one batch an epoch
        (32, 32, 40),
        (200, 32, 40 * 6),
        (800, 100, 40 * 8),  # a batch is at most an eighth
        (8192, 1024, 40 * 8),
        (100_000, 1024, 40 * 97),
        (1_000_000, 1024, 4000),  # the steps end it first
    ],
)
def test_the_budget_is_the_least_of_40_epochs_and_4000_steps(count, batch_size, steps):
    config = TrainingConfig()

    assert config.batch_size_for(count) == batch_size
    assert config.steps_for(count) == steps


def test_the_history_holds_steps_batch_size_and_the_loss_in_about_fifty_parts():
    objective = Recorder()

    _, history = trained(objective=objective, epochs=100, max_steps=120)

    assert len(objective.calls) == history.steps == 120
    assert history.batch_size == len(objective.calls[0][0].kl) == 37
    assert 40 <= len(history.loss) <= 50
    assert history.loss[-1] < history.loss[0]


@pytest.mark.parametrize("steps", [1, 2, 3, 9, 19])
@pytest.mark.parametrize("lr_warmup", [0.01, 0.1, 0.99])
def test_any_number_of_steps_can_be_trained(steps, lr_warmup):
    model, history = trained(max_steps=steps, lr_warmup=lr_warmup)

    assert history.steps == len(history.loss) == steps
    assert all(map(math.isfinite, history.loss))
    assert not model.training


def test_the_objective_is_given_the_share_of_training_done():
    objective = Recorder()

    trained(objective=objective, max_steps=4)

    assert [done for _, done in objective.calls] == [0.0, 0.25, 0.5, 0.75]


def test_every_epoch_takes_each_example_once_in_another_order():
    class Numbers(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(()))
            self.order = []

        def prepare(self, x, context):
            return ModelInput(x, context, torch.ones(len(x), dtype=torch.bool))

        def forward(self, x, context):
            self.order += x[:, 0].tolist()
            error = x * self.weight
            return Reconstruction(x, error, error.sum(-1) * 0, error.new_zeros(()))

    model, numbers = Numbers(), torch.arange(64.0)[:, None]

    fit_model(model, plan(epochs=3), numbers)

    epochs = [model.order[start : start + 64] for start in (0, 64, 128)]
    assert [sorted(epoch) for epoch in epochs] == [numbers[:, 0].tolist()] * 3
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize(
    ("trim", "unknown", "kept"),
    [
        (0.0, [], [0, 1, 2, 3, 4]),
        (0.2, [], [0, 1, 2, 4]),
        (0.4, [], [1, 2, 4]),
        (0.0, [1, 3], [0, 2, 4]),
        (0.34, [1, 3], [2, 4]),  # a share of the known ones
        (0.99, [], [1]),  # one is always kept
    ],
)
def test_trimming_excludes_the_highest_losses_of_the_known_examples(trim, unknown, kept):
    losses, known = torch.tensor([9.0, 1.0, 2.0, 100.0, 3.0]), torch.ones(5, dtype=torch.bool)
    known[unknown] = False

    assert sorted(lowest_losses(losses, known, trim).tolist()) == kept


def test_trimming_counts_the_examples_of_every_axis():
    objective = Recorder()

    _, history = trained(examples(40, 3), objective=objective, max_steps=1, trim=0.25)

    losses = Elbo()(objective.calls[0][0]).detach().flatten()
    kept = losses.sort().values[: round(0.75 * len(losses))]
    assert losses.shape == (32 * 3,)
    assert history.loss[0] == pytest.approx(float(kept.mean()))


def test_trimming_keeps_anomalies_from_being_learnt():
    # A thirtieth are anomalies, which differ in the last band.
    x = 0.1 * examples(600)
    x[:, 0] *= 10
    x[::30, -1] += 4

    errors = {trim: error_of_anomalies(x, trim) for trim in (0.0, 0.05)}

    assert errors[0.05] > 3 * errors[0.0]


def error_of_anomalies(x, trim):
    model, _ = trained(x, epochs=30, max_steps=4000, learning_rate=2e-2, trim=trim)
    with torch.inference_mode():
        return float(model(x).error[::30].sum(-1).mean())


def test_each_example_is_learnt_with_its_own_context():
    model, x = untrained("cvae", context=BANDS), examples(300)

    fit_model(model, plan(epochs=100, learning_rate=1e-2), x, x)

    with torch.inference_mode():
        own, other = (model(x, context).error.sum(-1).mean() for context in (x, x.flip(0)))
    assert own < other - 1


def test_progress_is_reported_about_a_hundred_times_and_at_the_end():
    steps = []

    fit_model(
        untrained(),
        plan(epochs=100, max_steps=250),
        examples(300),
        progress=lambda *step: steps.append(step),
    )

    assert 100 <= len(steps) <= 130
    assert steps[0] == ("train", 0, 250)
    assert steps[-1] == ("train", 250, 250)


def test_a_diverging_training_is_reported_with_the_remedy():
    with pytest.raises(ConfigError, match=r"training.learning_rate = 1e\+20 .* Lower it"):
        fit(spectra(200), training={"max_steps": 20, "learning_rate": 1e20})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("objective", [Elbo(), Elbo(adversarial=1.0)])
def test_training_repeats_to_the_bit_on_a_gpu(objective):
    runs = []
    for _ in range(2):
        model = untrained().to("cuda")
        fit_model(model, plan(objective, max_steps=20), examples(300).to("cuda"))
        runs.append(state_bytes(model.cpu()))

    assert runs[0] == runs[1]
