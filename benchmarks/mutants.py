"""Count the small changes of the code that its tests detect.

A mutant is a module with one changed comparison, operator or number.  The module's own tests kill
it by failing, or by taking too long; a survivor shows what none of them checks.  The draw depends
on the seed and on the changed expression, not on its position, so two versions of the code are
measured on nearly the same mutants.  Each verdict is appended as a JSON line, with which an
interrupted run continues::

    python benchmarks/mutants.py --seed 0 --each 6 --root CHECKOUT -o mutants.json

Modules of the checkout change during the run; each is restored at once, even on an interrupt.
"""

from __future__ import annotations

import ast
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import click

MODULES = {  # concept: (the module's path, paths of its tests); globs, old and new layout
    "bands": ("anomvae/**/bands.py", "tests/**/test_bands.py"),
    "tiling": ("anomvae/**/tiling.py", "tests/**/test_tiling.py"),
    "views": ("anomvae/pixels.py anomvae/**/views.py", "tests/test_pixels.py tests/test_views.py"),
    "thresholds": ("anomvae/**/thresholds.py", "tests/**/test_thresholds.py"),
    "rx": ("anomvae/**/rx.py", "tests/**/test_rx.py"),
    "noise": ("anomvae/**/noise.py", "tests/**/test_noise.py"),
    "metrics": ("anomvae/**/metrics.py", "tests/**/test_metrics.py"),
    "context": ("anomvae/**/context.py", "tests/**/test_context.py"),
    "local contrast": (
        "anomvae/prominence.py anomvae/**/local_contrast.py",
        "tests/**/test_prominence.py tests/**/test_local_contrast.py",
    ),
    "bottlenecks": ("anomvae/models/bottlenecks.py", "tests/**/test_bottlenecks.py"),
    "codebook": ("anomvae/models/codebook.py", "tests/**/test_codebook.py"),
    "values": (
        "anomvae/raster/values.py",
        "tests/**/test_raster_reader.py tests/**/test_dataset.py",
    ),
    "polygons": ("anomvae/raster/polygons.py", "tests/**/test_raster_masks.py"),
    "labelling": ("anomvae/objects/labelling.py", "tests/**/test_objects.py"),
    "model file": ("anomvae/**/modelfile.py", "tests/**/test_modelfile.py"),
    "configuration": ("anomvae/config/reading.py", "tests/**/test_config.py"),
    "sources": ("anomvae/monitoring/sources.py", "tests/**/test_monitoring_sources.py"),
    "folder": ("anomvae/monitoring/folder.py", "tests/**/test_monitoring_[ps]*.py"),
    "outbox": ("anomvae/monitoring/outbox.py", "tests/**/test_monitoring_alerts.py"),
}

PAIRS = (
    (ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq), (ast.Is, ast.IsNot),
    (ast.In, ast.NotIn), (ast.Add, ast.Sub), (ast.Mult, ast.Div), (ast.FloorDiv, ast.Mod),
    (ast.BitAnd, ast.BitOr), (ast.LShift, ast.RShift), (ast.And, ast.Or),
)  # fmt: skip
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    **{one: other for pair in PAIRS for one, other in (pair, pair[::-1])},
    ast.Pow: ast.Mult,
}
KINDS = {"ops": "comparison", "op": "operator", "value": "number"}  # by the field that is changed


class Target(NamedTuple):
    """A module and the tests that belong to it, paths relative to the checkout."""

    concept: str
    path: str
    tests: tuple[str, ...]


class Mutant(NamedTuple):
    """A module with one change: the expression before and after, and the index of equal changes."""

    kind: str
    line: int
    change: tuple[str, str, int]
    source: str


@dataclass(frozen=True)
class Verdict:
    """The result of the tests on a mutant; a line of the file."""

    commit: str
    concept: str
    path: str
    line: int
    before: str
    after: str
    repeat: int
    """Index among the equal changes of the module."""
    result: str
    """``killed``, ``timeout`` (also killed) or ``survived``."""
    seconds: float
    note: str = ""
    """Written by hand, for a survivor: equivalent, killed by other tests, or a gap."""


