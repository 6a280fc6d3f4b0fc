"""The results of a scene as its page shows them: which files are there, and what they look like.

Nothing is opened to see which files there are; only a page that is written anew opens them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .names import address_of
from .rows import SceneRow

if TYPE_CHECKING:
    from ...mapping.deliverables import Deliverables

MEANINGS = {
    "anomaly.tif": "Scores and their terms",
    "explanation.tif": "Which bands lead, pixel by pixel",
    "flags.tif": "Flags: normal, anomalous, masked, no data",
    "pvalues.tif": "P-values",
    "objects.geojson": "Objects, with their bands and spectra",
    "objects.gpkg": "Objects in the coordinates of the scene",
    "stac.json": "STAC item of the scene and its results",
    "png": "Quick look",
    "json": "Summary",
}
"""What each kind of file holds, by the end of its name."""
ALWAYS = ("anomaly.tif", "flags.tif", "objects.geojson", "png", "json")
"""Kinds that every scene has had, but for a picture that could not be drawn."""


@dataclass(frozen=True)
class ResultFile:
    """A file of a scored scene."""

    name: str
    meaning: str
    address: str | None
    """Relative to the page; None: it was deleted, or no address leads there."""
    deleted: bool


@dataclass(frozen=True)
class Results:
    """The files of a scored scene as they are now."""

    files: Deliverables
    names: tuple[str, ...]
    """Those of them that are there."""
    stamp: tuple[int, int]
    """Size and time of the summary, which is written last, ns since 1970; 0 where it is gone."""

    @classmethod
    def of(cls, row: SceneRow) -> Results | None:
        """Look for the files of a scene; None where it was not scored."""
        from ...mapping.deliverables import Deliverables

        files = None if row.map is None else Deliverables.of_map(Path(row.map))
        if files is None or row.status != "done":
            return None
        known = {f"{files.stem}.{end}" for end in MEANINGS}
        try:
            names = tuple(sorted(known.intersection(os.listdir(files.folder))))
            status = os.stat(files.summary) if files.summary.name in names else None
        except OSError:
            return cls(files, (), (0, 0))
        stamp = (0, 0) if status is None else (status.st_size, status.st_mtime_ns)
        return cls(files, names, stamp)

    def has(self, path: Path) -> bool:
        """Return whether a file of it is there."""
        return path.name in self.names

    @property
    def gone(self) -> bool:
        """Whether every file was deleted."""
        return not self.names

    def listed(self, folder: Path) -> Iterator[ResultFile]:
        """Yield its files as a page in a folder links them."""
        for end, meaning in MEANINGS.items():
            name = f"{self.files.stem}.{end}"
            there = name in self.names
            if there or end in ALWAYS:
                address = address_of(self.files.folder / name, folder) if there else None
                yield ResultFile(name, meaning, address, not there)
