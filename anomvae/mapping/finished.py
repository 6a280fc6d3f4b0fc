"""The finished results that a user names by their folder or by their map."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigError, FileError, RasterError, listed
from ..files import PathText, as_path
from ..raster import Access, OpenScene, open_map
from ..raster.access import DEFAULT
from .cache import digest_of
from .deliverables import MAP_END, Deliverables
from .result import MapResult, summary_of_map
from .rethresholding import maps_in


def finished(path: PathText, access: Access = DEFAULT) -> MapResult:
    """Read the summary of finished results.

    Parameters
    ----------
    path : path
        A ``<stem>.anomaly.tif``, or a folder that holds one.
    access : Access, optional
        Drivers and limits of the map.

    Raises
    ------
    FileError
        If the map, or the summary beside it, is missing or of another run.
    RasterError
        If there is no anomaly map of anomvae.
    ConfigError
        If a folder holds several.
    """
    given = Path(as_path(path))
    if not given.exists():
        raise FileError(f"{given} does not exist. Check the path.")
    maps = maps_in([given])
    if len(maps) > 1:
        names = listed([map_.name for map_ in maps], 4)
        raise ConfigError(f"{given} holds {len(maps)} maps: {names}. Give one of them.")
    files = Deliverables.of_map(maps[0])
    if files is None:
        raise RasterError(f"{given} is not called <scene>{MAP_END}. Give a map of anomvae.")
    with open_map(files.scores, access) as opened:
        result = summary_of_map(files.scores, opened.tags)
    if result is None:
        raise FileError(
            f"{files.folder} holds no {files.summary.name} of {files.scores.name}: it was deleted, "
            f"or is of another run. Make it anew (anomvae rethreshold)."
        )
    return result


def is_as_scored(result: MapResult, opened: OpenScene) -> bool:
    """Return whether the files of a scene are those that gave a result.

    Their digest says so where the scene was scored without options; otherwise none may be newer
    than the results.
    """
    if digest_of(opened.bands.digested, *map(repr, opened.files)) == result.input:
        return True
    written = (result.files.scores, result.files.summary)
    scored = min(path.stat().st_mtime_ns for path in written if path.exists())
    return all(file.mtime_ns is None or file.mtime_ns <= scored for file in opened.files)
