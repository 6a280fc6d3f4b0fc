"""Mutated documents: configurations, masks of polygons, files of objects, summaries."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from anomvae.errors import AnomvaeError
from benchmarks.faults.bytes import as_json, changed, damaged
from benchmarks.faults.commands import called
from benchmarks.faults.inputs import DAYS, write_watch
from benchmarks.faults.jobs import Job, arguments, write_scored
from benchmarks.faults.kind import Attempt, FaultFound, Kind
from benchmarks.faults.results import files_in, require_equal

VALUES = ("nan", "inf", "-1", "0", "1e400", '""', "[]", "{}", "true", "1979-05-27", '"\\u0000"',
          "9" * 400, "[[[[1]]]]", '"auto"', "'''\nx'''", "[" * 300 + "]" * 300)  # fmt: skip
RING = [[15.0, 36.13], [15.01, 36.13], [15.01, 36.14], [15.0, 36.14], [15.0, 36.13]]
POLYGONS = {
    "type": "FeatureCollection",
    "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}},
    "features": [
        {
            "type": "Feature",
            "properties": {"name": "field"},
            "geometry": {"type": "Polygon", "coordinates": [RING]},
        },
        {
            "type": "Feature",
            "properties": None,
            "geometry": {
                "type": "GeometryCollection",
                "geometries": [{"type": "MultiPolygon", "coordinates": [[RING], [RING]]}],
            },
        },
    ],
}


def mutated_json(document: Any, rng: Random) -> bytes:  # noqa: ANN401 - JSON
    """Change values of a document, or bytes of its text."""
    copy = json.loads(json.dumps(document))
    for _ in range(rng.choice([1, 1, 2, 4])):
        changed(copy, rng, deep=True)
    text = as_json(copy, rng.choice([150, 990, 5_000, 100_000]))
    return damaged(text, rng) if rng.random() < 0.25 else text


def mutated_toml(text: str, rng: Random) -> bytes:
    """Change a line of a TOML document, or bytes of it."""
    if rng.random() < 0.3:
        return damaged(text.encode(), rng)
    lines = text.splitlines()
    for _ in range(rng.choice([1, 1, 2])):
        at = rng.randrange(len(lines))
        key, equals, _ = lines[at].partition("=")
        lines[at : at + 1] = rng.choice(
            [
                [f"{key}= {rng.choice(VALUES)}"] if equals else [],
                [f"{key}x {equals}= 1"],
                [lines[at], lines[at]],
                [rng.choice(["[x]", "[[site]]", "x.y.z = 1", "=", "[site.folder]", "\ufeff"])],
                [],
            ]
        )
    return "\n".join(lines).encode()


def _begin_detector(inputs: Path) -> Attempt:
    from anomvae.config import shipped

    text = (shipped("configs") / "default.toml").read_text(encoding="utf-8")

    def attempt(rng: Random, scratch: Path) -> int:
        (scratch / "c.toml").write_bytes(mutated_toml(text, rng))
        ran = called("config", "show", "--config", scratch / "c.toml").expect(0, 2, 3)
        if ran.code == 0 and ("nan" in ran.out or " inf" in ran.out):
            raise FaultFound("silent", "a value that is not finite is accepted")
        return 0

    return attempt


def _begin_monitoring(inputs: Path) -> Attempt:
    from anomvae.config import shipped

    commented = (shipped("configs") / "monitor.toml").read_text(encoding="utf-8")

    def attempt(rng: Random, scratch: Path) -> int:
        text = rng.choice([commented, write_watch(scratch, inputs).read_text()])
        (scratch / "watch.toml").write_bytes(mutated_toml(text, rng))
        called("monitor", "status", scratch / "watch.toml").expect(0, 2, 3)
        return 0

    return attempt


def _begin_polygons(inputs: Path) -> Attempt:
    from anomvae.raster import Scene
    from anomvae.raster.masks import open_normal

    with Scene.of(inputs / "normal.tif").open() as opened:
        where, shape = opened.newest.georeference, opened.grid.shape

    def attempt(rng: Random, scratch: Path) -> int:
        path = scratch / "normal.geojson"
        path.write_bytes(mutated_json(POLYGONS, rng))
        with _refused(3, 4), open_normal(path, where, "normal.tif") as mask:
            selected = mask.read((slice(0, shape[0]), slice(0, shape[1])))
            if selected.shape != shape or selected.dtype != np.bool_:
                raise FaultFound("silent", f"a mask of {selected.shape}, {selected.dtype}")
        return 0

    return attempt


class _refused:
    """Accept an error of ours with one of the codes."""

    def __init__(self, *codes: int) -> None:
        self.codes = codes

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        return isinstance(error, AnomvaeError) and error.exit_code in self.codes


def _begin_objects(inputs: Path) -> Attempt:
    from anomvae.objects import read_objects
    from anomvae.objects.items import objects_digest

    document = json.loads((inputs / "score" / "new" / f"{DAYS[0]}.objects.geojson").read_text())

    def attempt(rng: Random, scratch: Path) -> int:
        path = scratch / "x.objects.geojson"
        path.write_bytes(mutated_json(document, rng))
        objects_digest(path)
        with _refused(3):
            for item in read_objects(path).items:
                if not np.isfinite([item.area_px, item.score_max, item.score_mean]).all():
                    raise FaultFound("silent", f"object {item.id!r} has no finite numbers")
        return 0

    return attempt


def _begin_summaries(inputs: Path) -> Attempt:
    job = Job.of("score", inputs)
    return lambda rng, scratch: _with_summary(job, rng, scratch)


def _with_summary(job: Job, rng: Random, scratch: Path) -> int:
    """Damage a file of earlier results, then score again."""
    out = scratch / "out"
    shutil.copytree(job.inputs / "score" / "new", out)
    name = f"{DAYS[0]}.{rng.choice(['json', 'json', 'objects.geojson', 'anomaly.tif'])}"
    text = (out / name).read_bytes()
    damage: list[Callable[[], bytes]] = [lambda: damaged(text, rng, 0, 400)]
    if name.endswith(".json"):
        damage += 3 * [lambda: mutated_json(json.loads(text), rng)]
    (out / name).write_bytes(rng.choice(damage)())
    before = (out / name).read_bytes()
    ran = called(*arguments("score", job.inputs, out)).expect(0, 3)
    found = files_in(out)
    if ran.code == 0 and (out / name).read_bytes() != before:  # it was made anew
        require_equal(found, job.results)
    others = {key: value for key, value in job.results.items() if key != name}
    require_equal({key: found[key] for key in others if key in found}, others)
    return 0


KINDS = tuple(
    Kind(name, "others", share, write_scored, begin)
    for name, share, begin in (
        ("detector-toml", 0.16, _begin_detector),
        ("monitor-toml", 0.14, _begin_monitoring),
        ("polygons", 0.16, _begin_polygons),
        ("objects", 0.12, _begin_objects),
        ("earlier-results", 0.04, _begin_summaries),
    )
)
