"""Write the objects of a scene as GeoJSON while it is scored.

Objects end in another order than they begin, and are written in the order in which they begin.  The
text of an object that has ended waits in memory until no open object begins before it.  At worst,
where one object spans the scene from its first row to its last, all texts wait: about 500 bytes for
an object of a few pixels, and 25 to 40 bytes more for each corner of an outline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from heapq import heappop, heappush
from pathlib import Path

from .. import __version__
from ..errors import ConfigError
from ..files import writing
from ..raster import Georeference
from .features import features
from .georeferencing import Georeferencer, georeferencer_of
from .items import DEGREES, PIXELS, Provenance
from .labelling import EndedObjects, connected
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
        number = 0
        for text in _in_reading_order(ended, georeferencer, shape[1], min_area):
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


def _in_reading_order(
    ended: Iterable[EndedObjects], georeferencer: Georeferencer, width: int, min_area: int
) -> Iterator[str]:
    """Yield the text of each object once no open object begins before it."""
    waiting: list[tuple[int, str]] = []  # a heap by first pixel
    for table, first_open in ended:
        kept = table.only(table.objects["area"] >= min_area)
        firsts = kept.objects["first"].tolist()
        for first, text in zip(firsts, features(kept, georeferencer, width), strict=True):
            heappush(waiting, (first, text))
        while waiting and waiting[0][0] < first_open:
            yield heappop(waiting)[1]