def targets(root: Path) -> list[Target]:
    """Return the modules and tests of `MODULES` in a checkout."""
    matched = []
    for concept, (module, tests) in MODULES.items():
        paths, files = _matches(root, module), _matches(root, tests)
        if len(paths) != 1 or not files:
            raise click.ClickException(
                f"{concept}: found modules {paths} and tests {files}, expected one module and "
                "at least one test. Correct the paths in MODULES."
            )
        matched.append(Target(concept, paths[0], tuple(files)))
    return matched


def _matches(root: Path, globs: str) -> list[str]:
    return sorted({str(p.relative_to(root)) for glob in globs.split() for p in root.glob(glob)})


def draw_mutants(text: str, seed: int, each: int) -> list[Mutant]:
    """Draw mutants of a module, alternating kinds; a longer draw starts with the shorter one."""
    drawn = sorted(mutants(text), key=lambda m: random.Random(f"{seed} {m.change}").random())
    kinds = [[m for m in drawn if m.kind == kind] for kind in KINDS.values()]
    return [m for turn in zip_longest(*kinds) for m in turn if m is not None][:each]


def mutants(text: str) -> Iterator[Mutant]:
    """Yield every mutant of a module, in source order."""
    tree = ast.parse(text)
    equal: Counter[tuple[str, str]] = Counter()
    for node, parent in _expressions(tree):
        expression = parent if isinstance(node, ast.Constant) else node
        for field, value in _changes(node):
            before, original = ast.unparse(expression), getattr(node, field)
            setattr(node, field, value)
            after, source = ast.unparse(expression), ast.unparse(tree)
            setattr(node, field, original)
            yield Mutant(KINDS[field], node.lineno, (before, after, equal[before, after]), source)
            equal[before, after] += 1


def _expressions(parent: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, ast.AST]]:
    """Yield every node outside annotations, with its parent."""
    for field, value in ast.iter_fields(parent):
        if field not in ("annotation", "returns"):
            for node in value if isinstance(value, list) else [value]:
                if isinstance(node, ast.expr | ast.stmt):
                    yield node, parent
                if isinstance(node, ast.AST):
                    yield from _expressions(node)


def _changes(node: ast.AST) -> list[tuple[str, object]]:
    """Return the possible changes of a node: field names and new values."""
    match node:
        case ast.Compare(ops=ops):
            return [("ops", [*ops[:i], SWAPS[type(op)](), *ops[i + 1 :]])
                    for i, op in enumerate(ops)]  # fmt: skip
        case ast.BinOp(op=op) | ast.AugAssign(op=op) | ast.BoolOp(op=op) if type(op) in SWAPS:
            return [("op", SWAPS[type(op)]())]
        case ast.Constant(value=float(value)):
            return [("value", 2 * value or 1.0)]
        case ast.Constant(value=int(value)) if not isinstance(value, bool):
            return [("value", value + 1)]
    return []


