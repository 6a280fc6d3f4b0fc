"""Measure time and memory of scoring a Sentinel-2 product of full size on its grid of 10 m.

The product, 10 bands in tiled JPEG 2000, is made in a folder, once; a tiny model of a small product
of the same kind scores it::

    python benchmarks/products.py --folder /data/products --side 10980

Its peak must stay within `MOST` (issue 15).  Other programs on the machine falsify the durations.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import numpy as np
import rasterio

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install

import anomvae
from anomvae.config import resolve_config
from anomvae.raster import Selection
from anomvae.testing.products import Sentinel2
from benchmarks import stopwatch
from benchmarks.record import Section, circumstances, publish, record_option
from benchmarks.stopwatch import Usage

DROPPED = ("B01", "B09")
"""Bands of 60 m, which a product of 10 bands lacks."""
BLOCKS = {10: 1024, 20: 640}
"""Side of a JPEG 2000 tile by the side of a pixel, metres, as the agency writes them."""
MOST = 1.2 * 2**30 / 1e6
"""MB; most memory of all processes together."""


def small_product(folder: Path) -> Path:
    """Write a product of 10 bands, 120 x 120 pixels of 10 m, once."""
    writer = Sentinel2()
    (folder / "small").mkdir(parents=True, exist_ok=True)
    if found := list((folder / "small").glob("*.SAFE")):
        return found[0]
    safe = writer.write(writer.cube(), folder / "small")
    for path in safe.rglob("*.jp2"):
        if any(f"_{band}_" in path.name for band in DROPPED):
            path.unlink()
    return safe


def large_product(small: Path, folder: Path, side: int) -> Path:
    """Repeat the images of a small product until they have ``side`` pixels of 10 m, once."""
    safe = folder / str(side) / small.name
    for path in sorted(small.rglob("*.*")):
        target = safe / path.relative_to(small)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            continue
        if path.suffix == ".jp2":
            _repeat(path, target, side)
        else:
            target.write_bytes(path.read_bytes())
    return safe


def _repeat(path: Path, target: Path, side: int) -> None:
    with rasterio.open(path) as file:
        values, profile = file.read(1), file.profile
    pixel = round(profile["transform"].a)
    length = side * 10 // pixel
    times = -(-length // len(values))
    layer = np.tile(values, (times, times))[:length, :length]
    block = min(BLOCKS[pixel], length)
    profile.update(width=length, height=length, blockxsize=block, blockysize=block)
    unfinished = target.with_suffix(".part.jp2")
    with rasterio.open(unfinished, "w", QUALITY=100, REVERSIBLE="YES", **profile) as file:
        file.write(layer, 1)
    unfinished.rename(target)
    click.echo(f"{target.name}: {length} x {length} pixels", err=True)


def measure(safe: Path, model: Path, folder: Path, workers: int) -> Usage:
    """Score a product on its grid of 10 m, once."""
    options = ["--resolution", "10", "--overwrite"]
    if workers:
        options += ["--workers", str(workers)]
    out = folder / "maps"
    return stopwatch.of_command(lambda run: ("score", safe, "-m", model, "-o", out, *options), 1)


def row(side: int, workers: int, usage: Usage) -> str:
    """Write a row of the table."""
    pixels = side**2 / 1e6
    return (
        f"| {pixels:.0f} | {workers} | {usage.seconds:.0f} s | {pixels / usage.seconds:.2f} | "
        f"{usage.cpu:.0f} s | {usage.peak:.0f} MB{'' if usage.peak <= MOST else ' (too much)'} |"
    )


@click.command()
@click.option("--folder", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--side", default=10_980, show_default=True, help="Pixels of 10 m along a side.")
@click.option(
    "--workers", multiple=True, default=[0], show_default=True, help="Worker processes; 0: none."
)
@record_option
def main(folder: Path, side: int, workers: tuple[int, ...], record: Path | None) -> None:
    """Measure scoring of a Sentinel-2 product of 10 bands at 10 m."""
    small = small_product(folder)
    model = folder / "tiny.safetensors"
    if not model.exists():
        settings = ["training.max_steps=200", "model.hidden=[16]", "model.latent=3"]
        config = resolve_config("default", settings).config
        anomvae.train([small], config, select=Selection(resolution=10)).save(model)
    safe = large_product(small, folder, side)
    rows = [row(side, count, measure(safe, model, folder, count)) for count in workers]
    text = (
        f"{circumstances()}. `score` of a Sentinel-2 L2A SAFE folder, 4 bands of 10 m and 6 of "
        f"20 m with SCL, on the grid of 10 m; memory of all processes together, at most "
        f"{MOST:.0f} MB.\n\n"
        "| Mpixel | workers | wall | Mpixel/s | processors | peak memory |\n"
        "| --- | --- | --- | --- | --- | --- |\n" + "\n".join(rows)
    )
    command = f"python benchmarks/products.py --folder FOLDER --side {side}"
    publish(Section("products", "A Sentinel-2 product at 10 m", command, text), record)


if __name__ == "__main__":
    main()
