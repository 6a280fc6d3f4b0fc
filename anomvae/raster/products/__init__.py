"""Products: what a user may name as one date of a scene, and how it is recognised.

A recogniser takes a name and returns the product, or None if the name is not of its kind.  The
first row of `RECOGNISERS` that returns a product wins, so the most special rows come first.  To add
a product, write a module and a row here.
"""

from __future__ import annotations

from collections.abc import Callable

from ...files import PathText
from .product import Product
from .raster import Raster
from .stack import BandStack

RECOGNISERS: tuple[Callable[[str], Product | None], ...] = (
    Raster,  # whatever else GDAL opens
)


def recognise(path: PathText) -> Product:
    """Recognise what a user names as one date of a scene.

    Nothing is opened: `Product.open` reports a file that is missing or damaged.
    """
    products = (recogniser(str(path)) for recogniser in RECOGNISERS)
    return next(product for product in products if product is not None)


__all__ = ["RECOGNISERS", "BandStack", "Product", "Raster", "recognise"]
