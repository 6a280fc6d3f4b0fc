"""Products: what a user may name as one date of a scene, and how it is recognised.

A recogniser takes a name and returns the product, or None if the name is not of its kind.  It looks
at names first, of the file or folder itself and of what lies in it (`ProductFiles`), and opens
nothing: `Product.open` reads, and reports what is missing or damaged.  The first row of
`RECOGNISERS` that returns a product wins, so the most special rows come first.  To add a product,
write a module and a row here (docs/products.md).
"""

from __future__ import annotations

from collections.abc import Callable

from ...files import PathText
from .array import ArrayProduct
from .cubes import Cube
from .desis import recognise_desis
from .emit import Emit
from .enmap import recognise_enmap
from .envi import HeaderOfCube
from .files import ProductFiles
from .hls import Hls
from .landsat import Landsat
from .prisma import Prisma
from .product import DEFAULT_OPTIONS, Product, ProductOptions
from .raster import Raster
from .sentinel2 import Sentinel2
from .stac import recognise_stac
from .stack import BandStack, StackBand

Recogniser = Callable[[str, ProductOptions], Product | None]

RECOGNISERS: tuple[Recogniser, ...] = (
    recognise_enmap,
    recognise_desis,
    Prisma.recognise,
    Sentinel2.recognise,
    HeaderOfCube.recognise,
    Landsat.recognise,
    Hls.recognise,
    Emit.recognise,
    Cube.recognise,
    recognise_stac,
    Raster.recognise,  # whatever else GDAL opens
)


def recognise(path: PathText, options: ProductOptions = DEFAULT_OPTIONS) -> Product:
    """Recognise what a user names as one date of a scene.

    Nothing is opened: `Product.open` reports a file that is missing or damaged.

    Raises
    ------
    ConfigError
        When the product does not have what ``options`` choose.
    """
    product = recognise_special(str(path), options)
    return Raster.recognise(str(path), options) if product is None else product


def recognise_special(name: str, options: ProductOptions = DEFAULT_OPTIONS) -> Product | None:
    """Recognise more than a plain raster; None where a name is of no kind but that.

    Raises
    ------
    ConfigError
        When the product does not have what ``options`` choose.
    """
    products = (row(name, options) for row in RECOGNISERS if row != Raster.recognise)
    return next((product for product in products if product is not None), None)


__all__ = [
    "RECOGNISERS",
    "ArrayProduct",
    "BandStack",
    "Product",
    "ProductFiles",
    "ProductOptions",
    "Raster",
    "Recogniser",
    "StackBand",
    "recognise",
    "recognise_special",
]
