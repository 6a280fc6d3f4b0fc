"""Objects as tables: of pandas, of geopandas, and of notebooks.

A spectrum in a table of geopandas is a profile as EnMAP-Box and its spectral library tools for QGIS
(qps) read it from any field of text: a JSON object with ``y``, the values, and, where they are
known, ``x``, their wavelengths, and ``xUnit``, an SI symbol (EnMAP-Box documentation, "Spectral
Libraries", profile data; ``decodeProfileValueDict`` of qps/speclib/core/spectralprofile.py).  These
tools take a field for one of profiles where its editor widget is ``SpectralProfile``, which a style
(.qml) beside the file or the properties of its layer in QGIS set.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from ..notebooks import html_table
from .explanations import LEADING, SPECTRA, TERMS, Spectrum
from .items import DEGREES, AnomalyObject, Objects

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from pandas import DataFrame

SHOWN = 10
"""Objects that a notebook shows."""
COUNTS = ("id", "rank", "area_px", "peak_row", "peak_col", "explained_px")
"""Columns of whole numbers; any column of numbers may lack some."""


def table_of(objects: Objects, *, spectra: bool = False) -> DataFrame:
    """Make a table, see `Objects.table`."""
    from pandas import DataFrame

    rows = [_row(item) for item in objects.items]
    if spectra:
        for row, item in zip(rows, objects.items, strict=True):
            row |= {name: getattr(item.explanation, name, None) for name in SPECTRA}
    frame = DataFrame(rows, columns=[*columns(), *(SPECTRA if spectra else ())])
    types = {name: "string" if name.startswith("band_") else "Float64" for name in columns()}
    types |= dict.fromkeys(COUNTS, "Int64")
    return frame.astype(types).set_index("id")


def geotable_of(objects: Objects) -> GeoDataFrame:
    """Make a table with outlines, see `Objects.to_geopandas`."""
    try:
        from geopandas import GeoDataFrame
        from shapely.geometry import MultiPolygon
    except ImportError as error:
        raise ConfigError(
            "Tables with outlines need geopandas, which is missing. "
            'Run: pip install "anomvae[vector]", or take a table without them (Objects.table).'
        ) from error
    frame, wavelengths = table_of(objects), objects.provenance.wavelengths
    for name in SPECTRA:
        frame[name] = [
            profile(getattr(item.explanation, name, None), wavelengths) for item in objects.items
        ]
    outlines = [
        MultiPolygon([(polygon[0], polygon[1:]) for polygon in item.polygons])
        if item.polygons
        else None
        for item in objects.items
    ]
    crs = "OGC:CRS84" if objects.provenance.coordinates == DEGREES else None
    return GeoDataFrame(frame, geometry=outlines, crs=crs)


def html_of(objects: Objects) -> str:
    """Write the strongest objects as a table of HTML."""
    names = ["id", "area_px", "score_mean", "score_max", "margin", "p", "band_1", "residual_1"]
    names += ["share_1", "peak_row", "peak_col"]
    found = map(_row, objects.items[:SHOWN])
    more = len(objects.items) - SHOWN
    rest = f"; and {more} more, see .table()" if more > 0 else ""
    rows = [["" if row.get(name) is None else row[name] for name in names] for row in found]
    return html_table(f"{objects!r}{rest}", rows, names)


def columns() -> list[str]:
    """Return the names of the columns: the properties of an object but for its spectra."""
    named = [
        f"{name}_{number}"
        for number in range(1, LEADING + 1)
        for name in ("band", "wavelength", "residual", "share")
    ]
    first = ["id", "rank", "area_px", "area_m2", "score_mean", "score_max", "margin", "p"]
    places = ["peak_row", "peak_col", "centroid_x", "centroid_y"]
    return [*first, *places, *named, *TERMS, "local_contrast", "explained_px"]


def _row(item: AnomalyObject) -> dict[str, Any]:
    """Return the columns of an object; what it lacks is left out."""
    names = ("id", "rank", "area_px", "area_m2", "score_mean", "score_max", "margin", "p")
    row: dict[str, Any] = {name: getattr(item, name) for name in names}
    row["peak_row"], row["peak_col"] = item.peak
    row["centroid_x"], row["centroid_y"] = item.centroid or (None, None)
    why = item.explanation
    if why is not None:
        row |= {name: getattr(why, name) for name in (*TERMS, "local_contrast")}
        row["explained_px"] = why.pixels
        for number, band in enumerate(why.leading, start=1):
            row |= {f"{name}_{number}": value for name, value in band._asdict().items()}
    return row


def profile(spectrum: Spectrum | None, wavelengths: tuple[float | None, ...]) -> str | None:
    """Write a spectrum as a profile of EnMAP-Box."""
    if spectrum is None:
        return None
    profile: dict[str, Any] = {"y": spectrum}
    if None not in wavelengths:
        profile |= {"x": wavelengths, "xUnit": "nm"}
    return json.dumps(profile)
