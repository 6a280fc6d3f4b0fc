"""The files of a scored scene: their names, the summary, and what is up to date.

The summary is published last and so marks a scene as done.  Its digest depends on the detector, the
settings and the input: the same digest means that nothing need be done again.  Files without a
summary are what a killed run left, and are made anew.  Nothing here needs torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import ConfigError, OutputExists, RasterError
from ..files import FileIdentity, tidy, without_query
from ..objects import objects_digest
from ..pixels.bands import Bands
from ..raster import open_raster
from ..stats.thresholds import Threshold

SCORE_DEFINITION = 1
"""Version of what a score is; only another one makes finished scenes of an archive outdated."""


@dataclass(frozen=True)
class Deliverables:
    """Names of the files of a scored scene."""

    folder: Path
    """Where they lie."""
    stem: str
    """What their names begin with."""

    @property
    def scores(self) -> Path:
        """Score, reconstruction and KL term."""
        return self.folder / f"{self.stem}.anomaly.tif"

    @property
    def flags(self) -> Path:
        """Normal, anomalous, no data."""
        return self.folder / f"{self.stem}.flags.tif"

    @property
    def objects(self) -> Path:
        """Connected anomalies as features."""
        return self.folder / f"{self.stem}.objects.geojson"

    @property
    def quicklook(self) -> Path:
        """Scene, score and flags in a picture."""
        return self.folder / f"{self.stem}.png"

    @property
    def summary(self) -> Path:
        """The summary: last, because it marks the scene as done."""
        return self.folder / f"{self.stem}.json"

    @property
    def all(self) -> list[Path]:
        """Every deliverable, in the order of publication."""
        return [self.scores, self.flags, self.objects, self.quicklook, self.summary]

    def require_apart(self, inputs: Iterable[FileIdentity]) -> None:
        """Require that no deliverable would replace a file that is read.

        Raises
        ------
        ConfigError
            If one would.
        """
        written = [path for path in self.all if path.exists()]
        for known in inputs:
            for path in written:
                if known.path is not None and path.samefile(known.path):
                    raise ConfigError(
                        f"{path} is read for these results and would be replaced by one of them. "
                        f"Choose another folder for the results."
                    )


@dataclass(frozen=True)
class CacheKey:
    """What decides a result: equal keys, equal results."""

    detector: str
    """Identity of the detector; empty where it is fitted to the scene by the settings."""
    settings: str
    """Digest of the settings."""
    input: str
    """Digest of the bands and the files that are read."""

    @classmethod
    def of(
        cls,
        detector: str,
        *settings: str,
        min_area: int,
        bands: Bands,
        files: Iterable[FileIdentity],
    ) -> CacheKey:
        """Digest the settings and the input."""
        # The default is not part of the digest, so that archives stay up to date.
        area = [] if min_area == 1 else [f"min_area={min_area}"]
        return cls(detector, digest_of(*settings, *area), digest_of(repr(bands), *map(repr, files)))

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits, different for another detector, settings or input."""
        return digest_of(self.detector, self.settings, self.input)


