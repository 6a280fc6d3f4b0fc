"""Mutated model files: each is refused, or its scores are finite; a damaged one never scores."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomvae.errors import ModelFileError, NotFinite
from benchmarks.faults.bytes import changed, damaged
from benchmarks.faults.inputs import stored, write_model, write_scenes
from benchmarks.faults.kind import Attempt, FaultFound, Kind
from benchmarks.faults.sealing import OpenModel, header_of, with_header

MODELS = (
    ("vae",),
    ("cvae", "context.annulus=[7,3]"),
    ("spatial", "model.patch=[5,3]"),
    ("vq-vae",),
    ("hierarchical", "score.local_contrast=0.5", "score.annulus=[7,3]"),
)
VALUES = (np.nan, np.inf, -np.inf, 0, -1, 1e30, -1e30, 3.4e38, 1e-40, 1e308)
DTYPES = ("float64", "float32", "float16", "int64", "int32", "uint8", "bool")


def _prepare(inputs: Path) -> None:
    write_scenes(inputs)
    for family, *settings in MODELS:
        write_model(inputs, family, *settings)


@dataclass(frozen=True)
class Sample:
    """A model file, and what it scores."""

    data: bytes
    path: Path
    block: NDArray[np.float32]
    scores: NDArray[np.float32]


def _begin(mutate: Callable[[Sample, Random], bytes], sealed: bool, inputs: Path) -> Attempt:
    from anomvae import Detector

    values = stored(0, ())[:, 30:46, 20:36].astype("float32")
    values[values == 65535] = np.nan
    block = np.moveaxis(values, 0, -1)[None]
    samples = [
        Sample(path.read_bytes(), path, block, Detector.load(path).score(block).total)
        for path in sorted(inputs.glob("*.safetensors"))
    ]
    return lambda rng, scratch: _attempt(rng.choice(samples), mutate, sealed, rng, scratch)


def _attempt(
    sample: Sample,
    mutate: Callable[[Sample, Random], bytes],
    sealed: bool,
    rng: Random,
    scratch: Path,
) -> int:
    from anomvae import Detector

    path = scratch / "model.safetensors"
    path.write_bytes(mutate(sample, rng))
    try:
        detector = Detector.load(path)
        scores = detector.score(sample.block).total
    except (ModelFileError, NotFinite):
        return 0
    valid = np.isfinite(sample.scores)
    if not np.isfinite(scores[valid]).all():
        lost = int((~np.isfinite(scores[valid])).sum())
        raise FaultFound("silent", f"{lost} of {valid.sum()} pixels have no score")
    threshold = detector.card.threshold  # None: a detector without one may be kept
    if threshold is not None and not math.isfinite(threshold.value):
        raise FaultFound("silent", f"the threshold is {threshold.value}")
    if not sealed and not np.array_equal(scores, sample.scores, equal_nan=True):
        raise FaultFound("silent", "a damaged file has other scores")
    return 0


def _bytes(sample: Sample, rng: Random) -> bytes:
    header = 8 + int.from_bytes(sample.data[:8], "little")
    return damaged(sample.data, rng, 0, rng.choice([8, header, None]))


def _header(sample: Sample, rng: Random) -> bytes:
    header = header_of(sample.data)
    if rng.random() < 0.7:  # rather than the text of the card
        names = [name for name in header if name != "__metadata__"]
        changed(header[rng.choice(names)], rng)
    else:
        changed(header, rng)
    return with_header(sample.data, header)


def _card(sample: Sample, rng: Random) -> bytes:
    model = OpenModel.read(sample.path)
    for _ in range(rng.choice([1, 1, 2])):
        changed(model.card, rng)
    return model.sealed()


def _tensors(sample: Sample, rng: Random) -> bytes:
    model = OpenModel.read(sample.path)
    name = rng.choice(sorted(model.tensors))
    array = model.tensors[name]
    changes: list[Callable[[], Any]] = [
        lambda: _with_value(array, rng),
        lambda: _with_value(array, rng),
        lambda: np.full_like(array, _fitting(array, rng)),
        lambda: array.astype(rng.choice(DTYPES)),
        lambda: array * rng.choice([0, -1, 1e3, 1e20]),
        lambda: array[:-1] if array.ndim else array[None],
        lambda: array.T if array.ndim > 1 else array[None],
        lambda: np.concatenate([array, array]) if array.ndim else array,
        lambda: array.reshape(-1),
        lambda: np.empty((0, *array.shape[1:]), array.dtype),
    ]
    with np.errstate(all="ignore"):
        model.tensors[name] = np.asarray(rng.choice(changes)())
    if rng.random() < 0.1:
        model.tensors[rng.choice(["x", name + "x", "model.x"])] = model.tensors.pop(name)
    return model.sealed()


def _with_value(array: NDArray[Any], rng: Random) -> NDArray[Any]:
    """Change one number."""
    other = array.copy()
    if other.size:
        other.flat[rng.randrange(other.size)] = _fitting(array, rng)
    return other


def _fitting(array: NDArray[Any], rng: Random) -> Any:  # noqa: ANN401 - a number of numpy
    value = np.float64(rng.choice(VALUES))
    if np.issubdtype(array.dtype, np.integer):
        return rng.choice([-1, 0, 2**31 - 1])
    return value.astype(array.dtype)


KINDS = tuple(
    Kind(f"model-{name}", "models", 0.25, _prepare, partial(_begin, mutate, sealed))
    for name, mutate, sealed in (
        ("bytes", _bytes, False),
        ("header", _header, False),
        ("card", _card, True),
        ("tensors", _tensors, True),
    )
)
