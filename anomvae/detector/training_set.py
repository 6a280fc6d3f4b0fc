"""The training set: examples without the bands that carry nothing, and without gaps.

A band is dropped where it has no data (or hardly any), or one value in all examples.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import NotEnoughPixels, listed
from ..pixels.bands import Bands
from ..stats.context import Context
from ..stats.moments import BandStatistics, in_parts, stream_statistics
from ..stats.scaler import Scaler
from ..training.sampling import Sample
from .batches import Array

EMPTY = 0.01  # a band with data in a smaller share of the pixels than its fullest peer is dropped


LEAST_STD = 1e3 * float(np.finfo(np.float32).tiny)
"""Standard deviation below which the weights of the scoring program overflow float32."""


class TrainingSet(NamedTuple):
    """Examples to train on, and what describes them."""

    examples: Array
    """Kept bands, then features of the context, (n, ..., value), data units."""
    held_out: Array
    """The same of examples that training does not read."""
    bands: Bands
    """The kept bands."""
    dropped: tuple[str, ...]
    """Names of the other bands."""
    alive: NDArray[np.bool_]
    """Which of the sample's bands are kept, shape (band,)."""
    scaler: Scaler
    """Fitted to the examples."""
    context: Context | None
    """Makes the features of the context; fitted to the examples."""

    @property
    def spectra(self) -> Array:
        """The examples without context."""
        return self.examples[..., : len(self.bands)]

    def tensors(self, examples: Array, device: torch.device) -> tuple[Tensor, Tensor | None]:
        """Return scaled examples, and the standardised features of their context."""
        count = len(self.bands)
        scaled = torch.from_numpy(self.scaler.scale(examples[..., :count])).to(device)
        if self.context is None:
            return scaled, None
        features = self.context.standardised(examples[..., count:])
        return scaled, torch.from_numpy(features).to(device)


def training_set(
    sample: Sample,
    bands: Bands,
    known: Callable[[Array], NDArray[np.bool_]],
    fewest: int,
    context: Context | None,
) -> TrainingSet:
    """Drop bands that carry nothing, then examples that lack data in any other band.

    ``known`` is that of a view: it returns which examples have data, (n,) or (n, time).  Raises
    NotEnoughPixels when there are less than ``fewest`` examples, all of them are held out, no band
    is kept, the context depends on a dropped band, or values are too small for float32.
    """
    examples, fewest = sample.examples, max(1, fewest)
    _require(len(examples), len(sample.held_out), fewest)
    held_out = sample.held_out.reshape(-1, *examples.shape[1:])
    others = np.ones(examples.shape[-1] - len(bands), dtype=bool)  # features are never dropped
    count = _describe(examples[..., : len(bands)]).count
    filled = count > EMPTY * count.max()
    examples, held_out = (_kept(part, np.append(filled, others)) for part in (examples, held_out))
    living = int(filled.sum())
    examples, held_out = (part[_any(known(part[..., :living]))] for part in (examples, held_out))
    _require(len(examples), len(held_out), fewest)
    dead = _describe(examples[..., :living]).dead
    examples, held_out = (_kept(part, np.append(~dead, others)) for part in (examples, held_out))
    alive = filled.copy()
    alive[filled] = ~dead
    if not alive.any():
        raise NotEnoughPixels(
            f"All {len(bands)} bands have one value in all {len(examples)} pixels, so there is "
            f"nothing to learn; numbers below 1e-45 count as 0. Give other scenes, check the "
            f"masks, or rescale small numbers (gdal_edit.py -scale)."
        )
    dropped = tuple(band.name for band, kept in zip(bands, alive, strict=True) if not kept)
    used = bands.keep([band for band, kept in zip(bands, alive, strict=True) if kept])
    scaler = _describe(examples[..., : len(used)]).scaler()
    _require_normal_numbers(scaler, used)
    if context is not None:
        _require_basis(context, bands, alive)
        context = context.keep(alive).fitted_to(examples[..., len(used) :])
    return TrainingSet(examples, held_out, used, dropped, alive, scaler, context)


def _any(known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(known.any(axis=tuple(range(1, known.ndim))))  # at any date


def _require(examples: int, held_out: int, fewest: int) -> None:
    if examples + held_out < fewest:
        raise NotEnoughPixels(
            f"{examples + held_out} valid pixels to train on, but at least {fewest} are needed. "
            f"Give larger scenes, choose other bands, or check nodata values and masks "
            f"(--mask none ignores those of a product)."
        )
    if not examples:
        raise NotEnoughPixels("All valid pixels lie in held-out blocks. Give larger scenes.")


def _require_normal_numbers(scaler: Scaler, bands: Bands) -> None:
    small = scaler.std < LEAST_STD
    if small.any():
        names = [band.name for band, is_small in zip(bands, small, strict=True) if is_small]
        raise NotEnoughPixels(
            f"{listed(names)}: the values are too small for float32 (a standard deviation of "
            f"{scaler.std.min():.2g}, but at least {LEAST_STD:.2g} is needed). Rescale them "
            f"(gdal_edit.py -scale 1e40), or choose other bands."
        )


def _require_basis(context: Context, bands: Bands, alive: NDArray[np.bool_]) -> None:
    lost = context.basis.any(axis=1) & ~alive
    if lost.any():  # a detector does not read a dropped band
        names = [band.name for band, gone in zip(bands, lost, strict=True) if gone]
        raise NotEnoughPixels(
            f"{listed(names)}: no data or one value in the pixels to train on, but not in those "
            f"nearby. Give larger scenes, or leave it out."
        )


def _kept(examples: Array, bands: NDArray[np.bool_]) -> Array:
    return examples if bands.all() else examples[..., bands]


def _describe(examples: Array) -> BandStatistics:
    return stream_statistics(in_parts(examples))
