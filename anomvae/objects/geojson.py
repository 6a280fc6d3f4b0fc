"""Write the objects of a scene as GeoJSON, in memory that does not grow with their number.

Objects are found in the order in which they end, and written in the order in which they begin: in
between their text waits in a temporary file beside the one to write.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import numpy as np

from .. import __version__
from ..errors import ConfigError
from ..files import writing
from ..raster import Georeference
from .features import features
from .georeferencing import Georeferencer, georeferencer
from .items import DEGREES, PIXELS, Provenance
from .labelling import ObjectTable, connected
from .strips import ScoredTile, strips_of


def write_objects(
    path: Path,
    pieces: Iterable[ScoredTile],
    where: Georeference,
    tags: Mapping[str, str],
    min_area: int = 1,
) -> int:
    """Write the connected anomalies of a scene while it is scored.

    Parameters
    ----------
    path : path
        The file to make, in a staging folder (see `anomvae.files.staging`).
    pieces : iterable of Piece
        The tiles of the scene, row by row.
    where : Georeference
        Where the scene lies.
    tags : mapping
        Those of its maps, which say how it was scored.
    min_area : int, default 1
        Objects of fewer pixels are left out.

    Returns
    -------
    int
        How many objects it holds.

    Raises
    ------
    NotWritten
        If the file cannot be written.
    """
    placed, shape = georeferencer(where), where.grid.shape
    with (
        writing(path),
        TemporaryFile(dir=path.parent) as waiting,
        path.open("wb") as file,
    ):
        file.write(_provenance(tags, min_area, placed).to_json().encode())
        found = connected(strips_of(pieces, shape[1]), shape)
        firsts, sizes = _write_waiting(waiting, found, placed, shape[1], min_area)
        return _write_in_order(file, waiting, firsts, sizes)


def require_min_area(min_area: int) -> None:
    """Make sure that objects can be as small as they are asked for.

    Raises
    ------
    ConfigError
        If they cannot.
    """
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
        coordinates=DEGREES if georeferencer.earthly else PIXELS,
    )


def _write_waiting(
    waiting: IO[bytes],
    objects: Iterable[ObjectTable],
    georeferencer: Georeferencer,
    width: int,
    min_area: int,
) -> tuple[array[int], array[int]]:
    """Write the text of all objects; also tell the first pixel and the size of each, bytes."""
    firsts, sizes = array("q"), array("q")
    for found in objects:
        kept, _ = found.only(found.objects["area"] >= min_area)
        firsts.extend(kept.objects["first"].tolist())
        for text in features(kept, georeferencer, width):
            sizes.append(waiting.write(text.encode()))
    return firsts, sizes


def _write_in_order(
    file: IO[bytes], waiting: IO[bytes], firsts: array[int], sizes: array[int]
) -> int:
    """Write the objects in reading order, and number them; also tell how many there are."""
    size = np.array(sizes, np.int64)
    start = np.cumsum(size) - size
    for number, which in enumerate(np.argsort(np.array(firsts, np.int64)).tolist(), start=1):
        if waiting.tell() != start[which]:
            waiting.seek(start[which])
        file.write(b",\n" if number > 1 else b"\n")
        file.write(b'{"type": "Feature", "id": %d, "properties": {"id": %d, ' % (number, number))
        file.write(waiting.read(size[which]))
    file.write(b"\n]}\n")
    return len(size)
