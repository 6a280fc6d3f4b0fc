"""Untrained models and random examples."""

import torch

from anomvae.models.families import FAMILIES, PATCH, Sizes

BANDS = 4


def untrained(family="vae", likelihood="gaussian", *, bands=BANDS, context=0, patch=PATCH):
    """Build a small model from seed 0."""
    torch.manual_seed(0)
    return FAMILIES[family].build(Sizes(bands, 2, (8,), context, patch), likelihood)


def examples(*shape, bands=BANDS, seed=1):
    """Draw standard normal examples, (*shape, band)."""
    return torch.randn(*shape, bands, generator=torch.Generator().manual_seed(seed))


def state_bytes(model):
    """Return the weights and buffers of a model as bytes."""
    return b"".join(value.numpy().tobytes() for value in model.state_dict().values())
