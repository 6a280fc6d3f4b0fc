"""Write the codes of a scene, its embedding."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..detector import Detector
from ..detector.encoding import AVERAGE, MEAN, Encoding
from ..files import PathText, SceneText
from ..parallel import Progress, quiet
from ..pixels.views import newest
from ..raster import BandTags, Layout, Scene
from .options import MapOptions
from .pixel_maps import PixelLayers, PixelMap, Pixels, write_pixel_map

NO_CODE = 255
"""Nodata of codes that are whole numbers."""
DEFAULT, POSTERIOR_MEAN = MapOptions(), Encoding()


def embed_scene(
    detector: Detector,
    scene: SceneText | Scene,
    path: PathText,
    encoding: Encoding = POSTERIOR_MEAN,
    options: MapOptions = DEFAULT,
    *,
    progress: Progress = quiet,
) -> PixelMap:
    """Write the codes of the pixels of a scene to a COG with a described band for each unit.

    Bands are float32 with nodata NaN; ``hierarchical`` has those of both levels, the upper first.
    The codes of ``vq-vae`` are one band of whole numbers, uint8 with nodata 255.  Tags
    ``ANOMVAE_*`` give detector, encoding and scene; ``ANOMVAE_KL`` of a band is the mean KL of its
    unit in training, nats.

    Parameters
    ----------
    detector : Detector
        Encodes the pixels.
    scene : path, sequence of path, or Scene
        As for `anomvae.score_scene`; of several dates, the codes are those of the newest.
    path : path
        The GeoTIFF to write.
    encoding : Encoding, optional
        Posterior means, draws or averages of draws.  The draw of a pixel follows from the seed and
        from where the pixel lies, whatever the tiles.
    options : MapOptions, optional
        Tile size, threads, and whether to overwrite.
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
        If the family has no posterior to draw from, compares dates and the scene has one, or the
        file cannot have this name.
    OutputExists
        If there is a file of this name, unless it may be overwritten.
    NotFinite
        If a pixel that has data gets no number.
    """
    encoding.require_posterior(detector)
    return write_pixel_map(Embedding(detector, encoding), scene, path, options, progress)


@dataclass(frozen=True, eq=False)
class Embedding(PixelLayers):
    """The codes of pixels."""

    encoding: Encoding = field(default=POSTERIOR_MEAN)
    """Which codes."""

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the codes, in all levels of a hierarchy."""
        return self.detector.code_names

    def layout(self, tags: Mapping[str, str]) -> Layout:
        """Return the content of the map."""
        how, latent = self.encoding, self.detector.card.training.latent
        tags = {**tags, "ANOMVAE_CONTENT": "codes", "ANOMVAE_HOW": how.how}
        if how.how != MEAN:
            tags["ANOMVAE_SEED"] = str(how.seed)
        if how.how == AVERAGE:
            tags["ANOMVAE_SAMPLES"] = str(how.draws)
        if latent.perplexity is not None:
            tags["ANOMVAE_PERPLEXITY"] = f"{latent.perplexity:g}"
        if self.detector.family.code.whole:
            return Layout("uint8", NO_CODE, self.layers, tags, overviews="mode", predictor=False)
        bands = tuple(BandTags({"ANOMVAE_KL": f"{kl:g}"}) for kl in latent.units)
        return Layout("float32", math.nan, self.layers, tags, bands=bands)

    def values(self, pixels: Pixels) -> NDArray[np.float32]:
        """Return the codes of pixels, (n, code)."""
        codes = self.encoding.codes(self.detector, pixels.examples, pixels.places)
        return newest(codes.levels)
