"""The map of why pixels score as they do.  Nothing here needs torch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ..documents import to_json
from ..names import printable
from ..pixels.band import Band
from ..pixels.bands import Bands
from ..raster import BandTags, Georeference, Layout, MapWriter

BANDS_TAG = "ANOMVAE_BANDS"
"""Names and wavelengths of the bands that the first layer numbers, as JSON."""


@dataclass(frozen=True)
class _NumberedBand:
    number: int
    name: str
    wavelength_nm: float | None


@contextmanager
def explanation_map(
    path: Path, where: Georeference, layout: Layout | None
) -> Iterator[MapWriter | None]:
    """Yield what writes the map of a layout; None without one."""
    if layout is None:
        yield None
        return
    with MapWriter(path, where, layout) as out:
        yield out


def explanation_layout(layers: tuple[str, ...], bands: Bands, tags: Mapping[str, str]) -> Layout:
    """Return the layout of the map of ``layers``, of which the first numbers ``bands`` from 1.

    Tags of that layer name its values, as those of flags; overviews show the nearest pixel, because
    numbers of bands have no mean.
    """
    numbered = [
        _NumberedBand(number, printable(band.name), band.wavelength)
        for number, band in enumerate(bands, start=1)
    ]
    about = {BANDS_TAG: to_json(list(map(asdict, numbered)))}
    names = {f"CATEGORY_{n}": _title(band) for n, band in enumerate(bands, start=1)}
    numbers = (BandTags(names),)
    return Layout(
        "float32", math.nan, layers, {**tags, **about}, overviews="nearest", bands=numbers
    )


def _title(band: Band) -> str:
    name = printable(band.name)
    if band.wavelength is None or name == (centre := f"{band.wavelength:.6g} nm"):
        return name
    return f"{name} ({centre})"
