"""The nearest normal pixels of a scene, in the latent space of a detector.

Normal are pixels with a score up to the threshold, of an evenly spaced sample of the scene.  With C
the covariance of their codes (posterior means), and a ridge so that units that never vary count for
nothing, the distance of a code z is Mahalanobis', in standard deviations of normal codes::

    distance = |(z - z_other) C^-1/2|      spectral = |(x - x_other) S^-1/2|

Pixels of equal distance, such as those of the same code of a ``vq-vae``, are in the order of the
spectral distance, which is in units of the noise model S (`anomvae.stats.noise`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..detector import Detector
from ..parallel import Progress
from ..pixels.tiling import SamplingGrid, Tile
from ..pixels.views import Mask, newest, where_newest
from ..raster import OpenScene, on_earth, to_degrees
from ..stats.noise import RIDGE
from ..training.scenes import reading_tiles

PIXELS = 50_000
"""Pixels of a sample."""
VALUES = 5_000_000
"""Values of a sample, of all its bands: 25,000 pixels of 200 bands."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class NormalPixel:
    """A normal pixel that is near another in latent space."""

    row: int
    """From 0, from the top."""
    col: int
    """From 0, from the left."""
    lon_lat: tuple[float, float] | None
    """Longitude and latitude of its centre, WGS 84; None where the scene is not on Earth."""
    score: float
    """Its score."""
    distance: float
    """Mahalanobis distance of its code, in standard deviations of normal codes."""
    spectral: float
    """Distance of its spectrum, in units of the noise."""


class NormalPixels(NamedTuple):
    """The normal pixels of a sample of a scene, in its order."""

    places: NDArray[np.int64]
    """Row and column of each, (n, 2)."""
    scores: Floats
    """Their scores, (n,)."""
    codes: Floats
    """Their posterior means, (n, latent)."""
    spectra: Floats
    """Their spectra, (n, band), data units."""

    def without(self, places: NDArray[np.int64]) -> NormalPixels:
        """Leave pixels out, by row and column (n, 2)."""
        left_out = set(map(tuple, places.tolist()))
        kept = np.array([tuple(place) not in left_out for place in self.places.tolist()], np.bool_)
        return self.taken(kept)

    def taken(self, chosen: NDArray[np.bool_] | NDArray[np.int_]) -> NormalPixels:
        """Return some of the pixels."""
        places, *rest = self
        return NormalPixels(places[chosen], *(column[chosen] for column in rest))


def sample_normal(
    detector: Detector, opened: OpenScene, threshold: float, progress: Progress
) -> NormalPixels:
    """Read a scene once, and sample its normal pixels."""
    shape, parts, done = opened.grid.shape, [], 0
    grid = SamplingGrid.of_pixels(shape, min(PIXELS, VALUES // len(detector.bands)))
    for tile in reading_tiles(opened, detector.radius):
        chosen = grid.mask(tile.keep)
        if chosen.any():
            parts.append(_normal_in(detector, opened, tile, chosen, threshold))
        done += tile.shape[0] * tile.shape[1]
        progress("neighbours", done, shape[0] * shape[1])
    places = np.concatenate([part.places for part in parts])
    rest = (np.concatenate(column) for column in zip(*(part[1:] for part in parts), strict=True))
    return NormalPixels(places, *rest).taken(np.lexsort((places[:, 1], places[:, 0])))


def nearest(
    detector: Detector,
    opened: OpenScene,
    normal: NormalPixels,
    code: NDArray[np.float64],
    spectrum: NDArray[np.float64],
    count: int,
) -> tuple[NormalPixel, ...]:
    """Return ``count`` pixels, those nearest to a code (latent,) first, then a spectrum (band,)."""
    if not len(normal.codes):
        return ()
    apart = _lengths((normal.codes - code) @ _whitening(normal.codes))
    scaled = (normal.spectra - spectrum) / detector.scaler.std
    spectral = _lengths(detector.noise.whiten(scaled))
    first = np.lexsort((spectral, apart))[:count]
    places = normal.places[first]
    columns = normal.scores[first], apart[first], spectral[first]
    return tuple(
        NormalPixel(int(row), int(col), lon_lat, *map(float, numbers))
        for (row, col), lon_lat, *numbers in zip(
            places, _located(opened, places), *columns, strict=True
        )
    )


def _normal_in(
    detector: Detector, opened: OpenScene, tile: Tile, chosen: Mask, threshold: float
) -> NormalPixels:
    block = opened.read(tile.read)
    if not detector.radius:  # no halo, and no score depends on the pixels that are left out
        block[:, ~chosen] = np.nan
    inner = (-1, *tile.inner)
    score = detector.score(block)[0][inner]
    normal = chosen & (score <= np.float32(threshold))
    where = where_newest(detector.view, block, tile.inner, normal)
    codes = newest(detector.codes(detector.view.split(block, where)).z)
    places = np.argwhere(normal) + [part.start for part in tile.keep]
    spectra = block[inner][normal][:, : len(detector.bands)]
    return NormalPixels(places, score[normal], codes, spectra)


def _whitening(codes: Floats) -> NDArray[np.float64]:
    """Return a square root of the inverse covariance of codes (n, latent), (latent, latent)."""
    centred = codes - codes.mean(axis=0, dtype=np.float64)
    covariance = centred.T @ centred / max(1, len(codes))
    ridge = RIDGE * float(np.trace(covariance)) / len(covariance) or 1.0
    variances, directions = np.linalg.eigh(covariance + ridge * np.eye(len(covariance)))
    return np.asarray(directions / np.sqrt(variances))


def _lengths(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(np.square(vectors).sum(axis=-1)))


def _located(opened: OpenScene, places: NDArray[np.int64]) -> list[tuple[float, float] | None]:
    """Return longitude and latitude of the centres of pixels; None where there are none."""
    where = opened.georeference
    if not len(places) or not on_earth(where):
        return [None] * len(places)
    degrees = to_degrees(where, np.asarray(places[:, ::-1] + 0.5, np.float64))
    return [(float(lon), float(lat)) if np.isfinite(lon + lat) else None for lon, lat in degrees]
