"""The optimiser takes torch's steps to the bit, without loading torch's compiler."""

import subprocess
import sys

import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR

from anomvae.training.optimiser import Adam, OneCycle


def parameters(seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(5, 3), (7,), (40, 33)]
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]


def set_gradients(group, seed):
    for parameter, gradient in zip(group, parameters(seed), strict=True):
        parameter.grad = gradient.detach()


@pytest.mark.parametrize(("steps", "rise"), [(2, 0.1), (3, 0.7), (30, 0.1), (30, 0.7)])
def test_adam_under_one_cycle_equals_torch_to_the_bit(steps, rise):
    rise = max(rise, 2 / (steps + 1))
    ours, theirs = parameters(), parameters()
    adam, cycle = Adam(ours), OneCycle(2e-3, steps + 1, rise)
    reference = torch.optim.Adam(theirs, lr=2e-3)
    schedule = OneCycleLR(reference, 2e-3, total_steps=steps + 1, pct_start=rise)

    for step in range(steps):
        set_gradients(ours, step)
        set_gradients(theirs, step)
        adam.step(*cycle.at(step))
        reference.step()
        schedule.step()

    assert all(map(torch.equal, ours, theirs))


@pytest.mark.parametrize("betas", [(0.0, 0.9), (0.9, 0.999)])
def test_adam_of_any_decay_rates_equals_torch_to_the_bit(betas):
    ours, theirs = parameters(), parameters()
    adam, reference = Adam(ours, betas[1]), torch.optim.Adam(theirs, lr=1e-3, betas=betas)

    for step in range(60):
        set_gradients(ours, step)
        set_gradients(theirs, step)
        adam.step(1e-3, betas[0])
        reference.step()

    assert all(map(torch.equal, ours, theirs))


def test_parameters_without_a_gradient_stay_and_gradients_are_dropped():
    group = parameters()
    group[2].requires_grad_(False)
    before = [parameter.detach().clone() for parameter in group]
    adam = Adam(group)
    group[0].grad = torch.ones_like(group[0])

    adam.step(0.1, 0.9)

    assert list(map(torch.equal, group, before)) == [False, True, True]
    adam.zero_grad()
    assert all(parameter.grad is None for parameter in group)


def test_no_family_loads_the_compiler_to_fit_and_score():
    code = (
        "import sys\n"
        "from anomvae.models.families import FAMILIES\n"
        "from support.spectra import fit_scene, scene\n"
        "block = scene((8, 8), dates=2)\n"
        "for family in FAMILIES:\n"
        "    fit_scene(block, model={'family': family}, training={'max_steps': 2}).score(block)\n"
        "print('torch._dynamo' in sys.modules)"
    )

    process = subprocess.run(
        [sys.executable, "-c", code], cwd="tests", capture_output=True, text=True, check=True
    )

    assert process.stdout.strip() == "False"
