"""What every test shares: one torch thread."""

import pytest

pytest.register_assert_rewrite("support.family_contract")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Keep torch from fighting over the cores."""
    import torch

    torch.set_num_threads(1)