@dataclass(frozen=True)
class MapResult:
    """The result of scoring a scene."""

    scene: str
    """The scene as it was named; without the query of an URL where it was read from a summary."""
    files: Deliverables
    """Where the deliverables lie."""
    detector: str
    """Identity of the detector."""
    settings: str
    """Digest of the settings."""
    input: str
    """Digest of the bands and the files that were read."""
    digest: str
    """That of the `CacheKey`."""
    threshold: Threshold
    """The cut-off."""
    pixels: int
    """Pixels of the scene."""
    valid: int
    """Pixels with data in every band in use."""
    flagged: int
    """Pixels above the threshold."""
    objects: int
    """Connected anomalies, those too small to be asked for left out."""
    quantiles: Mapping[str, float]
    """Quantiles of the scores by level, nats; empty where no pixel is valid."""
    seconds: float
    """Time it took."""
    newly_written: bool = True
    """Whether this call wrote them; otherwise they were up to date."""

    @property
    def path(self) -> Path:
        """The anomaly map."""
        return self.files.scores

    def to_json(self) -> str:
        """Write the summary; `read_summary` is its inverse."""
        data = {
            "scene": without_query(self.scene),
            "anomvae": __version__,
            "detector": self.detector,
            "settings": self.settings,
            "input": self.input,
            "digest": self.digest,
            "threshold": asdict(self.threshold),
            "pixels": {"total": self.pixels, "valid": self.valid, "flagged": self.flagged},
            "objects": self.objects,
            "score_quantiles": dict(self.quantiles),
            "files": [path.name for path in self.files.all],
            "seconds": round(self.seconds, 3),
        }
        return json.dumps(data, indent=2) + "\n"


def read_summary(files: Deliverables) -> MapResult | None:
    """Read the summary of a finished scene; None where there is none that can be read."""
    data = _summary(files)
    try:
        return MapResult(
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
        )
    except (KeyError, TypeError):
        return None


def cached_result(files: Deliverables, key: CacheKey, *, overwrite: bool) -> MapResult | None:
    """Return the whole result of the same detector, settings and input; None if there is none.

    Raises
    ------
    OutputExists
        If other files are in the way, and they are not to be overwritten.
    """
    known, digest = read_summary(files), key.digest
    # A summary of an earlier version may lack a field of this one; then all is made again.
    same = _summary(files).get("digest") == digest and _all_made_for(files, digest)
    if known is not None and same and all(path.exists() for path in files.all):
        tidy(files.folder, files.stem)
        return known
    _require_files(files)
    if not overwrite:
        _require_ours(files)
        if files.summary.exists() and not same:
            raise OutputExists(
                f"{files.summary} exists, made with other settings, another detector or another "
                f"input. Give --overwrite to replace it, or another folder."
            )
    return None


def digest_of(*parts: str) -> str:
    """Digest what decides a result into 16 hexadecimal digits."""
    text = "\n".join([str(SCORE_DEFINITION), *parts])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _summary(files: Deliverables) -> dict[str, Any]:
    """Read the fields of a summary; none of a file that is no summary of ours."""
    try:
        data = json.loads(files.summary.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) and {"anomvae", "digest"} <= data.keys() else {}


def _map_digest(path: Path) -> str | None:
    """Read the digest in the tags of a map; None where anomvae did not write it."""
    try:
        with open_raster(path) as dataset:
            digest: str | None = dataset.handle.tags().get("ANOMVAE_DIGEST")
            return digest
    except RasterError:
        return None


def _digests(files: Deliverables) -> dict[Path, str | None]:
    """Read the digests of the files that exist and can hold one."""
    read = {
        files.scores: _map_digest,
        files.flags: _map_digest,
        files.objects: objects_digest,
    }
    return {path: digest(path) for path, digest in read.items() if path.exists()}


def _all_made_for(files: Deliverables, digest: str) -> bool:
    """Whether every file that exists was made for a digest."""
    return all(held == digest for held in _digests(files).values())


def _require_files(files: Deliverables) -> None:
    for path in files.all:
        if path.is_dir():
            raise OutputExists(
                f"{path} is a folder where a file is to be written. "
                f"Move it away, or give another folder for the results."
            )


def _require_ours(files: Deliverables) -> None:
    """Refuse to touch a file that anomvae did not write; a picture is known by its company."""
    ours = {path for path, digest in _digests(files).items() if digest is not None}
    if _summary(files):
        ours.add(files.summary)
    if ours & {files.scores, files.summary}:
        ours.add(files.quicklook)
    for path in files.all:
        if path.exists() and path not in ours:
            raise OutputExists(
                f"{path} exists and was not written by anomvae. "
                f"Move it away, give another folder, or replace it with --overwrite."
            )
