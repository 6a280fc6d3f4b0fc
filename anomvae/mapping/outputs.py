"""What scoring a scene leaves behind: its files, and the summary that says what they are.

The summary is published last and so marks a scene as done.  Its digest tells the detector, the
settings and the input apart: the same digest means that nothing need be done again.  Files without
a summary are what a killed run left, and are made anew.  Nothing here needs torch.
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
from ..raster.dataset import opened
from ..stats.thresholds import Threshold

SCORE_DEFINITION = 1
"""Version of what a score is; only another one makes finished scenes of an archive outdated."""


@dataclass(frozen=True)
class Outputs:
    """Names of a scene's deliverables."""

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


@dataclass(frozen=True)
class CacheKey:
    """What decides a result."""

    detector: str
    """Identity of the detector; empty where it is fitted to the scene by the settings."""
    settings: str
    """Digest of what was asked for."""
    input: str
    """Digest of the bands and the files that are read."""

    @property
    def digest(self) -> str:
        """Tells detector, settings and input apart."""
        return digest_of(self.detector, self.settings, self.input)


@dataclass(frozen=True)
class MapResult:
    """What scoring a scene gave."""

    scene: str
    """The scene as it was named; without the query of an URL where it was read from a summary."""
    outputs: Outputs
    """Where the deliverables lie."""
    detector: str
    """Identity of the detector."""
    settings: str
    """Digest of what was asked for."""
    input: str
    """Digest of the bands and the files that were read."""
    digest: str
    """Tells detector, settings and input apart."""
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
    fresh: bool = True
    """Whether this call wrote them; otherwise they were there already."""

    @property
    def path(self) -> Path:
        """The anomaly map."""
        return self.outputs.scores

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
            "files": [path.name for path in self.outputs.all],
            "seconds": round(self.seconds, 3),
        }
        return json.dumps(data, indent=2) + "\n"


def read_summary(outputs: Outputs) -> MapResult | None:
    """Read the summary of a finished scene; None where there is none that can be read."""
    data = _summary(outputs)
    try:
        return MapResult(
            scene=data["scene"],
            outputs=outputs,
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
            fresh=False,
        )
    except (KeyError, TypeError):
        return None


def cached_result(outputs: Outputs, digest: str, *, overwrite: bool) -> MapResult | None:
    """Find a result that need not be made again.

    Returns
    -------
    MapResult or None
        The result of the same detector, settings and input, whole; None when it is to be made.

    Raises
    ------
    OutputExists
        If there are other files in the way, and they are not to be overwritten.
    """
    known = read_summary(outputs)
    # A summary of an earlier version may lack what this one tells; then all is made again.
    same = _summary(outputs).get("digest") == digest and _made_alike(outputs, digest)
    if known is not None and same and all(path.exists() for path in outputs.all):
        tidy(outputs.folder, outputs.stem)
        return known
    _require_files(outputs)
    if not overwrite:
        _require_ours(outputs)
        if outputs.summary.exists() and not same:
            raise OutputExists(
                f"{outputs.summary} exists, made with other settings, another detector or another "
                f"input. Give --overwrite to replace it, or another folder."
            )
    return None


def require_apart(outputs: Outputs, inputs: Iterable[FileIdentity]) -> None:
    """Make sure that no deliverable would take the place of a file that is read.

    Raises
    ------
    ConfigError
        If one would.
    """
    written = [path for path in outputs.all if path.exists()]
    for known in inputs:
        for path in written:
            if known.path is not None and path.samefile(known.path):
                raise ConfigError(
                    f"{path} is read for these results and would be replaced by one of them. "
                    f"Choose another folder for the results."
                )


def digest_of(*parts: str) -> str:
    """Put what decides a result into 16 hexadecimal digits."""
    text = "\n".join([str(SCORE_DEFINITION), *parts])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _summary(outputs: Outputs) -> dict[str, Any]:
    """Read a summary's fields; none of a file that is no summary of ours."""
    try:
        data = json.loads(outputs.summary.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) and {"anomvae", "digest"} <= data.keys() else {}


def _map_digest(path: Path) -> str | None:
    """Read what a map says of its making; None where anomvae did not write it."""
    try:
        with opened(path) as source:
            digest: str | None = source.dataset.tags().get("ANOMVAE_DIGEST")
            return digest
    except RasterError:
        return None


def _digests(outputs: Outputs) -> dict[Path, str | None]:
    """Read what those files that can say it, and are there, say of their making."""
    read = {
        outputs.scores: _map_digest,
        outputs.flags: _map_digest,
        outputs.objects: objects_digest,
    }
    return {path: digest(path) for path, digest in read.items() if path.exists()}


def _made_alike(outputs: Outputs, digest: str) -> bool:
    """Tell whether the files that are there were made for a digest."""
    return all(found == digest for found in _digests(outputs).values())


def _require_files(outputs: Outputs) -> None:
    for path in outputs.all:
        if path.is_dir():
            raise OutputExists(
                f"{path} is a folder where a file is to be written. "
                f"Move it away, or give another folder for the results."
            )


def _require_ours(outputs: Outputs) -> None:
    """Refuse to touch a file that anomvae did not write; a picture is known by its company."""
    ours = {path for path, digest in _digests(outputs).items() if digest is not None}
    if _summary(outputs):
        ours.add(outputs.summary)
    if ours & {outputs.scores, outputs.summary}:
        ours.add(outputs.quicklook)
    for path in outputs.all:
        if path.exists() and path not in ours:
            raise OutputExists(
                f"{path} exists and was not written by anomvae. "
                f"Move it away, give another folder, or replace it with --overwrite."
            )
