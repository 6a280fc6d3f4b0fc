"""CovariateReader: a scene with what else is known of its pixels, axes (time, row, col, value).

The values of a block are the scene's bands, then those of each covariate in the order in which they
were asked for (`anomvae.pixels.covariates`); NaN = no data, or not known.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import GridMismatch
from ..files import FileIdentity, PathText
from ..pixels.bands import Bands
from ..pixels.covariates import (
    CATEGORICAL,
    DAY,
    Covariate,
    Covariates,
    CovariateSpec,
    UnknownClassWarning,
    day_values,
    parse_covariates,
    require_covariates,
    split_values,
)
from ..pixels.grid import Grid
from ..pixels.tiling import Window
from ..pixels.views import Block
from .dataset import Dataset, opened
from .gdal import absolute_uri, session
from .georeference import Georeference
from .part import part_at
from .reader import RasterReader, fingerprint_of
from .warped import Warped, warped

log = logging.getLogger(__name__)

Values = NDArray[np.float32]


class Layer(Protocol):
    """Gives the values of one covariate that was asked for."""

    @property
    def covariates(self) -> Covariates:
        """What the values are."""

    @property
    def fingerprint(self) -> tuple[FileIdentity, ...]:
        """What changes when the values do."""

    def read(self, window: Window) -> Values:
        """Read a window of the scene, axes (row, col, value)."""


class CovariateReader:
    """A raster with the values of its covariates behind the bands of every block.

    Parameters
    ----------
    scene : RasterReader
        The raster; who opened it closes it.
    layers : sequence of Layer
        Where the values come from.
    texts : sequence of str
        How they were asked for.
    expected : Covariates
        Those of a detector, for warnings of what it does not know; may be empty.
    """

    def __init__(
        self,
        scene: RasterReader,
        layers: Sequence[Layer],
        texts: Sequence[PathText],
        expected: Covariates = (),
    ) -> None:
        self._scene, self._layers = scene, tuple(layers)
        self._texts, self._expected = texts, expected
        self._files = ExitStack()
        self._unseen = UnknownClassWarning(expected, scene.name)
        self._found: set[int] = set()
        self._looked: set[int] = set()

    @property
    def covariates(self) -> Covariates:
        """What the values behind the bands are."""
        return tuple(one for layer in self._layers for one in layer.covariates)

    @property
    def name(self) -> str:
        """The scene's."""
        return self._scene.name

    @property
    def stem(self) -> str:
        """The scene's."""
        return self._scene.stem

    @property
    def grid(self) -> Grid:
        """The scene's; covariates are brought onto it."""
        return self._scene.grid

    @property
    def georeference(self) -> Georeference:
        """The scene's."""
        return self._scene.georeference

    @property
    def bands(self) -> Bands:
        """The scene's bands in use; the values of covariates follow them."""
        return self._scene.bands

    @property
    def block_shape(self) -> tuple[int, int]:
        """The scene's."""
        return self._scene.block_shape

    @property
    def values_per_pixel(self) -> int:
        """Numbers of a pixel: the bands in use, and the values of covariates."""
        return self._scene.values_per_pixel + sum(one.values for one in self.covariates)

    @property
    def fingerprint(self) -> tuple[FileIdentity, ...]:
        """The state of every file that the values come from, the scene's first."""
        return (*self._scene.fingerprint, *(one for lay in self._layers for one in lay.fingerprint))

    def __reduce__(self) -> tuple[Callable[..., CovariateReader], tuple[object, ...]]:
        """Send the names of the files to another process, which opens them itself."""
        return _reopened, (self._scene, absolute_specs(self._texts), self._expected)

    def using(self, bands: Bands) -> CovariateReader:
        """Read only ``bands``, in their order; the covariates stay."""
        other = object.__new__(CovariateReader)  # a copy would be other open files: see __reduce__
        other.__dict__.update(self.__dict__, _scene=self._scene.using(bands))
        return other

    def read(self, window: Window) -> Block:
        """Read a window: bands, then covariates."""
        block = self._scene.read(window)
        values = np.concatenate([layer.read(window) for layer in self._layers], axis=-1)
        for place, (_, own) in enumerate(split_values(self.covariates, values)):
            self._looked.add(place)
            if np.isfinite(own).any():
                self._found.add(place)
        self._unseen.look(values)
        return np.concatenate([block, values[np.newaxis]], axis=-1)

    def warn_of_unknown(self) -> None:
        """Say which covariates had no value in all that was read."""
        for place, one in enumerate(self.covariates):
            if place in self._looked - self._found:
                log.warning(
                    "%s: %s has no value at any pixel read; the mean of training stands for it",
                    *(self.name, one),
                )


