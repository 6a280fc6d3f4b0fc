"""The one-file model: a JSON card and tensors in the safetensors format; no pickle, no times.

The card is the only metadata entry, ``anomvae``, so that the same detector gives the same bytes.
docs/model-file.md describes the format field by field.  It grows by optional fields: a field that
holds its default is not written, so older files stay readable, and older versions read newer files
that do without new fields.  An unknown field is refused.  Files of format 1 are translated
(`format1`).  Reading needs no torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..errors import ModelFileError
from ..pixels.annulus import Annulus
from ..pixels.bands import Band, Bands
from ..pixels.covariates import Covariate, Covariates
from ..stats.context import ContextPlan
from ..stats.latent import NO_LATENT_STATISTICS, LatentStatistics
from ..stats.local_contrast import LocalContrastWeighting
from ..stats.thresholds import Threshold
from .format1 import renamed_card, renamed_tensors

FORMAT = 2
KEY = "anomvae"
PICKLES = (b"PK\x03\x04", b"\x80")
LONGEST_HEADER = 100_000_000  # the bound of the safetensors format

Tensors = Mapping[str, NDArray[Any]]
Built = TypeVar("Built")


@dataclass(frozen=True)
class Training:
    """How a detector was fitted; docs/model-file.md describes every field."""

    scenes: tuple[str, ...]  # empty for arrays
    seed: int
    pixels: int
    steps: int
    batch_size: int
    trim: float  # share of each batch, the worst by loss, that did not count
    beta: float
    loss: tuple[float, ...]  # means of about fifty equal parts of training, nats per pixel
    elbo: float | None  # of held-out pixels, nats per pixel in scaled units; higher is better
    nodata: float  # share of pixels without data in the training scenes
    latent: LatentStatistics = NO_LATENT_STATISTICS
    dates: int = 1


@dataclass(frozen=True)
class Card:
    """Description of a detector, the JSON entry of its file; docs/model-file.md has every field."""

    family: str
    latent: int
    hidden: tuple[int, ...]  # widths of the encoder's layers
    likelihood: str
    bands: Bands  # the radiometric contract: the bands a scene must have, in order
    dropped: tuple[str, ...]
    noise: str
    kl_weight: float
    training: Training
    anomvae: str
    torch: str
    threshold: Threshold | None = None  # None before it is fitted
    context: ContextPlan | None = None  # None for a family that is not conditioned
    weighting: LocalContrastWeighting | None = None  # None where each pixel is scored alone
    patch: Annulus | None = None  # None for a family without patches
    covariates: Covariates = ()  # in the order of their values behind the bands of a block


@dataclass(frozen=True)
class ModelFile:
    """A model file in memory."""

    card: Card
    """Description of the detector."""
    tensors: Tensors
    """Arrays by name; empty when only the card was read."""


def to_bytes(model: ModelFile) -> bytes:
    """Serialise a model; equal models give equal bytes."""
    from safetensors.numpy import save

    tensors = {name: np.asarray(array, order="C") for name, array in model.tensors.items()}
    entry = {"format": FORMAT, "tensors": _digest(tensors)} | _to_json(model.card)
    sealed = entry | {"checksum": _checksum(entry)}
    return save(tensors, metadata={KEY: json.dumps(sealed, sort_keys=True, allow_nan=False)})


def read_card(path: str | Path) -> Card:
    """Read the description of a model, without its tensors.

    Raises
    ------
    ModelFileError
        When the file is missing, damaged, foreign, a pickle, or of a newer format.
    """
    return _card(_entry(_header(Path(path)), path), path)


def read_model(path: str | Path) -> ModelFile:
    """Read a whole model, as `read_card`; check that its tensors are those that were written."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    entry = _entry(_header(Path(path)), path)
    card = _card(entry, path)
    try:
        tensors = load(Path(path).read_bytes())
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    if _digest(tensors) != entry["tensors"]:
        raise _damaged(path, "its tensors do not match their checksum")
    if entry["format"] == 1:
        tensors = renamed_tensors(tensors)
    return ModelFile(card, tensors)


