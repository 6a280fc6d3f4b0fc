"""Batches of examples, and the scores that come out of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import BandMismatch, ConfigError, listed
from ..parallel import ahead, isolated
from ..parallel.threads import alone, usable_threads
from ..pixels.bands import Bands
from ..pixels.covariates import Covariates, require_values
from ..pixels.stored_block import Numbers, Stored
from ..pixels.views import Examples
from ..program import ProgramTerms, StoredEngine

THREADS = 4
"""Most threads of ours; beyond, Python's lock holds them up."""
RUNS = 2
"""Runs of batches for each thread, so that nobody waits long for a thread that is held up."""

Array = NDArray[np.float32]
Result = TypeVar("Result")


class ScoreTerms(NamedTuple):
    """Terms of the score of examples, without local-contrast weighting."""

    reconstruction: Array
    """The reconstruction term, (n, ...), nats."""
    kl: Array
    """The KL term, with its weight, (n, ...), nats."""
    linear: Array
    """The linear term, with its weight, (n, ...), nats; 0 where the detector has none."""
    code: Array | None = None
    """Posterior means, (n, ..., latent); None unless they are requested."""

    @property
    def total(self) -> Array:
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


def batches(x: Examples, rows: int, run: slice | None = None) -> Iterator[Array]:
    """Cut examples, or a run of them, into batches of ``rows``; at least one.

    The last one may have less.
    """
    first, last = (0, len(x)) if run is None else (run.start, run.stop)
    for start in range(first, max(first + 1, last), rows):
        yield np.asarray(x[start : min(start + rows, last)], np.float32)


def batchwise(
    function: Callable[..., Iterable[Array]], rows: int, *columns: Examples
) -> list[Array]:
    """Apply a function to batches of at most ``rows`` examples; concatenate each result.

    The function is given a batch of each of the ``columns``, which are of one length.  Threads of
    ours share the batches.
    """

    @isolated()  # settings of the host may be those of one thread
    def apply(run: slice) -> list[Array]:
        results = map(function, *(batches(each, rows, run) for each in columns))
        return [_joined(result) for result in zip(*results, strict=True)]

    runs = run_in_threads(apply, len(columns[0]), rows)
    return [_joined(run) for run in zip(*runs, strict=True)]


def _joined(parts: Sequence[Array]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def run_in_threads(work: Callable[[slice], Result], count: int, rows: int) -> list[Result]:
    """Apply ``work`` to runs of ``count`` examples, of whole batches; threads share them."""
    batched = -(-count // rows)
    threads = 1 if batched < 2 else min(usable_threads(), THREADS)
    with alone():
        if threads == 1:
            return [work(slice(0, count))]
        step = rows * -(-batched // (threads * RUNS))
        runs = (slice(start, min(start + step, count)) for start in range(0, count, step))
        with closing(ahead(work, runs, threads=threads)) as results:
            return list(results)


def stored_terms(engine: StoredEngine, numbers: Numbers, stored: Stored) -> ScoreTerms:
    """Return the terms of numbers of a file, (n, band), without codes; NaN: no data."""

    @isolated()
    def terms(run: slice) -> ProgramTerms:
        return engine.stored_terms(numbers[run], stored)

    runs = zip(*run_in_threads(terms, len(numbers), engine.rows), strict=True)
    return ScoreTerms(*map(_joined, list(runs)[:3]))


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


def require_device(name: str) -> None:
    """Require that the machine has a device; raise ConfigError when it has not."""
    if name == "cpu":
        return
    import torch

    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"device = {name!r}: this machine has no CUDA GPU. Use cpu.")
