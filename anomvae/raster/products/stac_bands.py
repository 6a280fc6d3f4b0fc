"""The bands of the assets of a STAC item: what files state, and the item where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import RasterError
from ...pixels.band import Band
from ..access import Access
from ..raster_dataset import RasterDataset, open_raster
from .stac_assets import band_names, calibrated, is_sentinel2
from .stac_item import Asset, AssetBand, Item
from .stack import StackBand


@dataclass(frozen=True)
class AssetFile:
    """An asset, and where it is."""

    asset: Asset
    path: str
    """Path or address."""


@dataclass(frozen=True)
class ItemBands:
    """The bands of an item."""

    bands: tuple[StackBand, ...]
    notes: tuple[str, ...]
    """What was guessed or is contradictory, a sentence each."""
    named: bool
    """Whether they have names; else the only file numbers them."""
    sides: frozenset[float]
    """Sides of the pixels of the files, in units of the coordinate reference system."""


def bands_of(item: Item, files: Sequence[AssetFile], access: Access) -> ItemBands:
    """Return the bands of some assets.

    Raises
    ------
    RasterError
        When a file cannot be read, or has another number of bands than the item describes.
    """
    assets = [file.asset for file in files]
    bands: list[StackBand] = []
    notes: list[str] = []
    sides, named = set(), True
    for file in files:
        with open_raster(file.path, access=access) as dataset:
            sides.add(abs(dataset.grid.transform[0]))
            unknown = not (dataset.bands.named or file.asset.bands)
            named = named and not (len(files) == 1 and unknown)
            names = _names(file.asset, assets, dataset)
            stated = _stated(file, len(dataset.bands))
            for name, band, found in zip(names, stated, dataset.bands, strict=True):
                described, note = calibrated(item, band)
                notes += [note] * _is_silent(found)
                notes += _doubts(name, described, found, integer=not _is_float(dataset))
                bands.append(_band(name, file.path, described, found, item))
    lines = tuple(dict.fromkeys(filter(None, notes)))
    return ItemBands(tuple(bands), lines, named, frozenset(sides))


def _stated(file: AssetFile, count: int) -> Sequence[AssetBand]:
    stated = file.asset.bands
    if not stated:
        return [AssetBand()] * count
    if len(stated) == 1 and count > 1 and not stated[0].name:  # of all bands of the asset
        return list(stated) * count
    if len(stated) != count:
        raise RasterError(
            f"The item describes {len(stated)} bands of asset {file.asset.key!r}, but its file has "
            f"{count}. Fetch the file again, or give the file itself."
        )
    return stated


def _names(asset: Asset, assets: Sequence[Asset], dataset: RasterDataset) -> Sequence[str]:
    if len(dataset.bands) > 1 and (dataset.bands.named or len(asset.bands) != len(dataset.bands)):
        return dataset.bands.names
    return band_names(asset, assets)


def _is_float(dataset: RasterDataset) -> bool:
    return all(np.dtype(kind).kind == "f" for kind in dataset.types)


def _is_silent(found: Band) -> bool:
    """Return whether a file states neither scale nor offset."""
    return (found.scale, found.offset) == (1.0, 0.0)


def _doubts(name: str, stated: AssetBand, found: Band, *, integer: bool) -> list[str]:
    lines = []
    known = stated.scale is not None or stated.offset is not None
    expected = (stated.scale or 1.0, stated.offset or 0.0)
    if integer and not known and _is_silent(found):
        lines.append("Neither item nor files state a scale: values are as stored")
    if known and not (_is_silent(found) or np.allclose(expected, (found.scale, found.offset))):
        lines.append(
            f"The file of {name} states scale {found.scale:g} and offset {found.offset:g}, the "
            f"item {expected[0]:g} and {expected[1]:g}: those of the file hold"
        )
    if None not in (found.nodata, stated.nodata) and found.nodata != stated.nodata:
        lines.append(
            f"The file of {name} states nodata {found.nodata:g}, the item {stated.nodata:g}: that "
            f"of the file holds"
        )
    return lines


def _band(name: str, path: str, stated: AssetBand, found: Band, item: Item) -> StackBand:
    nodata = stated.nodata if found.nodata is None else found.nodata
    if nodata is None and is_sentinel2(item):
        nodata = 0.0  # (ESA, Sentinel-2 Products Specification Document 14.9, 2022)
    return StackBand(
        name,
        path,
        found.index,
        wavelength=stated.wavelength if found.wavelength is None else found.wavelength,
        fwhm=stated.fwhm if found.fwhm is None else found.fwhm,
        scale=stated.scale if _is_silent(found) else found.scale,
        offset=stated.offset if _is_silent(found) else found.offset,
        nodata=nodata,
        bad=found.bad,
    )
