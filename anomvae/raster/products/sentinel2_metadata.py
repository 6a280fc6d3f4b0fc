"""What the metadata of a Sentinel-2 product state: radiometry, wavelengths and place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from ...errors import RasterError, listed
from ...pixels.wavelengths import number_of
from .files import ProductFiles
from .sentinel2_bands import MSI, OFFSETS_SINCE, QUANTIFICATION

MOST_DIGITS = 9
"""Digits of a code; Python refuses to read a number of thousands."""
CIRRUS = "B10"
"""The band that has no surface reflectance."""


@dataclass(frozen=True)
class BandMetadata:
    """What is stated about a band."""

    wavelength: float | None
    """Centre, nm."""
    fwhm: float | None = None
    """Full width at half maximum of its response, nm."""
    offset: float | None = 0.0
    """Reflectance = (number + offset) / quantification; None: not stated."""


@dataclass(frozen=True)
class Metadata:
    """What is stated about a product."""

    level: str
    """``L1C`` or ``L2A``; empty: unknown."""
    baseline: str
    """Processing baseline, such as ``04.00``; empty: unknown."""
    quantification: float
    """See `BandMetadata.offset`."""
    bands: Mapping[str, BandMetadata]
    """By name."""
    details: tuple[tuple[str, str], ...] = ()
    """Further facts, for people."""


@dataclass(frozen=True)
class TilePlace:
    """Where a tile lies, as its metadata state."""

    epsg: int
    """Code of the coordinate reference system."""
    corner: tuple[float, float]
    """x and y of the upper left corner."""
    size: float
    """Side of the tile, metres."""


def unknown_metadata() -> Metadata:
    """Return what is known about band files without metadata."""
    bands = {name: BandMetadata(band.wavelength, band.fwhm, None) for name, band in MSI.items()}
    return Metadata("", "", QUANTIFICATION, bands)


def read_metadata(files: ProductFiles, name: str) -> Metadata:
    """Read the metadata file of a product.

    Raises
    ------
    RasterError
        When it is damaged.
    """
    root, path = files.xml(name), files.path(name)
    level = next((one for one in ("1C", "2A") if f"Level-{one}" in root.tag), None)
    if level is None:
        raise _damaged(path, f"its root is <{root.tag.rpartition('}')[2]}>, not Level-1C or -2A")
    baseline = _text(root, "PROCESSING_BASELINE")
    tags = ("BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE")
    quantification = _number(path, root, *(tags if level == "2A" else ("QUANTIFICATION_VALUE",)))
    if not quantification > 0:
        raise _damaged(path, f"its quantification is {quantification:g}")
    offsets = _offsets(path, root, "BOA_ADD_OFFSET" if level == "2A" else "RADIO_ADD_OFFSET")
    silent = None if _has_offsets(baseline) else 0.0
    spectra = {one.get("bandId"): one for one in root.iter("Spectral_Information")}
    bands = {
        band: BandMetadata(*_spectrum(path, band, spectra.get(number)), offsets.get(number, silent))
        for number, band in zip(map(str, range(len(MSI))), MSI, strict=True)
    }
    return Metadata(f"L{level}", baseline, quantification, bands, tuple(_details(root)))


def read_place(files: ProductFiles, name: str) -> TilePlace:
    """Read from the metadata file of a tile where it lies.

    Raises
    ------
    RasterError
        When it is damaged.
    """
    root, path = files.xml(name), files.path(name)
    code = _text(root, "HORIZONTAL_CS_CODE").rpartition(":")[2]
    if not code.isdecimal() or len(code) > MOST_DIGITS:
        raise _damaged(path, f"its coordinate reference system is {code[:20]!r}, not EPSG:<code>")
    corner = _number(path, root, "ULX"), _number(path, root, "ULY")
    size = _number(path, root, "NROWS") * _number(path, root, "XDIM")
    return TilePlace(int(code), corner, size)


def _details(root: Element) -> list[tuple[str, str]]:
    orbit, way = _text(root, "SENSING_ORBIT_NUMBER"), _text(root, "SENSING_ORBIT_DIRECTION")
    found = {
        "platform": _text(root, "SPACECRAFT_NAME"),
        "baseline": _text(root, "PROCESSING_BASELINE"),
        "orbit": f"{orbit} {way.lower()}".strip(),
    }
    return [(name, text) for name, text in found.items() if text]


def _has_offsets(baseline: str) -> bool:
    try:
        return float(baseline) >= OFFSETS_SINCE
    except ValueError:
        return False


def _offsets(path: str, root: Element, tag: str) -> dict[str, float]:
    found = {one.get("band_id", ""): _finite(path, tag, one.text or "") for one in root.iter(tag)}
    numbers = zip(map(str, range(len(MSI))), MSI, strict=True)
    lacking = [band for number, band in numbers if number not in found and band != CIRRUS]
    if found and lacking:
        raise _damaged(path, f"it has a {tag} of {len(found)} bands, but none of {listed(lacking)}")
    return found


def _spectrum(path: str, band: str, spectrum: Element | None) -> tuple[float | None, float | None]:
    """Return centre and full width at half maximum of a band, nm."""
    if spectrum is None or spectrum.find(".//CENTRAL") is None:
        return MSI[band].wavelength, MSI[band].fwhm
    centre = _number(path, spectrum, "CENTRAL")
    response = [_finite(path, "VALUES", text) for text in _text(spectrum, "VALUES").split()]
    if not response:
        return centre, None
    half = max(response) / 2
    return centre, _number(path, spectrum, "STEP") * sum(value >= half for value in response)


def _text(root: Element, tag: str) -> str:
    return (root.findtext(f".//{tag}") or "").strip()


def _number(path: str, root: Element, *tags: str) -> float:
    text = next((text for text in (_text(root, tag) for tag in tags) if text), "")
    return _finite(path, tags[0], text)


def _finite(path: str, tag: str, text: str) -> float:
    value = number_of(text)
    if value is None:
        raise _damaged(path, f"its {tag} is {text!r}, not a number")
    return value


def _damaged(path: str, reason: str) -> RasterError:
    return RasterError(f"{path} is damaged: {reason}. Fetch or unpack the product again.")
