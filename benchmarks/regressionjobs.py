"""The jobs of `benchmarks.regression`: one list of commands, and what runs them.

`run_jobs` runs the commands of `jobs` in the folder of a run, with the anomvae that Python imports.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from glob import glob
from itertools import chain
from pathlib import Path

OLD_WORDS = {
    "categorical:": "classes:",
    "sigma-clip:": "clipped:",
    "as-listed": "given",
    "model.likelihood=mse": "model.likelihood=unit",
}
"""Words of a command AFTER and BEFORE; a command that fails runs again with those of BEFORE."""

FAMILIES = ("ae", "vae", "beta-vae", "cvae", "vq-vae", "hierarchical", "vae-gan", "spatial")
NORMAL, A, B = (f"inputs/{name}.tif" for name in ("normal", "scene_a", "scene_b"))
PLAIN = "models/plain.safetensors"
SCORE = f"score {A} -m {PLAIN} -o {{here}}"
SHORT = "--set training.max_steps=150"
COVARIATES = "--covariates inputs/elevation.tif --covariates categorical:inputs/cover.tif"
BASELINES = "--baselines rx,rrx,pca --json -o {here}/evaluation.json"
LABELS = f"--labels inputs/scene_a_labels.tif {BASELINES}"
DAY = "--covariates day:2024-06-01"


@dataclass(frozen=True)
class Job:
    """One anomvae command, run in the folder of all jobs.

    Models lie in ``models``, sample scenes and the files of `write_inputs` in ``inputs``;
    ``{here}`` is the job's own folder.  File patterns are expanded.
    """

    name: str
    command: str


def fit(name: str, scene: str, fitting: str = "", scoring: str = "") -> tuple[Job, Job]:
    """Return two jobs: train the model ``name`` on a scene, and score the same scene."""
    model = f"models/{name}.safetensors"
    return (
        Job(f"train-{name}", f"train {scene} -o {model} {SHORT} {fitting}"),
        Job(f"score-{name}", f"score {scene} -m {model} -o {{here}} {scoring}"),
    )


SAMPLE_JOBS = (
    *(job for name in FAMILIES for job in fit(name, NORMAL, f"--set model.family={name}")),
    *fit("small-objects", NORMAL, "--config small-objects"),
    *fit("patch", NORMAL, "--set model.family=spatial --set model.patch=[5,1]"),
    *fit("gaussian", NORMAL, "--set model.likelihood=gaussian --set score.noise=unit"),
    *fit("mse", NORMAL, "--set model.likelihood=mse --set score.noise=covariance"),
    *fit("sizes", NORMAL, "--set model.latent=3 --set model.hidden=[32,16] --seed 7"),
    *fit("beta", NORMAL, "--set training.beta=2 --set training.kl_warm_up=0.5"),
    *fit("weights", NORMAL, "--set training.free_bits=0.5 --set score.kl_weight=0.5"),
    *fit("trim", NORMAL, "--set training.trim=0.2 --threshold mad:5"),
    *fit("bands", NORMAL, "--bands 430-900nm"),
    *fit("polygons", NORMAL, "--normal inputs/normal.geojson"),
    *fit("normal-raster", NORMAL, "--normal inputs/mask.tif"),
    *fit("mask", NORMAL, "--mask inputs/mask.tif", "--mask inputs/mask.tif"),
    *fit("covariates", NORMAL, f"--set model.family=cvae {COVARIATES}", COVARIATES),
    *fit("day", NORMAL, f"--set model.family=cvae {DAY}", DAY),
    *fit("plain", NORMAL),
    Job("score-quantile", f"{SCORE} --threshold quantile:0.002"),
    Job("score-sigma-clip", f"{SCORE} --threshold sigma-clip:3"),
    Job("score-mad", f"{SCORE} --threshold mad:5"),
    Job("score-fixed", f"{SCORE} --threshold fixed:20 --fail-on-anomaly"),
    Job("score-both", f"score {A} {B} -m {PLAIN} -o {{here}}"),
    Job("score-workers", f"{SCORE} --workers 2 --tile 32"),
    Job("score-both-workers", f"score {A} {B} -m {PLAIN} -o {{here}} --workers 2"),
    Job("score-threads", f"{SCORE} --threads 2 --tile 32"),
    Job("score-tile", f"{SCORE} --tile 37 --min-area 3"),
    Job("score-ring-tile", f"score {A} -m models/small-objects.safetensors -o {{here}} --tile 37"),
    Job("score-patch-tile", f"score {A} -m models/spatial.safetensors -o {{here}} --tile 37"),
    Job("threshold", f"threshold {PLAIN} {A} -o models/refit.safetensors --rule quantile:0.01"),
    Job("score-refit", f"score {B} -m models/refit.safetensors -o {{here}}"),
    Job(
        "threshold-normal",
        f"threshold {PLAIN} {NORMAL} -o models/normal.safetensors --normal inputs/normal.geojson",
    ),
    Job("detect-sample", f"detect {A} -o {{here}} --threshold mad:5 --min-area 2"),
    Job("evaluate-map", f"evaluate {A} score-both/scene_a.anomaly.tif {LABELS}"),
    Job("evaluate-model", f"evaluate {A} -m {PLAIN} {LABELS}"),
    Job("demo", "demo -o {here}"),
    Job("refuse-bands", f"score inputs/scene_a_labels.tif -m {PLAIN} -o {{here}}"),
    Job("refuse-missing", f"score missing.tif -m {PLAIN} -o {{here}}"),
    Job("refuse-key", f"train {NORMAL} -o {{here}}/model.safetensors --set model.latnet=4"),
    Job("refuse-rule", f"{SCORE} --threshold sigmas:3"),
    Job("refuse-usage", f"score {A}"),
)


def scene_jobs(scenes: Path) -> Iterator[Job]:
    """Yield the jobs on labelled scenes: `detect` on each, every family on one."""
    for scene in sorted(scenes.glob("*/scene.tif")):
        for config in ("default", "small-objects"):
            command = f"detect {scene} -o {{here}} --config {config}"
            yield Job(f"detect-{config}-{scene.parent.name}", command)
    beach = f"{scenes}/abu-beach-2/scene.tif"
    for family in FAMILIES:
        yield from fit(f"beach-{family}", beach, f"--set model.family={family}")
    yield from fit("beach-small-objects", beach, "--config small-objects")
    labels = f"--labels {scenes}/abu-beach-2/labels.tif {BASELINES}"
    model = "models/beach-small-objects.safetensors"
    yield Job("evaluate-beach", f"evaluate {beach} -m {model} {labels}")


def raster_jobs(rasters: Path) -> Iterator[Job]:
    """Yield the jobs on series and on rasters without labels, some of which are refused."""
    for path in sorted(rasters.glob("*.tif")):
        yield from fit(path.stem, str(path))
    for path in sorted(rasters.glob("edge/*.tif")):
        yield from fit(f"edge-{path.stem}", str(path))
        yield Job(f"detect-edge-{path.stem}", f"detect {path} -o {{here}} {SHORT}")
    amazon = f"{rasters}/sentinel2_amazon_12b.tif"
    yield Job("detect-sentinel2", f"detect {amazon} -o {{here}} --config sentinel2 {SHORT}")
    series, listed = "--config sequential", "--dates as-listed"
    yield from fit("cbers", f"{rasters}/series/cbers4/*.tif", series)
    changes = f"detect {rasters}/series/cbers4/*.tif -o {{here}} {SHORT}"
    yield Job("detect-cbers", changes)
    yield from fit("rapideye", f"{rasters}/series/rapideye/*.tif", f"{series} {listed}", listed)


def jobs(scenes: Path | None, rasters: Path | None) -> list[Job]:
    """Return the jobs on the sample scenes and on the given folders."""
    on_scenes = [] if scenes is None else scene_jobs(scenes.resolve())
    on_rasters = [] if rasters is None else raster_jobs(rasters.resolve())
    return [*SAMPLE_JOBS, *on_scenes, *on_rasters]


def write_inputs(folder: Path, samples: Path) -> None:
    """Copy the sample scenes; write a mask, polygons, and covariates on other grids."""
    import numpy as np
    import rasterio
    from affine import Affine
    from rasterio.warp import transform_geom

    shutil.copytree(samples, folder, ignore=shutil.ignore_patterns("*.py", "*.md", "_*"))
    with rasterio.open(folder / "normal.tif") as scene:
        left, bottom, right, top = scene.bounds
        crs, grid, (rows, cols) = scene.crs, scene.transform, scene.shape
    row, col = np.indices((60, 60))
    rasters = {
        "mask": (np.indices((rows, cols))[1] >= cols // 4, grid),
        "cover": (1 + (row // 7 + col // 11) % 4, Affine(20, 0, left, 0, -20, top + 5)),
        "elevation": (
            300 + 80 * np.sin(row / 9) + 40 * np.cos(col / 5),
            Affine(25, 0, left - 100, 0, -25, top + 100),
        ),
    }
    for name, (values, transform) in rasters.items():
        dtype = "float32" if name == "elevation" else "uint8"
        height, width = values.shape
        profile = {"driver": "GTiff", "count": 1, "dtype": dtype, "crs": crs}
        profile |= {"transform": transform}
        path = folder / f"{name}.tif"
        with rasterio.open(path, "w", height=height, width=width, **profile) as dataset:
            dataset.write(values.astype(dtype), 1)
    middle, lower = (left + right) / 2, bottom + 100
    corners = [(left, top), (middle, top), (middle, lower), (left, bottom), (left, top)]
    outline = transform_geom(crs, "EPSG:4326", {"type": "Polygon", "coordinates": [corners]})
    feature = {"type": "Feature", "properties": {}, "geometry": outline}
    text = json.dumps({"type": "FeatureCollection", "features": [feature]})
    (folder / "normal.geojson").write_text(text, encoding="utf-8")


def run_jobs(selected: Sequence[Job], folder: Path) -> None:
    """Run jobs in the folder that holds their inputs, and write the outcome of each."""
    os.chdir(folder)  # paths are relative, so that they are the same in every run
    for job in selected:
        start = time.perf_counter()
        Path(job.name).mkdir()
        outcome = run(job)
        text = json.dumps(asdict(outcome), indent=2) + "\n"
        Path(job.name, "outcome.json").write_text(text, encoding="utf-8")
        seconds = time.perf_counter() - start
        print(f"{seconds:5.1f} s, exit {outcome.exit_code:2}  {job.name}", flush=True)


@dataclass(frozen=True)
class Outcome:
    """The end of a command."""

    exit_code: int
    stdout: str
    stderr: str


def run(job: Job) -> Outcome:
    """Run a job; where the words of AFTER fail, with those of BEFORE."""
    command = older = job.command.replace("{here}", job.name)
    for after, before in OLD_WORDS.items():
        older = older.replace(after, before)
    outcome = invoke(command)
    return invoke(older) if outcome.exit_code and older != command else outcome


def invoke(command: str) -> Outcome:
    """Run a command in this process."""
    from click.testing import CliRunner

    from anomvae.cli import main

    parts = (sorted(glob(part)) if "*" in part else [part] for part in command.split())
    result = CliRunner().invoke(main, [*chain.from_iterable(parts)], prog_name="anomvae")
    return Outcome(result.exit_code, result.stdout, result.stderr)
