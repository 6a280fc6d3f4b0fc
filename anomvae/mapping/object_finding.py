"""Find an object of a scored scene by its id, and its pixels.  Nothing here needs torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import FileError
from ..files import PathText, as_path
from ..objects import AnomalyObject, Membership, Provenance, pixels_of, read_object
from ..pixels.flag_classes import ANOMALOUS
from ..pixels.grid import Grid
from ..raster import Access, OpenScene, open_raster
from ..raster.access import DEFAULT
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
    for path in (files.objects, files.flags):
        if not path.is_file():
            raise FileError(
                f"{files.folder} holds no {path.name}. Give the folder of the results of {scene}, "
                f"as anomvae score writes them."
            )
    provenance, item = read_object(files.objects, number)
    with open_raster(files.flags, access=access) as flags:
        grid.require_same(flags.grid, scene, flags.name)
        same = flags.tags.get("ANOMVAE_DIGEST", "") == provenance.digest
        found = None
        if same and flags.read_first(_at(item.peak))[0, 0] == ANOMALOUS:
            found = pixels_of(
                lambda window: np.asarray(flags.read_first(window) == ANOMALOUS),
                item.peak,
                grid.shape,
            )
    if found is None:
        raise FileError(
            f"{files.objects.name} and {files.flags.name} in {files.folder} are of different runs. "
            f"Score the scene again (anomvae score --overwrite)."
        )
    return FoundObject(item, provenance, found)


def _at(pixel: tuple[int, int]) -> tuple[slice, slice]:
    row, col = pixel
    return slice(row, row + 1), slice(col, col + 1)
