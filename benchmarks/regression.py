"""Show that a refactor changes no result: one list of jobs, run before and after, and compared.

``make`` runs the jobs of `jobs` through the command line of the anomvae that Python imports
(PYTHONPATH chooses it), one after the other in one process, on one thread, with fixed seeds.
``compare`` compares two such folders file by file and exits with 1 if a result differs::

    python benchmarks/regression.py make BEFORE --scenes DIR --rasters DIR
    python benchmarks/regression.py make AFTER --scenes DIR --rasters DIR --models BEFORE
    python benchmarks/regression.py compare BEFORE AFTER

Pixels, tensors and numbers are equal to the bit; the tables of `Changes` list the names that a
refactor changes on purpose.  What commands print is listed where it differs, and is no failure.
Both folders come from one machine, because another processor rounds otherwise.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from glob import glob
from itertools import chain
from pathlib import Path
from typing import Any

import click


@dataclass(frozen=True)
class Changes:
    """Differences between two sets of named values that are made on purpose, or do not count.

    A name is a dotted path such as ``card.bands.items.0.name``.  All are regular expressions.  New
    names and texts are given to both sides, so that a run of BEFORE can be compared with another;
    therefore no pattern fits what replaces it.
    """

    renamed: tuple[tuple[str, str], ...] = ()
    """Part of a name BEFORE, and its replacement AFTER; applied in order."""
    reworded: tuple[tuple[str, str, str], ...] = ()
    """Part of a name AFTER; part of its text BEFORE, and the replacement AFTER."""
    ignored: str = "-"
    """Whole names AFTER whose values are free."""
    noted: str = "-"
    """Whole names AFTER whose differences are listed, but are no failure."""


RULE = (r"threshold(\.|_)rule$", "^clipped:", "sigma-clip:")
MODEL = Changes(
    renamed=(
        (r"^card\.training\.batch$", "card.training.batch_size"),
        (r"^card\.training\.code\.", "card.training.latent."),
        (r"^card\.dead", "card.dropped"),
        (r"^card\.prominence\.contrast$", "card.weighting.local_contrast"),
        (r"^card\.prominence\.novelty$", "card.weighting.latent_distance"),
        (r"^card\.prominence\.", "card.weighting."),
        (r"^card\.(context|weighting)\.ring\.", r"card.\1.annulus."),
        (r"^card\.context\.means$", "card.context.mean_components"),
        (r"^card\.context\.spreads$", "card.context.std_components"),
        (r"^card\.context\.limit$", "card.context.clip_sigma"),
        (r"^tensors\.(scaler|context)\.spread", r"tensors.\1.std"),
    ),
    reworded=(
        RULE,
        (r"^card\.likelihood$", "^unit$", "mse"),
        (r"^card\.covariates\.\d+\.kind$", "^numbers$", "continuous"),
        (r"^card\.covariates\.\d+\.kind$", "^classes$", "categorical"),
    ),
    ignored=r"card\.(format|checksum|tensors|anomvae)",
)
MAP = Changes(ignored=r"tags\.ANOMVAE_(VERSION|DETECTOR|DIGEST|THRESHOLD_RULE|SCORE)")
OBJECTS = Changes(ignored=r"anomvae\.(version|digest|detector|threshold_rule)")
SUMMARY = Changes(reworded=(RULE,), ignored="anomvae|detector|settings|input|digest|seconds")
EVALUATION = Changes(noted=r"detectors\..*\.reason")
OUTCOME = Changes(noted=r"std(out|err)(\..*)?")

OLD_WORDS = {
    "categorical:": "classes:",
    "sigma-clip:": "clipped:",
    "as-listed": "given",
    "model.likelihood=mse": "model.likelihood=unit",
}
"""Words of a command AFTER and BEFORE; one that fails is run again with the words of BEFORE."""

FAMILIES = ("ae", "vae", "beta-vae", "cvae", "vq-vae", "hierarchical", "vae-gan", "spatial")
NORMAL, A, B = (f"inputs/{name}.tif" for name in ("normal", "scene_a", "scene_b"))
PLAIN = "models/plain.safetensors"
SCORE = f"score {A} -m {PLAIN} -o {{here}}"
SHORT = "--set training.max_steps=150"
COVARIATES = "--covariates inputs/elevation.tif --covariates categorical:inputs/cover.tif"
BASELINES = "--baselines rx,rrx,pca --json -o {here}/evaluation.json"
LABELS = f"--labels inputs/scene_a_labels.tif {BASELINES}"
DAY = "--covariates day:2024-06-01"
OLD_MODELS = "scored-by-old-models"


@dataclass(frozen=True)
class Job:
    """One command of anomvae, run in the folder of all jobs.

    Models lie in ``models``, sample scenes and what `write_inputs` writes in ``inputs``;
    ``{here}`` is the job's own folder.  Patterns of files are expanded.
    """

    name: str
    command: str


def fit(name: str, scene: str, fitting: str = "", scoring: str = "") -> tuple[Job, Job]:
    """Train the model ``name`` on a scene, and score the same scene."""
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
    """List the jobs on labelled scenes: each one detected, one with every family."""
    for scene in sorted(scenes.glob("*/scene.tif")):
        for config in ("default", "small-objects"):
            command = f"detect {scene} -o {{here}} --config {config}"
            yield Job(f"detect-{config}-{scene.parent.name}", command)
    beach = f"{scenes}/abu-beach-2/scene.tif"
    for family in FAMILIES:
        yield from fit(f"beach-{family}", beach, f"--set model.family={family}")
    yield from fit("beach-small-objects", beach, "--config small-objects")
    measured = f"--labels {scenes}/abu-beach-2/labels.tif {BASELINES}"
    model = "models/beach-small-objects.safetensors"
    yield Job("evaluate-beach", f"evaluate {beach} -m {model} {measured}")


def raster_jobs(rasters: Path) -> Iterator[Job]:
    """List the jobs on rasters without labels, some of which are refused, and on series."""
    for path in sorted(rasters.glob("*.tif")):
        yield from fit(path.stem, str(path))
    for path in sorted(rasters.glob("edge/*.tif")):
        yield from fit(f"edge-{path.stem}", str(path))
        yield Job(f"detect-edge-{path.stem}", f"detect {path} -o {{here}} {SHORT}")
    amazon = f"{rasters}/sentinel2_amazon_12b.tif"
    yield Job("detect-sentinel2", f"detect {amazon} -o {{here}} --config sentinel2 {SHORT}")
    series, listed = "--config timeseries", "--dates as-listed"
    yield from fit("cbers", f"{rasters}/series/cbers4/*.tif", series)
    yield from fit("rapideye", f"{rasters}/series/rapideye/*.tif", f"{series} {listed}", listed)


def jobs(scenes: Path | None, rasters: Path | None) -> list[Job]:
    """List the jobs whose files are given."""
    on_scenes = [] if scenes is None else scene_jobs(scenes.resolve())
    on_rasters = [] if rasters is None else raster_jobs(rasters.resolve())
    return [*SAMPLE_JOBS, *on_scenes, *on_rasters]


def write_inputs(folder: Path, samples: Path) -> None:
    """Copy the sample scenes; write a mask, polygons, and covariates on grids of their own."""
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
        kind = "float32" if name == "elevation" else "uint8"
        height, width = values.shape
        profile = {"driver": "GTiff", "count": 1, "dtype": kind, "crs": crs, "transform": transform}
        path = folder / f"{name}.tif"
        with rasterio.open(path, "w", height=height, width=width, **profile) as dataset:
            dataset.write(values.astype(kind), 1)
    middle, lower = (left + right) / 2, bottom + 100
    corners = [(left, top), (middle, top), (middle, lower), (left, bottom), (left, top)]
    outline = transform_geom(crs, "EPSG:4326", {"type": "Polygon", "coordinates": [corners]})
    feature = {"type": "Feature", "properties": {}, "geometry": outline}
    text = json.dumps({"type": "FeatureCollection", "features": [feature]})
    (folder / "normal.geojson").write_text(text, encoding="utf-8")


def run_jobs(chosen: Sequence[Job], folder: Path) -> None:
    """Run jobs in a folder that holds their inputs, and record how each ends."""
    os.chdir(folder)  # paths are relative, so that they are the same in every run
    for job in chosen:
        start = time.perf_counter()
        Path(job.name).mkdir()
        outcome = run(job)
        text = json.dumps(outcome, indent=2) + "\n"
        Path(job.name, "outcome.json").write_text(text, encoding="utf-8")
        seconds = time.perf_counter() - start
        print(f"{seconds:5.1f} s, exit {outcome['exit_code']:2}  {job.name}", flush=True)


def run(job: Job) -> dict[str, Any]:
    """Run a job; with the words of BEFORE if those of AFTER fail."""
    command = older = job.command.replace("{here}", job.name)
    for after, before in OLD_WORDS.items():
        older = older.replace(after, before)
    outcome = invoke(command)
    return invoke(older) if outcome["exit_code"] and older != command else outcome


def invoke(command: str) -> dict[str, Any]:
    """Run a command in this process."""
    from click.testing import CliRunner

    from anomvae.cli import main

    parts = (sorted(glob(part)) if "*" in part else [part] for part in command.split())
    result = CliRunner().invoke(main, [*chain.from_iterable(parts)], prog_name="anomvae")
    return {"exit_code": result.exit_code, "stdout": result.stdout, "stderr": result.stderr}


LAYOUT = (
    *("dtypes", "nodatavals", "shape", "transform", "block_shapes", "compression", "interleaving"),
    *("photometric", "colorinterp", "descriptions", "units", "scales", "offsets"),
    "mask_flag_enums",
)
"""What is compared of a raster besides tags and pixels; attributes in rasterio."""


def read_raster(path: Path) -> dict[str, Any]:
    """Read tags, layout, and the pixels of all levels of detail."""
    import rasterio

    with rasterio.open(path) as dataset:
        held = {name: getattr(dataset, name) for name in LAYOUT}
        points, crs = dataset.gcps
        held |= {"crs": str(dataset.crs), "gcps": [str(crs), *map(repr, points)]}
        held |= {"tags": dataset.tags(), "structure": dataset.tags(ns="IMAGE_STRUCTURE")}
        for band, meaning in zip(dataset.indexes, dataset.colorinterp, strict=True):
            colours = dataset.colormap(band) if meaning.name == "palette" else None
            held[f"band {band}"] = {"tags": dataset.tags(band), "colours": colours}
        held["overviews"] = dataset.overviews(1)
    for level in range(-1, len(held["overviews"])):
        with rasterio.open(path, **({"overview_level": level} if level >= 0 else {})) as dataset:
            level_name = f"overview {level}" if level >= 0 else "full size"
            held |= {f"band {n}, {level_name}": dataset.read(n) for n in dataset.indexes}
    return held


def read_model(path: Path) -> dict[str, Any]:
    """Read the card and the tensors."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as model:
        tensors = {name: model.get_tensor(name) for name in model.keys()}  # noqa: SIM118
        return {"card": json.loads(model.metadata()["anomvae"]), "tensors": tensors}