def is_model(path: str | Path) -> bool:
    """Return whether a file begins as a safetensors file; it may still be damaged."""
    try:
        _header(Path(path))
    except ModelFileError:
        return False
    return True


def _header(path: Path) -> dict[str, Any]:
    """Read the JSON header of a safetensors file: eight bytes of length, then the text."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
            size = int.from_bytes(start, "little")
            text = file.read(size) if size <= LONGEST_HEADER else b""
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}. Check the path.") from error
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        header = None
    if isinstance(header, dict):
        return header
    # Checked last: the length of a valid header may begin with the byte of a pickle.
    if start.startswith(PICKLES):
        raise ModelFileError(
            f"{path} is a pickle or a zip archive; anomvae reads models only from the safetensors "
            f"files it writes, because a pickle can run any code. Train the model with anomvae."
        )
    raise _damaged(path, "it does not begin as a safetensors file")


def _entry(header: dict[str, Any], path: str | Path) -> dict[str, Any]:
    try:
        entry = json.loads(header["__metadata__"][KEY])
        version = int(entry["format"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"{path} is a safetensors file, but not one of anomvae's. "
            f"Give a file written by `anomvae train`."
        ) from error
    if version > FORMAT:
        raise ModelFileError(
            f"{path} has format {version}, written by anomvae {entry.get('anomvae', '?')}; this "
            f"version reads up to {FORMAT}. Update anomvae (pip install -U anomvae)."
        )
    rest = {key: value for key, value in entry.items() if key != "checksum"}
    if entry.get("checksum") != _checksum(rest):
        raise _damaged(path, "its card does not match its checksum")
    return rest


def _card(entry: Mapping[str, Any], path: str | Path) -> Card:
    data = {key: value for key, value in entry.items() if key not in {"format", "tensors"}}
    try:
        if entry["format"] == 1:
            data = renamed_card(data)
        bands, training = data["bands"], data["training"]
        latent = _built(LatentStatistics, training.get("latent", {}))
        tables = {
            "bands": _built(Bands, bands | {"items": [_built(Band, b) for b in bands["items"]]}),
            "training": _built(Training, training | {"latent": latent}),
        }
        if "threshold" in data:
            tables["threshold"] = _built(Threshold, data["threshold"])
        if "covariates" in data:
            tables["covariates"] = tuple(_built(Covariate, one) for one in data["covariates"])
        for name, kind in (("context", ContextPlan), ("weighting", LocalContrastWeighting)):
            if name in data:
                annulus = _built(Annulus, data[name]["annulus"])
                tables[name] = _built(kind, data[name] | {"annulus": annulus})
        if "patch" in data:
            tables["patch"] = _built(Annulus, data["patch"])
        return _built(Card, data | tables)
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(
            f"{path} does not fit format {FORMAT} as anomvae {__version__} knows it ({error}); it "
            f"was written by anomvae {entry.get('anomvae', '?')}. Update anomvae, or train again."
        ) from error


def _to_json(value: Any) -> Any:  # noqa: ANN401 - a dataclass, or what its fields hold
    """Convert a dataclass to a mapping, without optional fields that hold their default."""
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    if not is_dataclass(value):
        return value
    items = ((field, getattr(value, field.name)) for field in fields(value))
    return {field.name: _to_json(item) for field, item in items if item != field.default}


def _built(kind: Callable[..., Built], data: Mapping[str, Any]) -> Built:
    """Make a dataclass; an unknown field, or a missing one without default, is a TypeError."""
    return kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in data.items()})


def _checksum(entry: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()


def _digest(tensors: Tensors) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _damaged(path: str | Path, why: str) -> ModelFileError:
    return ModelFileError(
        f"{path} is damaged or no model file: {why}. Copy it again, or train it again."
    )
