"""Names in a folder: which are offered as scenes, and why others are not."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from ..errors import AnomvaeError, ConfigError, FileError, listed
from ..names import is_unfinished, is_utf8, printable
from .notices import LISTED, Report, SourceNotice, counted
from .side_masks import SideMasks


@dataclass
class Names:
    """The names of a folder that match a pattern, in their order."""

    offered: list[Path] = field(default_factory=list)
    """What may be scenes, each place on disk once."""
    unfinished: list[Path] = field(default_factory=list)
    """Hidden ones, and those of files being copied."""
    results: list[Path] = field(default_factory=list)
    """In a folder of results."""
    masks: list[Path] = field(default_factory=list)
    """Of masks beside scenes."""
    twice: list[Path] = field(default_factory=list)
    """Links to others."""
    errors: list[AnomvaeError] = field(default_factory=list)
    """What is wrong with subfolders."""


@dataclass(frozen=True)
class Folder:
    """A folder that is watched."""

    path: Path
    pattern: str
    """Names of scenes."""
    aside: Sequence[Path] = ()
    """Folders of results, which hold no scenes."""
    masks: SideMasks = SideMasks(None)  # noqa: RUF009 - frozen

    def names(self) -> Names:
        """List the names that match the pattern; raise `FileError` if the folder cannot be read."""
        try:
            next(self.path.iterdir(), None)  # glob takes a folder that cannot be read for empty
        except OSError as error:
            raise _not_listed(self.path, error) from error
        names, apart = Names(), _Apart(self.aside)
        try:
            for path in self._matching(self.pattern):
                self._kind_of(path, names, apart).append(path)
            if len(PurePath(self.pattern).parts) > 1:
                names.errors += _unlisted(self.path, apart)
        except OSError as error:
            names.errors.append(_not_listed(self.path, error))
        names.unfinished = list(dict.fromkeys([*names.unfinished, *self._unfinished()]))
        names.offered = list(apart.each_once(names.offered, names.twice))
        return names

    def _unfinished(self) -> Iterator[Path]:
        """Yield names that will match once they are complete, such as ``a.tif.part``."""
        for path in self._matching(f"{self.pattern}[.~]*"):
            if is_unfinished(path.relative_to(self.path)):
                yield path

    def notices(self, names: Names) -> Iterator[SourceNotice]:
        """Yield what of the folder is no scene, and why."""
        other = self._of_other_case(names)
        if other:
            text = counted(self._shown(other), "name matches", "names match")
            yield SourceNotice(
                f"{text}; pattern = {self.pattern!r} matches them only if the case of letters is "
                f"ignored. Write it as in '*.[tT][iI][fF]'.",
                Report.IF_NEW,
            )
        if not (names.offered or other):
            yield self._nothing(names)
        for paths, one, many in (
            (names.unfinished, "name is hidden or unfinished", "names are hidden or unfinished"),
            (names.results, "name lies among results", "names lie among results"),
            (names.twice, "name links to another scene", "names link to other scenes"),
        ):
            if paths:
                yield SourceNotice(
                    counted(self._shown(paths), f"{one}, no scene", f"{many}, no scenes")
                )

    def _kind_of(self, path: Path, names: Names, apart: _Apart) -> list[Path]:
        if is_unfinished(path.relative_to(self.path)):
            return names.unfinished
        if apart.holds(path):
            return names.results
        return names.masks if self.masks.is_mask(path) else names.offered

    def _matching(self, pattern: str) -> Iterator[Path]:
        try:
            yield from self.path.glob(pattern)
        except (ValueError, NotImplementedError) as error:
            raise ConfigError(
                f"pattern = {self.pattern!r}: {error}. Write it as in '**/*.tif'."
            ) from error

    def _of_other_case(self, names: Names) -> list[Path]:
        """List names that match the pattern only if the case of letters is ignored."""
        pattern = _of_any_case(self.pattern)
        if pattern == self.pattern:
            return []
        matching = {*names.offered, *names.unfinished, *names.results, *names.masks, *names.twice}
        rest, apart = Names(), _Apart(self.aside)
        for path in self._matching(pattern):
            if path not in matching:
                self._kind_of(path, rest, apart).append(path)
        return rest.offered

    def _nothing(self, names: Names) -> SourceNotice:
        """Return why nothing is offered."""
        where = printable(str(self.path))
        if names.masks:
            text = counted(self._shown(names.masks), "name", "names")
            return SourceNotice(f"{where} holds masks alone ({text})", Report.AT_FIRST)
        apart = _Apart(self.aside)
        present = [
            path
            for path in sorted(self.path.iterdir())
            if not (is_unfinished(PurePath(path.name)) or apart.holds(path))
        ]
        if not present:
            return SourceNotice(f"{where} is empty", Report.AT_FIRST)
        found = printable(listed([path.name for path in present], LISTED))
        return SourceNotice(
            f"no name in {where} matches pattern = {self.pattern!r}; it holds {found}. "
            f"{_advice(present, self.pattern)}",
            Report.AT_FIRST,
        )

    def _shown(self, paths: Sequence[Path]) -> list[str]:
        return [printable(path.relative_to(self.path).as_posix()) for path in paths]


class _Apart:
    """Folders of results, and where names lie on disk."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = [*folders, *(Path(os.path.realpath(each)) for each in folders)]
        self.places: dict[Path, str] = {}

    def holds(self, path: Path) -> bool:
        """Return whether a path is in one of the folders, by its name or by its place on disk."""
        ways = (path, Path(self._place(path.parent), path.name)) if self.folders else ()
        return any(way.is_relative_to(folder) for folder in self.folders for way in ways)

    def each_once(self, paths: Sequence[Path], twice: list[Path]) -> Iterator[Path]:
        """Yield paths of which no two are one place; a link comes after what it leads to."""
        places = {path: self._own_place(path) for path in paths}
        first: dict[str, Path] = {}
        for path in sorted(paths, key=lambda path: (str(path) != places[path], path)):
            first.setdefault(places[path], path)
        for path in paths:
            if first[places[path]] == path:
                yield path
            else:
                twice.append(path)

    def _own_place(self, path: Path) -> str:
        if path.is_symlink():
            return os.path.realpath(path)
        return os.path.join(self._place(path.parent), path.name)

    def _place(self, folder: Path) -> str:
        if folder not in self.places:
            self.places[folder] = os.path.realpath(folder)
        return self.places[folder]


