"""Write the objects of a scene as GeoJSON while it is scored.

Objects end in another order than they begin, and are written in the order in which they begin.  The
text of an object that has ended waits in a temporary file until no open object begins before it.
Memory holds about 200 bytes for each object that waits, all of them at worst, where one object
spans the scene from its first row to its last; and 25 to 40 for each corner of an open outline.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from heapq import heappop, heappush
from pathlib import Path

from .. import __version__
from ..errors import ConfigError
from ..files import writing
from ..raster import Georeference
from .features import features
from .georeferencing import Georeferencer, georeferencer_of
from .items import DEGREES, PIXELS, Provenance
from .labelling import EndedObjects, ObjectTable, connected
from .strips import ScoredTile, strips_of


def write_objects(
    path: Path,
    tiles: Iterable[ScoredTile],
    where: Georeference,
    tags: Mapping[str, str],
    min_area: int = 1,
) -> int:
    """Write the connected anomalies of a scene, numbered in reading order of their first pixels.

    Parameters
    ----------
    path : path
        The file to make, in a staging folder (see `anomvae.files.staging`).
    tiles : iterable of ScoredTile
        The tiles of the scene, row by row.
    where : Georeference
        Shape and location of the scene.
    tags : mapping
        The tags of its maps: how it was scored.
    min_area : int, default 1
        Objects of fewer pixels are dropped.

    Returns
    -------
    int
        Number of objects written.

    Raises
    ------
    NotWritten
        If the file cannot be written.
    """
    georeferencer, shape = georeferencer_of(where), where.grid.shape
    with _opened(path) as write:
        write(_provenance(tags, min_area, georeferencer).to_json())
        ended = connected(strips_of(tiles, shape[1]), shape)
        texts_of = partial(features, georeferencer=georeferencer, width=shape[1])
        number = 0
        with _Waiting(path.parent) as waiting:
            for text in _in_reading_order(_large(ended, min_area), waiting, texts_of):
                number += 1
                start = ",\n" if number > 1 else "\n"
                start += f'{{"type": "Feature", "id": {number}, "properties": {{"id": {number}, '
                write(start + text)
        write("\n]}\n")
        return number


@contextmanager
def _opened(path: Path) -> Iterator[Callable[[str], None]]:
    """Open a file to write; errors of the tiles, scored between writes, are none of writing."""
    with writing(path):
        file = path.open("w", encoding="utf-8", newline="")

    def write(text: str) -> None:
        with writing(path):
            file.write(text)

    try:
        yield write
    finally:
        with writing(path):
            file.close()


def require_min_area(min_area: int) -> None:
    """Raise `ConfigError` if the smallest area of an object is below a pixel."""
    if min_area < 1:
        raise ConfigError(f"min_area = {min_area}: an object has at least 1 pixel.")


def _provenance(tags: Mapping[str, str], min_area: int, georeferencer: Georeferencer) -> Provenance:
    threshold = tags.get("ANOMVAE_THRESHOLD")
    return Provenance(
        version=__version__,
        digest=tags.get("ANOMVAE_DIGEST", ""),
        scene=tags.get("ANOMVAE_SCENE", ""),
        detector=tags.get("ANOMVAE_DETECTOR", ""),
        threshold=None if threshold is None else float(threshold),
        threshold_rule=tags.get("ANOMVAE_THRESHOLD_RULE", ""),
        min_area=min_area,
        coordinates=DEGREES if georeferencer.located else PIXELS,
    )


def _large(ended: Iterable[EndedObjects], min_area: int) -> Iterator[EndedObjects]:
    for table, first_open in ended:
        yield EndedObjects(table.only(table.objects["area"] >= min_area), first_open)


def _in_reading_order(
    ended: Iterable[EndedObjects],
    waiting: _Waiting,
    texts_of: Callable[[ObjectTable], Iterator[str]],
) -> Iterator[str]:
    """Yield the text of each object once no open object begins before it."""
    for table, first_open in ended:
        for first, text in zip(table.objects["first"].tolist(), texts_of(table), strict=True):
            waiting.push(first, text)
        yield from waiting.pop_before(first_open)


class _Waiting:
    """Texts by the first pixel of their objects, in a temporary file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: list[tuple[int, int, int]] = []  # a heap: first pixel, start, bytes
        self._end = 0

    def __enter__(self) -> _Waiting:
        """Open the file, which has no name in the folder."""
        self._file = tempfile.TemporaryFile(dir=self._folder)
        return self

    def __exit__(self, *_: object) -> None:
        """Close and thereby remove the file."""
        with suppress(OSError):  # of a full disk, where the rest of a text is written only now
            self._file.close()

    def push(self, first: int, text: str) -> None:
        """Add the text of an object that begins at pixel ``first``."""
        content = text.encode()
        with writing(self._folder):
            self._file.seek(self._end)
            self._file.write(content)
        heappush(self._places, (first, self._end, len(content)))
        self._end += len(content)

    def pop_before(self, first: int) -> Iterator[str]:
        """Remove and yield the texts of objects that begin before pixel ``first``, in order."""
        while self._places and self._places[0][0] < first:
            _, start, size = heappop(self._places)
            with writing(self._folder):  # what was pushed may not be on disk yet
                self._file.seek(start)
                text = self._file.read(size).decode()
            yield text
        if not self._places:
            self._end = 0  # the file is written again from its start
