"""Made-up spectra and scenes in memory, and detectors fitted to them."""

from dataclasses import dataclass, replace

import numpy as np

from anomvae.pixels.bands import Bands, unnamed_bands
from anomvae.pixels.grid import Grid


def spectra(count, bands=6, seed=0):
    """Mix two materials and add noise, (count, band); one place whatever the seed."""
    materials = np.random.default_rng(1234).uniform(0.1, 0.6, (2, bands))
    rng = np.random.default_rng(seed)
    share = rng.uniform(0, 1, (count, 1))
    mixed = share * materials[0] + (1 - share) * materials[1]
    return (mixed + rng.normal(0, 0.01, (count, bands))).astype(np.float32)


def scene(shape, bands=6, dates=1, seed=0):
    """Lay spectra out as a block, (time, row, col, band)."""
    return spectra(dates * shape[0] * shape[1], bands, seed).reshape(dates, *shape, bands)


def numbered(shape, bands=1, dates=1, first=0):
    """Give every pixel its number in all its bands, (time, row, col, band)."""
    numbers = np.arange(first, first + dates * shape[0] * shape[1], dtype=np.float32)
    return np.repeat(numbers, bands).reshape(dates, *shape, bands)


def fit(examples, *, held_out=None, bands=None, seed=0, in_sample=False, trim=0.05, **tables):
    """Fit a detector to examples; ``tables`` is the configuration."""
    from anomvae.config import Config
    from anomvae.detector import fit_detector
    from anomvae.training.sampling import Sample

    sample = Sample(examples, examples[:0] if held_out is None else held_out)
    bands = bands or unnamed_bands(examples.shape[-1])
    config = Config.model_validate(tables).settled(in_sample=in_sample, trim=trim)
    return fit_detector(sample, bands, config, seed)


def fit_scene(block, *, seed=0, in_sample=False, trim=0.05, **tables):
    """Fit a detector to all pixels of a block, surroundings and all, as `fitting` does."""
    from anomvae.config import Config
    from anomvae.detector import fit_detector, fit_surroundings
    from anomvae.models.families import family_named
    from anomvae.pixels.annulus import Annulus
    from anomvae.stats.context import ConditionedView
    from anomvae.training.sampling import TrainingScene, draw_sample

    config = Config.model_validate(tables).settled(in_sample=in_sample, trim=trim)
    scenes, bands = [TrainingScene(ArrayReader(block))], unnamed_bands(block.shape[-1])
    view = family_named(config.model.family).seen(Annulus(*config.model.patch))
    sample = draw_sample(scenes, view, 10**6, None, seed)
    context = fit_surroundings(sample, bands, config, 1)
    if context is not None:
        sample = draw_sample(scenes, ConditionedView(view, context), 10**6, None, seed)
    return fit_detector(sample, bands, config, seed, context=context)


def around(annulus, shape, place):
    """Tell which pixels of a scene the ring of a place holds, (row, col)."""
    rows, cols = np.indices(shape)
    distance = np.maximum(np.abs(rows - place[0]), np.abs(cols - place[1]))
    return (distance <= annulus.outer // 2) & (distance > annulus.guard // 2)


@dataclass(frozen=True)
class ArrayReader:
    """A raster in memory."""

    block: np.ndarray
    name: str = "array"
    bands: Bands | None = None
    block_shape: tuple[int, int] = (1, 1)

    def __post_init__(self):
        if self.bands is None:
            object.__setattr__(self, "bands", unnamed_bands(self.block.shape[-1]))

    @property
    def grid(self):
        return Grid(self.block.shape[1:3])

    @property
    def values_per_pixel(self):
        return len(self.block) * len(self.bands)

    def read(self, window):
        columns = [index - 1 for index in self.bands.indexes]
        return self.block[:, *window][..., columns].copy()

    def using(self, bands):
        return replace(self, bands=bands)
