"""What a scene shows of an event: the strongest object that meets it, and the scene as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .event import Band, Cluster, Evidence
from .outcomes import Assessment
from .passes import ScenePass

if TYPE_CHECKING:
    from ...mapping import MapResult
    from ...objects import AnomalyObject, Objects

MOST_OBJECTS = 1000
"""Objects of a scene that are looked through, the strongest first."""


@dataclass(frozen=True)
class SceneEvidence:
    """Evidence of one scene; its objects are read once, when they are needed."""

    scene: ScenePass
    result: MapResult
    assessment: Assessment

    def __call__(self, cluster: Cluster) -> Evidence:
        """Return what the scene shows of a cluster; raises `FileError` of its objects file."""
        result, verdict = self.result, self.result.verdict
        strongest = next(self._meeting(cluster), None)
        return Evidence(
            scene=self.scene.source,
            day=self.scene.day.isoformat(),
            map=str(result.path),
            quicklook=str(result.files.quicklook) if result.drawn else None,
            valid=result.valid,
            flagged=result.flagged,
            threshold=result.threshold.value,
            objects=result.objects,
            reasons=self.assessment.reasons,
            in_domain=None if verdict is None else verdict.in_domain,
            doubts=() if verdict is None else verdict.reasons,
            **({} if strongest is None else _of_object(strongest)),
        )

    @cached_property
    def _objects(self) -> Objects:
        from ...objects import read_strongest_objects

        return read_strongest_objects(self.result.files.objects, MOST_OBJECTS)

    def _meeting(self, cluster: Cluster) -> Iterator[AnomalyObject]:
        """Yield the objects whose boxes meet that of a cluster, the strongest first."""
        from ...objects.items import DEGREES

        located = self._objects.provenance.coordinates == DEGREES
        box = None if cluster.geometry is None else box_of(cluster.geometry)
        top, bottom, left, right = cluster.box
        for item in self._objects.items:
            if located and box is not None and item.box is not None:
                if _meet(item.box, box):
                    yield item
            elif top <= item.peak[0] <= bottom and left <= item.peak[1] <= right:
                yield item  # without a place on Earth all scenes share one grid


def _of_object(item: AnomalyObject) -> dict[str, Any]:
    leading = () if item.explanation is None else item.explanation.leading
    bands = tuple(Band(*band) for band in leading)
    return {
        "score_max": item.score_max,
        "margin": item.margin,
        "p": item.p,
        "peak": item.peak,
        "object_px": item.area_px,
        "bands": bands,
    }


def box_of(geometry: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """Return west, south, east, north of a geometry of GeoJSON."""
    corners = list(_corners(geometry["coordinates"]))
    longitudes, latitudes = zip(*corners, strict=True)
    return min(longitudes), min(latitudes), max(longitudes), max(latitudes)


def _corners(coordinates: Any) -> Iterator[tuple[float, float]]:  # noqa: ANN401 - JSON
    if isinstance(coordinates[0], int | float):
        yield coordinates[0], coordinates[1]
        return
    for part in coordinates:
        yield from _corners(part)


def _meet(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    west, south, east, north = one
    left, low, right, high = other
    return west <= right and left <= east and south <= high and low <= north
