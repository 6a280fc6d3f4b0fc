"""Masks of a scene whose values hide pixels; axes (row, col)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import RasterError
from ..pixels.bands import Bands
from ..pixels.tiling import Window, tile_at
from ..pixels.views import Mask
from .access import DEFAULT, Access
from .dataset import Dataset
from .mask_checks import log_doubts
from .mask_choice import AUTO, NamedMask, parse_mask
from .mask_grids import MaskSource, on_grid
from .mask_layers import MaskLayer
from .mask_rules import MaskRule


@dataclass(frozen=True)
class LayerMask:
    """An open mask on the grid of a scene."""

    dataset: Dataset
    """The open product of the layer, on its own grid."""
    band: Bands
    """The band of the layer."""
    rule: MaskRule
    """Which values hide a pixel."""
    source: MaskSource
    """What is read, on the grid of the scene."""
    title: str
    """What is hidden, for people."""

    def used_with(self, bands: Bands) -> LayerMask:
        """Return the mask for the bands of the scene that are in use."""
        return replace(self, rule=self.rule.used_with(bands.names))

    def values(self, window: Window) -> NDArray[np.float32]:
        """Return the values of a window, axes (row, col); NaN = none."""
        return self.source.read(self.band, window)[..., 0]


class PixelState(NamedTuple):
    """Which pixels of a window masks do not show, axes (row, col)."""

    hidden: Mask
    """Pixels that are hidden."""
    missing: Mask
    """Pixels that have no data by a mask; the scene may have a number there."""


@dataclass(frozen=True)
class PixelMasks:
    """All masks of a date: a pixel is hidden if one of them hides it."""

    layers: tuple[LayerMask, ...]
    """The masks, on one grid."""
    shape: tuple[int, int]
    """Rows and columns of the grid."""
    dilate: int = 0
    """Pixels by which what is hidden grows: all within a circle of this radius."""

    @property
    def settings(self) -> tuple[str, ...]:
        """What decides, beside the files, which pixels are hidden; empty without masks."""
        if not self.layers:
            return ()
        rules = [f"{layer.rule} of {layer.band.indexes}" for layer in self.layers]
        return (*rules, f"dilated by {self.dilate}")

    def used_with(self, bands: Bands) -> PixelMasks:
        """Return the masks for the bands of the scene that are in use."""
        return replace(self, layers=tuple(layer.used_with(bands) for layer in self.layers))

    def read(self, window: Window) -> PixelState:
        """Read which pixels of a window are not shown."""
        tile = tile_at(window, self.shape, self.dilate)
        rows, cols = (part.stop - part.start for part in tile.read)
        hidden, missing = (np.zeros((rows, cols), np.bool_) for _ in range(2))
        for layer in self.layers:
            values = layer.values(tile.read)
            hidden |= layer.rule.hides(values)
            missing |= layer.rule.missing(values)
        return PixelState(grown(hidden, self.dilate)[tile.inner], missing[tile.inner])


def grown(hidden: Mask, pixels: int) -> Mask:
    """Hide every pixel whose middle lies within so many pixels of that of a hidden one."""
    if not pixels or not hidden.any():
        return hidden
    rows, far = len(hidden), np.int32(pixels + 1)
    columns = np.arange(hidden.shape[1], dtype=np.int32)
    # In its row, the distance of each pixel to the nearest hidden one left and right of it.
    left = columns - np.maximum.accumulate(np.where(hidden, columns, -far), axis=1)
    right = np.minimum.accumulate(np.where(hidden, columns, columns[-1] + far)[:, ::-1], axis=1)
    aside = np.minimum(left, right[:, ::-1] - columns)
    result = np.zeros_like(hidden)
    for up in range(min(pixels, rows - 1) + 1):
        near = aside <= math.isqrt(pixels**2 - up**2)
        result[up:] |= near[: rows - up]
        result[: rows - up] |= near[up:]
    return result


@contextmanager
def open_masks(
    mask: str | None, scene: Dataset, access: Access = DEFAULT, *, dilate: int = 0
) -> Iterator[PixelMasks]:
    """Open the masks that a user names (`parse_mask`) on the grid of an open scene.

    Raises
    ------
    RasterError
        When a file cannot be read.
    GridMismatch
        When a mask does not cover the scene.
    ConfigError
        When the text names no mask.
    """
    with ExitStack() as stack:
        layers = tuple(
            stack.enter_context(open_layer(layer, scene, access))
            for layer in layers_of(parse_mask(mask), scene.masks)
        )
        for layer in layers:
            log_doubts(layer, scene.grid.shape)
        yield PixelMasks(layers, scene.grid.shape, dilate)


def layers_of(masks: Sequence[NamedMask], own: Sequence[MaskLayer]) -> tuple[MaskLayer, ...]:
    """Return the masks that a user names, of a product that carries its ``own``."""
    layers: list[MaskLayer] = []
    for named in masks:
        layers += own if named.kind == AUTO else [named.layer]
    return tuple(layers)


@contextmanager
def open_layer(layer: MaskLayer, scene: Dataset, access: Access = DEFAULT) -> Iterator[LayerMask]:
    """Open a mask on the grid of an open scene, by nearest neighbour where it has another."""
    with layer.product.open(access) as dataset, on_grid(dataset, scene) as source:
        found = [band for band in dataset.bands if band.index == layer.band]
        if not found:
            raise RasterError(
                f"{dataset.name} has no band {layer.band} with a mask. Give another file."
            )
        band, rule = found[0], layer.rule
        if rule.keeps_nodata:
            rule = rule if band.nodata is None else rule.with_fill(band.nodata)
            band = replace(band, nodata=None, scale=1.0, offset=0.0)
        yield LayerMask(dataset, dataset.bands.keep([band]), rule, source, layer.title)
