"""The files that a command leaves in a folder: whole, equal to those of an undisturbed run."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from anomvae.files import HIDDEN
from anomvae.monitoring.decisions import candidates
from anomvae.monitoring.decisions.map_file import END, DamagedMap, opened_map
from benchmarks.faults.kind import FaultFound

FEED = "alerts.geojson"
NO_RESULTS = ("state", "watch.toml")

Files = Mapping[str, bytes]
"""Content by path in the folder, without what differs from run to run: times, folders, and numbers
of events, which depend on the order in which scenes are done."""


def files_in(folder: Path) -> dict[str, bytes]:
    """Read the results that a reader finds in a folder."""
    paths = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {
        name.as_posix(): _content(path)
        for name, path in sorted(paths.items())
        if name.parts[0] not in NO_RESULTS and not any(p.startswith(HIDDEN) for p in name.parts)
    }


def require_whole(found: Files, *runs: Files) -> None:
    """Require that each file is one of a complete run, and that a summary has its other files."""
    for name, content in found.items():
        if not any(_is_whole(name, content, run) for run in runs):
            raise FaultFound("lost", f"{name} is half-made: {len(content)} bytes")
        if name.endswith(".json"):
            own = [run for run in runs if run.get(name) == content]
            if not any(_holds_scene(found, run, name) for run in own):
                raise FaultFound("lost", f"{name} is there, its maps are not of the same run")


def _is_whole(name: str, content: bytes, run: Files) -> bool:
    if name == FEED and name in run:  # it grows alert by alert
        return set(json.loads(content)) <= set(json.loads(run[name]))
    if name.endswith(END) and name in run:  # it grows scene by scene
        return _scenes(content) <= _scenes(run[name])
    return run.get(name) == content


def _holds_scene(found: Files, run: Files, summary: str) -> bool:
    stem = summary.removesuffix("json")
    own = (name for name in run if name.startswith(stem))
    results = (name for name in own if not name.endswith(candidates.END))  # made of these, later
    return all(found.get(name) == run[name] for name in results)


def require_equal(found: Files, expected: Files) -> None:
    """Require the results of an undisturbed run."""
    missing, more = sorted(expected.keys() - found), sorted(found.keys() - expected)
    if missing or more:
        raise FaultFound("lost", f"missing: {missing[:3]}, too many: {more[:3]}")
    different = [name for name in expected if found[name] != expected[name]]
    if different:
        raise FaultFound("silent", f"{different[:3]} differ from those of an undisturbed run")


def require_tidy(folder: Path) -> None:
    """Require that no hidden file is left after a run that ended."""
    left = [path.name for path in folder.rglob(f"{HIDDEN}*")]
    if left:
        raise FaultFound("lost", f"hidden files are left: {left[:3]}")


def alert_keys(texts: Iterable[str], *, killed: int = 0) -> list[str]:
    """Return the keys of the alerts that runs printed; the last line of a killed one may be cut."""
    keys = []
    for number, text in enumerate(texts):
        for line in text.splitlines(keepends=True):
            if line.endswith("\n"):
                keys.append(str(json.loads(line)["key"]))
            elif number >= killed:
                raise FaultFound("lost", f"an alert is cut: {line[-60:]!r}")
    return keys


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    if path.name.endswith(END):
        return _layers(path) or content
    if path.name == FEED:
        features = json.loads(content)["features"]
        return json.dumps(sorted(feature["id"] for feature in features)).encode()
    if path.suffix == ".json":
        try:
            summary = json.loads(content)
        except ValueError:
            return content
        return json.dumps(summary | {"seconds": 0}).encode()
    return content


def _layers(path: Path) -> bytes | None:
    """Return number of scenes and digest of the layers of a persistence map; None: damaged."""
    with opened_map(path) as map_:
        if map_ is None:
            return None
        rows, cols = map_.grid.shape
        try:
            history, event = map_.read((slice(0, rows), slice(0, cols)), map_.grid)
        except DamagedMap:
            return None
        digest = hashlib.sha256(np.stack([*history, event > 0]).tobytes()).hexdigest()
        return json.dumps({"scenes": map_.facts.count, "layers": digest}).encode()


def _scenes(content: bytes) -> float:
    """Return the number of scenes of a persistence map; infinity: it is damaged."""
    try:
        return int(json.loads(content)["scenes"])
    except ValueError:
        return math.inf
