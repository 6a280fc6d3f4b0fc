"""Which maps are compared on which scene, and what they are called: by the names of files alone."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError, FileError, RasterError, listed
from ..mapping.deliverables import MAP_END

log = logging.getLogger(__name__)

SUFFIXES = (".tif", ".tiff")
LABELS = ("{}", "{}_labels", "{}.labels", "{}-labels", "{}/labels")
"""Names of the labels of a scene of this stem, without suffix, the first one that exists."""


@dataclass(frozen=True)
class ComparedScene:
    """Maps of one scene, and its labels."""

    stem: str
    """Stem of the maps."""
    maps: tuple[str, ...]
    """A map of each contestant, in their order: a path, or what else GDAL opens by name."""
    labels: str
    """The labels."""


def stem_of(name: str) -> str:
    """Return the stem of a map.

    Examples
    --------
    >>> stem_of("out/bay.anomaly.tif"), stem_of("bay.2024.tif")
    ('bay', 'bay.2024')
    """
    path = Path(name)
    return path.name.removesuffix(MAP_END) if path.name.endswith(MAP_END) else path.stem


def scenes_to_compare(maps: Sequence[str], labels: str) -> list[ComparedScene]:
    """Pair maps, or folders of them, with labels.

    Raises
    ------
    ConfigError
        If maps and folders are mixed, or folders are given with one file of labels.
    FileError
        If a folder holds no map, or no scene has labels and a map in every folder.
    RasterError
        If a map does not exist, and its labels are looked for in a folder.
    """
    folders, several = [Path(path).is_dir() for path in maps], Path(labels).is_dir()
    if not any(folders):
        if not several:
            return [ComparedScene(stem_of(maps[0]), tuple(maps), labels)]
        return [_labelled(tuple(maps), Path(labels))]
    if not all(folders):
        raise ConfigError(
            f"{maps[folders.index(False)]} is no folder, but {maps[folders.index(True)]} is one. "
            f"Compare maps of one scene, or folders of maps."
        )
    if not several:
        raise ConfigError(
            f"{labels} is no folder, but folders of maps are compared. Give the folder that holds "
            f"the labels of each scene, called <stem>.tif or <stem>_labels.tif."
        )
    return _in_all(list(map(Path, maps)), Path(labels))


def _labelled(maps: tuple[str, ...], folder: Path) -> ComparedScene:
    """Find the labels of maps of one scene in a folder."""
    for path in maps:
        if not Path(path).exists():
            raise RasterError(f"{path} does not exist. Check the path.")
    stem = stem_of(maps[0])
    found = _labels_of(stem, folder)
    if found is None:
        raise FileError(_no_labels([stem], folder))
    return ComparedScene(stem, maps, str(found))


def _in_all(folders: Sequence[Path], labels: Path) -> list[ComparedScene]:
    inside = [_maps_in(folder) for folder in folders]
    stems = list(dict.fromkeys(stem for maps in inside for stem in maps))
    shared = [stem for stem in stems if all(stem in maps for maps in inside)]
    if not shared:
        raise FileError(
            f"No scene has a map in each of {listed(list(map(str, folders)), 4)}: the first one "
            f"holds {listed(list(inside[0]), 4)}. Maps of one scene have one name."
        )
    found = {stem: _labels_of(stem, labels) for stem in shared}
    result = [
        ComparedScene(stem, tuple(str(maps[stem]) for maps in inside), str(path))
        for stem, path in found.items()
        if path is not None
    ]
    if not result:
        raise FileError(_no_labels(shared, labels))
    for what, names in (
        ("have no map in some folder", [stem for stem in stems if stem not in shared]),
        (f"have no labels in {labels}", [stem for stem, path in found.items() if path is None]),
    ):
        if names:
            log.warning("%d scenes %s and are left out: %s", len(names), what, listed(names))
    return result


def _maps_in(folder: Path) -> dict[str, Path]:
    """Return the maps of a folder by stem: its anomaly maps, or else all its GeoTIFFs."""
    every = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    maps = [path for path in every if path.name.endswith(MAP_END)] or every
    if not maps:
        raise FileError(f"{folder} holds no map (.tif). Give a folder of maps.")
    return {stem_of(str(path)): path for path in maps}


def _labels_of(stem: str, folder: Path) -> Path | None:
    candidates = (folder / f"{name.format(stem)}{suffix}" for name in LABELS for suffix in SUFFIXES)
    return next((path for path in candidates if path.is_file()), None)


def _no_labels(stems: Sequence[str], folder: Path) -> str:
    return (
        f"{folder} holds no labels of {listed(stems, 4)}. Call them <stem>.tif or "
        f"<stem>_labels.tif."
    )


def names_of(paths: Sequence[str]) -> list[str]:
    """Return a short name for each of several maps or folders, no two the same.

    Examples
    --------
    >>> names_of(["a/bay.anomaly.tif", "b/bay.anomaly.tif"])
    ['a', 'b']
    >>> names_of(["vae.tif", "rx.tif"])
    ['vae', 'rx']
    """
    distinct = list(dict.fromkeys(paths))
    short = dict(zip(distinct, _short(distinct), strict=True))
    names = [short[path] for path in paths]
    times = [names[:number].count(name) for number, name in enumerate(names)]
    return [
        f"{name} ({time + 1})" if time else name for name, time in zip(names, times, strict=True)
    ]


def _inner(part: tuple[str, ...]) -> bool:
    return len(part) > 1


def _short(paths: Sequence[str]) -> list[str]:
    """Return the last parts of different paths that differ."""
    parts = [(*Path(path).absolute().parts[1:-1], stem_of(path)) for path in paths]
    # What all end in does not part them.
    while len({part[-1] for part in parts}) < min(2, len(parts)) and all(map(_inner, parts)):
        parts = [part[:-1] for part in parts]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-length:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return list(paths)
