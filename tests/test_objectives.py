"""The negative ELBO and its variations, example by example."""

import pytest
import torch

from anomvae.models import Reconstruction
from anomvae.models.objectives import Elbo


def answer(kl=(0.0, 2.0, 5.0), penalty=0.0):
    error = torch.tensor([[1.0, 2.0], [3.0, 4.0], [-1.0, 0.5]])
    return Reconstruction(torch.zeros(3, 2), error, torch.tensor(kl), torch.tensor(penalty))


def test_the_loss_of_an_example_is_its_error_plus_its_kl():
    assert Elbo()(answer()).tolist() == [3.0, 9.0, 4.5]


def test_beta_weighs_the_kl():
    assert Elbo(beta=4.0)(answer()).tolist() == [3.0, 15.0, 19.5]


@pytest.mark.parametrize(
    ("done", "weight"), [(0.0, 0.0), (0.125, 0.25), (0.25, 0.5), (0.5, 1.0), (1.0, 1.0)]
)
def test_warm_up_raises_the_weight_linearly_from_0_and_keeps_it(done, weight):
    objective = Elbo(beta=2.0, warm_up=0.5)

    loss = objective(answer(), done)

    assert loss.tolist() == [3.0, 7.0 + 4.0 * weight, -0.5 + 10.0 * weight]


def test_without_warm_up_the_weight_is_whole_from_the_first_step():
    assert Elbo()(answer(), done=0.0).tolist() == [3.0, 9.0, 4.5]


def test_free_bits_cost_the_same_however_few_of_them_are_used():
    assert Elbo(free_bits=3.0)(answer()).tolist() == [6.0, 10.0, 4.5]


def test_free_bits_give_no_gradient_below_and_all_of_it_above():
    a = answer()
    kl = a.kl.clone().requires_grad_()

    Elbo(free_bits=3.0)(a._replace(kl=kl)).sum().backward()

    assert kl.grad.tolist() == [0.0, 0.0, 1.0]


def test_every_example_pays_the_penalty():
    assert Elbo()(answer(penalty=0.5)).tolist() == [3.5, 9.5, 5.0]


def test_leading_axes_stay():
    a = Reconstruction(
        torch.zeros(4, 3, 2), torch.ones(4, 3, 2), torch.zeros(4, 3), torch.tensor(0.0)
    )

    assert Elbo()(a).shape == (4, 3)
