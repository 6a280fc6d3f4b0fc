"""What ``anomvae info`` prints of a scene: all of it as JSON, the same in short as text.

The keys of the JSON are a contract, see docs/products.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from ..addresses import displayed
from ..errors import listed
from ..pixels.picture_bands import band_label, picture_bands

if TYPE_CHECKING:
    from ..pixels.band import Band
    from ..raster import Scene
    from ..raster.open_scene import OpenDate

FEW = 16
"""Bands that are printed one by one."""
FIRST = 3
"""Bands of many that are printed before the last."""
USED, DROPPED, BAD = "used", "dropped", "bad"


def scene_facts(scene: Scene) -> dict[str, Any]:
    """Return what was recognised and decided of the newest date of a scene, ready for JSON."""
    days = [str(one.date) for one in scene.dates if one.date is not None]
    with replace(scene, dates=scene.dates[-1:]).open() as opened:
        date = opened.newest
        facts, grid = date.dataset.facts, opened.grid
        return {
            "scene": displayed(scene.name),
            "product": facts.kind,
            "date": str(facts.date or scene.dates[-1].date or "") or None,
            "dates": days if len(scene.dates) > 1 else None,
            "details": dict(facts.details),
            "unit": facts.unit or None,
            "guessed": list(facts.guessed),
            "bands": _bands(date),
            "wavelengths": _range([band.wavelength for band in date.bands]),
            "fwhm": _range([band.fwhm for band in date.bands]),
            "picture": picture_bands(date.bands, facts.picture).caption,
            "masks": [*_layers(scene, date), *date.dataset.hides],
            "no data": list(scene.nodata),
            "pixels": _pixels(date),
            "rows": grid.shape[0],
            "cols": grid.shape[1],
            "types": list(date.dataset.types),
            "blocks": list(date.dataset.block_shape),
            "transform": list(grid.transform) if grid.located else None,
            "crs": opened.georeference.crs_name,
            "control points": len(opened.georeference.gcps),
        }


def scene_lines(facts: dict[str, Any]) -> dict[str, str]:
    """Return the facts of a scene as lines of text, by their names."""
    bands, pixels = facts["bands"], facts["pixels"]
    used = [band for band in bands if band["use"] == USED]
    size = f"{facts['rows']} rows x {facts['cols']} columns"
    lines = {
        "scene": facts["scene"],
        "product": facts["product"],
        "date": _date_text(facts),
        **facts["details"],
        "bands": _used_text(used, len(bands)),
        **{f"{use} bands": text for use in (BAD, DROPPED) if (text := _left_out(bands, use))},
        "wavelengths": _wavelengths_text(facts),
        "values": _values_text(used, facts["unit"]),
        "no data": _nodata_text(used, facts["no data"]),
        "masks": "; ".join(facts["masks"]) or "none",
        "pixels": _pixels_text(pixels),
        "picture": facts["picture"],
        "grid": f"{size}, {_crs_text(facts['crs'])}",
        "transform": _transform_text(facts),
        "storage": f"{', '.join(facts['types'])}, blocks of {_by(facts['blocks'])}",
    }
    if facts["control points"]:
        lines["control points"] = str(facts["control points"])
    lines["guessed"] = "; ".join(facts["guessed"]) or "nothing"
    return lines


def _date_text(facts: dict[str, Any]) -> str:
    dates = facts["dates"]
    if dates is None:
        return facts["date"] or "unknown"
    return f"{facts['date']}, the newest of {len(dates)} from {dates[0]}"


def _bands(date: OpenDate) -> list[dict[str, Any]]:
    numbers = set(date.bands.indexes)
    # Those in use hold what a user states about them, such as a nodata value.
    items = {band.index: band for band in (*date.dataset.bands, *date.bands)}
    return [asdict(band) | {"use": _use(band, numbers)} for _, band in sorted(items.items())]


def _use(band: Band, used: set[int]) -> str:
    if band.index in used:
        return USED
    return BAD if band.bad else DROPPED


def _layers(scene: Scene, date: OpenDate) -> list[str]:
    dilated = f" (widened by {scene.mask_dilate} pixels)" if scene.mask_dilate else ""
    return [f"{layer.title}{dilated}" for layer in date.masks.layers]


def _pixels(date: OpenDate) -> dict[str, Any]:
    from ..raster.pixel_shares import pixel_shares

    counts = pixel_shares(date)
    shares = {"valid": counts.valid, "masked": counts.masked, "missing": counts.missing}
    return {"sampled": counts.sampled, "total": counts.total} | {
        name: counts.share(count) for name, count in shares.items()
    }


def _range(values: Sequence[float | None]) -> list[float] | None:
    known = [value for value in values if value is not None]
    return [min(known), max(known)] if known else None


def _used_text(used: list[dict[str, Any]], count: int) -> str:
    labels = [band_label(band["name"], band["wavelength"]) for band in used]
    names = listed(labels, FEW if len(used) <= FEW else FIRST)
    return f"{len(used)} of {count} used: {names}"


def _left_out(bands: list[dict[str, Any]], use: str) -> str:
    """Return the bands of a use by reason, as ranges of their numbers."""
    numbers: dict[str, list[int]] = {}
    for band in bands:
        if band["use"] == use:
            numbers.setdefault(band["bad"] or "not in --bands", []).append(band["index"])
    parts = (f"{len(n)} ({reason}): number {_ranges(n)}" for reason, n in numbers.items())
    return "; ".join(parts)


def _ranges(numbers: list[int]) -> str:
    """Return rising numbers as ranges, such as ``1-3, 7``."""
    starts = [n for n in numbers if n - 1 not in numbers]
    ends = [n for n in numbers if n + 1 not in numbers]
    pairs = zip(starts, ends, strict=True)
    return listed([str(a) if a == b else f"{a}-{b}" for a, b in pairs], FEW)


def _wavelengths_text(facts: dict[str, Any]) -> str:
    if facts["wavelengths"] is None:
        return "unknown"
    low, high = facts["wavelengths"]
    text = f"{low:.6g} nm" if low == high else f"{low:.6g} to {high:.6g} nm"
    if facts["fwhm"] is None:
        return text
    narrow, wide = (f"{width:.4g}" for width in facts["fwhm"])
    return f"{text}, {narrow if narrow == wide else f'{narrow} to {wide}'} nm wide"


def _values_text(used: list[dict[str, Any]], unit: str | None) -> str:
    pairs = list(dict.fromkeys((band["scale"], band["offset"]) for band in used))
    name = unit or "unit unknown"
    if pairs == [(1.0, 0.0)]:
        return f"{name}, as stored"
    texts = [
        f"{scale:g} x stored" + (f" {'-' if offset < 0 else '+'} {abs(offset):g}" if offset else "")
        for scale, offset in pairs
    ]
    return f"{name} = {listed(texts, 3)}"


def _nodata_text(used: list[dict[str, Any]], given: list[float]) -> str:
    values = dict.fromkeys((*(band["nodata"] for band in used), *given))
    return listed(["NaN only" if value is None else f"{value:g}" for value in values], 4)


def _pixels_text(pixels: dict[str, Any]) -> str:
    shares = ", ".join(f"{pixels[name]:.1%} {name}" for name in ("valid", "masked", "missing"))
    if pixels["sampled"] == pixels["total"]:
        return f"{shares} of {pixels['total']}"
    return f"{shares} of a sample of {pixels['sampled']} of {pixels['total']}"


def _crs_text(crs: str | None) -> str:
    """Name a coordinate reference system; of one without a code, WKT, print its name alone."""
    wkt = re.match(r'\w+\["([^"]*)"', crs or "")
    return f"{wkt[1]} (no EPSG code)" if wkt else crs or "no coordinate reference system"


def _transform_text(facts: dict[str, Any]) -> str:
    if facts["transform"] is None:
        return "none"
    return ", ".join(f"{number + 0.0:.12g}" for number in facts["transform"])  # no -0


def _by(sides: list[int]) -> str:
    return " x ".join(map(str, sides))
