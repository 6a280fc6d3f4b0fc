"""The files of a scored scene: their names, and the digests in them.  Nothing here needs torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..documents import content_of, read_json
from ..errors import ConfigError, RasterError
from ..files import PathText
from ..identity import FileIdentity
from ..objects import objects_digest, package_digest
from ..raster import UNLIMITED, open_raster

MAP_END = ".anomaly.tif"
STYLE_END = ".qml"
ITEM_KEY = "anomvae:digest"
"""Property of a STAC item that anomvae wrote."""


def summary_fields(path: Path) -> dict[str, Any]:
    """Read the fields of a summary; empty where anomvae did not write the file."""
    try:
        data = read_json(content_of(path))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) and {"anomvae", "digest"} <= data.keys() else {}


def _map_digest(path: Path) -> str | None:
    """Read the digest in the tags of a map; None where anomvae did not write it."""
    try:
        with open_raster(path, access=UNLIMITED) as dataset:
            digest: str | None = dataset.tags.get("ANOMVAE_DIGEST")
            return digest
    except RasterError:
        return None


def _summary_digest(path: Path) -> str | None:
    digest = summary_fields(path).get("digest")
    return digest if isinstance(digest, str) else None


def item_of(path: Path) -> dict[str, Any]:
    """Read a STAC item; empty where anomvae did not write it."""
    try:
        data = read_json(content_of(path))
        return data if isinstance(data["properties"][ITEM_KEY], str) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _item_digest(path: Path) -> str | None:
    item = item_of(path)
    return str(item["properties"][ITEM_KEY]) if item else None


DELIVERABLES: Mapping[str, Callable[[Path], str | None] | None] = {
    "anomaly.tif": _map_digest,
    "explanation.tif": _map_digest,
    "flags.tif": _map_digest,
    "pvalues.tif": _map_digest,
    "objects.geojson": objects_digest,
    "objects.gpkg": package_digest,
    "anomaly.qml": None,
    "explanation.qml": None,
    "flags.qml": None,
    "pvalues.qml": None,
    "objects.qml": None,
    "png": None,
    "stac.json": _item_digest,
    "json": _summary_digest,
}
"""End of each name, in the order of publication, with the reader of its digest; None: no digest."""
TITLES = {
    "anomaly.tif": "Anomaly score and its terms",
    "explanation.tif": "Why pixels score as they do",
    "flags.tif": "Flags: normal, anomalous, masked, no data",
    "pvalues.tif": "P-values of the scores",
    "objects.geojson": "Connected anomalies",
    "objects.gpkg": "Connected anomalies, in the coordinates of the scene",
    "png": "Scene, score and flags",
    "stac.json": "STAC item of the scene and its results",
    "json": "Summary of the results",
}
"""What each file holds, for people, by the end of its name; styles are part of their layers."""


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
    def explanation(self) -> Path:
        """Map of why pixels score as they do, written on request."""
        return self._ending("explanation.tif")

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
    def package(self) -> Path:
        """The same as a GeoPackage, written on request."""
        return self._ending("objects.gpkg")

    @property
    def item(self) -> Path:
        """The STAC item, written on request."""
        return self._ending("stac.json")

    @staticmethod
    def style_of(layer: Path) -> Path:
        """Return where the style of a layer lies, which QGIS opens with it."""
        return layer.with_suffix(STYLE_END)

    @property
    def styles(self) -> frozenset[Path]:
        """The styles that there can be."""
        return frozenset(path for path in self.all if path.suffix == STYLE_END)

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

    def require_other(self, path: PathText) -> None:
        """Require that a file of another kind is no deliverable; raise `ConfigError` if it is."""
        if Path(path).resolve() in {each.resolve() for each in self.all}:
            raise ConfigError(f"{path} is the name of a result of this scene. Choose another one.")

    def _ending(self, end: str) -> Path:
        return self.folder / f"{self.stem}.{end}"
