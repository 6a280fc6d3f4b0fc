"""The folder of a site of pages: which files are ours, and what each was made of.

``manifest.json`` lists every file with the digest of all that it shows.  Files are written whole,
one after the other in a given order, the start page last; then what is gone is removed.  A run that
dies on the way leaves a site that works, of old and new pages, whose manifest makes the next run
write again what was on its way.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ... import __version__
from ...documents import DocumentError, content_of, read_json, to_json
from ...errors import NotWritten, OutputExists
from ...files import HIDDEN, Staging, staging, sync, writing
from ...parallel import Progress

MANIFEST = "manifest.json"
KIND = "pages of anomvae monitor"
LOCK = "pages"
MANY = 50
"""Files above which it takes less to wait for the whole disk than for each of them."""


@dataclass(frozen=True)
class PlannedFile:
    """A file of the site."""

    path: str
    """Relative to the folder, with ``/``."""
    digest: str
    """Of all that its content depends on."""
    make: Callable[[], bytes]
    """Makes its content."""


@dataclass(frozen=True)
class Published:
    """What became of the files of a plan."""

    written: tuple[str, ...]
    kept: int
    """Files whose content is what they would be."""
    removed: tuple[str, ...]


@dataclass(frozen=True)
class SiteFolder:
    """An open folder of pages, which no other run writes meanwhile."""

    path: Path
    stage: Staging
    state: str
    """Folder of the state that the pages show, relative to ``path``."""
    known: Mapping[str, str]
    """Digests of its files, as the last run left them."""

    def publish(self, plan: Sequence[PlannedFile], progress: Progress) -> Published:
        """Write the files of a plan that changed, in its order, and remove those that it lacks.

        Raises
        ------
        NotWritten
            If the folder cannot be written; what was published before stays.
        """
        there = set(_files(self.path))
        changed = [
            one for one in plan if one.path not in there or self.known.get(one.path) != one.digest
        ]
        gone = sorted((there & self.known.keys()) - {one.path for one in plan})
        if changed or gone:
            with writing(self.path):
                self._write(plan, changed, gone, progress)
        return Published(
            written=tuple(one.path for one in changed),
            kept=len(plan) - len(changed),
            removed=tuple(gone),
        )

    def _write(
        self,
        plan: Sequence[PlannedFile],
        changed: Sequence[PlannedFile],
        gone: Sequence[str],
        progress: Progress,
    ) -> None:
        digests = {one.path: one.digest for one in plan}
        self._note({**digests, **{one.path: "" for one in changed}, **dict.fromkeys(gone, "")})
        for number, one in enumerate(changed):
            progress("pages", number, len(changed))
            self._put(one.path, one.make())
        _sync([self.path / one.path for one in changed])
        for name in gone:
            (self.path / name).unlink(missing_ok=True)
        _remove_empty(self.path, gone)
        self._note(digests)

    def _put(self, name: str, content: bytes) -> None:
        target, part = self.path / name, self.stage.path("page")
        try:
            part.write_bytes(content)
            part.replace(target)
        except FileNotFoundError:
            target.parent.mkdir(parents=True, exist_ok=True)
            part.replace(target)

    def _note(self, digests: Mapping[str, str]) -> None:
        document = {"kind": KIND, "anomvae": __version__, "state": self.state}
        files = dict(sorted(digests.items()))
        text = to_json({**document, "files": files}, indent=0) + "\n"
        self.stage.path(MANIFEST).write_text(text, encoding="utf-8")
        sync(self.stage.path(MANIFEST))
        self.stage.path(MANIFEST).replace(self.path / MANIFEST)


@contextmanager
def opened_folder(path: Path, state: Path) -> Iterator[SiteFolder]:
    """Open a folder of pages about a state, a new one or one of earlier pages.

    Raises
    ------
    OutputExists
        If it holds other files, or the pages of another watch.
    NotWritten
        If it cannot be written.
    LockHeld
        If another run writes it.
    """
    with writing(path):
        names = os.listdir(path) if path.exists() else []
    if any(not name.startswith(HIDDEN) for name in names):
        _read_manifest(path)
    with staging(path, LOCK) as stage:
        there = (path / MANIFEST).exists()
        relative = _relative(state, path)
        known: Mapping[str, str] = {}
        if there:
            manifest = _read_manifest(path)
            _require_same(path, manifest.state, relative)
            known = manifest.files
        site = SiteFolder(path, stage, relative, known)
        if not there:
            with writing(path):
                site._note({})  # from now on the folder is ours, whatever happens
        yield site


@dataclass(frozen=True)
class _Manifest:
    state: str
    files: Mapping[str, str]


def _read_manifest(path: Path) -> _Manifest:
    """Read what a folder holds; raises `OutputExists` if it is no site of pages."""
    try:
        document = read_json(content_of(path / MANIFEST))
        if not isinstance(document, dict) or document.get("kind") != KIND:
            raise DocumentError("it is no list of pages")
        files = {str(name): str(digest) for name, digest in document["files"].items()}
        return _Manifest(str(document["state"]), files)
    except (OSError, DocumentError, KeyError, AttributeError) as error:
        raise OutputExists(
            f"{path} holds files that `anomvae monitor page` did not write. Choose a folder that "
            f"is empty or new."
        ) from error


def _require_same(path: Path, recorded: str, relative: str) -> None:
    """Require that pages are of a watch, unless the other watch is gone: it was moved."""
    if recorded != relative and (path / recorded / "monitor.sqlite").exists():
        raise OutputExists(
            f"{path} holds the pages of another watch, whose state is in "
            f"{os.path.normpath(path / recorded)}. Choose a folder that is empty or new."
        )


def _relative(state: Path, path: Path) -> str:
    try:
        return os.path.relpath(state, path)
    except ValueError:  # another drive
        return str(state.absolute())


def _files(folder: Path, below: str = "") -> Iterator[str]:
    """Yield the files of a site but the manifest, relative to its folder."""
    try:
        entries = list(os.scandir(folder / below))
    except NotADirectoryError as error:
        raise NotWritten(f"{folder / below} is no folder. Remove it.") from error
    for entry in entries:
        name = f"{below}{entry.name}"
        if entry.name.startswith(HIDDEN) or name == MANIFEST:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(folder, f"{name}/")
        else:
            yield name


def _sync(paths: Sequence[Path]) -> None:
    """Wait until files are on disk, before the manifest calls them done."""
    if len(paths) > MANY and hasattr(os, "sync"):  # of POSIX
        os.sync()  # one wait for all of them
        return
    for path in paths:
        sync(path)


def _remove_empty(folder: Path, gone: Sequence[str]) -> None:
    """Remove the folders that held files which are gone, if they hold nothing more."""
    parents = {parent for name in gone for parent in Path(name).parents} - {Path(".")}
    for parent in sorted(parents, key=lambda one: -len(one.parts)):
        with suppress(OSError):  # it is not empty
            (folder / parent).rmdir()
