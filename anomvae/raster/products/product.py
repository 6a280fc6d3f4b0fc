"""What every product offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import Self

from ..dataset import Dataset


class Product(ABC):
    """One date of a scene, recognised and not open; it can be pickled."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What the user named; messages use it."""

    @property
    @abstractmethod
    def stem(self) -> str:
        """What the names of its results begin with."""

    @property
    @abstractmethod
    def paths(self) -> tuple[str, ...]:
        """Every path or URI that is read."""

    @abstractmethod
    def absolute(self) -> Self:
        """Name everything so that it is found from any folder."""

    @abstractmethod
    def open(self) -> AbstractContextManager[Dataset]:
        """Open it as one raster; closed in the end.

        Raises
        ------
        RasterError
            If a file does not exist, is no raster, or holds no band of real numbers.
        """