def read_objects(path: Path) -> dict[str, Any]:
    """Read the first line field by field, the others as text."""
    first, *lines = path.read_text(encoding="utf-8").splitlines()
    return {**json.loads(f"{first}]}}"), "lines": lines}


def read_json(path: Path) -> dict[str, Any]:
    """Read a table; a text of several lines becomes a list, the path of a sample its name."""
    text = path.read_text(encoding="utf-8")
    held: dict[str, Any] = json.loads(re.sub(r'"([^"]*/)?(data_samples|inputs)/', '"', text))
    lines = {name: held[name].splitlines() for name in ("stdout", "stderr") if name in held}
    return held | lines


def read_digest(path: Path) -> dict[str, Any]:
    """Read a file as a whole."""
    return {"digest": hashlib.sha256(path.read_bytes()).hexdigest()}


@dataclass(frozen=True)
class Kind:
    """Files that are compared alike."""

    name: str
    """For the report."""
    pattern: str
    """Of file names."""
    read: Callable[[Path], dict[str, Any]]
    """Reads what is compared."""
    changes: Changes = Changes()
    """What may differ."""


KINDS = (
    Kind("maps", "*.anomaly.tif", read_raster, MAP),
    Kind("flags", "*.flags.tif", read_raster, MAP),
    Kind("objects", "*.objects.geojson", read_objects, OBJECTS),
    Kind("models", "*.safetensors", read_model, MODEL),
    Kind("evaluations", "evaluation.json", read_json, EVALUATION),
    Kind("outcomes", "outcome.json", read_json, OUTCOME),
    Kind("summaries", "*.json", read_json, SUMMARY),
    Kind("pictures, there", "*.png", lambda path: {}),
    Kind("inputs", "*", read_digest),
)
"""A file is of the first kind whose pattern fits."""


def flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - any JSON
    """Go through the leaves of nested tables and lists, each with its dotted path."""
    if isinstance(value, dict | list | tuple) and value:
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from flat(item, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def differences(
    before: Mapping[str, Any], after: Mapping[str, Any], changes: Changes
) -> Iterator[tuple[str, str]]:
    """List the names whose values differ, and how."""
    expected, found = (
        dict(changed(name, value, changes) for name, value in flat(held))
        for held in (before, after)
    )
    for name in dict.fromkeys([*expected, *found]):
        how = difference(expected.get(name, "(absent)"), found.get(name, "(absent)"))
        if how and not re.fullmatch(changes.ignored, name):
            yield name, how


def changed(name: str, value: Any, changes: Changes) -> tuple[str, Any]:  # noqa: ANN401 - a leaf
    """Give a value the name and the words of AFTER."""
    for old, new in changes.renamed:
        name = re.sub(old, new, name)
    for pattern, old, new in changes.reworded:
        if isinstance(value, str) and re.search(pattern, name):
            value = re.sub(old, new, value)
    return name, value


def difference(before: Any, after: Any) -> str:  # noqa: ANN401 - leaves
    """Describe how two values differ; an empty text where they are equal to the bit."""
    import numpy as np

    old, new = shown(before), shown(after)
    if old != new:
        alike = len(os.path.commonprefix([old, new]))  # noqa: RUF071 - of texts
        start = max(0, alike - 30)
        return f"{old[start:]:.120} -> {new[start:]:.120}"
    if not isinstance(before, np.ndarray) or (bits(before) == bits(after)).all():
        return ""
    unequal = bits(before) != bits(after)
    apart = np.abs(np.nan_to_num(before.astype(float)) - np.nan_to_num(after.astype(float))).max()
    return f"{unequal.sum()} of {unequal.size} values differ, by up to {apart:.3g}"


def shown(value: Any) -> str:  # noqa: ANN401 - a leaf
    """Write a value; of an array its type and shape."""
    return f"{value.dtype} {value.shape}" if hasattr(value, "dtype") else repr(value)


def bits(values: Any) -> Any:  # noqa: ANN401 - arrays
    """View an array as unsigned integers, in which one NaN equals another."""
    import numpy as np

    alike = np.where(np.isnan(values), np.nan, values).astype(values.dtype)
    return alike.view(f"u{values.itemsize}")


def files(run: Path) -> set[str]:
    """List the files of a run; folders behind links are not its own."""
    paths = (path.relative_to(run) for path in run.rglob("*") if path.is_file())
    return {str(path) for path in paths if path.parts[0] != OLD_MODELS}


def compare_runs(before: Path, after: Path, subset: bool, most: int) -> Counter[tuple[str, bool]]:
    """Print how the files of two runs differ, and count them by kind and by whether they do."""
    found, counted = files(after), Counter[tuple[str, bool]]()
    done = {name.split("/")[0] for name in found} - {"models", "inputs"}
    for name in sorted(files(before) | found):
        if subset and name not in found and name.split("/")[0] not in done:
            continue
        kind = next(kind for kind in KINDS if fnmatch(Path(name).name, kind.pattern))
        failures, notes = compare_files(kind, before / name, after / name)
        counted[kind.name, bool(failures)] += 1
        for word, lines in (("DIFFERS", failures), ("note", notes)):
            if lines:
                rest = [f"and {len(lines) - most} more"] if len(lines) > most else []
                print(f"{word}  {after / name}", *lines[:most], *rest, sep="\n    ")
    return counted


def compare_files(kind: Kind, before: Path, after: Path) -> tuple[list[str], list[str]]:
    """Compare two files; list what is wrong, and what is only noted."""
    for path, side in ((before, "BEFORE"), (after, "AFTER")):
        if not path.exists():
            return [f"missing {side}"], []
    failures: list[str] = []
    notes: list[str] = []
    for name, how in differences(kind.read(before), kind.read(after), kind.changes):
        noted = re.fullmatch(kind.changes.noted, name)
        (notes if noted else failures).append(f"{name}: {how}")
    return failures, notes


folder_type = click.Path(file_okay=False, path_type=Path)


@click.group()
def cli() -> None:
    """Run the jobs, or compare two runs of them."""


@cli.command()
@click.argument("out", type=folder_type)
@click.option("--scenes", type=folder_type, help="Folder of labelled scenes.")
@click.option("--rasters", type=folder_type, help="Folder of rasters, with edge/ and series/.")
@click.option("--models", type=folder_type, help="A run BEFORE whose models are applied, too.")
@click.option("--only", default="*", help="Pattern of job names.")
def make(
    out: Path, scenes: Path | None, rasters: Path | None, models: Path | None, only: str
) -> None:
    """Run all jobs into the new folder OUT."""
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    import torch

    import anomvae

    torch.set_num_threads(1)
    warnings.simplefilter("always")  # a job prints the same, whatever ran before
    warnings.formatwarning = lambda text, kind, *_: f"{kind.__name__}: {text}\n"
    checkout, out = Path(str(anomvae.__file__)).parents[1], out.resolve()
    print(f"anomvae {anomvae.__version__} in {checkout}")
    old = None if models is None else models.resolve() / "models"
    chosen = [job for job in jobs(scenes, rasters) if fnmatch(job.name, only)]
    write_inputs(out / "inputs", checkout / "data_samples")
    (out / "models").mkdir()
    run_jobs(chosen, out)
    if old is not None:
        (out / OLD_MODELS).mkdir()
        (out / OLD_MODELS / "inputs").symlink_to(out / "inputs")
        (out / OLD_MODELS / "models").symlink_to(old)
        run_jobs([job for job in chosen if " -m " in job.command], out / OLD_MODELS)


@cli.command()
@click.argument("before", type=folder_type)
@click.argument("after", type=folder_type)
@click.option("--subset", is_flag=True, help="AFTER holds only some of the jobs.")
@click.option("--most", default=8, show_default=True, help="Lines for each file that differs.")
def compare(before: Path, after: Path, subset: bool, most: int) -> None:
    """Compare the run AFTER with the run BEFORE; exit with 1 if a result differs."""
    warnings.simplefilter("ignore")  # of rasters without a georeference
    counted = {after: compare_runs(before, after, subset, most)}
    if (again := after / OLD_MODELS).exists():
        counted[again] = compare_runs(before, again, subset=True, most=most)
    for run_folder, counts in counted.items():
        print(f"\n{run_folder}")
        for kind in KINDS:
            equal, differ = counts[kind.name, False], counts[kind.name, True]
            print(f"    {kind.name:16}  {equal:5} equal  {differ:5} differ")
    if any(differs for counts in counted.values() for (_, differs) in counts):
        raise SystemExit(1)


if __name__ == "__main__":
    cli()
