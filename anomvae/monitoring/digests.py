"""Digests of what decides a score: the model of a site, and its settings."""

from __future__ import annotations

from pathlib import Path

from .config import SiteConfig
from .local import digest_of_setting


def settings_digest(site: SiteConfig) -> str:
    """Return the digest of all settings but the model.

    It is the same in every version of anomvae: an update scores no finished scene again, and sends
    no alert again.
    """
    from ..mapping.cache import digest_of

    mask = "" if site.mask is None else _mask_digest(site.mask)
    numbers = {"min_area": site.alert.min_area_px, "dates": site.dates}
    changed = [f"{name}={number}" for name, number in numbers.items() if number != 1]
    changed += [f"mask_dilate={site.mask_dilate}"] if site.mask_dilate else []
    changed += [f"nodata={site.nodata}"] if site.nodata else []
    changed += [f"resolution={site.resolution:g}"] if site.resolution is not None else []
    changed += [f"scene_masks={site.scene_masks}"] if site.scene_masks else []
    changed += [f"radiometry={site.radiometry}"] if site.radiometry != "auto" else []
    compared = site.dates > 1  # else the grid decides about the map of the site alone
    changed += [f"grid={site.grid}"] if compared and site.grid != "warp" else []
    error = site.score_options.max_error
    changed += [f"max_error={error}"] if error is not None else []
    # The word of before, so that scenes in the databases of before stay known.
    threshold = (site.threshold or "").replace("sigma-clip", "clipped")
    return digest_of("monitor", threshold, mask, *changed, definition=1)


def model_digest(site: SiteConfig) -> str:
    """Return the digest of the model, or of the configuration that is fitted to each scene."""
    from ..mapping.cache import digest_of

    if site.model is None:
        name = site.fitted_config
        file = Path(name).suffix == ".toml"
        return digest_of("config", digest_of_setting(name, "configuration") if file else name)
    return digest_of_setting(site.model, "model")


def _mask_digest(mask: str) -> str:
    """Return what decides which pixels are hidden; empty where that is the product alone."""
    from ..raster.mask_choice import AUTO, NONE, parse_mask

    parts = [
        ":".join(filter(None, [one.setting, one.path and digest_of_setting(one.path, "mask")]))
        for one in parse_mask(mask)
    ]
    return "" if parts == [AUTO] else ",".join(parts) or NONE
