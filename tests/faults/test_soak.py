"""A few dozen faults of each kind; `benchmarks/soak.py` makes thousands.

A failure names kind, seed and number of its try, with which soak.py repeats it.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.faults.kind import dice
from benchmarks.faults.table import KINDS
from benchmarks.faults.tries import make_try
from benchmarks.soak import selected, tries_of

ROOT = Path(__file__).parents[2]
SEED = 0
TRIES = {
    "model-bytes": 60,
    "model-header": 60,
    "model-card": 80,
    "model-tensors": 60,
    "tiff": 60,
    "tiff-command": 5,
    "detector-toml": 60,
    "monitor-toml": 40,
    "polygons": 80,
    "objects": 80,
    "earlier-results": 5,
    "stac": 25,
    "names": 25,
    "times": 15,
    "servers": 4,
    "equal": 2,
}
"""Tries in this process of each kind that needs no process of its own."""
FORKED = ("kill-train", "kill-score", "kill-detect", "kill-monitor", "disk-full")
FORKED += ("disk-read-only", "disk-pulled", "limits", "workers")
"""Kinds whose tries are forks of a process that has not run torch."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Write the inputs of kinds, each once."""
    written = {}

    def of(kind):
        if kind.prepare not in written:
            written[kind.prepare] = tmp_path_factory.mktemp("inputs")
            kind.prepare(written[kind.prepare])
        return written[kind.prepare]

    return of


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(sys.platform != "linux", reason="the faults are made by calls of Linux")
@pytest.mark.parametrize("part", ["first", pytest.param("others", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", TRIES)
def test_a_fault_in_the_input_is_refused_or_gives_the_right_result(name, part, inputs):
    (kind,) = selected(name)
    attempt = kind.begin(inputs(kind))
    first = range(max(1, TRIES[name] // 8))
    numbers = first if part == "first" else range(len(first), TRIES[name])

    tries = [make_try(kind, attempt, SEED, number) for number in numbers]

    wrong = [str(tried) for tried in tries if tried.wrong]
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the faults are made by calls of Linux")
@pytest.mark.parametrize("kinds", ["kills", "disk", "limits"])
def test_a_disturbed_run_leaves_whole_results_and_the_next_one_finishes(kinds):
    command = ["benchmarks/soak.py", "--only", kinds, "--seed", str(SEED), "--count", "5"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}

    ran = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True
    )

    assert ran.returncode == 0, ran.stderr


def test_every_kind_is_tried_here():
    assert {kind.name for kind in KINDS} == {*TRIES, *FORKED}


def test_a_try_is_drawn_from_kind_seed_and_number_alone():
    assert dice("tiff", 1, 2).random() == dice("tiff", 1, 2).random()
    assert len({dice(*key).random() for key in [("tiff", 1, 2), ("a", 1, 2), ("tiff", 2, 1)]}) == 3


def test_a_group_gets_at_least_as_many_tries_as_asked_for():
    for group in ("kills", "models", "tiffs", "others"):
        numbers = [tries_of(kind, 2_000) for kind in KINDS if kind.group == group]

        assert 2_000 <= sum(numbers) <= 2_000 + len(numbers)
