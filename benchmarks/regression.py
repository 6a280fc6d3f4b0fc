"""Check that a refactor changes no result: run the same jobs before and after, and compare.

``make`` runs the jobs of `benchmarks.regressionjobs` through the command line of the anomvae that
Python imports (PYTHONPATH chooses it), in turn, in one process, on one thread, with fixed seeds.
``compare`` compares two such folders file by file and exits with 1 if a result differs::

    python benchmarks/regression.py make BEFORE --scenes DIR --rasters DIR
    python benchmarks/regression.py make AFTER --scenes DIR --rasters DIR --models BEFORE
    python benchmarks/regression.py compare BEFORE AFTER

Pixels, tensors and numbers must be equal to the bit; the tables of `Changes` list the names that a
refactor changes on purpose.  Differences in printed text are listed, but are no failure.  Make both
folders on one machine, because another processor rounds otherwise.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout needs no install

from benchmarks.regressionjobs import jobs, run_jobs, write_inputs
from benchmarks.regressionreaders import (
    read_digest,
    read_json,
    read_model,
    read_objects,
    read_raster,
)

del sys.path[0]  # anomvae is the one that PYTHONPATH chooses

OLD_MODELS = "scored-by-old-models"


@dataclass(frozen=True)
class Changes:
    """Differences between two sets of named values that are intended, or do not count.

    A name is a dotted path such as ``card.bands.items.0.name``.  All are regular expressions.  Both
    sides get the new names and texts, so that two runs of BEFORE can be compared; therefore no
    pattern matches its own replacement.
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
        (r"^tensors\.model\.context_network\.unseen$", "tensors.model.context_network.missing"),
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


@dataclass(frozen=True)
class Kind:
    """Files that are read and compared in one way."""

    name: str
    """In the report."""
    pattern: str
    """Of file names."""
    read: Callable[[Path], dict[str, Any]]
    """Returns the values to compare."""
    changes: Changes = Changes()
    """Allowed differences."""


KINDS = (
    Kind("maps", "*.anomaly.tif", read_raster, MAP),
    Kind("flags", "*.flags.tif", read_raster, MAP),
    Kind("objects", "*.objects.geojson", read_objects, OBJECTS),
    Kind("models", "*.safetensors", read_model, MODEL),
    Kind("evaluations", "evaluation.json", read_json, EVALUATION),
    Kind("outcomes", "outcome.json", read_json, OUTCOME),
    Kind("summaries", "*.json", read_json, SUMMARY),
    Kind("quick looks", "*.png", lambda path: {}),
    Kind("inputs", "*", read_digest),
)
"""The first kind whose pattern matches reads a file; quick looks need only exist."""


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - any JSON
    """Yield each leaf of nested tables and lists, with its dotted path."""
    if isinstance(value, dict | list | tuple) and value:
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def differences(
    before: Mapping[str, Any], after: Mapping[str, Any], changes: Changes
) -> Iterator[tuple[str, str]]:
    """Yield the names whose values differ, and how."""
    old, new = (
        dict(changed(name, value, changes) for name, value in leaves(values))
        for values in (before, after)
    )
    for name in dict.fromkeys([*old, *new]):
        how = difference(old.get(name, "(absent)"), new.get(name, "(absent)"))
        if how and not re.fullmatch(changes.ignored, name):
            yield name, how


def changed(name: str, value: Any, changes: Changes) -> tuple[str, Any]:  # noqa: ANN401 - a leaf
    """Return a name and its value in the words of AFTER."""
    for old, new in changes.renamed:
        name = re.sub(old, new, name)
    for pattern, old, new in changes.reworded:
        if isinstance(value, str) and re.search(pattern, name):
            value = re.sub(old, new, value)
    return name, value


def difference(before: Any, after: Any) -> str:  # noqa: ANN401 - leaves
    """Describe how two values differ; an empty text where they are equal to the bit."""
    import numpy as np

    old, new = describe(before), describe(after)
    if old != new:
        common = len(os.path.commonprefix([old, new]))  # noqa: RUF071 - of texts
        start = max(0, common - 30)
        return f"{old[start:]:.120} -> {new[start:]:.120}"
    if not isinstance(before, np.ndarray) or (bits(before) == bits(after)).all():
        return ""
    unequal = bits(before) != bits(after)
    most = np.abs(np.nan_to_num(before.astype(float)) - np.nan_to_num(after.astype(float))).max()
    return f"{unequal.sum()} of {unequal.size} values differ, by up to {most:.3g}"


def describe(value: Any) -> str:  # noqa: ANN401 - a leaf
    """Write a value as text; of an array only type and shape."""
    return f"{value.dtype} {value.shape}" if hasattr(value, "dtype") else repr(value)


def bits(values: Any) -> Any:  # noqa: ANN401 - arrays
    """View an array as unsigned integers, in which one NaN equals another."""
    import numpy as np

    one_nan = np.where(np.isnan(values), np.nan, values).astype(values.dtype)
    return one_nan.view(f"u{values.itemsize}")


def files(run: Path) -> set[str]:
    """Return the files of a run, without those behind links."""
    paths = (path.relative_to(run) for path in run.rglob("*") if path.is_file())
    return {str(path) for path in paths if path.parts[0] != OLD_MODELS}


def compare_runs(before: Path, after: Path, subset: bool, most: int) -> Counter[tuple[str, bool]]:
    """Print the differences of two runs; count files by kind and by whether they differ."""
    present, counted = files(after), Counter[tuple[str, bool]]()
    done = {name.split("/")[0] for name in present} - {"models", "inputs"}
    for name in sorted(files(before) | present):
        if subset and name not in present and name.split("/")[0] not in done:
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
    """Compare two files; return the failures and the notes."""
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
@click.option("--models", type=folder_type, help="A run BEFORE whose models score, too.")
@click.option("--only", default="*", help="Pattern of job names.")
def make(
    out: Path, scenes: Path | None, rasters: Path | None, models: Path | None, only: str
) -> None:
    """Run all jobs into the new folder OUT."""
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    import torch

    import anomvae

    torch.set_num_threads(1)
    warnings.simplefilter("always")  # a job warns even if an earlier one did
    warnings.formatwarning = lambda text, kind, *_: f"{kind.__name__}: {text}\n"
    checkout, out = Path(str(anomvae.__file__)).parents[1], out.resolve()
    print(f"anomvae {anomvae.__version__} in {checkout}")
    old = None if models is None else models.resolve() / "models"
    selected = [job for job in jobs(scenes, rasters) if fnmatch(job.name, only)]
    write_inputs(out / "inputs", checkout / "data_samples")
    (out / "models").mkdir()
    run_jobs(selected, out)
    if old is not None:
        (out / OLD_MODELS).mkdir()
        (out / OLD_MODELS / "inputs").symlink_to(out / "inputs")
        (out / OLD_MODELS / "models").symlink_to(old)
        run_jobs([job for job in selected if " -m " in job.command], out / OLD_MODELS)


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
