"""Many files: the products that folders and patterns name.

A folder that is a product is that product.  Any other folder stands for the products in it and
below, and for the rasters that belong to none of them; so does a pattern such as ``2024/LC09*``.
Hidden files, files that are being copied, previews and results of anomvae are no scenes.
"""

from __future__ import annotations

import glob
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from ...addresses import is_local
from ...errors import ConfigError, FileError, RasterError, listed
from ...files import PathText
from ...identity import is_sidecar
from ...names import is_unfinished, printable
from ..access import DEFAULT, Access
from . import recognise, recognise_special
from .envi import SUFFIXES
from .product import DEFAULT_OPTIONS, Product, ProductOptions

log = logging.getLogger(__name__)

MOST_ENTRIES = 1_000_000
"""Files and folders that are looked at below one name."""
RASTERS = frozenset(
    {
        *(".tif", ".tiff", ".jp2", ".j2k", ".img", ".vrt", ".bsq", ".bil", ".bip", ".asc", ".rst"),
        *(".nc", ".nc4", ".h5", ".he5", ".hdf", ".hdf5", ".kea"),
        *(".ntf", ".nitf", ".grb", ".grb2", ".grib", ".grib2"),
    }
)
"""Suffixes of rasters; PNG and JPEG in an archive of scenes are previews."""
RESULTS = (".anomaly.tif", ".explanation.tif", ".flags.tif", ".pvalues.tif")
"""Ends of the names of rasters that anomvae writes."""
HEADER = ".hdr"
"""End of the name of a header of ENVI; the scene is the file that it describes."""


def expanded(
    names: Iterable[PathText | Product],
    options: ProductOptions = DEFAULT_OPTIONS,
    access: Access = DEFAULT,
) -> list[Product]:
    """Return the products of names, folders and patterns, one for each date.

    Parameters
    ----------
    names : sequence of path or Product
        Products and rasters, folders of them, and patterns of their names (``*``, ``?``, ``[]``,
        ``**`` for subfolders); a name that exists is no pattern.
    options, access : optional
        What is chosen of the products, and how those are opened that hold several dates.

    Returns
    -------
    list of Product
        In the order of ``names``, those of a folder or a pattern by their names.

    Raises
    ------
    ConfigError
        When a folder or a pattern holds nothing, or too much, or a product lacks an option.
    FileError
        When a folder cannot be read.
    """
    found = [
        product
        for name in names
        for product in ([name] if isinstance(name, Product) else _named(os.fspath(name), options))
    ]
    return [part for product in found for part in dates_in(product, access)]


def sole(name: str, options: ProductOptions = DEFAULT_OPTIONS) -> Product:
    """Return the one product of a name.

    Raises
    ------
    ConfigError
        When a folder or a pattern holds none, or several.
    """
    products = _named(name, options)
    if len(products) > 1:
        raise ConfigError(
            f"{name} holds {len(products)} scenes, and one is read: name one of them "
            f"({listed([product.name for product in products], 3)}), or train on all and score "
            f"them (anomvae train, anomvae score)."
        )
    return products[0]


def distinct(products: Mapping[str, Product]) -> dict[str, Product]:
    """Return products of which no two have a file in common; the largest of several is kept.

    So the mask of a product is no scene of its own, nor is each of its bands, nor any other file in
    the folder of a product.
    """
    folders = {PurePath(path) for path in products if os.path.isdir(path)}
    taken: set[str] = set()
    chosen: dict[str, Product] = {}
    for path in sorted(products, key=lambda path: (-len(products[path].paths), path)):
        files = {os.path.abspath(path), *map(os.path.abspath, products[path].paths)}
        if taken.isdisjoint(files) and folders.isdisjoint(PurePath(path).parents):
            chosen[path] = products[path]
        taken |= files
    return {path: chosen[path] for path in products if path in chosen}


