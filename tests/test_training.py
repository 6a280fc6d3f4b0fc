"""The training loop: its budget, its robustness to anomalies, and that it repeats."""

import math
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from support.models import BANDS, examples, state_bytes, untrained
from support.spectra import fit, plan_of, spectra

from anomvae.config import TrainingConfig
from anomvae.errors import ConfigError
from anomvae.models.objectives import Elbo
from anomvae.training.loop import fit_model, lowest_losses
from anomvae.training.optimiser import Adam, OneCycle


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


def test_the_objective_is_given_the_share_done_and_the_history_has_about_fifty_parts():
    objective = Recorder()

    _, history = trained(objective=objective, epochs=100, max_steps=120)

    assert [done for _, done in objective.calls] == [step / 120 for step in range(120)]
    assert history.steps == 120
    assert history.batch_size == len(objective.calls[0][0].kl) == 37
    assert 40 <= len(history.loss) <= 50
    assert history.loss[-1] < history.loss[0]


@pytest.mark.parametrize("steps", [1, 2, 3, 9, 19])
@pytest.mark.parametrize("lr_warmup", [0.01, 0.1, 0.99])
def test_any_number_of_steps_is_trained_at_the_rates_of_one_cycle(steps, lr_warmup, monkeypatch):
    taken, take = [], Adam.step
    monkeypatch.setattr(
        Adam, "step", lambda adam, *rates: taken.append(rates) or take(adam, *rates)
    )

    model, history = trained(max_steps=steps, lr_warmup=lr_warmup, learning_rate=0.01)

    schedule = OneCycle(0.01, steps + 1, max(lr_warmup, 2 / (steps + 1)))
    assert taken == [schedule.at(step) for step in range(steps)]
    assert history.steps == len(history.loss) == steps
    assert all(map(math.isfinite, history.loss))
    assert not model.training


def test_every_epoch_takes_whole_batches_of_other_examples_in_another_order():
    model, x, batches = untrained(), examples(70), []
    prepare = model.prepare
    model.prepare = lambda batch, context: batches.append(batch) or prepare(batch, context)

    fit_model(model, plan(epochs=3), x)

    assert [len(batch) for batch in batches] == [32] * 6  # of 70, six are left out in an epoch
    epochs = [torch.cat(batches[start : start + 2])[:, 0].tolist() for start in (0, 2, 4)]
    assert all(len(set(epoch) & set(x[:, 0].tolist())) == 64 for epoch in epochs)
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


def test_the_history_parts_the_loss_into_reconstruction_and_kl():
    _, history = trained(objective=Elbo(beta=4.0), max_steps=60, trim=0.25)

    parts = np.array([history.reconstruction, history.kl])
    np.testing.assert_allclose([1, 4] @ parts, history.loss, rtol=1e-5)
    assert (parts[1] > 0).all()


def test_trimming_keeps_anomalies_from_being_learnt():
    # A thirtieth are anomalies, which differ in the last band.
    x = 0.1 * examples(600)
    x[:, 0] *= 10
    x[::30, -1] += 4

    learnt, trimmed = (
        trained(x, epochs=30, max_steps=4000, learning_rate=2e-2, trim=trim)[0](x).error[::30]
        for trim in (0.0, 0.05)
    )

    assert trimmed.sum() > 3 * learnt.sum()


def test_each_example_is_learnt_with_its_own_context():
    model, x = untrained("cvae", context=BANDS), examples(300)

    fit_model(model, plan(epochs=100, learning_rate=1e-2), x, x)

    with torch.inference_mode():
        own, other = (model(x, context).error.sum(-1).mean() for context in (x, x.flip(0)))
    assert own < other - 1


@pytest.mark.parametrize(("steps", "fewest", "most"), [(250, 100, 130), (5, 6, 6)])
def test_progress_is_reported_up_to_about_a_hundred_times_and_at_the_end(steps, fewest, most):
    calls, budget = [], plan(epochs=100, max_steps=steps)

    fit_model(untrained(), budget, examples(300), progress=lambda *call: calls.append(call))

    assert fewest <= len(calls) <= most
    assert calls[0] == ("train", 0, steps)
    assert calls[-1] == ("train", steps, steps)


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
