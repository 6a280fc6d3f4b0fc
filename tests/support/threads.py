"""torch with several threads, for a while."""

from contextlib import contextmanager


@contextmanager
def torch_threads(count):
    """Let torch use so many threads, then one again, as every test expects."""
    import torch

    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(1)
