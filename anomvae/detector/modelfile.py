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
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..documents import DocumentError, read_json, require_regular
from ..errors import ConfigError, ModelFileError
from ..files import PathText, as_path
from ..stats.limits import MAX_CARD_BYTES, MAX_MODEL_BYTES
from .card import Card, card_of
from .format1 import renamed_card, renamed_tensors

FORMAT = 2
KEY = "anomvae"
PICKLES = (b"PK\x03\x04", b"\x80")

Tensors = Mapping[str, NDArray[Any]]


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
    content = save(tensors, metadata={KEY: json.dumps(sealed, sort_keys=True, allow_nan=False)})
    if len(content) > MAX_MODEL_BYTES:
        raise ConfigError(
            f"The model takes {len(content)} bytes, but at most {MAX_MODEL_BYTES} are read again. "
            f"Choose fewer bands, narrower layers, or --set score.noise=band."
        )
    return content


def read_card(path: PathText) -> Card:
    """Read the description of a model, without its tensors.

    Raises
    ------
    ModelFileError
        When the file is missing, damaged, foreign, a pickle, or of a newer format.
    """
    return _card(_entry(_header(path), path), path)


def read_model(path: PathText) -> ModelFile:
    """Read a whole model, as `read_card`; check that its tensors are those that were written."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    entry = _entry(_header(path), path)
    card = _card(entry, path)
    try:
        tensors = load(_content(Path(path)))
    except (SafetensorError, OSError, LookupError, TypeError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    if _digest(tensors) != entry["tensors"]:
        raise _damaged(path, "its tensors do not match their checksum")
    if entry["format"] == 1:
        tensors = renamed_tensors(tensors)
    return ModelFile(card, tensors)


def is_model(path: PathText) -> bool:
    """Return whether a file begins as a safetensors file; it may still be damaged."""
    try:
        _header(path)
    except ModelFileError:
        return False
    return True


def _header(name: PathText) -> dict[str, Any]:
    """Read the JSON header of a safetensors file: eight bytes of length, then the text."""
    path = Path(as_path(name))
    try:
        require_regular(path)
        with path.open("rb") as file:
            start = file.read(8)
            size = int.from_bytes(start, "little")
            text = file.read(size) if size <= MAX_CARD_BYTES else b""
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}. Check the path.") from error
    try:
        header = read_json(text)
    except DocumentError:
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


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_MODEL_BYTES + 1)
    if len(content) > MAX_MODEL_BYTES:
        raise ValueError(f"it is longer than {MAX_MODEL_BYTES} bytes")
    return content


def _entry(header: dict[str, Any], path: PathText) -> dict[str, Any]:
    try:
        entry = read_json(header["__metadata__"][KEY])
        version = entry["format"]
        if type(version) is not int or version < 1:
            raise DocumentError("its format is no number")
    except (LookupError, TypeError, AttributeError, DocumentError) as error:
        raise ModelFileError(
            f"{path} is a safetensors file, but not one of anomvae's. "
            f"Give a file written by `anomvae train`."
        ) from error
    if version > FORMAT:
        raise ModelFileError(
            f"{path} has format {version!s:.20}, written by anomvae {_writer(entry)}; this "
            f"version reads up to {FORMAT}. Update anomvae (pip install -U anomvae)."
        )
    rest = {key: value for key, value in entry.items() if key != "checksum"}
    if entry.get("checksum") != _checksum(rest):
        raise _damaged(path, "its card does not match its checksum")
    return rest


def _card(entry: Mapping[str, Any], path: PathText) -> Card:
    data = {key: value for key, value in entry.items() if key not in {"format", "tensors"}}
    try:
        return card_of(renamed_card(data) if entry["format"] == 1 else data)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise ModelFileError(
            f"{path} does not fit format {FORMAT} as anomvae {__version__} knows it ({error}); it "
            f"was written by anomvae {_writer(entry)}. Update anomvae, or train again."
        ) from error


def _writer(entry: Mapping[str, Any]) -> str:
    return f"{entry.get('anomvae', '?')!s:.20}"


def _to_json(value: Any) -> Any:  # noqa: ANN401 - a dataclass, or what its fields hold
    """Convert a dataclass to a mapping, without optional fields that hold their default."""
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    if not is_dataclass(value):
        return value
    items = ((field, getattr(value, field.name)) for field in fields(value))
    return {field.name: _to_json(item) for field, item in items if item != field.default}


def _checksum(entry: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()


def _digest(tensors: Tensors) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _damaged(path: PathText, why: str) -> ModelFileError:
    return ModelFileError(
        f"{path} is damaged or no model file: {why}. Copy it again, or train it again."
    )
