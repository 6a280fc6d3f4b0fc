"""Passes of one shape through a model, and what comes out of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import BandMismatch, ConfigError, listed
from ..parallel import ahead
from ..pixels.bands import Bands
from ..pixels.covariates import Covariates, require_values
from ..pixels.tiling import Tile
from ..pixels.views import Examples

CHUNK = 8192
"""Examples per pass at the most.  All passes of a detector have one shape, the last one padded: the
matrix kernels then give an example the same bits whatever its neighbours, the tile and the number
of threads."""
FEWEST = 1024
"""Examples per pass at the least."""
NUMBERS = 2**19
"""Numbers of a layer's answer to a pass, 2 MiB: more stay in no cache, fewer take more calls."""

THREADS = 4
"""Threads of ours, at the most; beyond, Python stands in the way."""
RUNS = 2
"""Runs of passes for each thread, so that one that is held up is not waited for long."""

Array = NDArray[np.float32]
Work = TypeVar("Work")
Values = TypeVar("Values", Tensor, Array)


class ScoreTerms(NamedTuple, Generic[Values]):
    """The terms of the score of examples, each example alone: tensors of a batch, or arrays."""

    reconstruction: Values
    """The reconstruction term, (n, ...), nats."""
    kl: Values
    """The KL term, with its weight, (n, ...), nats."""
    code: Values | None
    """Posterior means, (n, ..., latent); None where they are not asked for."""

    @property
    def total(self) -> Values:
        """The sum of both terms."""
        return self.reconstruction + self.kl


class Scores(NamedTuple):
    """Scores of a block, axes (time, row, col); NaN = no data.

    In nats, unless surroundings count (`Detector.meaning`).
    """

    total: Array
    """The score: exactly the sum of the two terms."""
    reconstruction: Array
    """The reconstruction term."""
    kl: Array
    """The KL term, with its weight."""

    def inner(self, tile: Tile) -> Scores:
        """Cut the halo of a tile off."""
        rows, cols = tile.inner
        return Scores(*(term[:, rows, cols] for term in self))


def batch_rows(widest: int) -> int:
    """Choose the examples per pass for a model whose widest layer has so many outputs."""
    fitting = 1 << max(1, NUMBERS // widest).bit_length() - 1
    return min(CHUNK, max(FEWEST, fitting))


def batches(x: Examples, rows: int) -> Iterator[Array]:
    """Cut examples into passes of one shape, the last one padded; at least one pass."""
    for start in range(0, max(1, len(x)), rows):
        part = np.asarray(x[start : start + rows], np.float32)
        if len(part) < rows:
            spare = np.zeros((rows - len(part), *part.shape[1:]), np.float32)
            part = np.concatenate([part, spare])
        yield part


def run_in_threads(work: Callable[[Examples], Work], x: Examples, rows: int) -> list[Work]:
    """Do the work on runs of whole passes, which threads of ours share among them.

    torch's own threads divide each operation, and wait for each other busily after every one.
    """
    most = torch.get_num_threads()
    threads, many = min(most, THREADS), -(-len(x) // rows)
    if threads == 1 or many < 2:
        return [work(x)]
    step = rows * -(-many // (threads * RUNS))
    runs = (slice(start, start + step) for start in range(0, len(x), step))
    with (
        torch_threads(most // threads),
        closing(ahead(lambda run: work(x[run]), runs, threads=threads)) as done,
    ):
        return list(done)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch do each operation on so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def to_device(part: Array, device: torch.device) -> Tensor:
    """Bring numbers to where they are computed; a GPU fetches pinned memory while it computes."""
    tensor = torch.from_numpy(part if part.flags.writeable else part.copy())
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


def concatenated(parts: Iterable[Tensor], count: int) -> Array:
    """Put passes together and cut the padding off."""
    return np.asarray(torch.cat(list(parts))[:count].cpu().numpy())


def require_bands(x: Examples, bands: Bands, context: int = 0, covariates: Covariates = ()) -> None:
    """Make sure that the last axis is bands, and what is told with them.

    Raises
    ------
    BandMismatch, CovariateMismatch
        If it has another length.
    """
    if covariates:
        return require_values(x.shape[-1], len(bands), covariates)
    if x.shape[-1] != len(bands) + context:
        more = f", and {context} numbers of context" if context else ""
        raise BandMismatch(
            f"The array has {x.shape[-1]} bands, but this detector was trained on "
            f"{len(bands)} ({listed(bands.names)}){more}. Give these, in this order."
        )


def available(name: str) -> torch.device:
    """Give a device that is there.

    Raises
    ------
    ConfigError
        If there is no such device.
    """
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"device = {name!r}: this machine has no CUDA GPU. Use cpu.")
    return torch.device(name)
