"""The interface of every product."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Self

from ...addresses import displayed
from ...errors import ConfigError
from ...pixels.dates import date_of
from ..access import DEFAULT, Access
from ..dataset import Dataset


@dataclass(frozen=True)
class ProductOptions:
    """What a user chooses about products that leave a choice."""

    resolution: float | None = None
    """Side of a pixel, metres, of a product with several grids; None: its default."""
    band_axis: str | None = None
    """Name of the axis of bands of a cube; None: found by its wavelengths."""

    def require_default(self, name: str, kind: str, *sides: float) -> None:
        """Require that nothing is chosen of a product, but one of the ``sides`` of its pixels.

        ``kind`` names the kind of the product called ``name``: "a product of PRISMA".

        Raises
        ------
        ConfigError
            When something else is chosen.
        """
        self.require_side(name, kind, *sides)
        self.require_no_axis(name, kind)

    def require_side(self, name: str, kind: str, *sides: float) -> None:
        """Require that no side of a pixel is chosen but ``sides``; see `require_default`."""
        if self.resolution in {None, *sides}:
            return
        own = f"{', '.join(f'{side:g}' for side in sides)} m" if sides else "one resolution"
        raise ConfigError(
            f"{displayed(name)} is {kind}, which is read at {own}, not at "
            f"{self.resolution:g} m: leave --resolution out."
        )

    def require_no_axis(self, name: str, kind: str) -> None:
        """Require that no axis of bands is chosen; see `require_default`."""
        if self.band_axis is not None:
            raise ConfigError(
                f"{displayed(name)} is {kind}, whose bands are known: leave --band-axis out."
            )


DEFAULT_OPTIONS = ProductOptions()


@dataclass(frozen=True)
class Product(ABC):
    """One date of a scene, recognised and not open; it can be pickled."""

    name: str
    """The name that the user gave; messages use it."""

    @property
    @abstractmethod
    def stem(self) -> str:
        """The stem of the names of its deliverables."""

    @property
    @abstractmethod
    def paths(self) -> tuple[str, ...]:
        """Paths and URIs of every file that is read."""

    @property
    def date(self) -> date | None:
        """Day of the acquisition, without opening anything; None: unknown."""
        return date_of(self.name)

    def parts(self, access: Access = DEFAULT) -> tuple[Product, ...]:
        """Return one product for each date that it holds, oldest first; here itself.

        A product with a time axis reads it.  Each part has a stem and a date of its own.

        Raises
        ------
        RasterError
            When the file that holds the dates cannot be read.
        """
        return (self,)

    def at(self, resolution: float) -> Product:
        """Return the product on its grid of another side of a pixel, metres.

        Raises
        ------
        ConfigError
            When it has no such grid.
        """
        raise ConfigError(
            f"{displayed(self.name)} leaves no choice of a resolution: leave "
            f"resolution = {resolution:g} out."
        )

    @property
    def container(self) -> Hashable:
        """What holds it beside other dates, equal for all of them; a file of one date is itself."""
        return self

    @contextmanager
    def open_parts(
        self, parts: Sequence[Product], access: Access = DEFAULT
    ) -> Iterator[Sequence[Dataset]]:
        """Open products of its own container, in their order; the context closes them."""
        with ExitStack() as stack:
            yield [stack.enter_context(part.open(access)) for part in parts]

    @abstractmethod
    def absolute(self) -> Self:
        """Return the product with absolute paths."""

    @abstractmethod
    def open(self, access: Access = DEFAULT) -> AbstractContextManager[Dataset]:
        """Open the product as one dataset; the context closes it.

        Raises
        ------
        RasterError
            When a file does not exist, is no raster of an allowed format, exceeds a limit, or holds
            no band of real numbers.
        """


@contextmanager
def open_dates(dates: Sequence[Product], access: Access = DEFAULT) -> Iterator[list[Dataset]]:
    """Open the dates of a scene, a file of several dates once; the context closes them.

    Raises
    ------
    RasterError
        When one of them cannot be opened, see `Product.open`.
    """
    with ExitStack() as stack:
        groups = [tuple(group) for _, group in groupby(dates, key=lambda date: date.container)]
        yield [
            dataset
            for parts in groups
            for dataset in stack.enter_context(parts[0].open_parts(parts, access))
        ]
