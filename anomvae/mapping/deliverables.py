"""The files of a scored scene: their names, the summary, and what is up to date.

The summary is published last and so marks a scene as done.  Its digest depends on the detector, the
settings and the input: with an equal digest, the result is up to date.  Files without a summary are
the rest of a killed run, and are made again.  Nothing here needs torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..addresses import displayed
from ..documents import content_of, read_json, to_json
from ..errors import ConfigError, OutputExists, RasterError
from ..files import require_file, side_car, tidy
from ..identity import FileIdentity
from ..objects import objects_digest
from ..pixels.bands import Bands
from ..raster import Access, open_raster
from ..stats.domain import InDomain, SceneVerdict
from ..stats.sensitivity import Sensitivity
from ..stats.thresholds import Threshold
from .options import ScoreOptions

MAP_END = ".anomaly.tif"
SCORE_DEFINITION = 2
"""Version of the definition of a score: increase it when scores change, and older results are made
again."""


def _summary(path: Path) -> dict[str, Any]:
    """Read the fields of a summary; empty where anomvae did not write the file."""
    try:
        data = read_json(content_of(path))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) and {"anomvae", "digest"} <= data.keys() else {}


def _map_digest(path: Path) -> str | None:
    """Read the digest in the tags of a map; None where anomvae did not write it."""
    try:
        with open_raster(path, access=Access(limits=None)) as dataset:
            digest: str | None = dataset.handle.tags().get("ANOMVAE_DIGEST")
            return digest
    except RasterError:
        return None


def _summary_digest(path: Path) -> str | None:
    digest = _summary(path).get("digest")
    return digest if isinstance(digest, str) else None


DELIVERABLES: Mapping[str, Callable[[Path], str | None] | None] = {
    "anomaly.tif": _map_digest,
    "flags.tif": _map_digest,
    "pvalues.tif": _map_digest,
    "objects.geojson": objects_digest,
    "png": None,
    "json": _summary_digest,
}
"""End of each name, in the order of publication, with the reader of its digest; None: no digest."""


@dataclass(frozen=True)
class Deliverables:
    """Names of the files of a scored scene."""

    folder: Path
    """The folder that holds them."""
    stem: str
    """Their stem."""

    @classmethod
    def of_map(cls, path: Path) -> Deliverables | None:
        """Name the files beside an anomaly map; None if it is not called as one."""
        stem = path.name.removesuffix(MAP_END)
        return None if stem == path.name else cls(path.parent, stem)

    @property
    def scores(self) -> Path:
        """Map of the score and its terms."""
        return self._ending("anomaly.tif")

    @property
    def flags(self) -> Path:
        """Map of flags: normal, anomalous, no data."""
        return self._ending("flags.tif")

    @property
    def p_values(self) -> Path:
        """Map of p-values, written on request."""
        return self._ending("pvalues.tif")

    @property
    def objects(self) -> Path:
        """Connected anomalies as features."""
        return self._ending("objects.geojson")

    @property
    def quicklook(self) -> Path:
        """Scene, score and flags as a PNG."""
        return self._ending("png")

    @property
    def summary(self) -> Path:
        """The summary; it marks the scene as done."""
        return self._ending("json")

    @property
    def all(self) -> list[Path]:
        """Every deliverable that there can be, in the order of publication."""
        return list(map(self._ending, DELIVERABLES))

    def digests(self) -> dict[Path, str | None]:
        """Read the digest of each file that can have one; None where anomvae did not write it."""
        named = {self._ending(end): read for end, read in DELIVERABLES.items()}
        return {path: read(path) for path, read in named.items() if read and path.is_file()}

    def require_apart(self, inputs: Iterable[FileIdentity]) -> None:
        """Require that no deliverable replaces an input; raise `ConfigError` if one would."""
        local = [file.path for file in inputs if file.path is not None]
        for path in self.all:
            if path.exists() and any(map(path.samefile, local)):
                raise ConfigError(
                    f"{path} is read for these results and would be replaced by one of them. "
                    f"Choose another folder for the results."
                )

    def _ending(self, end: str) -> Path:
        return self.folder / f"{self.stem}.{end}"


@dataclass(frozen=True)
class CacheKey:
    """What decides a result: equal keys give equal results."""

    detector: str
    """Identity of the detector; empty where it is fitted to the scene itself."""
    settings: str
    """Digest of the settings."""
    input: str
    """Digest of the bands and the input files."""

    @classmethod
    def of(
        cls,
        detector: str,
        *settings: str,
        options: ScoreOptions,
        bands: Bands,
        files: Iterable[FileIdentity],
    ) -> CacheKey:
        """Digest the settings and the input."""
        decided = digest_of(*settings, *options.changes)
        return cls(detector, decided, digest_of(repr(bands), *map(repr, files)))

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits; they differ for another detector, settings or input."""
        return digest_of(self.detector, self.settings, self.input)


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
    verdict: SceneVerdict | None = None
    """Whether the scene looks like the training scenes; None in summaries of earlier versions."""
    sensitivity: Sensitivity | None = None
    """How much of a pixel an object must fill to be found; None where it was not measured."""

    @property
    def path(self) -> Path:
        """The anomaly map."""
        return self.files.scores

    @property
    def written(self) -> list[Path]:
        """The deliverables that there are, in the order of publication."""
        there = {self.files.quicklook: self.drawn, self.files.p_values: self.p_values}
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
            "pixels": {"total": self.pixels, "valid": self.valid, "flagged": self.flagged},
            "objects": self.objects,
            "score_quantiles": dict(self.quantiles),
            "domain": None if self.verdict is None else asdict(self.verdict),
            "sensitivity": None if self.sensitivity is None else self.sensitivity.to_json(),
            "files": [path.name for path in self.written],
            "seconds": round(self.seconds, 3),
        }
        return to_json(data, indent=2) + "\n"


