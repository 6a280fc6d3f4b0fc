"""The products that a user names as the dates of one scene."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ...addresses import is_local
from ...errors import ConfigError
from ...files import PathText, SceneText, as_path, as_paths
from ...pixels.dates import order_of_dates
from .expansion import dates_in, sole
from .product import Product, ProductOptions


def named_products(
    paths: SceneText | Sequence[Product], dates: str | None, options: ProductOptions
) -> tuple[Product, ...]:
    """Return one product for each date, oldest first.

    Parameters
    ----------
    paths : path, or sequence of path or Product
        What a user names.
    dates : str or None
        Their dates, as `Scene.of` reads them.
    options : ProductOptions
        What is chosen of them.

    Raises
    ------
    ConfigError
        When nothing is named, a folder holds no product or several, or a date is unknown.
    """
    named = paths if isinstance(paths, list | tuple) else as_paths(paths)
    require_any(named)
    products = [
        date
        for one in named
        for date in ((one,) if isinstance(one, Product) else dates_in(sole(path_of(one), options)))
    ]
    if dates is not None and (dates or len(products) > 1):  # one needs no date in its name
        names, known = [one.name for one in products], [one.date for one in products]
        products = [products[number] for number in order_of_dates(names, known, dates)]
    return tuple(products)


def path_of(path: PathText) -> str:
    """Return a name as a path if a file has it, though GDAL reads it as something else."""
    name = as_path(path)
    return name if is_local(name) or not os.path.isfile(name) else os.path.join(os.curdir, name)


def require_any(paths: Sequence[object]) -> None:
    """Raise ConfigError when nothing is named."""
    if not paths:
        raise ConfigError("No scene is given. Name at least one raster.")
