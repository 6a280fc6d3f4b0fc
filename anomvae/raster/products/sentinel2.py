"""Sentinel-2 L1C and L2A: a SAFE folder or its ZIP archive, or a folder of band files.

Source: ESA, Sentinel-2 Products Specification Document 15.0 (S2-PDGS-TAS-DI-PSD, 2023).  Since
processing baseline 04.00 a stored number has an offset: reflectance = (number + offset) /
quantification.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path, PurePath, PurePosixPath

from ...addresses import displayed
from ...errors import ConfigError, RasterError, listed
from ..access import DEFAULT, Access
from ..dataset import Dataset
from .files import InArchive, ProductFiles
from .product import Product, ProductOptions
from .sentinel2_images import SIDES, Images, is_image
from .sentinel2_open import open_sentinel2

METADATA = re.compile(r"MTD_MSIL(?:1C|2A)\.xml|S2[A-D]_OPER_MTD_SAFL1C_.*\.xml")
"""Names of the metadata file of a product, today's and that before December 2016."""
OTHERS = re.compile(r"(?i)manifest\.safe|.*MTD_TL\.xml|S2[A-D]_OPER_MTD_L1C_TL_.*\.xml|.*\.jp2")
"""Names of files of a SAFE folder that stand for the product."""
DEPTH = 5
"""Folders between a part of a SAFE folder and its metadata file, at most."""
KIND = "a product of Sentinel-2"
"""For messages."""
SENSED = re.compile(r"_V(\d{8})T\d{6}|_(\d{8})T\d{6}")
"""Day of sensing in the name of a product: the first, or that after V in an old name."""


@dataclass(frozen=True)
class Sentinel2(Product):
    """One tile of Sentinel-2 at one time."""

    title: str
    """Name of the product: that of the SAFE folder, or of tile and time."""
    files: ProductFiles
    """Its files."""
    images: Images
    """The images among them."""
    metadata: str | None = None
    """Name of the metadata file; None: a folder of band files alone."""
    resolution: float | None = None
    """Side of a pixel, metres; None: 20, or the finest at hand."""

    @classmethod
    def recognise(cls, name: str, options: ProductOptions) -> Sentinel2 | None:
        """Take a SAFE folder or archive, a folder of band files, or one file of these."""
        found = _in_archive(name) or _in_folder(name)
        if found is None:
            return None
        options.require_no_axis(name, KIND)
        return found if options.resolution is None else found.at(options.resolution)

    def at(self, resolution: float) -> Sentinel2:
        """Return the product on its grid of 10, 20 or 60 m.

        Raises
        ------
        ConfigError
            When it has no such grid.
        """
        ProductOptions(resolution).require_side(self.name, KIND, *SIDES)
        return replace(self, resolution=resolution)

    @property
    def stem(self) -> str:
        """The name of the product."""
        return self.title

    @property
    def date(self) -> date | None:
        """Day of sensing, UTC."""
        named = SENSED.findall(self.title)
        old, new = (
            ([day for day in days if day] for days in zip(*named, strict=True))
            if named
            else ([], [])
        )
        for day in (*old, *new, *self.images.days):
            return datetime.strptime(day, "%Y%m%d").date()
        return None

    @property
    def paths(self) -> tuple[str, ...]:
        """The images and the metadata, or the archive."""
        return self.files.paths or (self.name,)

    def absolute(self) -> Sentinel2:
        """Return the product with absolute paths."""
        return replace(self, files=self.files.absolute())

    @contextmanager
    def open(self, access: Access = DEFAULT) -> Iterator[Dataset]:
        """Open the bands as one dataset; the context closes it.

        Raises
        ------
        RasterError
            When metadata or images are missing, damaged, of several tiles, or contradictory.
        """
        if self.metadata is None and not self.images.items:
            raise RasterError(
                f"{displayed(self.name)} lacks its metadata: expected MTD_MSIL1C.xml or "
                f"MTD_MSIL2A.xml in it, for only products of Sentinel-2 are read. Fetch or unpack "
                f"the product again."
            )
        opened = open_sentinel2(
            self.name, self.files, self.images, self.metadata, self.resolution, access
        )
        with opened as dataset:
            facts = replace(dataset.facts, date=self.date)
            yield replace(dataset, facts=facts)