def _of_any_case(pattern: str) -> str:
    """Return a pattern that matches what another does in any case of letters."""
    parts, inside = [], False
    for letter in pattern:
        inside = letter == "[" or (inside and letter != "]")
        simple = letter.isalpha() and len(letter.lower() + letter.upper()) == 2
        parts.append(f"[{letter.lower()}{letter.upper()}]" if simple and not inside else letter)
    return "".join(parts)


def _advice(present: Sequence[Path], pattern: str) -> str:
    """Return what to write, given what a folder holds."""
    from ..raster.products import recognise_special

    products = [
        path.name
        for path in present
        if is_utf8(path.name) and recognise_special(str(path)) is not None
    ]
    if products:
        names = printable(listed(products, 2))
        return f"Of products ({names}) give the pattern of their names, as in '*.SAFE'."
    if len(PurePath(pattern).parts) == 1 and any(path.is_dir() for path in present):
        return f"Names in its folders are matched by '**/{pattern}'."
    return "Give the pattern of the names of scenes."


def _unlisted(folder: Path, apart: _Apart) -> list[AnomvaeError]:
    """List the subfolders that cannot be read; glob takes them for empty ones."""
    errors: list[OSError] = []
    for _ in os.walk(folder, onerror=errors.append):
        pass
    lasting = [error for error in errors if not isinstance(error, FileNotFoundError)]
    paths = [(Path(str(error.filename)), error) for error in lasting]
    return [_not_listed(path, error) for path, error in paths if not apart.holds(path)]


def _not_listed(folder: Path, error: OSError) -> AnomvaeError:
    return FileError(
        f"{printable(str(folder))} cannot be read: {error.strerror}. Check the path and its "
        f"permissions."
    )
