"""The images of a Sentinel-2 product, found by their names: which file gives a band on a grid."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ...errors import RasterError, listed
from .sentinel2_bands import DEFAULT_SIDE, MSI

SIDES = (10.0, 20.0, 60.0)
"""Sides of pixels, metres."""

IMAGE = re.compile(
    r"(?:L2A_)?T(?P<tile>\d\d[A-Z]{3})_(?P<time>\d{8}T\d{6})_(?P<band>B\d[\dA]|[A-Z]{3})"
    r"(?:_(?P<side>10|20|60)m)?\.(?:jp2|JP2|tiff?)"
)
OLD_IMAGE = re.compile(
    r"S2[A-D]_OPER_MSI_L1C_TL_\w{4}_(?P<time>\d{8}T\d{6})_A\d{6}_T(?P<tile>\d\d[A-Z]{3})_"
    r"(?P<band>B\d[\dA])(?P<side>)\.jp2"
)
"""Names before December 2016; their time is that of processing."""
GRID = re.compile(r"_\d0m\.\w+$")
"""End of the name of an image that states its grid."""


@dataclass(frozen=True)
class Image:
    """One image."""

    name: str
    """Path in the product."""
    tile: str
    """Name of the tile, such as ``T32UNA``."""
    time: str
    """Time in the name."""
    band: str
    """Name of the band, or ``SCL``."""
    side: float
    """Side of a pixel, metres, as the name states, or as the band has it."""


@dataclass(frozen=True)
class Images:
    """Images of a product, of bands and of the scene classification (SCL)."""

    items: tuple[Image, ...]
    """The images, of one tile and time if the product is sound."""

    @classmethod
    def of(cls, names: Sequence[str], member: str) -> Images:
        """Find the images of a product; ``member``, the file that a user names, picks a tile."""
        found = [image for image in map(_image_of, names) if image is not None]
        if granule := _granule(member):  # products before December 2016 have several
            return cls(tuple(one for one in found if one.name.startswith(granule)))
        if match := _match(member):
            wanted = f"T{match['tile']}", match["time"]
            found = [one for one in found if (one.tile, one.time) == wanted]
        return cls(tuple(found))

    @property
    def names(self) -> tuple[str, ...]:
        """Paths in the product."""
        return tuple(image.name for image in self.items)

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands, in order."""
        known = {image.band for image in self.items}
        return tuple(band for band in MSI if band in known)

    @property
    def tiles(self) -> tuple[str, ...]:
        """Tile and time of the images, each once."""
        return tuple(sorted({f"{one.tile}_{one.time}" for one in self.items}))

    @property
    def levels(self) -> tuple[str, ...]:
        """Levels, each once: the names of L2A images state a grid, and only these."""
        return tuple(sorted({"L2A" if GRID.search(name) else "L1C" for name in self.names}))

    @property
    def title(self) -> str:
        """Tile and time of the first image."""
        return self.tiles[0]

    @property
    def days(self) -> tuple[str, ...]:
        """Days of sensing in the names."""
        names = (PurePosixPath(one.name).name for one in self.items)
        return tuple(match["time"][:8] for match in map(IMAGE.fullmatch, names) if match)

    def side(self, resolution: float | None) -> float:
        """Return the side of a pixel of the grid: as asked for, or 20 m, or the finest."""
        if resolution is not None:
            return resolution
        sides = {image.side for image in self.items if image.band in MSI}
        return DEFAULT_SIDE if DEFAULT_SIDE in sides else min(sides)

    def best(self, band: str, side: float) -> Image | None:
        """Return the image of a band for a grid: its own, else the next finer, else coarser."""
        found = [image for image in self.items if image.band == band]
        return min(found, key=lambda one: (one.side > side, abs(one.side - side)), default=None)

    def require_one_tile(self, name: str) -> None:
        """Require that the images are of one tile, time and level, and that there is any.

        Raises
        ------
        RasterError
            When they are not.
        """
        if not self.bands:
            raise RasterError(
                f"{name} holds no image of a band (IMG_DATA/..._B02.jp2 or ..._B02_10m.jp2). "
                f"Fetch the product again, with its images."
            )
        if len(self.tiles) > 1:
            raise RasterError(
                f"{name} holds images of {len(self.tiles)} tiles or times "
                f"({listed(self.tiles)}), but a scene is one. Name an image of that which you mean."
            )
        if len(self.levels) > 1:
            raise RasterError(
                f"{name} holds images of L1C (..._B02.jp2) and of L2A (..._B02_10m.jp2), but a "
                f"scene has one level. Move those of one level to another folder."
            )


def is_image(name: str) -> bool:
    """Return whether a file is named as an image of a product."""
    return IMAGE.fullmatch(name) is not None


def _granule(member: str) -> str:
    """Return the folder of the granule that holds a file of a SAFE folder; empty: none."""
    match = re.match(r"(?:.*/)?GRANULE/[^/]+/", member)
    return match[0] if match else ""


def _image_of(name: str) -> Image | None:
    match = _match(name)
    if match is None or match["band"] not in {*MSI, "SCL"}:
        return None
    band = match["band"]
    side = float(match["side"]) if match["side"] else _native_side(band)
    return Image(name, f"T{match['tile']}", match["time"], band, side)


def _native_side(band: str) -> float:
    return MSI[band].side if band in MSI else DEFAULT_SIDE


def _match(name: str) -> re.Match[str] | None:
    last = PurePosixPath(name).name
    return IMAGE.fullmatch(last) or OLD_IMAGE.fullmatch(last)