@contextmanager
def replaced(path: Path, source: str) -> Iterator[None]:
    """Replace a file during a block; then restore its text and its times."""
    original, times = path.read_bytes(), path.stat()
    try:
        path.write_text(source, encoding="utf-8")
        yield
    finally:
        path.write_bytes(original)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def run_tests(root: Path, tests: Sequence[str], limit: float | None) -> str:
    """Run tests in a checkout for at most ``limit`` seconds."""
    pytest = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    process = subprocess.Popen([*pytest, *tests, "-m", "not slow"],
                               cwd=root, env=environment(root), start_new_session=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        return "killed" if process.wait(limit) else "survived"
    except subprocess.TimeoutExpired:
        return "timeout"
    finally:  # also its servers and workers
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def environment(root: Path) -> dict[str, str]:
    """Return variables that select the checkout's package and repeatable examples."""
    return os.environ | {
        "PYTHONPATH": str(root),
        "PYTHONDONTWRITEBYTECODE": "1",  # else a mutant's bytecode remains
        "OMP_NUM_THREADS": "1",
        "CI": "1",  # Hypothesis draws the same examples, keeps none and sets no deadline
    }


def verdicts_on(
    root: Path, target: Target, drawn: Sequence[Mutant], commit: str, done: Sequence[Verdict]
) -> Iterator[Verdict]:
    """Yield a verdict on each mutant of a module; run the tests unless it is in ``done``."""
    known = {(v.commit, v.path, v.before, v.after, v.repeat): v for v in done}
    limit = None
    for mutant in drawn:
        verdict = known.get((commit, target.path, *mutant.change))
        if verdict is None:
            limit = limit or time_limit(root, target)
            result, seconds = run_mutant(root, target, mutant.source, limit)
            origin = (commit, target.concept, target.path, mutant.line)
            verdict = Verdict(*origin, *mutant.change, result, seconds)
        yield verdict


def time_limit(root: Path, target: Target) -> float:
    """Return 3 times the duration of the tests of the unchanged module, plus 10 s."""
    unchanged = ast.unparse(ast.parse((root / target.path).read_text(encoding="utf-8")))
    result, seconds = run_mutant(root, target, unchanged, None)
    if result != "survived":
        raise click.ClickException(f"{' '.join(target.tests)} must pass on the unchanged module.")
    return 3 * seconds + 10


def run_mutant(root: Path, target: Target, source: str, limit: float | None) -> tuple[str, float]:
    """Run a module's tests on another source; return the result and the seconds."""
    start = time.monotonic()
    with replaced(root / target.path, source):
        result = run_tests(root, target.tests, limit)
    return result, round(time.monotonic() - start, 2)


def clean_commit(root: Path) -> str:
    """Return the commit of a checkout; raise if its package or tests have changes."""
    git = ["git", "-C", str(root)]
    status = subprocess.check_output([*git, "status", "--porcelain", "--", "anomvae", "tests"])
    if status:
        raise click.ClickException(
            f"{root} has uncommitted changes in its package or tests:\n{status.decode()}"
            "Commit them first, or name another checkout with --root."
        )
    python = [sys.executable, "-c", "import anomvae; print(anomvae.__file__)"]
    package = subprocess.check_output(python, cwd=root, env=environment(root), text=True)
    if not Path(package.strip()).is_relative_to(root):
        raise click.ClickException(f"Python imports {package.strip()}, expected one in {root}.")
    subprocess.run([sys.executable, "-m", "compileall", "-q", "anomvae"], cwd=root, check=True)
    return subprocess.check_output([*git, "rev-parse", "--short=10", "HEAD"], text=True).strip()


def print_table(verdicts: Sequence[Verdict]) -> None:
    """Print a Markdown table of modules, and the survivors."""
    survivors = [verdict for verdict in verdicts if verdict.result == "survived"]
    drawn, left = (Counter(v.concept for v in some) for some in (verdicts, survivors))
    print("\n| module | mutants | killed |\n|---|---|---|")
    for concept, count in drawn.items():
        print(f"| {concept} | {count} | {count - left[concept]} |")
    print(f"| all | {len(verdicts)} | {len(verdicts) - len(survivors)} |\n")
    for v in survivors:
        print(f"{v.path}:{v.line}: {v.before}  ->  {v.after}" + (f"  ({v.note})" if v.note else ""))


@click.command()
@click.option("--seed", default=0, show_default=True, help="Seed of the draw.")
@click.option(
    "--each", default=6, show_default=True, help="Maximum number of mutants of each module."
)
@click.option("--root", type=click.Path(path_type=Path, exists=True), default=Path(),
              help="The checkout to measure; the current folder by default.")  # fmt: skip
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False),
              help="JSON file of verdicts; it is continued.")  # fmt: skip
def main(seed: int, each: int, root: Path, out: Path | None) -> None:
    """Count the small changes of the code that make its tests fail."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the file is restored
    root = root.resolve()
    commit, chosen = clean_commit(root), targets(root)
    lines = out.read_text(encoding="utf-8").splitlines() if out and out.exists() else []
    done = [Verdict(**json.loads(line)) for line in lines]
    verdicts = []
    for target in chosen:
        drawn = draw_mutants((root / target.path).read_text(encoding="utf-8"), seed, each)
        for verdict in verdicts_on(root, target, drawn, commit, done):
            print(f"{verdict.result:9}{verdict.path}:{verdict.line}", flush=True)
            verdicts.append(verdict)
            if out and verdict not in done:
                with out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(verdict)) + "\n")
    print_table(verdicts)


if __name__ == "__main__":
    main()
