"""What a scored scene says of itself: the JSON beside its maps.

It is renamed last and so marks a scene as done.  Its digest tells the detector, the settings and
the input apart: the same digest means that nothing need be done again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..errors import OutputExists
from ..thresholds import Threshold
from ..tiling import Tile

LEVELS = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1.0)
SAMPLED = 1_000_000  # scores kept for the quantiles of a scene


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
        return [self.scores, self.flags, self.quicklook, self.summary]


@dataclass(frozen=True)
class MapResult:
    """What scoring a scene gave."""

    scene: str
    """The scene as it was named."""
    outputs: Outputs
    """Where the deliverables lie."""
    detector: str
    """Identity of the detector."""
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
            "scene": self.scene,
            "anomvae": __version__,
            "detector": self.detector,
            "digest": self.digest,
            "threshold": asdict(self.threshold),
            "pixels": {"total": self.pixels, "valid": self.valid, "flagged": self.flagged},
            "score_quantiles": dict(self.quantiles),
            "files": [path.name for path in self.outputs.all],
            "seconds": round(self.seconds, 3),
        }
        return json.dumps(data, indent=2) + "\n"


def read_summary(outputs: Outputs) -> MapResult | None:
    """Read the summary of a finished scene; None where there is none that can be read."""
    try:
        data = json.loads(outputs.summary.read_text(encoding="utf-8"))
        return MapResult(
            scene=data["scene"],
            outputs=outputs,
            detector=data["detector"],
            digest=data["digest"],
            threshold=Threshold(**data["threshold"]),
            pixels=data["pixels"]["total"],
            valid=data["pixels"]["valid"],
            flagged=data["pixels"]["flagged"],
            quantiles=data["score_quantiles"],
            seconds=data["seconds"],
            fresh=False,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def finished(outputs: Outputs, digest: str, *, overwrite: bool) -> MapResult | None:
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
    there = [path for path in outputs.all if path.exists()]
    if overwrite or not there:
        return None
    known = read_summary(outputs)
    if known is not None and known.digest == digest and len(there) == len(outputs.all):
        return known
    raise OutputExists(
        f"{there[0]} exists, made with other settings, another detector or another input. "
        f"Give --overwrite to replace it, or another folder."
    )


def digest_of(*parts: str) -> str:
    """Put what decides a result into 16 hexadecimal digits."""
    return hashlib.sha256("\n".join([__version__, *parts]).encode()).hexdigest()[:16]


class Tally:
    """Counts pixels and keeps scores for quantiles while tiles go by.

    Scores are kept on a lattice of the scene, so that the tile size does not show in the quantiles.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        """Start a tally of a scene of ``shape`` pixels."""
        self.pixels = shape[0] * shape[1]
        self.step = int(np.ceil((self.pixels / SAMPLED) ** 0.5))
        self.valid = self.flagged = 0
        self.kept: list[NDArray[np.float32]] = []

    def add(self, tile: Tile, scores: NDArray[np.float32], flags: NDArray[np.bool_]) -> None:
        """Count a tile's kept pixels, axes (row, col)."""
        seen = np.isfinite(scores)
        self.valid += int(seen.sum())
        self.flagged += int(flags.sum())
        rows, cols = (slice(-part.start % self.step, None, self.step) for part in tile.keep)
        self.kept.append(scores[rows, cols][seen[rows, cols]])

    @property
    def quantiles(self) -> dict[str, float]:
        """Quantiles by level, nats."""
        scores = np.concatenate(self.kept) if self.kept else np.empty(0, np.float32)
        if not scores.size:
            return {}
        found = np.quantile(scores.astype(np.float64), LEVELS)
        return {f"{level:g}": float(value) for level, value in zip(LEVELS, found, strict=True)}