SceneReader = RasterReader | CovariateReader


@contextmanager
def with_covariates(
    scene: RasterReader, texts: Sequence[PathText], expected: Covariates | None = None
) -> Iterator[SceneReader]:
    """Read covariates together with a scene.

    Parameters
    ----------
    scene : RasterReader
        The open scene.
    texts : sequence of str
        As `parse_covariates` reads them; without any the scene stays as it is.
    expected : Covariates, optional
        Those of a detector: others are refused.

    Yields
    ------
    RasterReader or CovariateReader

    Raises
    ------
    RasterError
        If a file cannot be read.
    GridMismatch
        If a raster says no coordinate reference system, or the scene none, and is on another grid.
    CovariateMismatch
        If the covariates are not those expected, or a day is not known.
    """
    with ExitStack() as files:
        layers = [files.enter_context(_layer(one, scene)) for one in parse_covariates(texts)]
        reader = CovariateReader(scene, layers, texts, expected or ())
        if expected is not None:
            require_covariates(reader.covariates, expected, scene.name)
        if not layers:
            yield scene
            return
        yield reader
        if expected is not None:
            reader.warn_of_unknown()


def absolute_specs(texts: Sequence[PathText]) -> tuple[str, ...]:
    """Name covariates so that they are found from any folder."""
    return tuple(
        f"{one.kind}:{absolute_uri(one.source)}" if one.kind != DAY else str(text)
        for text, one in zip(texts, parse_covariates(texts), strict=True)
    )


def _reopened(
    scene: RasterReader, texts: Sequence[PathText], expected: Covariates
) -> CovariateReader:
    """Open what another process had open; it stays so as long as the reader is there."""
    with ExitStack() as files:
        reader = files.enter_context(with_covariates(scene, texts, expected or None))
        assert isinstance(reader, CovariateReader)  # there were covariates to send
        reader._files = files.pop_all()
    return reader


@dataclass(frozen=True)
class _Day:
    """The day of the year, one for all pixels."""

    values: Values
    fingerprint: tuple[FileIdentity, ...]
    covariates: Covariates = (Covariate(DAY),)

    def read(self, window: Window) -> Values:
        rows, cols = (part.stop - part.start for part in window)
        return np.broadcast_to(self.values, (rows, cols, len(self.values)))


@dataclass(frozen=True)
class _Raster:
    """Values of a raster on the scene's grid, or brought onto it."""

    source: Dataset | Warped
    bands: Bands
    covariates: Covariates
    fingerprint: tuple[FileIdentity, ...]

    def read(self, window: Window) -> Values:
        if isinstance(self.source, Warped):
            return self.source.read(self.bands, window)
        return self.source.read(self.bands, part_at(window))


@contextmanager
def _layer(request: CovariateSpec, scene: RasterReader) -> Iterator[Layer]:
    if request.kind == DAY:
        day = request.day_of(scene.name)
        yield _Day(day_values(day), (FileIdentity(f"day:{day.isoformat()}"),))
        return
    with ExitStack() as files:
        source = files.enter_context(opened(request.source))
        bands = source.first() if request.kind == CATEGORICAL else source.bands
        with session():
            state = fingerprint_of(source)
        shown: Dataset | Warped = source
        if not _same_grid(scene, source):
            nearest = request.kind == CATEGORICAL
            shown = files.enter_context(warped(source, scene.grid, scene.name, nearest=nearest))
        yield _Raster(shown, bands, _described(request, source, bands), state)


def _described(request: CovariateSpec, source: Dataset, bands: Bands) -> Covariates:
    file = PurePath(source.name.partition("?")[0]).name
    named = source.bands.named
    return tuple(Covariate(request.kind, file, band.name if named else "") for band in bands)


def _same_grid(scene: RasterReader, source: Dataset) -> bool:
    """Tell whether a raster is on the scene's grid; if not, it must be possible to bring it there.

    Raises
    ------
    GridMismatch
        If it is not.
    """
    try:
        scene.grid.require_same(source.grid, scene.name, source.name)
    except GridMismatch:
        if not (scene.grid.crs and source.grid.crs):
            raise
        return False
    return True
