"""Which assets of a STAC item are data, which are masks, and how their numbers are scaled."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ...errors import ConfigError, RasterError, hint, listed
from ..mask_schemes import SCHEMES, MaskScheme
from .sentinel2_bands import OFFSET, OFFSETS_SINCE, QUANTIFICATION
from .stac_item import Asset, AssetBand, Item

DATA = frozenset({"data", "reflectance", "radiance", "temperature"})
"""Roles of assets that are data."""
NO_DATA = frozenset(
    {
        *("thumbnail", "overview", "visual", "metadata", "graphic", "data-mask", "saturation"),
        *("cloud", "cloud-shadow", "snow-ice", "water-mask", "land-water", "iso-19115"),
    }
)
"""Roles of assets that are none, whatever other role they have."""
PICTURES = ("visual", "overview", "preview", "rendered_preview", "thumbnail", "tci", "browse")
LAYERS = ("aot", "wvp", "saa", "sza", "vaa", "vza", "cld", "snw", "qa", "qa_aerosol")
"""Keys of layers beside the bands, where no band is described: water vapour, angles."""
RESOLUTION = re.compile(r"_\d+m$")
"""End of a key that has the resolution, as in ``B02_10m``."""


def data_assets(item: Item, chosen: Sequence[str] = ()) -> tuple[Asset, ...]:
    """Return the assets that hold bands, in the order of the item, or those of some keys.

    Where any describes its wavelengths or common names, only those do that describe theirs.  Of
    several with the same band, the original or else the finest is kept.

    Raises
    ------
    ConfigError
        When it has no asset of a key.
    RasterError
        When it has no asset of data.
    """
    if chosen:
        return tuple(_asset(item, key) for key in chosen)
    candidates = [asset for asset in item.assets if _is_data(item, asset)]
    described = [
        asset for asset in candidates if asset.fault or any(band.spectral for band in asset.bands)
    ]
    if all(asset.fault for asset in described):
        described = []
    data = _each_band_once(
        described or [each for each in candidates if _stem(each.key) not in LAYERS]
    )
    if not data:
        keys = [asset.key for asset in item.assets]
        raise RasterError(
            f"None of its assets is data by role and media type ({listed(keys, 8)}). Give one of "
            f"its files."
        )
    return tuple(data)


def mask_assets(item: Item) -> tuple[tuple[Asset, MaskScheme], ...]:
    """Return the assets that are masks of known schemes, the finest of each."""
    masks: dict[str, Asset] = {}
    for asset in item.assets:
        name = scheme_of(asset.key)
        if name is not None and not asset.key.endswith("-jp2") and name not in masks:
            masks[name] = asset
    return tuple((asset, SCHEMES[name]) for name, asset in masks.items())


def scheme_of(key: str) -> str | None:
    """Return the name of the scheme of the mask that an asset of a key is; None: it is none."""
    name = _stem(key)
    return name if name in SCHEMES else None


def is_sentinel2(item: Item) -> bool:
    """Return whether an item is of Sentinel-2."""
    names = (item.properties.get("constellation"), item.properties.get("platform"), item.collection)
    known = any(isinstance(name, str) and "sentinel-2" in name.lower() for name in names)
    return known or "s2:processing_baseline" in item.properties


def baseline_of(item: Item) -> float | None:
    """Return the processing baseline of Sentinel-2, such as 4.0; None: unknown."""
    keys = ("s2:processing_baseline", "sentinel:processing_baseline", "processing:version")
    found = next((item.properties[key] for key in keys if key in item.properties), None)
    try:
        return None if found is None else float(found)
    except (TypeError, ValueError):
        return None


def calibrated(item: Item, band: AssetBand) -> tuple[AssetBand, str]:
    """Return a band with the scale and offset that its pixels need, and what was decided.

    An offset of Sentinel-2 is applied only where it is known that the pixels still have it.  Earth
    Search states it (``offset`` -0.1) of pixels from which it was subtracted already, and states
    that, too (``earthsearch:boa_offset_applied``).
    """
    if not is_sentinel2(item):
        return band, ""
    keys = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")
    applied = any(item.properties.get(key) is True for key in keys)
    baseline = baseline_of(item)
    old = baseline is not None and baseline < OFFSETS_SINCE
    if applied or old:
        why = "is subtracted already" if applied else f"came after baseline {baseline:05.2f}"
        stated = f"The offset of Sentinel-2 {why}: none is applied" if band.offset else ""
        scale, guess = _scale(band)
        return replace(band, scale=scale, offset=0.0), stated or guess
    if band.scale is not None or band.offset is not None:
        return band, ""
    if baseline is None:
        return replace(band, scale=1 / QUANTIFICATION, offset=0.0), (
            "The item states neither scale nor baseline: reflectance = DN / 10000, no offset"
        )
    return replace(band, scale=1 / QUANTIFICATION, offset=OFFSET / QUANTIFICATION), (
        f"The item states no scale: reflectance = (DN - 1000) / 10000, of baseline {baseline:05.2f}"
    )


def _scale(band: AssetBand) -> tuple[float, str]:
    if band.scale is not None:
        return band.scale, ""
    return 1 / QUANTIFICATION, "The item states no scale: reflectance = DN / 10000, of Sentinel-2"


def _asset(item: Item, key: str) -> Asset:
    found = next((asset for asset in item.assets if asset.key == key), None)
    if found is None:
        keys = [asset.key for asset in item.assets]
        raise ConfigError(f"{item.id} has no asset {key!r}. {hint(key, keys)}")
    return found


def _is_data(item: Item, asset: Asset) -> bool:
    twin = asset.key.removesuffix("-jp2")
    if twin != asset.key and any(other.key == twin for other in item.assets):
        return False
    stem = _stem(asset.key)
    if stem in PICTURES or stem in SCHEMES or asset.roles & NO_DATA:
        return False
    return bool(asset.roles & DATA or not asset.roles) and _is_raster(asset)


def _is_raster(asset: Asset) -> bool:
    if asset.media:
        start = asset.media.partition(";")[0].strip()
        return start in {"image/tiff", "image/jp2", "image/vnd.stac.geotiff"} or start.startswith(
            ("application/x-hdf", "application/netcdf", "application/x-netcdf")
        )
    return bool(re.search(r"\.(tiff?|jp2|nc4?|h5|hdf5?|img|vrt)(\?|$)", asset.href, re.IGNORECASE))


def _stem(key: str) -> str:
    return RESOLUTION.sub("", key.lower())


def _each_band_once(assets: Sequence[Asset]) -> list[Asset]:
    """Drop an asset whose bands all lie in others, too: a stack of them, or another resolution."""
    kept: list[Asset] = []
    order = sorted(assets, key=lambda asset: "sampling:original" not in asset.roles)
    for asset in sorted(order, key=lambda asset: len(asset.bands) > 1):
        names = {band.name for band in asset.bands}
        known = {band.name for other in kept for band in other.bands}
        if "" in names or not names or not names <= known:
            kept.append(asset)
    return [asset for asset in assets if asset in kept]


def band_names(asset: Asset, assets: Sequence[Asset]) -> list[str]:
    """Return the names of the bands of an asset: its key where it has one band."""
    keys = Counter(_stem(other.key) for other in assets)
    if len(asset.bands) > 1:
        return [band.name or f"{asset.key}_{n}" for n, band in enumerate(asset.bands, start=1)]
    return [RESOLUTION.sub("", asset.key) if keys[_stem(asset.key)] == 1 else asset.key]
