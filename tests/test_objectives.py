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
        (Elbo(beta=2.0, warm_up=0.5), 0.0, [3.0, 7.0, -0.5]),
        (Elbo(beta=2.0, warm_up=0.5), 0.125, [3.0, 8.0, 2.0]),
        (Elbo(beta=2.0, warm_up=0.5), 0.25, [3.0, 9.0, 4.5]),
        (Elbo(beta=2.0, warm_up=0.5), 0.5, [3.0, 11.0, 9.5]),
        (Elbo(beta=2.0, warm_up=0.5), 1.0, [3.0, 11.0, 9.5]),
        (Elbo(free_bits=3.0), 1.0, [6.0, 10.0, 4.5]),
        (Elbo(adversarial=2.0), 1.0, [3.0, 9.0, 4.5]),
    ],
)
def test_the_loss_is_the_error_plus_the_penalty_and_the_weighted_kl(objective, done, loss):
    assert objective(output(), done).tolist() == loss
    assert objective(output(penalty=0.5), done).tolist() == [each + 0.5 for each in loss]


def test_kl_below_the_free_bits_has_no_gradient():
    reconstruction = output()

    Elbo(free_bits=3.0)(reconstruction).sum().backward()

    assert reconstruction.kl.grad.tolist() == [0.0, 0.0, 1.0]
