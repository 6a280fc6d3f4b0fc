"""The result of a scored scene, and its summary, a JSON file.  Nothing here needs torch."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..addresses import displayed
from ..documents import to_json
from ..notebooks import html_table, short
from ..stats.domain import Doubt, DoubtKind, SceneVerdict
from ..stats.drift import Drift, read_drift
from ..stats.sensitivity import Sensitivity
from ..stats.thresholds import Threshold
from .deliverables import Deliverables, summary_fields

LARGEST_PICTURE = 4_000_000
"""Bytes of a quick look that a notebook holds."""
PNG = b"\x89PNG\r\n\x1a\n"
RADIOMETRY_TAG = "ANOMVAE_RADIOMETRY"
"""The tag of a map whose scene was read otherwise than its files state."""


@dataclass(frozen=True)
class MapResult:
    """The result of scoring a scene."""

    scene: str
    """The scene as the user named it; in a summary, an URL has no log-in and no query."""
    files: Deliverables
    """The deliverables."""
    detector: str
    """Identity of the detector."""
    settings: str
    """Digest of the settings."""
    input: str
    """Digest of the bands and the input files."""
    digest: str
    """Digest of the `CacheKey`."""
    threshold: Threshold
    """The threshold, in the unit of the score."""
    pixels: int
    """Pixels of the scene."""
    valid: int
    """Pixels that have a score."""
    flagged: int
    """Pixels above the threshold."""
    objects: int
    """Objects that the objects file lists."""
    quantiles: Mapping[str, float]
    """Quantiles of the scores by level; empty where no pixel is valid."""
    seconds: float
    """Wall-clock time."""
    newly_written: bool = True
    """Whether this call wrote the deliverables; otherwise they were up to date."""
    drawn: bool = True
    """Whether there is a quick look; the other files do not depend on it."""
    p_values: bool = False
    """Whether there is a map of p-values."""
    explained: bool = False
    """Whether there is a map of why pixels score as they do."""
    verdict: SceneVerdict | None = None
    """Whether the scene looks like the training scenes; None where nothing is known of these."""
    masked: int = 0
    """Pixels that have data and are hidden by a mask."""
    radiometry: tuple[str, ...] = ()
    """What the data decided about how the values are stored; empty: they are as the files state."""
    sensitivity: Sensitivity | None = None
    """How much of a pixel an object must fill to be found; None where it was not measured."""
    meaning: str = ""
    """Definition of the score, one line; empty in summaries of earlier versions."""
    styled: bool = False
    """Whether its layers have styles beside them."""
    package: bool = False
    """Whether there is a GeoPackage of the objects."""
    item: bool = False
    """Whether there is a STAC item."""
    drift: Drift | None = None
    """How far it lies from the training scenes; None where that was not measured."""

    def __repr__(self) -> str:
        """Return one line: the scene, and what was found in it."""
        return (
            f"MapResult({short(self.scene)}: {self.flagged} of {self.valid} pixels flagged, "
            f"{self.objects} objects, threshold {self.threshold.value:.4g})"
        )

    def _repr_html_(self) -> str:
        """Return a small table for notebooks, with the quick look where there is one."""
        rows = [
            ("pixels flagged", f"{self.flagged:,} of {self.valid:,}"),
            ("objects", f"{self.objects:,}"),
            ("threshold", f"{self.threshold.value:.4g} ({self.threshold.rule})"),
            ("pixels masked, missing", f"{self.masked:,}, {self.missing:,}"),
            ("map", displayed(self.path)),
            ("detector", self.detector),
        ]
        if self.verdict is not None and not self.verdict.in_domain:
            rows += [("doubt", doubt.reason) for doubt in self.verdict.doubts]
        return html_table(displayed(self.scene), rows) + self._picture()

    def _picture(self) -> str:
        """Return the quick look as an image of HTML; empty where there is none, or a large one."""
        path = self.files.quicklook
        if not self.drawn:
            return ""
        try:
            content = path.read_bytes() if path.stat().st_size <= LARGEST_PICTURE else b""
        except OSError:
            return ""  # it was moved
        if not content.startswith(PNG):
            return ""
        text = b64encode(content).decode()
        return f'<img alt="scene, score and flags" src="data:image/png;base64,{text}">'

    @property
    def missing(self) -> int:
        """Pixels that have no score, and not because of a mask."""
        return self.pixels - self.valid - self.masked

    @property
    def path(self) -> Path:
        """The anomaly map."""
        return self.files.scores

    @property
    def written(self) -> list[Path]:
        """The deliverables that there are, in the order of publication."""
        there = {
            self.files.explanation: self.explained,
            self.files.p_values: self.p_values,
            self.files.package: self.package,
            self.files.quicklook: self.drawn,
            self.files.item: self.item,
        }
        layers = [self.files.explanation, self.files.p_values, self.files.scores, self.files.flags]
        for layer in (*layers, self.files.objects):
            there[self.files.style_of(layer)] = self.styled and there.get(layer, True)
        return [path for path in self.files.all if there.get(path, True)]

    def to_json(self) -> str:
        """Return the text of the summary; `read_summary` is the inverse."""
        data = {
            "scene": displayed(self.scene),
            "anomvae": __version__,
            "detector": self.detector,
            "settings": self.settings,
            "input": self.input,
            "digest": self.digest,
            "threshold": asdict(self.threshold),
            "pixels": {
                "total": self.pixels,
                "valid": self.valid,
                "flagged": self.flagged,
                "masked": self.masked,
                "missing": self.missing,
            },
            "objects": self.objects,
            "score": self.meaning,
            "score_quantiles": dict(self.quantiles),
            "domain": None if self.verdict is None else _domain_of(self.verdict),
            "radiometry": list(self.radiometry),
            "sensitivity": None if self.sensitivity is None else self.sensitivity.to_json(),
            "drift": None if self.drift is None else asdict(self.drift),
            "files": [path.name for path in self.written],
            "seconds": round(self.seconds, 3),
        }
        return to_json(data, indent=2) + "\n"


def _domain_of(verdict: SceneVerdict) -> dict[str, Any]:
    return {"in_domain": verdict.in_domain, "doubts": list(map(asdict, verdict.doubts))}


def read_summary(files: Deliverables) -> MapResult | None:
    """Read the summary of a scored scene; None if it lacks a field, as in earlier versions."""
    data = summary_fields(files.summary)
    try:
        result = MapResult(
            scene=data["scene"],
            files=files,
            detector=data["detector"],
            settings=data["settings"],
            input=data["input"],
            digest=data["digest"],
            threshold=Threshold(**data["threshold"]),
            pixels=data["pixels"]["total"],
            valid=data["pixels"]["valid"],
            flagged=data["pixels"]["flagged"],
            masked=data["pixels"].get("masked", 0),  # earlier versions count none
            objects=data["objects"],
            quantiles=data["score_quantiles"],
            seconds=data["seconds"],
            newly_written=False,
            drawn=files.quicklook.name in data["files"],
            p_values=files.p_values.name in data["files"],
            explained=files.explanation.name in data["files"],
            meaning=str(data.get("score", "")),
            styled=files.style_of(files.scores).name in data["files"],
            package=files.package.name in data["files"],
            item=files.item.name in data["files"],
            verdict=_verdict(data.get("domain")),
            radiometry=tuple(map(str, data.get("radiometry", ()))),
            sensitivity=_sensitivity(data.get("sensitivity")),
            drift=read_drift(data.get("drift")),
        )
        return result if _is_well_typed(result) else None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _verdict(data: Any) -> SceneVerdict | None:  # noqa: ANN401 - JSON
    if data is None:
        return None
    return SceneVerdict(
        tuple(
            Doubt(DoubtKind(each["kind"]), bool(each["severe"]), str(each["reason"]))
            for each in data["doubts"]
        )
    )


def _sensitivity(data: Any) -> Sensitivity | None:  # noqa: ANN401 - JSON
    if data is None:
        return None
    fills, found = (tuple(map(float, data[name])) for name in ("fills", "found"))
    return Sensitivity(fills, found, int(data["places"]))


def summary_of_map(path: Path, tags: Mapping[str, str]) -> MapResult | None:
    """Read the summary beside a map of these tags; None if there is none of the same detector.

    It counts where the tags of the map differ: these keep the threshold that it was made with.
    """
    files = Deliverables.of_map(path)
    summary = None if files is None else read_summary(files)
    same = summary is not None and summary.detector == tags.get("ANOMVAE_DETECTOR")
    return summary if same else None


def _is_well_typed(result: MapResult) -> bool:
    threshold = result.threshold
    texts = (result.scene, result.detector, result.settings, result.input, threshold.rule)
    counts = (result.pixels, result.valid, result.flagged, result.masked, result.objects)
    numbers = (result.seconds, threshold.value, threshold.fpr, *result.quantiles.values())
    return (
        all(isinstance(text, str) for text in texts)
        and all(type(count) is int and count >= 0 for count in (*counts, threshold.pixels))
        and all(type(number) in {int, float} for number in numbers)
    )
