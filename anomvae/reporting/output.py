"""The file of a report: whether it may be written, and that it is one of ours."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from ..errors import ConfigError, FileError, OutputExists
from ..files import PathText, require_file

HEAD_BYTES = 8192
"""Bytes in which a page names what made it."""
GENERATOR = re.compile(rb'<meta name="generator" content="anomvae ')


def is_ours(path: Path) -> bool:
    """Return whether a file is a page of anomvae."""
    try:
        with path.open("rb") as file:
            return bool(GENERATOR.search(file.read(HEAD_BYTES)))
    except OSError:
        return False


def require_replaceable(
    path: PathText, read: Iterable[PathText], results: Iterable[Path], *, overwrite: bool
) -> None:
    """Require before the work that a page can be written, and replaces no file of another kind.

    ``read`` are files that the report is made of; ``results`` are names of results.

    Raises
    ------
    FileError
        If it is a folder.
    NotWritten
        If it is a device, a pipe or a socket.
    ConfigError
        If it is one of the files that are read, or has the name of a result.
    OutputExists
        If another file is there, and ``overwrite`` is not given.
    """
    file = Path(path)
    if file.is_dir() or str(path).endswith(("/", os.sep)):
        raise FileError(f"{path} is a folder. Give the name of a file, such as report.html.")
    require_file(file)
    place = file.resolve()
    if place in {each.resolve() for each in results}:
        raise ConfigError(f"{path} is the name of a result of a scene. Choose another one.")
    if not file.exists():
        return
    if any(os.path.exists(one) and file.samefile(one) for one in read):
        raise ConfigError(f"{path} is read for this and would be replaced. Choose another name.")
    if not (overwrite or is_ours(file)):
        raise OutputExists(
            f"{path} exists and is no page of anomvae. Give --overwrite to replace it, or another "
            f"name."
        )
