"""Find an object of a scored scene by its id, and its pixels.  Nothing here needs torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import FileError
from ..files import PathText, as_path
from ..objects import AnomalyObject, Membership, Provenance, pixels_of, read_object
from ..objects.membership import MOST_PIXELS
from ..pixels.flag_classes import ANOMALOUS
from ..pixels.grid import Grid
from ..raster import Access, OpenScene, open_raster
from ..raster.access import DEFAULT
from ..raster.raster_dataset import RasterDataset
from .deliverables import Deliverables


@dataclass(frozen=True, eq=False)
class FoundObject:
    """An object of a scored scene."""

    item: AnomalyObject
    """As the objects file lists it."""
    provenance: Provenance
    """Where it comes from; ``detector`` is the identity of the model that found it."""
    pixels: Membership
    """Its pixels."""


def object_in(folder: PathText, number: int, opened: OpenScene) -> FoundObject:
    """Find an object in a folder of the results of an open scene; raises as `find_object`."""
    files = Deliverables(Path(as_path(folder)), opened.stem)
    return find_object(files, number, opened.grid, opened.name, opened.scene.access)


def find_object(
    files: Deliverables, number: int, grid: Grid, scene: str, access: Access = DEFAULT
) -> FoundObject:
    """Find an object in the results of a scene.

    Parameters
    ----------
    files : Deliverables
        The results: ``Deliverables(folder, opened.stem)``.
    number : int
        The id of the object.
    grid : Grid
        The pixels of the scene.
    scene : str
        The name of the scene in messages.
    access : Access, optional
        Drivers and limits of the map of flags.

    Raises
    ------
    FileError
        If the folder lacks results of the scene, or its objects are not those of its flags.
    ConfigError
        If no object has the id.
    GridMismatch
        If the results are those of a scene on another grid.
    """
    require_objects(files, scene)
    provenance, item = read_object(files.objects, number)
    with open_raster(files.flags, access=access) as flags:
        grid.require_same(flags.grid, scene, flags.name)
        return FoundObject(item, provenance, pixels_in(flags, files, provenance, item))


def require_objects(files: Deliverables, scene: str) -> None:
    """Require objects and flags of a scene; raise `FileError` where a file is missing."""
    for path in (files.objects, files.flags):
        if not path.is_file():
            raise FileError(
                f"{files.folder} holds no {path.name}. Give the folder of the results of {scene}, "
                f"as anomvae score writes them."
            )


def pixels_in(
    flags: RasterDataset,
    files: Deliverables,
    provenance: Provenance,
    item: AnomalyObject,
    most: int = MOST_PIXELS,
) -> Membership:
    """Find the pixels of an object in the open flags of its scene.

    ``most`` is as for `anomvae.objects.pixels_of`.

    Raises
    ------
    FileError
        If the objects are not those of the flags.
    """
    same = flags.tags.get("ANOMVAE_DIGEST", "") == provenance.digest
    row, col = item.peak
    inside = row < flags.grid.shape[0] and col < flags.grid.shape[1]
    peak = slice(row, row + 1), slice(col, col + 1)
    if not (same and inside and flags.read_first(peak)[0, 0] == ANOMALOUS):
        raise FileError(
            f"{files.objects.name} and {files.flags.name} in {files.folder} are of different runs. "
            f"Score the scene again (anomvae score --overwrite)."
        )
    return pixels_of(
        lambda window: np.asarray(flags.read_first(window) == ANOMALOUS),
        item.peak,
        flags.grid.shape,
        most,
    )
