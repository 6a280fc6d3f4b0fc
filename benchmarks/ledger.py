"""Measured rows in a JSON file, with which an interrupted run continues.

The first six fields of a row are its key: a change of the code, the configuration, the scene or its
labels needs a new measurement.  Rows of earlier versions stay in the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from anomvae.errors import FileError
from anomvae.files import write_atomically


@dataclass(frozen=True)
class Key:
    """The identity of a measurement."""

    scene: str
    """Name of the scene's folder."""
    detector: str
    """Configuration, baseline, or detector of another library."""
    seed: int
    """0 for a deterministic detector."""
    mode: str
    """``whole`` or ``split``, see `benchmarks.scenes`."""
    version: str
    """The measured code and configuration."""
    contents: str
    """Digest of scene and labels."""


@dataclass(frozen=True)
class Row(Key):
    """Metrics of one detector on one scene with one seed; NaN = not defined."""

    pixels: int
    """Pixels with a score and a label."""
    anomalous: int
    """Pixels labelled anomalous among them."""
    roc_auc: float
    """Area under the receiver operating characteristic."""
    average_precision: float
    """Area under precision against recall."""
    tpr_at_fpr_1e3: float
    """Detection rate at a false-alarm rate of 1e-3."""
    tpr_at_fpr_1e2: float
    """Detection rate at a false-alarm rate of 1e-2."""
    flagged: float
    """Share of the pixels above the detector's own threshold."""
    seconds: float
    """Time to fit and to score."""
    machine: str
    """The machine that took this time."""
    fit_seconds: float = math.nan
    """Time to fit; NaN in rows of earlier versions."""

    @property
    def key(self) -> Key:
        """The identity of the row."""
        return Key(*(getattr(self, name) for name in Key.__dataclass_fields__))


class Ledger:
    """Rows by key, in memory and optionally in a file.

    Parameters
    ----------
    path : path, optional
        A JSON file; the first row creates it.

    Raises
    ------
    FileError
        If the file has other content.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._rows: dict[Key, Row] = {}
        self._read()

    def __contains__(self, key: Key) -> bool:
        """Return whether the row of a key exists."""
        return key in self._rows

    def __getitem__(self, key: Key) -> Row:
        """Return the row of a key."""
        return self._rows[key]

    def add(self, row: Row) -> None:
        """Add a row and write the file; rows of concurrent runs stay."""
        self._read()
        self._rows[row.key] = row
        if self._path is not None:
            write_atomically(self._path, _text(self._rows.values()).encode())

    def _read(self) -> None:
        if self._path is None or not self._path.exists():
            return
        try:
            rows = json.loads(self._path.read_text(encoding="utf-8"))["rows"]
            stored = [_row(row) for row in rows]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise FileError(
                f"{self._path} does not hold rows of this benchmark. Name another file with --out."
            ) from error
        self._rows |= {row.key: row for row in stored}


def _text(rows: Iterable[Row]) -> str:
    data = [{name: _null(value) for name, value in asdict(row).items()} for row in rows]
    return json.dumps({"rows": data}, indent=1, allow_nan=False) + "\n"


def _null(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value


def _row(data: Mapping[str, Any]) -> Row:
    fields: dict[str, Any] = {k: math.nan if value is None else value for k, value in data.items()}
    return Row(**fields)
