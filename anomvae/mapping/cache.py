"""What decides the result of a scene, and whether the result that is there is up to date.

The summary is published last and so marks a scene as done.  Its digest depends on the detector, the
settings and the input: with an equal digest, the result is up to date.  Files without a summary are
the rest of a killed run, and are made again.  Nothing here needs torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import OutputExists
from ..files import require_file, side_car, tidy
from ..identity import FileIdentity
from ..pixels.bands import Bands
from ..raster import UNLIMITED, open_raster
from .deliverables import Deliverables
from .options import ScoreOptions
from .result import MapResult, read_summary

ENGINE_TAG = "ANOMVAE_ENGINE"
"""Tag of a map with the name of the engine that computed it; one of an older version has none."""
SCORE_DEFINITION = 2
"""Version of the definition of a score: increase it when scores change, and older results are made
again."""


@dataclass(frozen=True)
class CacheKey:
    """What decides a result: equal keys give equal results."""

    detector: str
    """Identity of the detector; empty where it is fitted to the scene itself."""
    settings: str
    """Digest of the settings."""
    input: str
    """Digest of the bands and the input files."""
    engine: str = ""
    """Name of the engine that the map must be of (`anomvae.program`); empty: any, as they agree up
    to rounding.  It is no part of the digest."""

    @classmethod
    def of(
        cls,
        detector: str,
        *settings: str,
        options: ScoreOptions,
        bands: Bands,
        files: Iterable[FileIdentity],
        engine: str = "",
    ) -> CacheKey:
        """Digest the settings and the input."""
        decided = digest_of(*settings, *options.changes)
        return cls(detector, decided, digest_of(bands.digested, *map(repr, files)), engine)

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits; they differ for another detector, settings or input."""
        return digest_of(self.detector, self.settings, self.input)


def cached_result(
    files: Deliverables, key: CacheKey, *, overwrite: bool, kept: str | None = None
) -> MapResult | None:
    """Return the result of an equal key if all its files are there; None if they are to be made.

    ``kept`` is the digest of an anomaly map that other results are made of, and of its explanation:
    where it is there, the results of the same map are replaced without ``overwrite``.

    Raises
    ------
    OutputExists
        When a folder has the name of a deliverable, or only ``overwrite`` may replace a file.
    """
    digest, digests = key.digest, files.digests()
    made = dict.fromkeys(digests, digest)
    if kept is not None:
        made |= dict.fromkeys((files.scores, *digests.keys() & {files.explanation}), kept)
    of_kept = kept is not None and digests.get(files.scores) == kept
    same = files.summary in digests and digests == made and _of_engine(files, key.engine)
    cached = read_summary(files) if same else None
    if cached is not None and all(path.exists() for path in cached.written):
        tidy(files.folder, files.stem)
        return cached
    ours = {path for path, read in digests.items() if read is not None}
    if ours & {files.scores, files.summary}:  # then files that have no digest are anomvae's, too
        ours.update(set(files.all) - digests.keys())
    ours |= files.styles  # one that a user saved stays
    for path in files.all:
        _require_replaceable(path, overwrite or path in ours)
    if files.summary in digests and not same and not (overwrite or of_kept):
        raise OutputExists(
            f"{files.summary} exists, made with other settings, another detector, another "
            f"engine or another input. Give --overwrite to replace it, or another folder."
        )
    return None


def fitted_to_itself(result: MapResult) -> bool:
    """Return whether the detector of a result was fitted to its scene alone, as `detect` does."""
    return result.digest == digest_of("", result.settings, result.input)


def digest_of(*parts: str, definition: int = SCORE_DEFINITION) -> str:
    """Return 16 hexadecimal digits of a hash of what decides a result."""
    text = "\n".join([str(definition), *parts])
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


def _of_engine(files: Deliverables, engine: str) -> bool:
    """Return whether a map is of an engine, if one is named."""
    if not engine:
        return True
    with open_raster(files.scores, access=UNLIMITED) as dataset:
        return bool(dataset.tags.get(ENGINE_TAG) == engine)