def is_pattern(name: str) -> bool:
    """Return whether a name is a pattern of paths, and no path itself."""
    return is_local(name) and glob.has_magic(name) and not os.path.lexists(name)


def _named(name: str, options: ProductOptions) -> list[Product]:
    search = _Search(name, options)
    if is_pattern(name):
        found = search.products(_matches(name))
    elif is_local(name) and os.path.isdir(name):
        product = recognise_special(name, options)
        found = search.folder(name) if product is None else [product]
    else:
        return [recognise(name, options)]
    if not found:
        raise ConfigError(
            f"{name} holds no scene: no product or raster is known by its name. Check the name, or "
            f"name the files themselves."
        )
    return found


def _matches(pattern: str) -> list[str]:
    """Return what a pattern matches, without what lies in a folder that it matches, too."""
    found = sorted(glob.iglob(pattern, recursive=True))
    known = set(map(PurePath, found))
    return [path for path in found if known.isdisjoint(PurePath(path).parents)]


def dates_in(product: Product, access: Access = DEFAULT) -> Sequence[Product]:
    """Return one product for each date of a product; one that cannot be read stays as it is."""
    try:
        return product.parts(access)
    except RasterError:
        return (product,)  # opening it reports the reason, and no other fails


@dataclass
class _Search:
    """Looks for products by their names."""

    name: str
    """What the user named."""
    options: ProductOptions
    looked: int = 0
    """Files and folders so far."""

    def folder(self, folder: str) -> list[Product]:
        """Return the products of a folder, sorted by their names."""
        try:
            with os.scandir(folder) as entries:
                paths = sorted(entry.path for entry in entries)
        except OSError as error:
            problem = f"{printable(folder)} cannot be read: {error.strerror}."
            if folder == self.name:
                raise FileError(f"{problem} Check the path and its permissions.") from error
            log.warning("%s It is skipped", problem)
            return []
        return self.products(paths)

    def products(self, paths: Sequence[str]) -> list[Product]:
        """Return the products of files and folders, in their order."""
        self._count(len(paths))
        visible = [path for path in paths if not is_unfinished(PurePath(os.path.basename(path)))]
        found = self._of_files([path for path in visible if not os.path.isdir(path)])
        found |= {path: self._of_folder(path) for path in visible if path not in found}
        return [product for path in visible for product in found[path]]

    def _of_folder(self, path: str) -> list[Product]:
        if not os.path.isdir(path):
            return []
        product = recognise_special(path, self.options)
        if product is not None:
            return [product]
        # A link may lead back to a folder above.
        return [] if os.path.islink(path) else self.folder(path)

    def _of_files(self, paths: Sequence[str]) -> dict[str, list[Product]]:
        """Return the products of files, by their paths."""
        products: dict[str, Product] = {}
        for path in paths:
            product = None if path.lower().endswith((*RESULTS, HEADER)) else self._of_file(path)
            if product is not None:
                products[path] = product
        return {path: [product] for path, product in distinct(products).items()}

    def _of_file(self, path: str) -> Product | None:
        product = recognise_special(path, self.options)
        if product is None and _is_raster(path) and not is_sidecar(path):
            product = recognise(path, self.options)
        return product

    def _count(self, entries: int) -> None:
        self.looked += entries
        if self.looked > MOST_ENTRIES:
            raise ConfigError(
                f"{self.name} holds more than {MOST_ENTRIES} files and folders: name folders "
                f"below it, or a pattern such as {os.path.join(self.name, '*', '*.SAFE')!r}."
            )


def _is_raster(path: str) -> bool:
    """Return whether a file has the name of a raster."""
    suffix = PurePath(path).suffix.lower()
    headers = [f"{path}{HEADER}"]
    if suffix in SUFFIXES:  # of any other file, a preview or a document, it is no header
        headers.append(os.path.splitext(path)[0] + HEADER)
    return suffix in RASTERS or (suffix != HEADER and any(map(os.path.isfile, headers)))
