"""The results that a report is made of: which scenes lie in folders, and which files they lack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError, FileError, listed
from ..files import PathText, as_path
from ..mapping.cache import fitted_to_itself
from ..mapping.deliverables import MAP_END, Deliverables, summary_fields
from ..mapping.result import MapResult, read_summary

SUMMARY_END = ".json"
OWN = "models fitted to each scene itself"
ANY = "any"
"""Stands for the identity of any model."""


@dataclass(frozen=True)
class ScoredScene:
    """A scored scene whose summary is there; other files may be gone."""

    result: MapResult
    """What its summary states."""
    gone: tuple[str, ...]
    """Names of the files that the summary lists and the folder lacks."""

    @property
    def files(self) -> Deliverables:
        """Where its deliverables lie."""
        return self.result.files

    @property
    def model(self) -> str:
        """Which scenes have scores that compare with these: those of the same text."""
        return OWN if self.fitted_to_itself else self.result.detector

    @property
    def fitted_to_itself(self) -> bool:
        """Whether its detector was fitted to this scene alone, as `detect` does."""
        return fitted_to_itself(self.result)


@dataclass(frozen=True)
class Results:
    """What lies in the folders of a report."""

    scenes: tuple[ScoredScene, ...]
    """The scored scenes, by folder and name."""
    unfinished: tuple[str, ...] = ()
    """Names of anomaly maps without a summary that can be read: a run has not ended, or died."""


def find_results(names: Iterable[PathText], model: str | None = None) -> Results:
    """Find the scored scenes in folders, or of anomaly maps and summaries that are named.

    A folder without results may hold folders of results.

    Parameters
    ----------
    names : iterable of path
        Folders, anomaly maps or summaries.
    model : str, optional
        Identity of a detector, or how it begins; results of others are left out.  `ANY`: none
        are, although scores of several models do not compare.

    Raises
    ------
    FileError
        If a name does not exist, or holds no results.
    ConfigError
        If there are results of two models, or none of ``model``.
    """
    found = [_in(Path(as_path(name))) for name in names]
    scenes = {scene.files.summary.absolute(): scene for each in found for scene in each.scenes}
    unfinished = dict.fromkeys(name for each in found for name in each.unfinished)
    results = Results(tuple(scenes.values()), tuple(unfinished))
    if not results.scenes:
        raise FileError(
            f"{results.unfinished[0]} has no summary that can be read, so the run that wrote it "
            f"has not ended, or was killed. Run it again, then make the report."
        )
    if model == ANY:
        return results
    return _of_one_model(results) if model is None else _of_model(results, model)


def _in(path: Path) -> Results:
    if not path.exists():
        raise FileError(f"{path} does not exist. Give a folder of results of anomvae.")
    if not path.is_dir():
        return _of_file(path)
    for folders in ([path], _folders_in(path)):
        parts = [_in_folder(folder) for folder in folders]
        scenes = tuple(scene for part in parts for scene in part.scenes)
        unfinished = tuple(name for part in parts for name in part.unfinished)
        if scenes or unfinished:
            return Results(scenes, unfinished)
    raise FileError(
        f"{path} holds no results: no <scene>.json as anomvae score and detect write it, nor do "
        f"the folders in it. Score a scene into it first (anomvae detect SCENE -o DIR)."
    )


def _folders_in(path: Path) -> list[Path]:
    return sorted(one for one in path.iterdir() if one.is_dir() and not one.name.startswith("."))


def _of_file(path: Path) -> Results:
    stem = path.name.removesuffix(MAP_END).removesuffix(SUMMARY_END)
    scene = None if stem == path.name else _scene_of(Deliverables(path.parent, stem))
    if scene is None and path.name.endswith(MAP_END):
        return Results((), (str(path),))
    if scene is None:
        raise FileError(
            f"{path} is no result with a summary beside it. Give a folder of results, or a "
            f"<scene>{MAP_END} as anomvae writes it."
        )
    return Results((scene,))


def _in_folder(folder: Path) -> Results:
    summaries = sorted(
        path for path in folder.glob(f"*{SUMMARY_END}") if path.is_file() and summary_fields(path)
    )
    stems = [path.name.removesuffix(SUMMARY_END) for path in summaries]
    scenes = tuple(filter(None, (_scene_of(Deliverables(folder, stem)) for stem in stems)))
    complete = {scene.files.scores.name for scene in scenes}
    maps = sorted(path for path in folder.glob(f"*{MAP_END}") if path.name not in complete)
    return Results(scenes, tuple(map(str, maps)))


def _scene_of(files: Deliverables) -> ScoredScene | None:
    """Read the summary of a scene; None where it has none that this version reads."""
    result = read_summary(files)
    if result is None:
        return None
    gone = tuple(path.name for path in result.written if not path.is_file())
    return ScoredScene(result, gone)


def _of_model(results: Results, model: str) -> Results:
    chosen = tuple(each for each in results.scenes if each.result.detector.startswith(model))
    if not chosen:
        known = ", ".join(dict.fromkeys(each.result.detector for each in results.scenes))
        raise ConfigError(f"No results are of the model {model}. There are those of {known}.")
    return Results(chosen, results.unfinished)


def _of_one_model(results: Results) -> Results:
    """Refuse results of two models, whose scores do not compare; each scene may have its own."""
    groups = dict(_by_model(results.scenes))
    if len(groups) > 1:
        parts = [f"{name} ({_scenes_text(scenes)})" for name, scenes in groups.items()]
        raise ConfigError(
            f"There are results of {len(groups)} models, whose scores do not compare: "
            f"{listed(parts, 4)}. Choose one by --model-id, or all of them by --model-id any."
        )
    return results


def _by_model(scenes: Sequence[ScoredScene]) -> Iterator[tuple[str, list[ScoredScene]]]:
    names = [each.model for each in scenes]
    for name in dict.fromkeys(names):
        yield name, [each for each, of in zip(scenes, names, strict=True) if of == name]


def _scenes_text(scenes: Sequence[ScoredScene]) -> str:
    first = scenes[0].files.stem
    return first if len(scenes) == 1 else f"{len(scenes)} scenes, such as {first}"
