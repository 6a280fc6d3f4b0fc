"""Write a scene as a model reconstructs it, or what it leaves of the scene."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..detector import Detector
from ..files import PathText, SceneText
from ..parallel import Progress, quiet
from ..pixels.views import newest
from ..raster import Layout, Scene, spectral_tags
from .options import MapOptions
from .pixel_maps import PixelLayers, PixelMap, Pixels, write_pixel_map

DEFAULT = MapOptions()


def reconstruct_scene(
    detector: Detector,
    scene: SceneText | Scene,
    path: PathText,
    options: MapOptions = DEFAULT,
    *,
    residual: bool = False,
    progress: Progress = quiet,
) -> PixelMap:
    """Write the reconstruction of a scene to a COG: the scene without noise and without anomalies.

    Bands are those of the detector, with their names and wavelengths, float32 in data units
    (physical values, such as reflectance), nodata NaN.

    Parameters
    ----------
    detector : Detector
        Reconstructs the pixels from their posterior means.
    scene : path, sequence of path, or Scene
        As for `anomvae.score_scene`; of several dates, the newest is reconstructed.
    path : path
        The GeoTIFF to write.
    options : MapOptions, optional
        Tile size, threads, and whether to overwrite.
    residual : bool, optional
        Write the scene minus its reconstruction instead.
    progress : Progress, optional
        Called for every tile.

    Returns
    -------
    PixelMap

    Raises
    ------
    RasterError, InputChanged, BandMismatch, CovariateMismatch, GridMismatch, LockHeld
        As `anomvae.score_scene`.
    ConfigError
        If the family compares dates and the scene has one, or the file cannot have this name.
    OutputExists
        If there is a file of this name, unless it may be overwritten.
    NotFinite
        If a pixel that has data gets no number.
    """
    return write_pixel_map(Reconstructed(detector, residual), scene, path, options, progress)


@dataclass(frozen=True, eq=False)
class Reconstructed(PixelLayers):
    """The reconstructions of pixels, or the residuals."""

    residual: bool = False
    """Whether layers are what the reconstructions leave of the pixels."""

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the bands."""
        return self.bands.names

    def layout(self, tags: Mapping[str, str]) -> Layout:
        """Return the content of the map."""
        content = "residual = scene - reconstruction" if self.residual else "reconstruction"
        tags = {**tags, "ANOMVAE_CONTENT": f"{content}, data units"}
        bands = spectral_tags(self.bands)
        return Layout("float32", math.nan, self.layers, tags, bands=bands)

    def values(self, pixels: Pixels) -> NDArray[np.float32]:
        """Return the bands of pixels, (n, band)."""
        means = newest(self.detector.reconstruct(pixels.examples))
        return pixels.spectra - means if self.residual else means