def _in_archive(name: str) -> Sentinel2 | None:
    found = InArchive.of(name)
    if found is None:
        return None
    path, member = found
    files = ProductFiles.of(path)
    documents = [one for one in files.matching(METADATA) if _holds(one, member)]
    if len(documents) == 1:
        folder = PurePosixPath(documents[0]).parent
        return _safe(name, folder.name or Path(path).stem, files, documents[0], member)
    if documents:
        raise ConfigError(
            f"{name} holds {len(documents)} products of Sentinel-2. Name one of them: "
            f"{listed([files.path(document) for document in documents], 3)}."
        )
    return _flat(name, files, member)


def _holds(document: str, member: str) -> bool:
    """Return whether a member of an archive belongs to the product of a metadata file."""
    folder = PurePosixPath(document).parent
    return not member or PurePosixPath(member).is_relative_to(folder) or str(folder) == member


def _in_folder(name: str) -> Sentinel2 | None:
    if os.path.isdir(name):
        return (
            _safe_folder(name, name, "")
            or _above(name, inside="GRANULE")
            or _flat_folder(name, name, "")
            or _incomplete(name)
        )
    last = Path(name).name
    if METADATA.fullmatch(last) and os.path.isfile(name):
        return _safe_folder(name, os.path.dirname(name) or os.curdir, "")
    if OTHERS.fullmatch(last) and os.path.isfile(name) and (found := _above(name)):
        return found
    if is_image(last) and os.path.isfile(name):
        return _flat_folder(name, os.path.dirname(name) or os.curdir, last)
    return None


def _above(name: str, inside: str = "") -> Sentinel2 | None:
    """Return the SAFE folder that holds a file or, in its folder ``inside``, another folder."""
    path = Path(name).absolute()
    for above in path.parents[: DEPTH + 1]:
        if _documents(above):
            member = path.relative_to(above).as_posix()
            if not member.startswith(inside):
                return None
            root = os.path.relpath(above) if not os.path.isabs(name) else str(above)
            return _safe_folder(name, root, f"{member}/" if inside else member)
    return None


def _documents(folder: str | Path) -> list[str]:
    try:
        return sorted(filter(METADATA.fullmatch, os.listdir(folder)))
    except OSError:
        return []


def _safe_folder(name: str, root: str, member: str) -> Sentinel2 | None:
    documents = _documents(root)
    if not documents:
        return None
    title = os.path.basename(os.path.abspath(root))
    return _safe(name, title, ProductFiles.of(root), documents[0], member)


def _incomplete(name: str) -> Sentinel2 | None:
    """Take a SAFE folder without metadata as one product, which fails when it is opened."""
    folder = PurePath(os.path.abspath(name))
    if folder.suffix.lower() != ".safe":
        return None
    return Sentinel2(name, folder.stem, ProductFiles(name, ()), Images(()))


def _flat_folder(name: str, root: str, member: str) -> Sentinel2 | None:
    try:
        names = tuple(sorted(filter(is_image, os.listdir(root))))
    except OSError:
        return None
    return _flat(name, ProductFiles(root, names), member)


def _safe(name: str, title: str, files: ProductFiles, document: str, member: str) -> Sentinel2:
    folder = document.removesuffix(PurePosixPath(document).name)
    names = tuple(one for one in files.names if one.startswith(folder))
    stem = re.sub(r"\.SAFE$", "", title, flags=re.I)
    images = Images.of([one for one in names if "/IMG_DATA/" in one], member)
    kept = (*images.names, *(one for one in names if re.search(r"(?i)\.xml$|/QI_DATA/MSK_", one)))
    return Sentinel2(name, stem, replace(files, names=kept), images, document)


def _flat(name: str, files: ProductFiles, member: str) -> Sentinel2 | None:
    images = Images.of([one for one in files.names if is_image(PurePosixPath(one).name)], member)
    if not images.bands or (len(images.tiles) > 1 and not files.archive):
        return None  # a folder of several scenes
    return Sentinel2(name, images.title, replace(files, names=images.names), images)
