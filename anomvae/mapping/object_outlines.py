"""Outlines of the objects of results, in pixel coordinates of their map.

A point is (x, y): column and row, (0, 0) being the upper left corner of the map, so that a side of
a pixel lies at whole numbers.  Outlines are traced in the map of flags, not converted back from the
coordinates of the objects file: they are exact in every coordinate reference system, and where
there is none.  Nothing here needs torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..objects import AnomalyObject, Objects, read_strongest_objects, rings_of_mask
from ..pixels.tiling import Window
from ..raster import Access, open_raster
from ..raster.access import DEFAULT
from .deliverables import Deliverables
from .object_finding import pixels_in, require_objects

LARGEST = 2**23
"""Pixels of the largest window that an outline is traced in; about 100 MB."""


@dataclass(frozen=True, eq=False)
class ObjectOutline:
    """Where an object lies in its map."""

    item: AnomalyObject
    """As the objects file lists it."""
    window: Window
    """The rows and columns that its pixels lie in."""
    rings: tuple[NDArray[np.float64], ...]
    """Its linear rings, axes (point, coordinate): x, y; the first point of a ring is not repeated.

    Pixels of an object may touch at a corner alone: there are several outlines, then, each before
    its holes.  Filled by the rule of even and odd, they are the object."""
    holes: tuple[bool, ...]
    """Whether each ring is a hole."""
    whole: bool = True
    """False: the object is so large (`LARGEST`) that this is only its part around the peak."""


def strongest_outlines(
    files: Deliverables, count: int, access: Access = DEFAULT
) -> tuple[ObjectOutline, ...]:
    """Return the outlines of the strongest objects of results, the strongest first.

    Parameters
    ----------
    files : Deliverables
        The results: those of a `MapResult`, or ``Deliverables(folder, stem)``.
    count : int
        How many at most.
    access : Access, optional
        Drivers and limits of the map of flags.

    Raises
    ------
    FileError
        If objects or flags are missing, cannot be read, or are of different runs.
    """
    require_objects(files, files.stem)
    return outlines_of(files, read_strongest_objects(files.objects, count), access)


def outlines_of(
    files: Deliverables, objects: Objects, access: Access = DEFAULT
) -> tuple[ObjectOutline, ...]:
    """Return the outlines of some objects of results, in their order.

    It raises what `strongest_outlines` does.

    ``objects`` are those of ``files.objects``, or some of them.
    """
    require_objects(files, files.stem)
    outlines = []
    with open_raster(files.flags, access=access) as flags:
        for item in objects.items:
            found = pixels_in(flags, files, objects.provenance, item, LARGEST)
            rings = rings_of_mask(found.mask)
            corner = (found.window[1].start, found.window[0].start)
            parts = np.split(rings.points + corner, rings.starts[1:])
            holes = tuple(rings.holes.tolist())
            outlines.append(ObjectOutline(item, found.window, tuple(parts), holes, found.whole))
    return tuple(outlines)
