"""The optimiser: torch's own steps to the bit, and none of what torch loads for them."""

import subprocess
import sys

import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR

from anomvae.training.optimiser import Adam, OneCycle


def parameters():
    draw = torch.Generator().manual_seed(0)
    shapes = [(5, 3), (7,), (40, 33)]
    return [torch.nn.Parameter(torch.randn(shape, generator=draw)) for shape in shapes]


def gradients(step):
    draw = torch.Generator().manual_seed(1 + step)
    return [torch.randn(one.shape, generator=draw) for one in parameters()]


@pytest.mark.parametrize("steps", [2, 3, 60])
@pytest.mark.parametrize("rise", [0.1, 0.7])
def test_its_steps_are_those_of_torch_to_the_bit(steps, rise):
    rise = max(rise, 2 / (steps + 1))
    ours, theirs = parameters(), parameters()
    adam, cycle = Adam(ours), OneCycle(2e-3, steps + 1, rise)
    reference = torch.optim.AdamW(theirs, lr=2e-3, weight_decay=0)
    schedule = OneCycleLR(reference, 2e-3, total_steps=steps + 1, pct_start=rise)

    for step in range(steps):
        for group in (ours, theirs):
            for one, gradient in zip(group, gradients(step), strict=True):
                one.grad = gradient
        adam.step(*cycle.at(step))
        reference.step()
        schedule.step()

    assert all(map(torch.equal, ours, theirs))


def test_what_has_no_gradient_stays():
    moved, left, frozen = parameters()
    frozen.requires_grad_(False)
    before = [one.detach().clone() for one in (moved, left, frozen)]
    adam = Adam([moved, left, frozen])
    moved.grad = torch.ones_like(moved)

    adam.step(0.1, 0.9)

    same = [
        torch.equal(one, other) for one, other in zip((moved, left, frozen), before, strict=True)
    ]
    assert same == [False, True, True]


def test_forgetting_drops_the_gradients():
    some = parameters()
    for one in some:
        one.grad = torch.ones_like(one)

    Adam(some).forget()

    assert all(one.grad is None for one in some)


def test_fitting_and_scoring_do_not_load_the_compiler():
    code = (
        "import sys; from support.spectra import fit, scene, spectra\n"
        "fit(spectra(100), training={'max_steps': 2}).score(scene((3, 3)))\n"
        "print('torch._dynamo' in sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd="tests", capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "False"
