"""The scenes of a call: one of all dates of a site, or one of each product."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ConfigError
from ..files import PathText, as_paths
from .products import Product, ProductOptions
from .products.expansion import expanded
from .products.named import path_of, require_any
from .scene import Scene
from .selection import EVERYTHING, Selection


def scenes_of(
    paths: Sequence[PathText | Product], select: Selection = EVERYTHING, *, one_site: bool
) -> list[Scene]:
    """Make scenes of products: one of all dates of a site, or one of each product.

    Parameters
    ----------
    paths : sequence of path or Product
        Products, rasters, folders and patterns of them, see `expanded`.
    select : Selection, optional
        What counts of them.
    one_site : bool
        Whether they are the dates of one site, because a model compares dates.

    Raises
    ------
    ConfigError
        When no raster is given, a date is unknown, the number of masks is wrong, or a nodata value
        is not finite.
    """
    require_any(paths)
    options = ProductOptions(select.resolution, select.band_axis)
    given = [path if isinstance(path, Product) else path_of(path) for path in paths]
    products = expanded(given, options, select.access)
    named = [tuple(products)] if one_site else [(product,) for product in products]
    normal = _one_each(select.normal, len(named))
    return [
        Scene.selected(path, select, normal=one) for path, one in zip(named, normal, strict=True)
    ]


def _one_each(masks: Sequence[PathText], scenes: int) -> list[PathText | None]:
    masks = as_paths(masks)
    if len(masks) not in {0, 1, scenes}:
        raise ConfigError(
            f"{len(masks)} masks of normal pixels are given for {scenes} scenes: "
            f"give one for all of them, or one for each, in the order of the scenes."
        )
    if len(masks) == scenes:
        return list(masks)
    return [masks[0] if masks else None] * scenes
