"""Targets of a search: a pixel, the mean of an object, or a spectrum of a library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..detector import Detector
from ..errors import ConfigError
from ..files import PathText, as_path
from ..mapping.object_finding import object_in
from ..raster import OpenScene
from .library import LibrarySpectrum, warn_of_unit
from .pixels import pick

Spectrum = NDArray[np.float32]


class TargetSource(Protocol):
    """Where the spectrum of a target comes from."""

    @property
    def name(self) -> str:
        """What the target is, for messages and tags."""

    def spectrum(self, detector: Detector, opened: OpenScene) -> Spectrum:
        """Return the target, (band,), data units; the detector is adapted to the scene."""


@dataclass(frozen=True)
class PixelTarget:
    """A pixel of the scene."""

    row: int
    """From 0, from the top."""
    col: int
    """From 0, from the left."""

    @property
    def name(self) -> str:
        """What the target is."""
        return f"pixel {self.row},{self.col}"

    def spectrum(self, detector: Detector, opened: OpenScene) -> Spectrum:
        """Read the pixel; raises `ConfigError` as `pick` does."""
        return pick(detector, opened, self.row, self.col).spectrum


@dataclass(frozen=True)
class ObjectTarget:
    """An object that was found in the scene: the mean of its pixels."""

    number: int
    """Its id in the objects file."""
    results: PathText
    """The folder of the scene's results."""

    @property
    def name(self) -> str:
        """What the target is."""
        return f"object {self.number}"

    def spectrum(self, detector: Detector, opened: OpenScene) -> Spectrum:
        """Read the pixels; raises as `object_in` does."""
        found = object_in(self.results, self.number, opened).pixels
        block = opened.read(found.window)[-1, ..., : len(detector.bands)][found.mask]
        block = block[np.isfinite(block).all(axis=-1)].astype(np.float64)
        if not len(block):
            raise ConfigError(
                f"No pixel of object {self.number} has data in every band of the model. Give "
                f"another object, or the masks that it was found with."
            )
        return np.asarray(block.mean(axis=0), np.float32)


@dataclass(frozen=True)
class SpectrumTarget:
    """A spectrum of a file, at the wavelengths of the detector's bands."""

    path: PathText
    """CSV or ``.sli``, as `LibrarySpectrum.read` takes it."""
    choice: str | None = None
    """Its name, where the file has several."""
    scale: float = 1.0
    """Factor to the units of the training scenes."""

    @property
    def name(self) -> str:
        """What the target is."""
        file = Path(as_path(self.path)).name
        return f"spectrum {file}" if self.choice is None else f"spectrum {self.choice} of {file}"

    def spectrum(self, detector: Detector, opened: OpenScene) -> Spectrum:
        """Read and resample the spectrum.

        Raises as `LibrarySpectrum` does, and `ConfigError` if float32 cannot hold its values.
        """
        read = LibrarySpectrum.read(self.path, self.choice)
        with np.errstate(over="ignore", invalid="ignore"):  # refused below
            values = (read.measured_by(detector.bands) * self.scale).astype(np.float32)
        if not np.isfinite(values).all():
            raise ConfigError(
                f"The target, {self.name}, times {self.scale:g} has values that are no numbers of "
                f"float32. Check the values of the file, and the factor (--scale)."
            )
        warn_of_unit(values, self.name, float(detector.band_quantiles[-2].max()))
        return values
