"""What all parts of `benchmarks.speed` share: scenes, models of them, and where timings go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

import anomvae
from anomvae.config import resolve_config
from anomvae.detector import Detector
from benchmarks import inputs
from benchmarks.speedtables import Timing, Timings
from benchmarks.stopwatch import Usage


@dataclass(frozen=True)
class Bench:
    """The measured scenes, and where their timings go."""

    folder: Path
    """Of the rasters and models."""
    scenes: tuple[inputs.Scene, ...]
    timings: Timings
    repeats: int
    """Of each measured work."""
    before: Path | None = None
    """A checkout of an earlier commit, whose commands are measured in turns."""

    def add(self, work: str, scene: inputs.Scene, pixels: int, usage: Usage, macs: int = 0) -> None:
        """Write and print a timing; ``macs`` are the multiply-adds for a pixel."""
        self.timings.add(
            Timing(work, scene.bands, scene.megapixels, pixels, **vars(usage), multiplied=macs)
        )
        click.echo(f"{scene.name}: {work}: {usage.seconds:.2f} s", err=True)

    def smallest_scenes(self) -> Iterator[inputs.Scene]:
        """Yield the smallest scene of each number of bands."""
        for bands in sorted({scene.bands for scene in self.scenes}):
            yield min((s for s in self.scenes if s.bands == bands), key=lambda s: s.megapixels)

    def model(self, bands: int, noise: str = "band", config: str = "default") -> Path:
        """Return the model for scenes of so many bands; train it if it is absent."""
        path = self.folder / f"{bands}-bands-{config}-{noise}.safetensors"
        if not path.exists():
            scene = inputs.Scene(bands, 1).made(self.folder)
            settings = [f'score.noise="{noise}"', "training.max_steps=500"]
            anomvae.train([str(scene)], resolve_config(config, settings).config).save(path)
        return path

    def fitted(self, scene: inputs.Scene, config: str = "default") -> Path:
        """Return the model of a scene with a threshold that flags 1 % of it, as in real scenes.

        Simulated scenes have few patterns: the threshold of another scene flags a quarter of their
        pixels, and labelling objects then takes longer than scoring.
        """
        path = self.folder / f"{scene.stem}-{config}.safetensors"
        if not path.exists():
            detector, rule = Detector.load(self.model(scene.bands, config=config)), "quantile:0.01"
            if scene.scattered:
                rule = "quantile:0.005"  # the part that its objects take
            anomvae.refit_threshold(detector, [scene.made(self.folder)], rule).save(path)
        return path
