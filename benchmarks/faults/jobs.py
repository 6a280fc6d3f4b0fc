"""The commands that are disturbed, and their results without disturbance."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.faults.commands import Command, called
from benchmarks.faults.inputs import QUICK, first_scene, write_model, write_scenes, write_watch
from benchmarks.faults.results import Files, alert_keys, files_in

NAMES = ("train", "score", "detect", "monitor")
MODEL = "vae.safetensors"


@dataclass(frozen=True)
class Job:
    """A command whose results are known."""

    name: str
    inputs: Path
    seconds: float
    """Duration of an undisturbed run."""
    results: Files
    """Of an undisturbed run."""
    older: Files
    """Of a run with other settings, which may lie in the folder before; of `monitor` none."""
    alerts: Sequence[str]
    """Keys of the alerts."""

    @classmethod
    def of(cls, name: str, inputs: Path) -> Job:
        """Read a job that `write_jobs` prepared."""
        folder = inputs / name
        noted = json.loads((folder / "noted.json").read_text())
        results, older = files_in(folder / "new"), files_in(folder / "old")
        return cls(name, inputs, noted["seconds"], results, older, noted["alerts"])

    def begin(self, out: Path, *, older: bool = False) -> list[str | Path]:
        """Set up the folder of the results; return the arguments of the command."""
        if older and self.older:
            shutil.copytree(self.inputs / self.name / "old", out)
        out.mkdir(exist_ok=True, parents=True)
        return arguments(self.name, self.inputs, out)


def arguments(name: str, inputs: Path, out: Path, *changes: str) -> list[str | Path]:
    """Return the arguments of a command that writes into ``out``."""
    scene = first_scene(inputs)
    if name == "train":
        options: list[str | Path] = ["-o", out / "model.safetensors", "--overwrite", *QUICK]
        return ["train", inputs / "normal.tif", *options, *changes]
    if name == "score":
        return ["score", scene, "-m", inputs / MODEL, "-o", out, "--overwrite", *changes]
    if name == "detect":
        return ["detect", scene, "-o", out, "--overwrite", *QUICK, *changes]
    out.mkdir(exist_ok=True, parents=True)
    return ["monitor", "run", write_watch(out, inputs)]


def write_jobs(inputs: Path) -> None:
    """Write scenes and a model, and run each command undisturbed."""
    write_scenes(inputs)
    # In a process of its own: one that has run torch is not forked.
    warm = multiprocessing.get_context("fork").Process(target=_warm_up, args=(inputs,))
    warm.start()
    warm.join()
    import_all(inputs)
    for name in NAMES:
        old, new = (inputs / name / which for which in ("old", "new"))
        if name != "monitor":
            changes = ("--threshold", "fixed:9") if name != "train" else ("--seed", "1")
            _run(arguments(name, inputs, old, *changes))
        seconds, out = _run(arguments(name, inputs, new))
        alerts = alert_keys([out]) if name == "monitor" else []
        noted = json.dumps({"seconds": seconds, "alerts": alerts})
        (inputs / name / "noted.json").write_text(noted)


def write_scored(inputs: Path) -> None:
    """Write scenes and a model, and score a scene in this process."""
    write_scenes(inputs)
    write_model(inputs)
    called(*arguments("score", inputs, inputs / "score" / "new")).expect(0)
    (inputs / "score" / "noted.json").write_text(json.dumps({"seconds": 0, "alerts": []}))


def import_all(inputs: Path) -> None:
    """Import what the commands import, once for all forks of this process."""
    for name in json.loads((inputs / "modules.json").read_text()):
        with suppress(Exception):  # a module that another one makes
            importlib.import_module(name)


def _warm_up(inputs: Path) -> None:
    """Train the model; run each command in this process, and note what it imports."""
    torch.set_num_threads(1)
    write_model(inputs)
    for name in NAMES:
        called(*arguments(name, inputs, inputs / name / "warm")).expect(0)
    (inputs / "modules.json").write_text(json.dumps(list(sys.modules)))


def _run(arguments: Sequence[str | Path]) -> tuple[float, str]:
    with tempfile.TemporaryDirectory() as log:
        command = Command.start(Path(log), arguments)
        ran = command.wait(120).expect(0)
    return time.monotonic() - command.started, ran.out
