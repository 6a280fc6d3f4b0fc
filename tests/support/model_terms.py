"""The terms of a score as the model computes them that was trained."""

from copy import deepcopy

import numpy as np
import torch

from anomvae.stats.scaler import FARTHEST
from support.spectra import scene


def expected_terms(detector, x):
    """Scale, encode, decode, whiten and add up as the documentation does, in float64."""
    count, model = len(detector.bands), deepcopy(detector.model).double()
    distance = (x[..., :count].astype(np.float64) - detector.scaler.centre) / detector.scaler.std
    scaled = torch.from_numpy(np.clip(distance, -FARTHEST, FARTHEST))
    features = None
    if detector.context is not None:
        features = torch.from_numpy(detector.context.standardised(x[..., count:])).double()
    noise = detector.noise
    with torch.inference_mode():
        batch = model.prepare(scaled, features)
        code = model.encode(batch.x, batch.context)
        residual = batch.x - model.decode(code.z, batch.context) - torch.tensor(noise.centre)
        root = torch.tensor(noise.whitening)
        white = residual @ root if root.ndim == 2 else residual * root
        nll = model.likelihood.nll_above_mode(white.square()).sum(-1)
    spectra, linear = batch.x.numpy(), np.zeros(nll.shape)
    if detector.linear is not None:
        linear = detector.linear.score(spectra.reshape(-1, count)).reshape(nll.shape)
    return np.stack([nll.numpy(), (detector.card.kl_weight * code.kl).numpy(), linear])


def examples_of(detector, seed=2):
    block = scene((10, 15), len(detector.bands), 3, seed)
    view = detector.view
    return view.split(block, view.where(block))[:]
