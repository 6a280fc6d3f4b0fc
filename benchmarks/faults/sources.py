"""Hostile catalogues, names and times: nothing stops the other scenes and sites."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.faults.bytes import changed
from benchmarks.faults.commands import called
from benchmarks.faults.documents import mutated_json
from benchmarks.faults.inputs import first_scene
from benchmarks.faults.jobs import MODEL, write_scored
from benchmarks.faults.kind import Attempt, FaultFound, Kind
from benchmarks.faults.watched import Watch, hard_folder

PARTS = ("scene", "", "地" * 40, "é", "-", "--help", "\n", "\t", "\x1b[2J", "%s", "{0}", "'", '"',
         "*", "?", "[1]", " ", ".", "..", "\\", "$(x)", ";", "&", "=1+1", "\u202e", "con",
         "\U0001f6f0", "a" * 100, "x" * 240, "e\u0301", "/vsimem", ":", "http:")  # fmt: skip
RAW = (b"\xff", b"\xe9", b"\xed\xa0\x80", b"\x80")


def item(name: str, href: str) -> dict[str, Any]:
    """Return a STAC item of one asset."""
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": "archive",
        "geometry": {"type": "Point", "coordinates": [14.0, 50.0]},
        "bbox": [14.0, 50.0, 14.1, 50.1],
        "properties": {"datetime": "2025-05-31T10:00:00Z", "eo:cloud_cover": 10},
        "links": [{"rel": "root", "href": "./catalog.json"}],
        "assets": {"data": {"href": href, "type": "image/tiff", "roles": ["data"]}},
    }


def _with_catalogue(inputs: Path, rng: Random, scratch: Path) -> int:
    """List a healthy item and damaged ones in a catalogue."""
    names = ["bad1.json", "bad2.json"]
    names.insert(rng.randrange(3), "good.json")
    names += rng.choice([[], ["good.json"], ["bad1.json"], ["missing.json"]])
    for name in sorted({*names} - {"missing.json"}):
        document = item(name.removesuffix(".json"), f"./{name}.tif")
        shutil.copy(first_scene(inputs), scratch / f"{name}.tif")
        good = name == "good.json"
        text = json.dumps(document).encode() if good else _mutated_item(document, rng)
        (scratch / name).write_bytes(text)
    links = [{"rel": "item", "href": f"./{name}"} for name in names]
    catalogue = {"type": "Catalog", "stac_version": "1.0.0", "id": "archive", "description": "x"}
    whole = rng.random() < 0.85
    document = catalogue | {"links": links}
    text = json.dumps(document).encode() if whole else mutated_json(document, rng)
    (scratch / "catalog.json").write_bytes(text)
    filters = {"days": 99, "bbox": [13, 49, 15, 51], "max_cloud": 50}
    chosen = {key: value for key, value in filters.items() if rng.random() < 0.5}
    stac = {"url": str(scratch / "catalog.json"), "assets": ["data"], **chosen}
    watch = Watch.of(scratch / "watch", inputs, {"stac": stac})
    messages = watch.run().messages
    if (
        whole
        and "missing.json" not in names
        and not any("good" in s for s in watch.done("hostile"))
    ):
        raise FaultFound("lost", f"a healthy item is not scored: {' '.join(messages)}")
    return 0


def _mutated_item(document: dict[str, Any], rng: Random) -> bytes:
    if rng.random() < 0.3:
        return mutated_json(document, rng)
    for key in rng.sample(["id", "properties", "bbox", "assets", "collection"], 2):
        part = {key: document[key]}
        changed(part, rng)
        document = {name: each for name, each in document.items() if name != key} | part
    return json.dumps(document).encode()


def hostile_name(rng: Random) -> bytes:
    """Draw a file name that a file system accepts."""
    text = "".join(rng.choice(PARTS) for _ in range(rng.choice([1, 2, 3]))).replace("/", "")
    name = text.encode()
    if rng.random() < 0.25:
        name += rng.choice(RAW)
    return name[: rng.choice([50, 251])] + b".tif"


def _with_names(inputs: Path, rng: Random, scratch: Path) -> int:
    """Name scenes strangely, beside one with a usual name in the same folder."""
    folder = scratch / "in"
    folder.mkdir()
    scene = (first_scene(inputs)).read_bytes()
    (folder / "good.tif").write_bytes(scene)
    names = [hostile_name(rng) for _ in range(3)]
    for name in names:
        with suppress(OSError):  # the file system refuses it
            Path(os.fsdecode(bytes(folder) + b"/" + name)).write_bytes(scene)
    watch = Watch.of(
        scratch / "watch", inputs, {"folder": {"path": str(folder), "stable_seconds": 0}}
    )
    messages = watch.run().messages
    if "good.tif" not in watch.done("hostile"):
        raise FaultFound("lost", f"good.tif is not scored beside {names}: {' '.join(messages)}")
    if rng.random() < 0.1:
        path = folder / os.fsdecode(names[0])
        ran = called("score", "-m", inputs / MODEL, "-o", scratch / "maps", "--", path)
        ran.expect(0, 2, 3)
    return 0


def _with_times(inputs: Path, rng: Random, scratch: Path) -> int:
    """Give scenes times of change far from now."""
    with tempfile.TemporaryDirectory(dir=hard_folder()) as name:
        folder = Path(name)
        for stem in ("good", "a", "b"):
            shutil.copy(first_scene(inputs), folder / f"{stem}.tif")
        for stem in ("a", "b"):
            seconds = rng.choice([-62135596801, -62135596800, -1, 0, 2**31, 253402300799,
                                  253402300800, 2**33 * 1000, -(2**35), 10**15])  # fmt: skip
            time = seconds * 10**9 + rng.choice([0, 1, 999_999_999])
            with suppress(OSError, OverflowError):  # the file system refuses it
                os.utime(folder / f"{stem}.tif", ns=(0, time))
        site = {"folder": {"path": str(folder), "stable_seconds": rng.choice([0, 60])}}
        os.utime(folder / "good.tif", (0, 1_700_000_000))
        watch = Watch.of(scratch / "watch", inputs, site)
        messages = watch.run().messages
        if "good.tif" not in watch.done("hostile"):
            raise FaultFound("lost", f"good.tif is not scored: {' '.join(messages)}")
        called("score", folder / "a.tif", "-m", inputs / MODEL, "-o", scratch / "maps").expect(0, 3)
    return 0


def _begin(attempt: Any, inputs: Path) -> Attempt:  # noqa: ANN401 - a function of three
    return partial(attempt, inputs)


KINDS = tuple(
    Kind(name, "others", share, write_scored, partial(_begin, attempt))
    for name, share, attempt in (
        ("stac", 0.1, _with_catalogue),
        ("names", 0.05, _with_names),
        ("times", 0.02, _with_times),
    )
)
