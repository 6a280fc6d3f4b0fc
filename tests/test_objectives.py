"""The negative ELBO and its variations, per example."""

import pytest
import torch

from anomvae.models import Reconstruction
from anomvae.models.objectives import Elbo

ERROR = torch.tensor([[1.0, 2.0], [3.0, 4.0], [-1.0, 0.5]])


def output(penalty=0.0):
    kl = torch.tensor([0.0, 2.0, 5.0], requires_grad=True)
    return Reconstruction(torch.zeros(3, 2), ERROR, kl, torch.tensor(penalty))


@pytest.mark.parametrize(
    ("objective", "done", "loss"),
    [
        (Elbo(), 1.0, [3.0, 9.0, 4.5]),
        (Elbo(), 0.0, [3.0, 9.0, 4.5]),
        (Elbo(beta=4.0), 1.0, [3.0, 15.0, 19.5]),
        (Elbo(free_bits=3.0), 1.0, [6.0, 10.0, 4.5]),
        (Elbo(adversarial=2.0), 1.0, [3.0, 9.0, 4.5]),
    ],
)
def test_the_loss_is_the_error_plus_the_weighted_kl(objective, done, loss):
    assert objective(output(), done).tolist() == loss


@pytest.mark.parametrize(
    ("done", "weight"), [(0.0, 0.0), (0.125, 0.25), (0.25, 0.5), (0.5, 1.0), (1.0, 1.0)]
)
def test_warm_up_raises_the_kl_weight_linearly_from_0(done, weight):
    loss = Elbo(beta=2.0, warm_up=0.5)(output(), done)

    assert loss.tolist() == [3.0, 7.0 + 4.0 * weight, -0.5 + 10.0 * weight]


def test_kl_below_the_free_bits_has_no_gradient():
    reconstruction = output()

    Elbo(free_bits=3.0)(reconstruction).sum().backward()

    assert reconstruction.kl.grad.tolist() == [0.0, 0.0, 1.0]


def test_the_penalty_is_added_to_every_example():
    assert Elbo()(output(penalty=0.5)).tolist() == [3.5, 9.5, 5.0]
