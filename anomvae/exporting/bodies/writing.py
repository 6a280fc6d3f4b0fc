"""Scores and flags of a raster as two files, each with a style of QGIS beside it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple

from .scoring import (
    ANOMALOUS,
    LAYERS,
    NO_DATA,
    NORMAL,
    Model,
    ScriptError,
    bands_in,
    flags_of,
    read,
    score,
    windows,
)

CACHE = 2**27
"""Bytes of blocks that GDAL keeps; by default a share of the memory of the machine."""
SIDE_CAR = ".aux.xml"
"""What GDAL adds to the name of a file for what a GeoTIFF cannot hold."""
MUCH = 0.1
"""Share of flagged pixels from which the raster is hardly one of the model's kind."""


class Scored(NamedTuple):
    """What was written."""

    valid: int
    """Pixels with data in every band."""
    flagged: int
    """Pixels above the threshold."""

    def __str__(self) -> str:
        """Return it in one line."""
        text = f"{self.flagged} of {self.valid} pixels flagged"
        if self.flagged > MUCH * self.valid:
            text += "; so many hardly are anomalies: look at units, order of bands, and clouds"
        return text


class Choices(NamedTuple):
    """How a raster is scored."""

    bands: tuple[int, ...] = ()
    """Numbers of the model's bands in the raster, from 1; empty: by name, or by place."""
    as_trained: bool = False
    """Whether scale, offset and no data are those of the training files, not of the raster."""
    threshold: float | None = None
    """Scores above this are anomalous; None: that of the model."""


def score_raster(
    model: Model,
    source: str,
    score_path: str,
    flags_path: str,
    choices: Choices,
    going_on: Callable[[float], bool] = lambda share: True,
) -> Scored | None:
    """Score a raster into two GeoTIFFs; memory does not grow with it.

    ``going_on`` is given the share that is done, and returns whether to go on; if not, nothing is
    written, and None is returned.
    """
    from osgeo import gdal

    threshold = model.threshold if choices.threshold is None else choices.threshold
    paths = [os.path.abspath(path) for path in (score_path, flags_path)]
    if len({*paths, os.path.abspath(source)}) < len(paths) + 1:
        raise ScriptError("Raster, scores and flags need three names. Choose others.")
    with _set_up(gdal):
        raster = gdal.Open(source)
        bands = bands_in(model, raster, choices.bands, choices.as_trained)
        with _created(model, raster, paths) as files:
            scored = _scored(model, raster, bands, files, threshold, going_on)
    if scored is not None:
        for path, style in zip(paths, (score_style(threshold), FLAG_STYLE)):  # noqa: B905
            with open(style_of(path), "w", encoding="utf-8") as file:
                file.write(style)
    return scored


def _scored(
    model: Model,
    raster: Any,  # noqa: ANN401
    bands: list[SimpleNamespace],
    files: _Files,
    threshold: float,
    going_on: Callable[[float], bool],
) -> Scored | None:
    """Score a raster into open files."""
    cut = list(windows(raster, len(bands)))
    valid = flagged = 0
    for number, window in enumerate(cut, 1):
        layers = score(model, read(raster, bands, window))
        flags = flags_of(layers[0], threshold)
        for band, layer in enumerate(layers, 1):
            files.scores.GetRasterBand(band).WriteArray(layer, *window[:2])
        files.flags.GetRasterBand(1).WriteArray(flags, *window[:2])
        valid += int((flags != NO_DATA).sum())
        flagged += int((flags == ANOMALOUS).sum())
        if not going_on(number / len(cut)):
            return None
    files.complete = True
    return Scored(valid, flagged)


@contextmanager
def _set_up(gdal: Any) -> Iterator[None]:  # noqa: ANN401
    """Make GDAL raise errors and keep few blocks, and restore how it was before."""
    before, cache = gdal.GetUseExceptions(), gdal.GetCacheMax()
    gdal.UseExceptions()
    gdal.SetCacheMax(min(cache, CACHE))
    try:
        yield
    except RuntimeError as error:
        raise ScriptError(f"GDAL: {error}") from error
    finally:
        gdal.SetCacheMax(cache)
        if not before:
            gdal.DontUseExceptions()


class _Files:
    """Open files of results."""

    def __init__(self, driver: Any, names: Sequence[str], raster: Any) -> None:  # noqa: ANN401
        """Create them on the grid of a raster; GDAL closes files that nothing refers to."""
        from osgeo import gdal

        across, _ = raster.GetRasterBand(1).GetBlockSize()
        tiled = ["TILED=YES"] if across < raster.RasterXSize else []
        options = ["COMPRESS=DEFLATE", "BIGTIFF=IF_SAFER", "INTERLEAVE=BAND", *tiled]
        size = raster.RasterXSize, raster.RasterYSize
        self.scores = driver.Create(names[0], *size, len(LAYERS), gdal.GDT_Float32, options)
        self.flags = driver.Create(names[1], *size, 1, gdal.GDT_Byte, options)
        self.complete = False

    def close(self) -> None:
        """Close them, whoever still refers to this."""
        self.scores = self.flags = None


