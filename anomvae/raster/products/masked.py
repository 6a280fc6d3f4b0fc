"""A product with masks that it does not carry itself, such as files beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date as Date

from ..access import DEFAULT, Access
from ..dataset import Dataset
from ..gdal import absolute_uri
from ..layer_masks import layers_of
from ..mask_choice import NamedMask
from .product import Product


@dataclass(frozen=True)
class Masked(Product):
    """A product whose own masks are those in some files, of this date alone."""

    product: Product
    """What they are of."""
    masks: tuple[NamedMask, ...]
    """The masks; ``auto`` among them stands for those that the product carries."""

    @property
    def stem(self) -> str:
        """The stem of the names of its deliverables."""
        return self.product.stem

    @property
    def paths(self) -> tuple[str, ...]:
        """Those of the product, and the files of the masks."""
        return (*self.product.paths, *(mask.path for mask in self.masks if mask.path))

    @property
    def date(self) -> Date | None:
        """Day of the acquisition."""
        return self.product.date

    def at(self, resolution: float) -> Masked:
        """Return the product on another of its grids, with the same masks."""
        return replace(self, product=self.product.at(resolution))

    def absolute(self) -> Masked:
        """Return the product with absolute paths."""
        masks = (replace(one, path=one.path and absolute_uri(one.path)) for one in self.masks)
        return replace(self, product=self.product.absolute(), masks=tuple(masks))

    @contextmanager
    def open(self, access: Access = DEFAULT) -> Iterator[Dataset]:
        """Open the product, with its masks in place of those that it carries."""
        with self.product.open(access) as dataset:
            yield replace(dataset, masks=layers_of(self.masks, dataset.masks))
