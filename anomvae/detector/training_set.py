"""Make examples ready to train on: bands that carry nothing left out, and gaps with them."""

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

EMPTY = 0.01  # a band with data in a smaller share of the pixels has none worth waiting for


class TrainingSet(NamedTuple):
    """Examples that can be trained on, and what they consist of."""

    examples: Array
    """Living bands, then context, data units."""
    held_out: Array
    """The same of examples that training does not see."""
    bands: Bands
    """The living bands."""
    dropped: tuple[str, ...]
    """Names of the others."""
    alive: NDArray[np.bool_]
    """Which of the sample's bands are living, shape (band,)."""
    scaler: Scaler
    """Fitted to the examples."""
    context: Context | None
    """What made the context of the examples, fitted to them."""

    @property
    def spectra(self) -> Array:
        """The examples without context."""
        return self.examples[..., : len(self.bands)]

    def tensors(self, examples: Array, device: torch.device) -> tuple[Tensor, Tensor | None]:
        """Give scaled examples, and what the model is told with them."""
        count = len(self.bands)
        scaled = torch.from_numpy(self.scaler.scale(examples[..., :count])).to(device)
        if self.context is None:
            return scaled, None
        told = self.context.standardised(examples[..., count:])
        return scaled, torch.from_numpy(told).to(device)


def training_set(
    sample: Sample,
    bands: Bands,
    known: Callable[[Array], NDArray[np.bool_]],
    fewest: int,
    context: Context | None,
) -> TrainingSet:
    """Leave out bands that carry nothing, and examples that lack data in any other."""
    examples, fewest = sample.examples, max(1, fewest)
    _require(len(examples) + len(sample.held_out), fewest)
    _require_some(examples)
    held_out = sample.held_out.reshape(-1, *examples.shape[1:])
    told = np.ones(examples.shape[-1] - len(bands), dtype=bool)  # the context always stays
    count = _describe(examples[..., : len(bands)]).count
    seen = count > EMPTY * count.max()
    examples, held_out = (_kept(part, np.append(seen, told)) for part in (examples, held_out))
    living = int(seen.sum())
    examples, held_out = (part[_any(known(part[..., :living]))] for part in (examples, held_out))
    _require(len(examples) + len(held_out), fewest)
    _require_some(examples)
    dead = _describe(examples[..., :living]).dead
    examples, held_out = (_kept(part, np.append(~dead, told)) for part in (examples, held_out))
    alive = seen.copy()
    alive[seen] = ~dead
    if not alive.any():
        raise NotEnoughPixels(
            f"All {len(bands)} bands have one value in all {len(examples)} pixels, so there is "
            f"nothing to learn. Give other scenes, or check the masks."
        )
    dropped = tuple(band.name for band, kept in zip(bands, alive, strict=True) if not kept)
    used = bands.keep([band for band, kept in zip(bands, alive, strict=True) if kept])
    scaler = _describe(examples[..., : len(used)]).scaler()
    if context is not None:
        _require_told(context, bands, alive)
        context = context.keep(alive).fitted_to(examples[..., len(used) :])
    return TrainingSet(examples, held_out, used, dropped, alive, scaler, context)


def _any(known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which examples have something to learn, (n,)."""
    return np.asarray(known.any(axis=tuple(range(1, known.ndim))))


def _require(pixels: int, fewest: int) -> None:
    if pixels < fewest:
        raise NotEnoughPixels(
            f"{pixels} valid pixels to train on, but at least {fewest} are needed. "
            f"Give larger scenes, choose other bands, or check nodata values and masks."
        )


def _require_some(examples: Array) -> None:
    if not len(examples):
        raise NotEnoughPixels("All valid pixels lie in held-out blocks. Give larger scenes.")


def _require_told(context: Context, bands: Bands, alive: NDArray[np.bool_]) -> None:
    """Make sure that no context was made of bands that a detector will not read."""
    lost = context.basis.any(axis=1) & ~alive
    if lost.any():
        names = [band.name for band, gone in zip(bands, lost, strict=True) if gone]
        raise NotEnoughPixels(
            f"{listed(names)}: no data or one value in the pixels to train on, but not in those "
            f"nearby. Give larger scenes, or leave it out."
        )


def _kept(examples: Array, bands: NDArray[np.bool_]) -> Array:
    return examples if bands.all() else examples[..., bands]


def _describe(examples: Array) -> BandStatistics:
    return stream_statistics(in_parts(examples))
