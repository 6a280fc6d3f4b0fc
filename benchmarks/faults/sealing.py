"""Model files taken apart and put together again, with right checksums.

The format is that of docs/model-file.md, written here once more, so that a card and tensors that
anomvae itself would never write get right checksums, too.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

KEY = "anomvae"


@dataclass
class OpenModel:
    """A model file in parts, all of which may be changed."""

    card: dict[str, Any]
    """Without checksums."""
    tensors: dict[str, NDArray[Any]]

    @classmethod
    def read(cls, path: Path) -> OpenModel:
        """Take a file apart."""
        from safetensors.numpy import load

        data = path.read_bytes()
        card = json.loads(header_of(data)["__metadata__"][KEY])
        del card["checksum"], card["tensors"]
        return cls(card, {name: array.copy() for name, array in load(data).items()})

    def sealed(self) -> bytes:
        """Put it together, with the checksums of its present content."""
        from safetensors.numpy import save

        tensors = {name: np.asarray(each, order="C") for name, each in self.tensors.items()}
        entry = {**self.card, "tensors": digest_of(tensors)}
        text = json.dumps(entry, sort_keys=True)
        sealed = entry | {"checksum": hashlib.sha256(text.encode()).hexdigest()}
        return save(tensors, metadata={KEY: json.dumps(sealed, sort_keys=True)})


def header_of(data: bytes) -> dict[str, Any]:
    """Return the header of a safetensors file."""
    size = int.from_bytes(data[:8], "little")
    header: dict[str, Any] = json.loads(data[8 : 8 + size])
    return header


def with_header(data: bytes, header: Any) -> bytes:  # noqa: ANN401 - JSON
    """Replace the header of a safetensors file."""
    size = int.from_bytes(data[:8], "little")
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def digest_of(tensors: dict[str, NDArray[Any]]) -> str:
    """Return the checksum of the tensors."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
