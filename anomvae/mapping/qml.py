"""Documents of QGIS's layer styles (QML): colours of numbers, of classes, and of outlines.

QGIS opens a file with the style that lies beside it under its name with the end ``.qml``.  A
document depends on its arguments alone; texts are escaped.  QGIS 3.16 and later read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ..names import printable
from ..pixels.flag_classes import ANOMALOUS, COLOURS

MARK = "anomvae"
"""Attribute that marks a style as one of anomvae: QGIS drops it where a user saves another."""
DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
PROFILE_WIDGET = "SpectralProfile"
"""Editor of the fields of profiles, by which EnMAP-Box knows them; QGIS alone shows their text."""


class Stop(NamedTuple):
    """A colour of a ramp, or of a class."""

    value: float
    colour: str
    """``#rrggbb``."""
    label: str
    alpha: int = 255
    """0: transparent."""


def ramp_style(stops: Sequence[Stop], band: int = 1) -> str:
    """Return a style that shows a band by colours between stops; no data is transparent."""
    root, pipe = _raster()
    values = [stop.value for stop in stops]
    low, high = repr(min(values)), repr(max(values))
    renderer = SubElement(
        pipe,
        "rasterrenderer",
        type="singlebandpseudocolor",
        band=str(band),
        opacity="1",
        alphaBand="-1",
        classificationMin=low,
        classificationMax=high,
    )
    SubElement(renderer, "rasterTransparency")
    shader = SubElement(
        SubElement(renderer, "rastershader"),
        "colorrampshader",
        colorRampType="INTERPOLATED",
        classificationMode="1",
        clip="0",
        minimumValue=low,
        maximumValue=high,
        labelPrecision="4",
    )
    for stop in stops:
        SubElement(
            shader,
            "item",
            value=repr(stop.value),
            color=stop.colour,
            alpha=str(stop.alpha),
            label=printable(stop.label),
        )
    SubElement(shader, "rampLegendSettings", useContinuousLegend="0")
    _finish_raster(pipe, "bilinear")
    return _text(root)


def classes_style(classes: Iterable[Stop], band: int = 1) -> str:
    """Return a style that shows classes by their colours and names."""
    root, pipe = _raster()
    renderer = SubElement(
        pipe,
        "rasterrenderer",
        type="paletted",
        band=str(band),
        opacity="1",
        alphaBand="-1",
        nodataColor="",
    )
    SubElement(renderer, "rasterTransparency")
    palette = SubElement(renderer, "colorPalette")
    for one in classes:
        SubElement(
            palette,
            "paletteEntry",
            value=f"{one.value:g}",
            color=one.colour,
            alpha=str(one.alpha),
            label=printable(one.label),
        )
    _finish_raster(pipe, "nearestNeighbour")
    return _text(root)


def outlines_style(label: str, profiles: Iterable[str] = ()) -> str:
    """Return a style of outlines, labelled by a field; ``profiles`` are fields of spectra."""
    root = _root("Symbology|Labeling|Fields|Forms", labelsEnabled="1")
    renderer = SubElement(root, "renderer-v2", type="singleSymbol", symbollevels="0")
    symbols = SubElement(renderer, "symbols")
    symbol = SubElement(symbols, "symbol", type="fill", name="0", alpha="1", clip_to_extent="1")
    for colour, width in (
        ("255,255,255,255", "1.0"),
        (f"{','.join(map(str, COLOURS[ANOMALOUS]))},255", "0.5"),
    ):
        line = {"line_color": colour, "line_width": width, "line_width_unit": "MM"}
        _options(
            SubElement(symbol, "layer", {"class": "SimpleLine"}, enabled="1", locked="0"),
            line | {"joinstyle": "miter", "line_style": "solid"},
        )
    SubElement(renderer, "rotation")
    SubElement(renderer, "sizescale")
    settings = SubElement(SubElement(root, "labeling", type="simple"), "settings")
    text = SubElement(
        settings,
        "text-style",
        fieldName=label,
        isExpression="0",
        fontSize="10",
        fontWeight="75",
        namedStyle="Bold",
        fontSizeUnit="Point",
        textColor="20,20,20,255",
        textOpacity="1",
    )
    SubElement(
        text,
        "text-buffer",
        bufferDraw="1",
        bufferSize="0.6",
        bufferSizeUnits="MM",
        bufferColor="255,255,255,255",
        bufferOpacity="1",
    )
    SubElement(settings, "placement", placement="8", polygonPlacementFlags="1", dist="0.6")
    # Labels of millions of objects would hide the map.
    SubElement(settings, "rendering", drawLabels="1", limitNumLabels="1", maxNumLabels="500")
    fields = SubElement(root, "fieldConfiguration")
    for name in profiles:
        field = SubElement(fields, "field", name=name)
        SubElement(field, "editWidget", type=PROFILE_WIDGET).append(Element("config"))
    return _text(root)


def is_own(document: bytes) -> bool:
    """Return whether anomvae wrote a style, and no user has saved another one over it."""
    return f'{MARK}="'.encode() in document[:2000]


def _root(categories: str, **more: str) -> Element:
    return Element("qgis", {"version": "3.16", "styleCategories": categories, MARK: "1", **more})


def _raster() -> tuple[Element, Element]:
    root = _root("Symbology")
    return root, SubElement(root, "pipe")


def _finish_raster(pipe: Element, zoomed_out: str) -> None:
    """Add how pixels are shown that are smaller than those of the screen: no pixel is skipped."""
    SubElement(SubElement(pipe, "provider"), "resampling").attrib.update(
        enabled="true",
        zoomedInResamplingMethod="nearestNeighbour",
        zoomedOutResamplingMethod=zoomed_out,
        maxOversampling="2",
    )
    SubElement(pipe, "rasterresampler", maxOversampling="2")
    SubElement(pipe, "resamplingStage").text = "provider"


def _options(parent: Element, options: Mapping[str, str]) -> None:
    table = SubElement(parent, "Option", type="Map")
    for name, value in options.items():
        SubElement(table, "Option", type="QString", name=name, value=value)


def _text(root: Element) -> str:
    indent(root, " ")
    return f"{DOCTYPE}{tostring(root, encoding='unicode')}\n"
