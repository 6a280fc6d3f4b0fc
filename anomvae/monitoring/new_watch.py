"""A new watch of a folder of scenes: its configuration, its first model, and what runs it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from ..config.reading import shipped
from ..documents import to_json
from ..errors import ConfigError, FileError, OutputExists
from ..files import PathText, write_atomically
from ..names import printable
from .checks import valid_name

WATCH = "watch.toml"
RUNNERS = ("anomvae.service", "anomvae.timer", "anomvae.cron")
"""What runs a watch on one machine; configs/recipes has more."""
PLACEHOLDERS = "/opt/anomvae/bin/anomvae", "/srv/watch/watch.toml"
"""The command and the configuration in the recipes."""
FEWEST_DATES = 3
"""Scenes of one site from which they can be compared with each other."""


@dataclass(frozen=True)
class NewWatch:
    """The settings of a new watch."""

    folder: Path
    """Folder of the configuration, of results and of the state."""
    scenes: Path
    """Folder of the scenes."""
    name: str
    """Name of the site."""
    pattern: str
    """Names of the scenes in their folder."""
    dates: int | None = None
    """Dates per scene, where each is compared with those before it; None: a model is trained."""

    @property
    def configuration(self) -> Path:
        """The file that `anomvae monitor` reads."""
        return self.folder / WATCH

    @property
    def model(self) -> Path | None:
        """The model file; None where each scene is compared with those before it."""
        return None if self.dates is not None else self.folder / f"{self.name}.safetensors"

    @property
    def files(self) -> list[Path]:
        """Every file that is written."""
        model = [] if self.model is None else [self.model]
        return [*model, self.configuration, *(self.folder / runner for runner in RUNNERS)]

    def require_new(self) -> None:
        """Require that no file is replaced; raise `OutputExists` otherwise."""
        for path in self.files:
            if path.exists():
                raise OutputExists(
                    f"{path} exists, and a watch may use it. Choose another folder (-o), or "
                    f"remove it."
                )

    def write(self, command: Sequence[str]) -> None:
        """Write all files but the model; ``command`` are the words that call anomvae."""
        own = " ".join(map(_quoted, command)), _quoted(str(self.configuration))
        for runner in RUNNERS:
            text = (shipped("configs") / "recipes" / runner).read_text(encoding="utf-8")
            for placeholder, replacement in zip(PLACEHOLDERS, own, strict=True):
                text = text.replace(placeholder, replacement)
            write_atomically(self.folder / runner, text.encode())
        write_atomically(self.configuration, self._toml().encode())

    def _toml(self) -> str:
        detector = (
            f"dates = {self.dates}".ljust(36) + "# each scene is compared with those before it"
            if self.model is None
            else f"model = {to_json(self.model.name)}"
        )
        return f"""\
# A watch of one site; `anomvae monitor run {WATCH}` makes one pass. docs/monitoring.md and
# configs/monitor.toml have every key. Relative paths start at the folder of this file.

state = "state"

[[site]]
name = {to_json(self.name)}
{detector}
out = "maps"

[site.folder]
path = {to_json(str(self.scenes))}
pattern = {to_json(self.pattern)}

[site.alert]
min_area_px = 9                     # smaller objects are no anomaly
confirm = "2 of 3"                  # of the last valid passes over the same ground

[alerts.feed]
path = "alerts.geojson"             # for maps; mail, webhooks and messages as well

[health]
log = "monitor.jsonl"
"""


def new_watch(
    folder: PathText,
    scenes: PathText,
    name: str | None = None,
    pattern: str | None = None,
    dates: int | None = None,
) -> tuple[NewWatch, list[str]]:
    """Choose the settings of a new watch, and return the scenes that its folder holds.

    Raises
    ------
    ConfigError
        If the folder holds no scene, or too few for ``dates``, or ``name`` is none of a site.
    FileError
        If it is no folder, or cannot be read.
    """
    from ..raster.products.expansion import expanded

    if name is not None:
        _require_name(name)
    where = Path(os.path.abspath(scenes))
    if not where.is_dir():
        raise FileError(f"{scenes} is no folder. Name the folder in which scenes arrive.")
    named = str(where) if pattern is None else str(where / pattern)
    found = [product.name for product in expanded([named])]
    if dates is not None and len(found) < FEWEST_DATES:
        raise ConfigError(
            f"{scenes} holds {len(found)} scenes: to compare dates needs {FEWEST_DATES} of one "
            f"site. Leave --dates out, and a model is trained."
        )
    own = re.sub(r"[^\w.-]+", "-", where.name, flags=re.ASCII).strip("-.") or "site"
    chosen = pattern or _pattern(where, found)
    watch = NewWatch(Path(os.path.abspath(folder)), where, name or own, chosen, dates)
    return watch, found


def _require_name(name: str) -> None:
    try:
        valid_name(name)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _pattern(folder: Path, scenes: Sequence[str]) -> str:
    """Return a pattern of scenes of a folder: their suffix, or the letters that they begin with.

    What follows these, such as the path, row and date of Landsat, differs in scenes to come.
    """
    paths = [PurePath(path).relative_to(folder) for path in scenes]
    suffixes = {path.suffix for path in paths}
    starts = {re.split(r"[^A-Za-z]", path.name)[0] for path in paths}
    if len(suffixes) == 1 and suffixes != {""}:
        name = f"*{suffixes.pop()}"
    elif len(starts) == 1 and starts != {""}:
        name = f"{starts.pop()}*"
    else:
        raise ConfigError(
            f"{folder} holds scenes of several kinds ({', '.join(sorted(suffixes))}): give "
            f"--pattern, as in '*.SAFE'."
        )
    return name if all(len(path.parts) == 1 for path in paths) else f"**/{name}"


def _quoted(text: str) -> str:
    """Return a word for a shell, cron and systemd, which agree about blanks in double quotes.

    Raises `ConfigError` if it holds a character about which they do not agree.
    """
    if re.search(r'["\'\\$`%\x00-\x1f]', text):
        raise ConfigError(
            f"{printable(text)} holds a character that cron or systemd would change. Choose a "
            f"folder (-o) without quotes, $, % and control characters."
        )
    return text if re.fullmatch(r"[\w./@:+-]+", text, flags=re.ASCII) else f'"{text}"'
