"""An open scene, read window by window as blocks of axes (time, row, col, value), float32.

The values of a pixel are the bands in use, in physical units, then the covariates; NaN = no data,
or unknown.  Like a dataset of GDAL, an open scene serves one thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..identity import FileIdentity
from ..pixels.bands import Bands
from ..pixels.covariates import Covariates, values_of
from ..pixels.grid import Grid
from ..pixels.stored_block import StoredBlock
from ..pixels.tiling import Window, part_of_block, shape_of
from ..pixels.views import Block, Mask
from ..stats.radiometry import Conversion
from .covariates import Layer
from .dataset import Dataset
from .gdal import CACHE_BYTES, HEADROOM, LARGE_BLOCKS, enlarge_cache, shrink_cache
from .georeference import Georeference
from .layer_masks import PixelMasks
from .masks import Flags, NormalMask

if TYPE_CHECKING:
    from .scene import Scene


class MaskedBlock(NamedTuple):
    """Pixels of a window, and why some have no data."""

    block: Block
    """Axes (time, row, col, value)."""
    masked: Mask | None
    """Pixels of the newest date that have data and are hidden by a mask, axes (row, col); None
    where there is no mask."""


@dataclass(frozen=True)
class OpenDate:
    """One open date of a scene."""

    dataset: Dataset
    """The open raster."""
    bands: Bands
    """The bands in use, in the order of the values."""
    georeference: Georeference
    """The georeference of the file."""
    masks: PixelMasks
    """Masks of pixels to ignore."""
    layers: tuple[Layer, ...]
    """The covariates."""
    hidden: Flags | None = None
    """Pixels that are no data when a newer date is compared with this one; None: there are none."""

    @property
    def name(self) -> str:
        """The name that the user gave."""
        return self.dataset.name

    @property
    def grid(self) -> Grid:
        """Shape and location of the pixels."""
        return self.dataset.grid

    @property
    def datasets(self) -> tuple[Dataset, ...]:
        """What is open on the grid of the scene: bands, then masks."""
        hidden = () if self.hidden is None else (self.hidden.dataset,)
        return (self.dataset, *(layer.dataset for layer in self.masks.layers), *hidden)

    @property
    def covariates(self) -> Covariates:
        """The covariates, in the order of their values after the bands."""
        return tuple(one for layer in self.layers for one in layer.covariates)

    @property
    def files(self) -> tuple[FileIdentity, ...]:
        """Identities of the files that the values come from."""
        masks = [identity for layer in self.masks.layers for identity in layer.dataset.files]
        layers = [identity for layer in self.layers for identity in layer.files]
        hidden = () if self.hidden is None else self.hidden.dataset.files
        return (*self.dataset.files, *masks, *layers, *hidden)

    def splits_blocks(self, size: tuple[int, int]) -> bool:
        """Whether windows of ``size``, side by side, may hold parts of blocks that GDAL caches."""
        datasets = self.datasets
        return bool(self.layers) or any(
            one.grid != self.grid or one.splits_blocks(size) for one in datasets
        )

    def using(self, bands: Bands) -> OpenDate:
        """Return the date with other bands in use."""
        return replace(self, bands=bands, masks=self.masks.used_with(bands))

    def read(self, window: Window) -> MaskedBlock:
        """Read a window of one date."""
        block, masked = self.read_bands(window)
        if self.layers:
            values = [layer.read(window) for layer in self.layers]
            block = np.concatenate([block, *values], axis=-1)
        return MaskedBlock(block[np.newaxis], masked)

    def read_numbers(self, window: Window) -> StoredBlock | None:
        """Read a window as numbers of the file; None where it is more than these."""
        if self.masks.layers or self.layers:
            return None
        return self.dataset.read_numbers(self.bands, window)

    def read_bands(self, window: Window) -> MaskedBlock:
        """Read the bands of a window, axes (row, col, band), and which of its pixels are masked."""
        block, masked = self.dataset.read(self.bands, window), None
        if self.masks.layers:
            state = self.masks.read(window)
            block[state.missing] = np.nan
            masked = state.hidden & np.isfinite(block).all(axis=-1)
            block[state.hidden] = np.nan
        return MaskedBlock(block, masked)


@dataclass(frozen=True)
class OpenScene:
    """An open scene; `Scene.open` creates and closes it."""

    scene: Scene
    """The closed scene."""
    dates: tuple[OpenDate, ...]
    """The dates, oldest first."""
    normal_mask: NormalMask | None = None
    """Mask of normal pixels; None: all."""

    def converted(self, conversions: Sequence[Conversion | None]) -> OpenScene:
        """Return the scene with dates whose values are stored otherwise; None: as they are."""
        if not any(conversions):
            return self
        dates = tuple(
            replace(date, bands=date.bands.stored_as(one.storage)) if one else date
            for date, one in zip(self.dates, conversions, strict=True)
        )
        return replace(self, scene=replace(self.scene, conversions=tuple(conversions)), dates=dates)

    @property
    def conversions(self) -> tuple[str, ...]:
        """What the data decided about how values are stored, each once; empty: nothing."""
        return tuple(dict.fromkeys(str(one) for one in self.scene.conversions if one))

    @property
    def stem(self) -> str:
        """The stem of the names of its deliverables."""
        return self.scene.stem

    @property
    def newest(self) -> OpenDate:
        """The newest date, which gives the scene its name and its grid."""
        return self.dates[-1]

    @property
    def name(self) -> str:
        """The name of the newest date."""
        return self.newest.name

    @property
    def names(self) -> tuple[str, ...]:
        """The name of every date, oldest first."""
        return tuple(date.name for date in self.dates)

    @property
    def grid(self) -> Grid:
        """Shape and location of the pixels."""
        return self.newest.grid

    @property
    def georeference(self) -> Georeference:
        """The georeference of the newest date."""
        return self.newest.georeference

    @property
    def bands(self) -> Bands:
        """The bands in use of the newest date; those of other dates match them."""
        return self.newest.bands

    @property
    def covariates(self) -> Covariates:
        """The covariates of every date."""
        return self.newest.covariates

    @property
    def block_shape(self) -> tuple[int, int]:
        """Rows and columns that are read together: file blocks, or parts of huge ones."""
        return part_of_block(
            self.grid.shape,
            self.newest.dataset.block_shape,
            self.values_per_pixel,
            kept=self._block_bytes <= LARGE_BLOCKS,
        )

    @property
    def _block_bytes(self) -> int:
        return sum(dataset.block_bytes for date in self.dates for dataset in date.datasets)

    def prepare_cache(self) -> None:
        """Enlarge GDAL's cache for any windows: those of huge blocks are parts of them."""
        parted = self.block_shape != self.newest.dataset.block_shape
        kept = all(dataset.keeps_block for date in self.dates for dataset in date.datasets)
        huge = parted and not kept and CACHE_BYTES < self._block_bytes <= LARGE_BLOCKS
        enlarge_cache(self._block_bytes + HEADROOM if huge else CACHE_BYTES)

    def shrink_cache(self, size: tuple[int, int]) -> None:
        """Shrink GDAL's cache if windows of ``size``, side by side, hold whole blocks alone."""
        if not any(date.splits_blocks(size) for date in self.dates):
            shrink_cache()

    @property
    def values_per_pixel(self) -> int:
        """Number of values that `read` returns for a pixel: bands and covariates of all dates."""
        return len(self.dates) * (len(self.bands) + values_of(self.covariates))

    @property
    def files(self) -> tuple[FileIdentity, ...]:
        """The same for all dates, with masks that hide pixels and covariates."""
        return tuple(identity for date in self.dates for identity in date.files)

    def read(self, window: Window) -> Block:
        """Read a window.

        Parameters
        ----------
        window : (rows, cols)
            Half-open slices, pixels, inside the grid.

        Returns
        -------
        array of float32, axes (time, row, col, value)
            Bands in physical units (scale and offset of the file applied), NaN where a band has no
            data, and in all bands where the pixel has none; then covariates, NaN where unknown.

        Raises
        ------
        RasterError
            When a file is damaged there.
        """
        return self.read_masked(window).block

    def read_masked(self, window: Window) -> MaskedBlock:
        """Read a window as `read` does, and which of its pixels are masked."""
        *earlier, newest = (date.read(window) for date in self.dates)
        if not earlier:
            return newest
        before = self._without_hidden(np.concatenate([date.block for date in earlier]), window)
        return MaskedBlock(np.concatenate([before, newest.block]), newest.masked)

    def read_numbers(self, window: Window) -> StoredBlock | None:
        """Read a window as numbers of the file of one date, whose values are those of `read`.

        None where there are several dates, masks or covariates, or numbers that it cannot hold.
        """
        return None if len(self.dates) > 1 else self.newest.read_numbers(window)

    def _without_hidden(self, before: Block, window: Window) -> Block:
        """Hide what is flagged of the dates before the newest, where an older one shows what was.

        So what has been flagged at all dates is what is normal.
        """
        dates = self.dates[:-1]
        if all(date.hidden is None for date in dates):
            return before
        known = np.asarray(np.isfinite(before[..., : len(self.bands)]).all(axis=-1))
        shown = before.copy()
        older = np.zeros(shape_of(window), np.bool_)
        for number, date in enumerate(dates):
            if date.hidden is None:
                older |= known[number]
                continue
            flagged = date.hidden.read(window)
            shown[number][older & flagged] = np.nan
            older |= known[number] & ~flagged
        return shown

    def shown(self, window: Window) -> Mask:
        """Return which pixels of a window the masks of the newest date show, axes (row, col)."""
        hidden, missing = self.newest.masks.read(window)
        return np.asarray(~(hidden | missing))

    @property
    def mask_settings(self) -> tuple[str, ...]:
        """What decides, beside the files, which pixels are hidden; empty without masks."""
        return tuple(setting for date in self.dates for setting in date.masks.settings)

    def normal(self, window: Window) -> Mask:
        """Return which pixels of a window are normal, axes (row, col)."""
        if self.normal_mask is not None:
            return self.normal_mask.read(window)
        return np.ones(shape_of(window), np.bool_)
