"""``anomvae demo``: train, score and evaluate on the sample scenes."""

from __future__ import annotations

import click

from . import options
from .evaluate import metrics_table
from .output import echo

SCENES = ("scene_a", "scene_b")


@click.command()
@click.option(
    "-o", "--out", "folder", default="demo", show_default=True, help="Folder for the results."
)
@options.seed_opt
@options.verbose_opt
def demo(folder: str, seed: int) -> None:
    """Train on a sample scene, score two others, and measure the maps against their labels."""
    from pathlib import Path

    from ..config import resolve_config, shipped
    from ..detector.modelfile import read_card
    from ..errors import FileError
    from ..evaluation import evaluate
    from ..files import require_file
    from ..fitting import train
    from ..mapping import ScoreOptions, score_scene

    samples, out = shipped("data_samples"), Path(folder)
    model = out / "model.safetensors"
    require_file(model)
    if model.exists():
        read_card(model)  # only the file of an earlier demo is replaced
    elif out.is_dir() and any(out.iterdir()):
        raise FileError(f"{out} holds other files. Give an empty or a new folder.")
    with options.progress_bar() as progress:
        echo(f"Training on {samples / 'normal.tif'} ...")
        # The scene is clean: nothing is trimmed.
        clean = resolve_config("default", ["training.trim=0"]).config
        detector = train([samples / "normal.tif"], clean, seed, progress=progress)
        detector.save(model)
        replacing = ScoreOptions(overwrite=True)
        results = [
            score_scene(detector, samples / f"{name}.tif", out, replacing, progress=progress)
            for name in SCENES
        ]
    for name, result in zip(SCENES, results, strict=True):
        labels = samples / f"{name}_labels.tif"
        echo(f"\n{name}: {result.flagged} of {result.valid} pixels flagged")
        echo(metrics_table(evaluate(result, labels)))
    echo("\nWritten:")
    for path in [model, *(path for result in results for path in result.written)]:
        echo(f"  {path}")
