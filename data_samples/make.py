"""Draw the sample scenes: `python data_samples/make.py [--out DIR]`; the same files every time.

Reflectance is uint16 with scale 0.0001, where 0 is no data; labels are uint8, 1 at planted
anomalies and 255 at no data.  See README.md in this folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from anomvae.testing.samples import Sample, write_labels, write_scene
from anomvae.testing.simulate import simulate

SHAPE = (96, 96)
"""Rows and columns of a scene, pixels."""

SAMPLES = (
    Sample("normal", 0, 465_000.0, anomalies=()),
    Sample("scene_a", 1, 467_000.0),
    Sample("scene_b", 2, 469_000.0),
)


def write_samples(folder: Path) -> list[Path]:
    """Write every sample to ``folder``, with labels if it has anomalies; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for sample in SAMPLES:
        scene = simulate(SHAPE, sample.seed, anomalies=sample.anomalies)
        paths.append(write_scene(folder / f"{sample.name}.tif", scene, sample))
        if sample.anomalies:
            paths.append(write_labels(folder / f"{sample.name}_labels.tif", scene, sample))
    return paths


def main() -> None:
    """Draw the samples and list their files."""
    parser = argparse.ArgumentParser(description="Draw the sample scenes.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder")
    for path in write_samples(parser.parse_args().out):
        print(f"{path}  {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
