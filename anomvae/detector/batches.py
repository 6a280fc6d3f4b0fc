"""Batches of one shape through a model, and the scores that come out of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import BandMismatch, ConfigError, listed
from ..models.isolation import isolated
from ..parallel import ahead
from ..pixels.bands import Bands
from ..pixels.covariates import Covariates, require_values
from ..pixels.views import Examples

CHUNK = 8192
"""Most examples per batch.  All batches of a detector have one shape, the last one padded: the
matrix kernels then give an example the same bits whatever its neighbours, the tile and the number
of threads."""
FEWEST_ROWS = 1024
"""Fewest examples per batch."""
LAYER_VALUES = 2**19
"""Values of a layer's output, 2 MiB: more do not stay in a cache, fewer take more calls."""

THREADS = 4
"""Most threads of ours; beyond, Python's lock holds them up."""
RUNS = 2
"""Runs of batches for each thread, so that nobody waits long for a thread that is held up."""

Array = NDArray[np.float32]
Result = TypeVar("Result")
Values = TypeVar("Values", Tensor, Array)


class ScoreTerms(NamedTuple, Generic[Values]):
    """Terms of the score, without local-contrast weighting: tensors of a batch, or arrays."""

    reconstruction: Values
    """The reconstruction term, (n, ...), nats."""
    kl: Values
    """The KL term, with its weight, (n, ...), nats."""
    linear: Values
    """The linear term, with its weight, (n, ...), nats; 0 where the detector has none."""
    code: Values | None = None
    """Posterior means, (n, ..., latent); None unless they are requested."""

    @property
    def total(self) -> Values:
        """The sum of the three terms, from left to right."""
        return self.reconstruction + self.kl + self.linear


class Scores(NamedTuple):
    """Scores of a block, axes (time, row, col); NaN = no data.

    In nats, unless the detector has a local-contrast weighting (`Detector.meaning`).
    """

    total: Array
    """The score: exactly reconstruction + kl + linear, added from left to right in float32."""
    reconstruction: Array
    """The reconstruction term."""
    kl: Array
    """The KL term, with its weight."""
    linear: Array
    """The linear term, with its weight; 0 where the detector has none."""

    @classmethod
    def of(cls, reconstruction: Array, kl: Array, linear: Array) -> Scores:
        """Add the terms up."""
        return cls(reconstruction + kl + linear, reconstruction, kl, linear)


def batch_rows(widest: int) -> int:
    """Return the examples per batch for a model whose widest layer has so many outputs."""
    fitting = 1 << max(1, LAYER_VALUES // widest).bit_length() - 1
    return min(CHUNK, max(FEWEST_ROWS, fitting))


def batches(x: Examples, rows: int) -> Iterator[Array]:
    """Cut examples into batches of one shape, the last one padded; at least one batch."""
    for start in range(0, max(1, len(x)), rows):
        batch = np.asarray(x[start : start + rows], np.float32)
        if len(batch) < rows:
            padding = np.zeros((rows - len(batch), *batch.shape[1:]), np.float32)
            batch = np.concatenate([batch, padding])
        yield batch


def batchwise(
    function: Callable[..., Iterable[Tensor | None]],
    rows: int,
    *columns: Examples,
    threads: bool,
) -> list[Array]:
    """Apply a function to batches of ``rows`` examples; concatenate each result, without padding.

    The function is given a batch of each of the ``columns``, which are of one length.  Nothing is
    differentiated; with ``threads``, threads of ours share the batches.
    """

    @isolated()  # settings of the host may be those of one thread
    @torch.inference_mode()
    def apply(run: Columns) -> list[Array]:
        results = zip(*map(function, *(batches(each, rows) for each in run.items)), strict=True)
        return [torch.cat(result)[: len(run)].cpu().numpy() for result in results]

    x = Columns(columns)
    runs = run_in_threads(apply, x, rows) if threads else [apply(x)]
    return [run[0] if len(run) == 1 else np.concatenate(run) for run in zip(*runs, strict=True)]


@dataclass(frozen=True)
class Columns:
    """Several arrays of examples, of one length."""

    items: tuple[Examples, ...]
    """The arrays."""

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.items[0])

    def __getitem__(self, run: slice) -> Columns:
        """Return a run of all arrays."""
        return Columns(tuple(each[run] for each in self.items))


def run_in_threads(work: Callable[[Any], Result], x: Examples | Columns, rows: int) -> list[Result]:
    """Apply ``work`` to runs of whole batches, which threads of ours share.

    torch's own threads divide each operation, and wait actively for each other after every one.
    """
    most = torch.get_num_threads()
    threads, count = min(most, THREADS), -(-len(x) // rows)
    if threads == 1 or count < 2:
        return [work(x)]
    step = rows * -(-count // (threads * RUNS))
    runs = (slice(start, start + step) for start in range(0, len(x), step))
    with (
        torch_threads(most // threads),
        closing(ahead(lambda run: work(x[run]), runs, threads=threads)) as results,
    ):
        return list(results)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Set the number of threads that torch gives each operation."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def to_device(array: Array, device: torch.device) -> Tensor:
    """Copy an array to a device; a GPU copies pinned memory while it computes."""
    shared = array.flags.writeable and min(array.strides, default=0) >= 0  # as torch needs it
    tensor = torch.from_numpy(array if shared else array.copy())
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


def require_bands(x: Examples, bands: Bands, context: int = 0, covariates: Covariates = ()) -> None:
    """Refuse another last axis than the bands, then context features or covariates.

    Raises BandMismatch or CovariateMismatch when it has another length.
    """
    if covariates:
        return require_values(x.shape[-1], len(bands), covariates)
    if x.shape[-1] != len(bands) + context:
        more = f", and {context} features of context" if context else ""
        raise BandMismatch(
            f"The array has {x.shape[-1]} bands, but this detector was trained on "
            f"{len(bands)} ({listed(bands.names)}){more}. Give these, in this order."
        )


def available(name: str) -> torch.device:
    """Return a device; raise ConfigError when the machine does not have it."""
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"device = {name!r}: this machine has no CUDA GPU. Use cpu.")
    return torch.device(name)
