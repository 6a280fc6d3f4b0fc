"""Checks of values in a monitoring configuration: paths, names, safe addresses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from ..addresses import is_local
from ..config.values import After, Between, Located
from ..errors import hint
from ..names import printable

LOCAL = {"localhost", "127.0.0.1", "::1"}
"""Names of this machine."""
NAME = re.compile(r"[\w.-]+")
UNKNOWN_KIND = re.compile(r"(\w{2,}):(?!//)")
"""What stands for a kind of mask and is none, before the name of a file."""
STEM = "{stem}"
"""What stands for the stem of a scene's name in the pattern of its masks."""


def _completed(text: str, folder: Path) -> str:
    """Resolve a path from the file's folder; addresses and GDAL's virtual files stay."""
    if not text:
        raise ValueError("a path is empty: give one.")
    _require_printable(text)
    try:
        return str(folder / Path(text).expanduser()) if is_local(text) else text
    except RuntimeError as error:
        raise ValueError(f"{text!r}: {str(error).rstrip('.')}.") from error


def _completed_config(text: str, folder: Path) -> str:
    """Resolve a TOML file from the file's folder; the name of a shipped configuration stays."""
    return _completed(text, folder) if Path(text).suffix == ".toml" else text


def _completed_mask(text: str, folder: Path) -> str:
    """Resolve the files of masks; what names no mask raises `ConfigError`, a `ValueError`."""
    from ..raster.mask_choice import with_paths

    return with_paths(text, lambda path: _completed(path, folder))


def _named_masks(text: str) -> str:
    """Require masks that differ by scene; what names no mask raises a `ValueError`."""
    from ..raster.mask_choice import parse_mask

    if not any(one.path for one in parse_mask(text)):
        raise ValueError(f"{text!r} names no mask: leave it out; mask = 'none' ignores all masks.")
    return text


def _mask_pattern(text: str) -> str:
    """Require that the file of each mask is named by that of its scene."""
    from ..raster.mask_choice import KINDS, parse_mask

    for one in parse_mask(_named_masks(text)):
        if found := UNKNOWN_KIND.match(one.path):
            raise ValueError(
                f"mask_pattern = {text!r}: {hint(found[1], KINDS)} Write it as in "
                f"'scl:{STEM}_SCL.tif'; a mask of 0 and 1 needs no kind."
            )
        rest = one.path.replace(STEM, "")
        if one.path and (STEM not in one.path or "{" in rest or "}" in rest):
            raise ValueError(
                f"mask_pattern = {text!r}: expected the stem of the scene in the name of the mask, "
                f"and nothing else in braces, as in 'scl:{STEM}_SCL.tif'. A mask of all scenes is "
                f"the key mask."
            )
    return text


def _require_printable(text: str) -> None:
    if printable(text) != text:
        raise ValueError(f"{text!r} holds control characters: remove them.")


def valid_name(text: str) -> str:
    """Return the name of a site or receiver; raise `ValueError` if it is none."""
    if not NAME.fullmatch(text):
        raise ValueError(f"name = {text!r}: expected letters, digits, '.', '-' and '_' alone.")
    return text


def _within(pattern: str) -> str:
    if not pattern or Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise ValueError(f"pattern = {pattern!r}: expected names in the folder, such as '*.tif'.")
    return pattern


def require_safe(url: str, *, allow_http: bool) -> str:
    """Return an address; raise `ValueError` unless it is HTTPS, on this machine, or allowed."""
    parts = urlsplit(url)
    plain = parts.scheme == "http" and (allow_http or parts.hostname in LOCAL)
    if not (parts.scheme == "https" or plain) or not parts.hostname:
        raise ValueError(
            f"'{parts.scheme}://{parts.hostname or ''}/' is not a safe address: give https://, "
            f"or set allow_http = true."
        )
    return url


# Beyond these bounds, sums of times and numbers overflow in clocks, sockets and the database.
Seconds = Annotated[float, Between(above=0, most=1e9)]
TimeOut = Annotated[float, Between(above=0, most=86_400)]
Count = Annotated[int, Between(above=0, most=1_000_000_000)]
PathText = Annotated[str, Located(_completed)]
ConfigText = Annotated[str, Located(_completed_config)]
MaskText = Annotated[str, Located(_completed_mask)]
NamedMasks = Annotated[str, After(_named_masks)]
MaskPattern = Annotated[str, After(_mask_pattern)]
Name = Annotated[str, After(valid_name)]
Pattern = Annotated[str, After(_within)]