@contextmanager
def _created(model: Model, raster: Any, paths: Sequence[str]) -> Iterator[_Files]:  # noqa: ANN401
    """Create two files on the grid of a raster, which get their names when all is written."""
    from osgeo import gdal

    parts, files = [f"{path}.part" for path in paths], None
    try:
        files = _Files(gdal.GetDriverByName("GTiff"), parts, raster)
        for file in (files.scores, files.flags):
            _place(file, raster)
            file.SetMetadata(model.facts)
        del file
        _describe(gdal, files)
        yield files
        files.scores.FlushCache()
        files.flags.FlushCache()
        files.close()
        if files.complete:
            for part, path in zip(parts, paths):  # noqa: B905
                _rename(f"{part}{SIDE_CAR}", f"{path}{SIDE_CAR}")
                _rename(part, path)
    finally:
        if files is not None:
            files.close()
        for part in parts:
            _remove(f"{part}{SIDE_CAR}")
            _remove(part)


def _rename(part: str, path: str) -> None:
    """Give a file its name; without it, a file of the name is an old one, which goes."""
    if os.path.exists(part):
        os.replace(part, path)
    else:
        _remove(path)


def _remove(path: str) -> None:
    if os.path.exists(path):
        os.remove(path)


def _place(file: Any, raster: Any) -> None:  # noqa: ANN401
    """Give a file the place of a raster on Earth, and the tags of the model."""
    transform = raster.GetGeoTransform(can_return_null=True)
    if transform is not None:
        file.SetGeoTransform(transform)
        file.SetProjection(raster.GetProjection())
    elif raster.GetGCPCount():
        file.SetGCPs(raster.GetGCPs(), raster.GetGCPProjection())


def _describe(gdal: Any, files: _Files) -> None:  # noqa: ANN401
    for number, name in enumerate(LAYERS, 1):
        band = files.scores.GetRasterBand(number)
        band.SetDescription(name)
        band.SetNoDataValue(float("nan"))
    band, table = files.flags.GetRasterBand(1), gdal.ColorTable()
    for value, (_, colour) in CATEGORIES.items():
        table.SetColorEntry(value, colour)
    band.SetDescription("flags")
    band.SetNoDataValue(NO_DATA)
    band.SetColorTable(table)
    band.SetCategoryNames([name for name, _ in CATEGORIES.values()])


CATEGORIES = {
    NORMAL: ("normal", (230, 230, 230)),
    ANOMALOUS: ("anomalous", (214, 26, 28)),
}
"""Names and colours of flags."""
RAMP = ((0.0, "#f7f7f7"), (1.0, "#fdae61"), (3.0, "#d7191c"), (10.0, "#67001f"))
"""Colours of scores, in thresholds."""
STYLE = (
    "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
    '<qgis version="3.22" styleCategories="Symbology"><pipe>{}</pipe></qgis>\n'
)
FLAG_STYLE = STYLE.format(
    '<rasterrenderer type="paletted" band="1" opacity="1" alphaBand="-1"><colorPalette>'
    '<paletteEntry value="0" color="#e6e6e6" alpha="0" label="normal"/>'
    '<paletteEntry value="1" color="#d61a1c" alpha="255" label="anomalous"/>'
    "</colorPalette></rasterrenderer>"
)


def score_style(threshold: float) -> str:
    """Return the style of scores: colours from 0 to ten times the threshold."""
    items = "".join(
        f'<item value="{at * threshold:.9g}" label="{at * threshold:.4g}" color="{colour}" '
        f'alpha="255"/>'
        for at, colour in RAMP
    )
    ends = f'minimumValue="0" maximumValue="{RAMP[-1][0] * threshold:.9g}"'
    return STYLE.format(
        '<rasterrenderer type="singlebandpseudocolor" band="1" opacity="1" alphaBand="-1">'
        f'<rastershader><colorrampshader colorRampType="INTERPOLATED" classificationMode="1" '
        f'clip="0" {ends}>{items}</colorrampshader></rastershader></rasterrenderer>'
    )


def style_of(path: str) -> str:
    """Return the name of the style of a file, which QGIS reads with it."""
    return f"{os.path.splitext(path)[0]}.qml"


def numbers_in(text: str) -> tuple[int, ...]:
    """Read numbers of bands, as in ``1,2,5-8``."""
    numbers: list[int] = []
    try:
        for part in filter(None, text.replace(" ", "").split(",")):
            first, _, last = part.partition("-")
            numbers.extend(range(int(first), int(last or first) + 1))
    except ValueError as error:
        raise ScriptError(f"Bands {text!r} are no numbers. Write them as in 1,2,5-8.") from error
    return tuple(numbers)


def run_command(model: Model, arguments: Sequence[str]) -> int:
    """Score a raster from a shell; return the exit code."""
    parser = argparse.ArgumentParser(description=model.facts["ANOMVAE_MODEL"])
    parser.add_argument("raster", help="what GDAL opens")
    parser.add_argument("scores", help="GeoTIFF of the score and its terms, to write")
    parser.add_argument("flags", help="GeoTIFF of flags, to write: 1 anomalous, 255 no data")
    parser.add_argument("--bands", default="", help="numbers of the model's bands, as in 1,2,5-8")
    parser.add_argument("--threshold", type=float, help=f"by default {model.threshold:.6g}")
    parser.add_argument(
        "--as-trained", action="store_true", help="values are stored as in the training files"
    )
    given = parser.parse_args(arguments)
    try:
        choices = Choices(numbers_in(given.bands), given.as_trained, given.threshold)
        scored = score_raster(model, given.raster, given.scores, given.flags, choices)
    except (ScriptError, OSError, ImportError) as error:
        sys.stderr.write(f"Error: {error}\n")
        return 3
    sys.stdout.write(f"{given.scores}  {scored}\n")
    return 0