def read_summary(files: Deliverables) -> MapResult | None:
    """Read the summary of a scored scene; None if it lacks a field, as in earlier versions."""
    data = _summary(files.summary)
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
            objects=data["objects"],
            quantiles=data["score_quantiles"],
            seconds=data["seconds"],
            newly_written=False,
            drawn=files.quicklook.name in data["files"],
            p_values=files.p_values.name in data["files"],
            verdict=_verdict(data.get("domain")),
            sensitivity=_sensitivity(data.get("sensitivity")),
        )
        return result if _is_well_typed(result) else None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _verdict(data: Any) -> SceneVerdict | None:  # noqa: ANN401 - JSON
    if data is None:
        return None
    return SceneVerdict(InDomain(data["in_domain"]), tuple(map(str, data["reasons"])))


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
    counts = (result.pixels, result.valid, result.flagged, result.objects, threshold.pixels)
    numbers = (result.seconds, threshold.value, threshold.fpr, *result.quantiles.values())
    return (
        all(isinstance(text, str) for text in texts)
        and all(type(count) is int and count >= 0 for count in counts)
        and all(type(number) in {int, float} for number in numbers)
    )


def cached_result(
    files: Deliverables, key: CacheKey, *, overwrite: bool, kept: str | None = None
) -> MapResult | None:
    """Return the result of an equal key if all its files are there; None if they are to be made.

    ``kept`` is the digest of an anomaly map that other results are made of: where it is there, the
    results of the same map are replaced without ``overwrite``.

    Raises
    ------
    OutputExists
        When a folder has the name of a deliverable, or only ``overwrite`` may replace a file.
    """
    digest, digests = key.digest, files.digests()
    made = dict.fromkeys(digests, digest) | ({} if kept is None else {files.scores: kept})
    of_kept = kept is not None and digests.get(files.scores) == kept
    same = files.summary in digests and digests == made
    cached = read_summary(files) if same else None
    if cached is not None and all(path.exists() for path in cached.written):
        tidy(files.folder, files.stem)
        return cached
    ours = {path for path, read in digests.items() if read is not None}
    if ours & {files.scores, files.summary}:  # then files that have no digest are anomvae's, too
        ours.update(set(files.all) - digests.keys())
    for path in files.all:
        _require_replaceable(path, overwrite or path in ours)
    if files.summary in digests and not same and not (overwrite or of_kept):
        raise OutputExists(
            f"{files.summary} exists, made with other settings, another detector or another "
            f"input. Give --overwrite to replace it, or another folder."
        )
    return None


def digest_of(*parts: str) -> str:
    """Return 16 hexadecimal digits of a hash of what decides a result."""
    text = "\n".join([str(SCORE_DEFINITION), *parts])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _require_replaceable(path: Path, replaceable: bool) -> None:
    """Refuse to replace what is no file, or a file unless it is replaceable."""
    if path.is_dir():
        raise OutputExists(
            f"{path} is a folder where a file is to be written. "
            f"Move it away, or give another folder for the results."
        )
    require_file(path)
    require_file(side_car(path))
    if path.exists() and not replaceable:
        raise OutputExists(
            f"{path} exists and was not written by anomvae. "
            f"Move it away, give another folder, or replace it with --overwrite."
        )
