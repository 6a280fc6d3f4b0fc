"""A product of an imaging spectrometer: spectra in one raster, metadata as XML, masks.

The raster knows neither wavelengths nor units; the metadata state them for each band, in order of
its number.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import PurePath

from ...addresses import displayed, is_local
from ...errors import RasterError
from ...pixels.dates import date_of
from ..access import DEFAULT, Access
from ..dataset import Dataset
from ..mask_layers import MaskLayer
from ..mask_rules import Classes
from ..product_facts import ProductFacts
from ..raster_dataset import open_raster
from .files import ProductFiles
from .product import Product, ProductOptions
from .raster import Raster
from .spectrometer import Level, Spectrometer
from .spectrometer_bands import AGAIN, spectral_bands

METADATA, SPECTRA = "METADATA", "SPECTRAL_IMAGE"
IMAGES = (".tif", ".tiff", ".geotiff", ".bsq", ".bil", ".bip", ".jp2")
"""Suffixes of rasters in which the products are delivered."""
FILL = 255
"""Class of pixels without data in masks whose classes are defined."""
COMPRESSED = re.compile(r"\.(tgz|tar\.gz)$", re.IGNORECASE)


@dataclass(frozen=True)
class SpectrometerProduct(Product):
    """A product of EnMAP or DESIS."""

    sensor: Spectrometer
    """The sensor."""
    files: ProductFiles
    """Its files, without those of others."""
    beginning: str
    """What the names of its files begin with; empty for a compressed archive."""
    level: str
    """Level of processing: ``L2A``."""

    @property
    def stem(self) -> str:
        """The beginning of its files."""
        return self.beginning or COMPRESSED.sub("", PurePath(self.name).name)

    @property
    def date(self) -> date | None:
        """Day of the acquisition."""
        return date_of(self.stem)

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of its files."""
        return self.files.paths or (self.name,)

    def absolute(self) -> SpectrometerProduct:
        """Return the product with absolute paths."""
        name = os.path.abspath(self.name) if is_local(self.name) else self.name
        return replace(self, name=name, files=self.files.absolute())

    @contextmanager
    def open(self, access: Access = DEFAULT) -> Iterator[Dataset]:
        """Open the spectra; the context closes them.

        Raises
        ------
        RasterError
            When a file is missing or damaged, metadata and spectra contradict each other, or the
            level is not read.
        """
        level, title = self._level(), displayed(self.name)
        metadata, image = self._file(METADATA), self._file(SPECTRA)
        described = self.files.xml(metadata), self.sensor.tags, level, self.files.path(metadata)
        masks, unmasked = self._masks()
        facts = ProductFacts(
            kind=f"{self.sensor.name} {level.name}",
            date=self.date,
            unit=level.unit,
            guessed=(unmasked,) if unmasked else (),
        )
        with open_raster(self.files.path(image), name=title, access=access) as dataset:
            bands = spectral_bands(*described, count=len(dataset.bands))
            yield replace(dataset, bands=bands, masks=masks, facts=facts)

    def _level(self) -> Level:
        """Return the level of processing; one that is not read is refused."""
        title = displayed(self.name)
        if not self.beginning:
            raise RasterError(
                f"{title} is a compressed archive, in which no pixel is found without reading all "
                f"before it. Unpack it (tar -xf), and name the folder or the ZIP file in it."
            )
        known = {level.name: level for level in self.sensor.levels}
        level = known.get(self.level, Level(self.level, refused="is not known"))
        if level.refused:
            read = [one.name for one in self.sensor.levels if not one.refused]
            raise RasterError(
                f"{title} is {self.sensor.name} {level.name}, which {level.refused}. "
                f"Give a product of {' or '.join(read)}."
            )
        return level

    def _file(self, part: str) -> str:
        """Return the name of a part that every product has."""
        found = self._files(part)
        if not found:
            raise RasterError(
                f"{displayed(self.name)} has no file {self.beginning}-{part}..., which every "
                f"product of {self.sensor.name} has. {AGAIN}"
            )
        return found[0]

    def _files(self, part: str) -> list[str]:
        """Return the names of the files of a part, a cloud-optimised copy after the original."""
        suffixes = (".xml",) if part == METADATA else IMAGES
        found = [
            (bool(match["cog"]), name)
            for name, match in self.files.matching(self.sensor.pattern).items()
            if match["part"].upper() == part and match["ends"].lower().startswith(suffixes)
            if name.lower().endswith(suffixes)  # not .tif.aux.xml
        ]
        return [name for _, name in sorted(found)]

    def _masks(self) -> tuple[tuple[MaskLayer, ...], str]:
        """Return the masks, and a sentence about those that are missing."""
        masks, lacking = [], []
        for mask in self.sensor.masks:
            found = self._files(mask.part)
            if not found:
                lacking.append(mask)
                continue
            rule = Classes(mask.classes, (FILL,) if mask.known else (), mask.known)
            product, title = Raster(self.files.path(found[0])), f"{mask.part}: {mask.hides}"
            masks.append(MaskLayer(product, rule, title, mask.band))
        parts = dict.fromkeys(mask.part for mask in lacking)
        hidden = ", ".join(mask.hides for mask in lacking)
        return tuple(masks), f"no {', '.join(parts)}, so not masked: {hidden}" if lacking else ""


def recognise_spectra(
    sensor: Spectrometer, name: str, options: ProductOptions
) -> SpectrometerProduct | None:
    """Recognise a folder, an archive, or any file of a product of a sensor.

    Raises
    ------
    ConfigError
        When ``options`` choose what the product does not have.
    """
    product = _found(sensor, name)
    if product is not None:
        options.require_default(name, f"a product of {sensor.name}")
    return product


def _found(sensor: Spectrometer, name: str) -> SpectrometerProduct | None:
    """Return the product of a file among others, or the only one of a folder or an archive."""
    last = os.path.basename(name)
    if COMPRESSED.search(last) and sensor.name.lower() in last.lower() and os.path.isfile(name):
        return SpectrometerProduct(name, sensor, ProductFiles(name, ()), "", "")
    files = ProductFiles.near(name, sensor.pattern)
    found, member = files.matching(sensor.pattern), files.name_of(name)
    named = (METADATA, SPECTRA)
    stems = {m["stem"] for m in found.values() if m["part"].upper().startswith(named)}
    if member is not None:
        stems &= {found[member]["stem"]} if member in found else set()
    if len(stems) != 1:
        return None
    mine = {file: match for file, match in found.items() if match["stem"] in stems}
    first = next(iter(mine.values()))
    own = replace(files, names=tuple(mine))
    return SpectrometerProduct(name, sensor, own, first["stem"], first["level"].upper())
