"""Parts put together to an untrained autoencoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from ..program.codes import Weights
from ..program.sizes import Sizes
from .core import Autoencoder, Bottleneck, ContextNetwork
from .likelihoods import LIKELIHOODS
from .networks import MLP, LinearPath

if TYPE_CHECKING:
    from .families import Family


def assembled(
    sizes: Sizes, bottleneck: Bottleneck, network: ContextNetwork | None, likelihood: str
) -> Autoencoder:
    """Build encoder, decoder and likelihood around a bottleneck and a context network."""
    hidden = sizes.hidden
    context = sizes.context + (0 if network is None else network.width)
    encoder_alone = network is not None and not network.centre_masked
    linear = 0 if network is None else network.linear
    # In this order, on which the initial weights of a seed depend.
    encoder = MLP(sizes.bands + context, hidden)
    decoder: nn.Module = MLP(bottleneck.width + (0 if encoder_alone else context), hidden[::-1])
    bands = LIKELIHOODS[likelihood](hidden[0] + linear, sizes.bands)
    if linear:
        decoder = LinearPath(decoder, bottleneck.width, linear)
        decoder.start(bands.to_mean)
    return Autoencoder(encoder, bottleneck, decoder, bands, network)


def restored(
    family: Family, sizes: Sizes, likelihood: str, weights: Weights, device: str
) -> Autoencoder:
    """Build a trained autoencoder from its tensors, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):  # the initial weights are drawn
        model = family.build(sizes, likelihood)
    model.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in weights.items()})
    return model.eval().to(device)


def weights_of(model: Autoencoder) -> Weights:
    """Return the tensors of an autoencoder."""
    return {name: tensor.cpu().numpy().copy() for name, tensor in model.state_dict().items()}
