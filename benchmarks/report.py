"""Measure `anomvae report` on large scenes: time, memory and the size of its page.

Each scene is made and scored in a folder once, which takes minutes; a folder of ``--folder`` keeps
it for further runs.  Limits are those of the project: 30 s, 1 GiB and 5 MB for 100 megapixels::

    python benchmarks/report.py --folder /data/report
    python benchmarks/report.py --megapixels 4
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install

import anomvae
from anomvae.config import resolve_config
from benchmarks import inputs, stopwatch
from benchmarks.record import Section, circumstances, publish, record_option

SETTINGS = ("training.max_steps=200",)
HEAD = "| scene | objects | s | processor s | peak MB | page MB |\n|---|---|---|---|---|---|"


@dataclass(frozen=True)
class Measured:
    """What a report of a scene took."""

    scene: inputs.Scene
    """The scene."""
    objects: int
    """Objects that its results list."""
    usage: stopwatch.Usage
    """Time and memory."""
    size: int
    """Bytes of the page."""

    @property
    def row(self) -> str:
        """A row of the table."""
        use = self.usage
        name = self.scene.name
        times = f"{use.seconds:.1f} | {use.cpu:.1f} | {use.peak:.0f}"
        return f"| {name} | {self.objects:,} | {times} | {self.size / 1e6:.2f} |"


def results_of(scene: inputs.Scene, folder: Path) -> tuple[Path, int]:
    """Return the folder of the results of a scene, and how many objects they list."""
    out = folder / scene.stem
    config = resolve_config("default", SETTINGS).config
    result = anomvae.detect_scene(scene.made(folder), out, config)
    return out, result.objects


def measure(scene: inputs.Scene, folder: Path, repeats: int) -> Measured:
    """Measure the command on the results of a scene."""
    results, objects = results_of(scene, folder)
    page = folder / f"{scene.stem}.html"
    usage = stopwatch.of_command(lambda run: ["report", results, "-o", page], repeats)
    return Measured(scene, objects, usage, page.stat().st_size)


@click.command()
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--megapixels", type=float, multiple=True, default=(1.0, 100.0), show_default=True)
@click.option("--bands", default=4, show_default=True)
@click.option("--repeats", default=3, show_default=True)
@record_option
def main(
    folder: Path | None,
    megapixels: tuple[float, ...],
    bands: int,
    repeats: int,
    record: Path | None,
) -> None:
    """Measure reports of square scenes with many small objects."""
    with ExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        place.mkdir(parents=True, exist_ok=True)
        scenes = [inputs.Scene(bands, size, scattered=True) for size in megapixels]
        rows = [measure(scene, place, repeats).row for scene in scenes]
    text = "\n".join([circumstances(), "", HEAD, *rows])
    publish(Section("report", "Reports of scenes", "python benchmarks/report.py", text), record)


if __name__ == "__main__":
    main()
