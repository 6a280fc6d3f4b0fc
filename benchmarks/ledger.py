"""What was measured, kept in a JSON file, so that a run that is begun again goes on.

A row is found again by its first six fields: change the code, the configuration, the scene or its
labels, and it is measured anew.  Rows of earlier versions stay in the file.
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
    """What was measured."""

    scene: str
    """Name of the scene's folder."""
    detector: str
    """Configuration, baseline or peer."""
    seed: int
    """Where it starts from; 0 where it knows no chance."""
    mode: str
    """``whole`` or ``split``, see `benchmarks.scenes`."""
    version: str
    """The code, and the configuration, that was measured."""
    contents: str
    """Sum of scene and labels."""


@dataclass(frozen=True)
class Row(Key):
    """Figures of one detector on one scene with one seed; NaN = not defined."""

    pixels: int
    """Pixels with a score and a label."""
    anomalous: int
    """Those among them that are labelled anomalous."""
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
    """Where the time was taken."""
    fit_seconds: float = math.nan
    """The part of it that fitting took; NaN in rows of before."""

    @property
    def key(self) -> Key:
        """What this row is found by."""
        return Key(*(getattr(self, name) for name in Key.__dataclass_fields__))


class Ledger:
    """Rows by their keys, in memory, and in a file where one is given.

    Parameters
    ----------
    path : path, optional
        A JSON file; made with the first row.

    Raises
    ------
    FileError
        If it is there but holds something else.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._rows: dict[Key, Row] = {}
        self._read()

    def __contains__(self, key: Key) -> bool:
        """Tell whether it was measured."""
        return key in self._rows

    def __getitem__(self, key: Key) -> Row:
        """Look a row up."""
        return self._rows[key]

    def add(self, row: Row) -> None:
        """Keep a row, on disk at once; what another run has put there meanwhile stays."""
        self._read()
        self._rows[row.key] = row
        if self._path is not None:
            write_atomically(self._path, _text(self._rows.values()).encode())

    def _read(self) -> None:
        if self._path is None or not self._path.exists():
            return
        try:
            rows = json.loads(self._path.read_text(encoding="utf-8"))["rows"]
            found = [_row(row) for row in rows]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise FileError(
                f"{self._path} does not hold rows of this benchmark. Name another file with --out."
            ) from error
        self._rows |= {row.key: row for row in found}


def _text(rows: Iterable[Row]) -> str:
    data = [{name: _null(value) for name, value in asdict(row).items()} for row in rows]
    return json.dumps({"rows": data}, indent=1, allow_nan=False) + "\n"


def _null(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value


def _row(data: Mapping[str, Any]) -> Row:
    known: dict[str, Any] = {k: math.nan if value is None else value for k, value in data.items()}
    return Row(**known)
