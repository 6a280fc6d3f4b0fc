"""RasterReader: a scene as blocks, axes (time, row, col, band), float32, NaN = no data."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

from ..errors import RasterError
from ..files import FileIdentity, identify
from ..pixels.bands import Bands
from ..pixels.covariates import Covariates
from ..pixels.grid import Grid
from ..pixels.tiling import Window
from ..pixels.views import Block
from .dataset import Dataset, opened
from .gdal import absolute_uri, is_local, session
from .georeference import Georeference, georeference_of
from .masks import RasterMask, opened_mask
from .part import Part, part_at, reduced
from .preview import draw

log = logging.getLogger(__name__)


class RasterReader:
    """A raster that is read window by window, in the bands in use.

    Use it as a context manager, or call `close`.  Like GDAL's own datasets it serves one thread.

    Parameters
    ----------
    path : str or path
        Whatever GDAL opens: a file, an URI, ``/vsi...``, one of a container's rasters.
    bands : str, optional
        Bands to use, as in `anomvae.pixels.bands.Bands.choose`; by default all but alpha.
    mask : path, optional
        A raster on the same grid; pixels that are 0 or no data in its first band are ignored.

    Raises
    ------
    RasterError
        If a file does not exist, is no raster, or holds no band of real numbers.
    GridMismatch
        If the mask is on another grid.
    ConfigError
        If ``bands`` names an unknown band.
    """

    name: str
    """The path as it was given."""
    bands: Bands
    """The bands in use, in the order in which they are read."""
    georeference: Georeference
    """All that the file says about where it lies."""
    fingerprint: tuple[FileIdentity, ...]
    """The state of every file that the pixels come from, the mask's too."""

    def __init__(
        self, path: str | Path, *, bands: str | None = None, mask: str | Path | None = None
    ) -> None:
        with ExitStack() as files:
            source = files.enter_context(opened(path))
            self._dataset_of = source
            self._mask = _open_mask(files, mask, source)
            self.name = source.name
            self.bands = source.bands if bands is None else source.bands.choose(bands)
            with session():
                self.georeference = georeference_of(source.dataset)
                masks = [] if self._mask is None else [self._mask.source]
                self.fingerprint = fingerprint_of(source, *masks)
                _warn_of_palette(source)
            self._files = files.pop_all()

    def __enter__(self) -> RasterReader:
        """Read inside a ``with`` block; the file is closed at its end."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file, for every reader that shares it."""
        self._files.close()

    def __reduce__(self) -> tuple[Callable[..., RasterReader], tuple[object, ...]]:
        """Send the names of the files to another process, which opens them itself."""
        mask = None if self._mask is None else absolute_uri(self._mask.name)
        return _reopened, (absolute_uri(self.name), mask, self.bands, self.grid)

    @property
    def stem(self) -> str:
        """What the names of its results begin with."""
        return stem_of(self.name)

    @property
    def grid(self) -> Grid:
        """Rows, columns, and where they lie."""
        return self._dataset_of.grid

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, pixels."""
        return self.grid.shape

    @property
    def block_shape(self) -> tuple[int, int]:
        """Rows and columns of the blocks in which the file is stored."""
        return self._dataset_of.block_shape

    @property
    def values_per_pixel(self) -> int:
        """Numbers of a pixel: the bands in use."""
        return len(self.bands)

    @property
    def covariates(self) -> Covariates:
        """None; `anomvae.raster.with_covariates` adds them."""
        return ()

    @property
    def types(self) -> tuple[str, ...]:
        """Types in which the bands in use are stored, each once."""
        dtypes = self._dataset_of.dataset.dtypes
        return tuple(sorted({dtypes[index - 1] for index in self.bands.indexes}))

    @property
    def tags(self) -> dict[str, str]:
        """The file's tags."""
        return dict(self._dataset_of.dataset.tags())

    def using(self, bands: Bands) -> RasterReader:
        """Read only ``bands``, in their order, from the same open file.

        Parameters
        ----------
        bands : Bands
            Some of this file's bands, as `Bands.find_in`, `Bands.choose` or `Bands.keep` return.

        Returns
        -------
        RasterReader
            Closing either closes both.
        """
        other = object.__new__(RasterReader)  # a copy would be another open file: see __reduce__
        other.__dict__.update(self.__dict__, bands=bands)
        return other

    def read(self, window: Window) -> Block:
        """Read a window.

        Parameters
        ----------
        window : (rows, cols)
            Half-open slices, pixels, inside the grid.

        Returns
        -------
        array of float32, axes (time, row, col, band)
            Physical values (GDAL's scale and offset applied) of one date; NaN where a band has no
            data, in all bands where the pixel has none.

        Raises
        ------
        RasterError
            If the file is damaged there.
        """
        part = part_at(window)
        return self._masked(self._dataset_of.read(self.bands, part), part)

    def preview(self, side: int) -> Block:
        """Read the whole raster into at most ``side`` pixels on its longer side.

        Overviews are used where the file has them; without, values are the file's own.

        Returns
        -------
        array of float32, axes (time, row, col, band)
            As from `read`.
        """
        part = reduced(self.shape, side)
        return self._masked(draw(self._dataset_of, self.bands, part.shape), part)

    def _masked(self, block: NDArray[np.float32], part: Part) -> Block:
        """Apply the mask raster to a block, axes (row, col, band), and give it a time axis."""
        if self._mask is not None:
            block[~self._mask.read_part(part)] = np.nan
        return block[np.newaxis]


def stem_of(name: str) -> str:
    """Make the beginning of file names from a path, an URI, or the name of a container's raster.

    Examples
    --------
    >>> stem_of("maps/coast.v1.tif"), stem_of("s3://eo/coast.tif"), stem_of('NETCDF:"a/b.nc":t2m')
    ('coast.v1', 'coast', 'b_t2m')
    """
    if is_local(name):
        return Path(name).stem
    last = re.split(r"[/!]", name.partition("?")[0].rstrip("/"))[-1].replace('"', "")
    return "_".join(PurePosixPath(part).stem for part in last.split(":") if part)


def _reopened(name: str, mask: str | None, bands: Bands, grid: Grid) -> RasterReader:
    """Open what another process has open, and make sure that it is the same."""
    reader = RasterReader(name, mask=mask)
    if reader.grid != grid or not set(bands) <= set(reader.bands):
        reader.close()
        raise RasterError(
            f"{name} is another raster on this machine than where the work was sent from. "
            f"Give all machines the same file under this name."
        )
    return reader.using(bands)


def _open_mask(files: ExitStack, mask: str | Path | None, source: Dataset) -> RasterMask | None:
    if mask is None:
        return None
    return files.enter_context(opened_mask(mask, source.grid, source.name))


def fingerprint_of(*sources: Dataset) -> tuple[FileIdentity, ...]:
    """Tell the state of every file that some rasters' pixels come from."""
    # What viewers leave beside a raster (statistics, overviews) does not change its pixels.
    return tuple(
        identify(file)
        for source in sources
        for file in source.dataset.files or [source.name]
        if not file.endswith((".aux.xml", ".ovr"))
    )


def _warn_of_palette(source: Dataset) -> None:
    if ColorInterp.palette in source.dataset.colorinterp:
        log.warning(
            "%s has a colour table; its numbers are read as they are. "
            "Expand it first if the colours are meant (gdal_translate -expand rgb).",
            source.name,
        )
