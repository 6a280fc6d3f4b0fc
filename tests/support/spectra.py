"""Made-up spectra and scenes in memory, and detectors fitted to them."""

from contextlib import contextmanager
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


def plan_of(*, in_sample=False, clean=False, covariates=False, **tables):
    """Resolve a configuration; ``tables`` are its tables and keys."""
    from anomvae.config import Config
    from anomvae.models.plan import ModelPlan

    config = Config.read(tables)
    return ModelPlan.of(config, in_sample=in_sample, clean=clean, covariates=covariates)


def fit(examples, *, held_out=None, bands=None, seed=0, in_sample=False, clean=False, **tables):
    """Fit a detector to examples; ``tables`` is the configuration."""
    from anomvae.detector import fit_detector
    from anomvae.training.sampling import Sample

    sample = Sample(examples, examples[:0] if held_out is None else held_out)
    bands = bands or unnamed_bands(examples.shape[-1])
    return fit_detector(sample, bands, plan_of(in_sample=in_sample, clean=clean, **tables), seed)


def fit_scene(block, *, seed=0, in_sample=False, **tables):
    """Fit a detector to all pixels of a block, surroundings and all, as `fitting` does."""
    from anomvae.detector import fit_detector, fit_surroundings
    from anomvae.stats.context import conditioned
    from anomvae.training.sampling import draw_sample

    plan, scenes = plan_of(in_sample=in_sample, **tables), in_memory(block)
    sample = draw_sample(scenes, plan.view, 10**6, None, seed)
    context = fit_surroundings(sample, scenes.bands, plan, 1)
    if context is not None:
        sample = draw_sample(scenes, conditioned(plan.view, context), 10**6, None, seed)
    return fit_detector(sample, scenes.bands, plan, seed, context=context)


def in_memory(*blocks, normal=None, kind=None):
    """Make training scenes of blocks; ``normal`` is a mask of the pixels of each."""
    from anomvae.training.scenes import TrainingScenes

    kind = kind or ArrayScene
    scenes = tuple(
        kind(block, f"scene {number}", normal_pixels=normal) for number, block in enumerate(blocks)
    )
    return TrainingScenes(scenes, tuple(scene.grid.shape for scene in scenes), scenes[0].bands)


def around(annulus, shape, place):
    """Tell which pixels of a scene the ring of a place holds, (row, col)."""
    rows, cols = np.indices(shape)
    distance = np.maximum(np.abs(rows - place[0]), np.abs(cols - place[1]))
    return (distance <= annulus.outer // 2) & (distance > annulus.guard // 2)


@dataclass(frozen=True)
class ArrayScene:
    """A scene in memory, open or closed."""

    block: np.ndarray
    name: str = "array"
    bands: Bands | None = None
    block_shape: tuple[int, int] = (1, 1)
    normal_pixels: np.ndarray | None = None

    def __post_init__(self):
        if self.bands is None:
            object.__setattr__(self, "bands", unnamed_bands(self.block.shape[-1]))

    @property
    def names(self):
        return (self.name,)

    @property
    def dates(self):
        return self.block

    @property
    def grid(self):
        return Grid(self.block.shape[1:3])

    @property
    def values_per_pixel(self):
        return len(self.block) * len(self.bands)

    def without_newest(self, count):
        return replace(self, block=self.block[:-count])

    @contextmanager
    def open(self, bands=None):
        yield self if bands is None else replace(self, bands=bands.find_in(self.bands, self.name))

    def read(self, window):
        columns = [index - 1 for index in self.bands.indexes]
        return self.block[:, *window][..., columns].copy()

    def normal(self, window):
        whole = np.ones(self.grid.shape, bool) if self.normal_pixels is None else self.normal_pixels
        return whole[window]
