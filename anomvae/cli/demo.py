"""``anomvae demo``: train, score and evaluate on the sample scenes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options
from .lazy import importing
from .output import echo, metrics_table

if TYPE_CHECKING:
    from ..detector import Detector
    from ..stats.metrics import Metrics

SCENES = ("scene_a", "scene_b")
COLUMNS = ("roc_auc", "average_precision", "tpr_at_fpr_1e3", "flagged", "precision", "recall")
READING = """\
How to read it: ROC AUC, AP and TPR@1e-3 (share found at one false alarm in 1,000 normal pixels)
compare the order of scores; the other columns depend on the threshold (of rx: mean + 3 sigma).
`default` takes anomalies of any size, `small-objects` lone objects of a few pixels: on the real
scenes of the README it leads. `rx` is the yardstick. Two simulated scenes rank no detectors.
"""


@click.command()
@click.option(
    "-o", "--out", "folder", default="demo", show_default=True, help="Folder for the results."
)
@options.seed_opt
@options.verbose_opt
def demo(folder: str, seed: int) -> None:
    """Train on a sample scene, score two others, and measure the maps against their labels.

    Two configurations are trained, and measured beside RX; the files are those of `default`.
    """
    with importing():
        from ..config import shipped
        from ..detector.modelfile import read_card
        from ..errors import FileError
        from ..evaluation import evaluate, evaluate_detector
        from ..files import require_file
        from ..fitting import Selection, train
        from ..mapping import ScoreOptions, score_scene

    samples, out = shipped("data_samples"), Path(folder)
    normal, model = samples / "normal.tif", out / "model.safetensors"
    require_file(model)
    if model.exists():
        read_card(model)  # only the file of an earlier demo is replaced
    elif out.is_dir() and any(out.iterdir()):
        raise FileError(f"{out} holds other files. Give an empty or a new folder.")
    every_pixel = Selection(normal=[normal])  # a raster: normal where it is not 0, its no data
    with options.progress_bar() as progress:
        echo(f"Training default and small-objects on {normal}, whose pixels are all normal ...")
        detector, objects = (
            train([normal], config, seed, select=every_pixel, progress=progress)
            for config in ("default", "small-objects")
        )
        detector.save(model)
        replacing = ScoreOptions(overwrite=True)
        results = [
            score_scene(detector, samples / f"{name}.tif", out, replacing, progress=progress)
            for name in SCENES
        ]
        for name, result in zip(SCENES, results, strict=True):
            scene, labels = samples / f"{name}.tif", samples / f"{name}_labels.tif"
            ours = evaluate(result, labels).rows
            theirs = evaluate_detector(objects, scene, labels, baselines=(), progress=progress).rows
            rows = {
                "default": ours["anomvae"], "small-objects": theirs["anomvae"], "rx": ours["rx"],
            }  # fmt: skip
            echo(f"\n{name}:\n{metrics_table(rows, COLUMNS)}")
            echo(_false_alarms(detector, rows["default"]))
    echo(f"\n{READING}\nWritten:")
    for path in [model, *(path for result in results for path in result.written)]:
        echo(f"  {path}")


def _false_alarms(detector: Detector, metrics: Metrics) -> str:
    """Return the promised rate of normal pixels flagged, and the measured one."""
    promise, rule = detector.threshold.promise, detector.threshold.rule
    promised = "no rate" if promise is None else f"{promise:.2%}"
    normal = metrics.false_positive + metrics.true_negative
    return (
        f"False alarms of default: {rule} promises {promised}, measured are "
        f"{metrics.false_positive / normal:.2%} of the normal pixels"
    )
