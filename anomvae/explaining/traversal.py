"""What the latent units, or the codes, of a detector do to a spectrum.

A traversal decodes the centre of the prior with one unit at -3 to 3 standard deviations of its
prior (as in Higgins et al. 2017, beta-VAE).  In a hierarchy a unit of the upper level moves the
prior of the lower one with it.  A conditioned model is given the mean context of its training
pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..detector import Detector
from ..errors import ConfigError
from ..models import Codebook, VariationalBottleneck
from ..parallel.isolation import isolated
from ..stats.latent import ACTIVE

STEPS = (-3, -2, -1, 0, 1, 2, 3)
"""Standard deviations of the prior."""


@dataclass(frozen=True, eq=False)
class Traversal:
    """The spectra of one latent unit."""

    name: str
    """Of the unit, as `Detector.code_names` has it."""
    kl: float | None
    """Mean KL of the unit over training pixels, nats; None: the model file does not hold it."""
    steps: NDArray[np.float64]
    """Values of the unit, standard deviations of its prior, (step,)."""
    spectra: NDArray[np.float32]
    """The spectrum at each value, data units, (step, band)."""


@dataclass(frozen=True, eq=False)
class CodeSpectra:
    """The spectra of the codes of a codebook, the most frequent first."""

    numbers: NDArray[np.int_]
    """Each code, from 0, (code,)."""
    shares: NDArray[np.float64]
    """Share of the training pixels that have it, (code,)."""
    spectra: NDArray[np.float32]
    """Its spectrum, data units, (code, band)."""


def traverse(
    detector: Detector, units: Sequence[int] = (), most: int = 6
) -> tuple[Traversal, ...] | CodeSpectra:
    """Decode the prior along its units, or the codes of a codebook.

    Parameters
    ----------
    detector : Detector
        Of any family that has a prior.
    units : sequence of int, optional
        Latent units from 1 in the order of `Detector.code_names`; of a codebook, codes from 0.  By
        default the active ones (at least one) with the largest KL over the training pixels, and
        the most frequent codes.
    most : int, default 6
        Number of units or codes where none is chosen.

    Raises
    ------
    ConfigError
        When the family has no prior, as ``ae``, or a unit or code does not exist.
    """
    bottleneck = detector.model.prior
    if bottleneck is None:
        raise ConfigError(
            f"model.family = {detector.card.family!r} has no prior, so its units have no scale to "
            f"vary on. Train a family that has one, such as 'vae'."
        )
    if isinstance(bottleneck, Codebook):
        return _codes(detector, bottleneck, units, most)
    names = detector.code_names
    known = detector.card.training.latent.units or (None,) * len(names)
    chosen = _chosen(units, len(names), "latent units", first=1)
    if not units:
        chosen = sorted(chosen, key=lambda unit: -(known[unit] or 0.0))
        active = sum(kl is None or kl > ACTIVE for kl in known)
        chosen = chosen[: max(1, min(active, most))]
    return tuple(_unit(detector, bottleneck, names[unit], known[unit], unit) for unit in chosen)


@isolated()
@torch.inference_mode()
def _unit(
    detector: Detector, bottleneck: VariationalBottleneck, name: str, kl: float | None, unit: int
) -> Traversal:
    noise = torch.zeros(len(STEPS), bottleneck.noise_width)
    noise[:, unit] = torch.tensor(STEPS, dtype=torch.float32)
    z = bottleneck.prior_code(noise.to(detector.device)).cpu().numpy()
    return Traversal(name, kl, np.array(STEPS, np.float64), detector.decode(z))


def _codes(detector: Detector, codebook: Codebook, units: Sequence[int], most: int) -> CodeSpectra:
    shares = codebook.usage.double().cpu().numpy()
    living = np.flatnonzero(codebook.living.cpu().numpy())
    order = np.array(_chosen(units, len(shares), "codes", first=0), int)
    if not units:
        order = living[np.argsort(-shares[living], kind="stable")][:most]
    spectra = detector.decode(codebook.codes.cpu().numpy()[order])
    return CodeSpectra(order, shares[order] / shares[living].sum(), spectra)


def _chosen(units: Sequence[int], count: int, what: str, first: int) -> list[int]:
    """Return positions from 0; all where none is chosen."""
    for unit in units:
        if not first <= unit < first + count:
            raise ConfigError(
                f"There is no {unit} among the {count} {what} of this model. Give one of {first} "
                f"to {first + count - 1}."
            )
    return [unit - first for unit in units] or list(range(count))
