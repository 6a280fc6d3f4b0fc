r"""The masks that a user names, as text: ``auto``, ``none``, ``coast.tif``, ``scl:SCL.jp2``.

Several are separated by commas before a name of a kind: ``auto,binary:coast.tif``.  Only the names
of `KINDS` count, so that ``C:\mask.tif``, ``https://...`` and ``NETCDF:...`` are files.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..addresses import displayed
from ..errors import ConfigError
from ..files import PathText, as_path
from .gdal import absolute_uri
from .mask_layers import MaskLayer
from .mask_rules import Classes, MaskRule, Zero
from .mask_schemes import SCHEMES
from .products.raster import Raster

AUTO, NONE, BINARY, CLASSES = "auto", "none", "binary", "classes"
KINDS = (BINARY, CLASSES, *SCHEMES)
"""What may precede the name of a file."""
MOST_DILATED = 1000
"""Most pixels by which what is hidden grows."""
LARGEST = 2**31
"""Largest class."""

_NAMED = re.compile(rf"({'|'.join(KINDS)}):(.+)", re.IGNORECASE | re.DOTALL)
_NUMBERED = re.compile(r"(.+)=\s*(\d+(?:\s*,\s*\d+)*)\s*", re.DOTALL)
_BETWEEN = re.compile(
    rf",(?=\s*(?:(?:{'|'.join(KINDS)}):|(?:{AUTO}|{NONE})\s*(?:,|$)))", re.IGNORECASE
)


@dataclass(frozen=True)
class NamedMask:
    """A mask in a file, or those that a product carries."""

    kind: str
    """A name in `KINDS`, or ``auto``: those of the product."""
    path: str = ""
    """The file."""
    hidden: tuple[int, ...] = ()
    """The classes or bits that are hidden; empty: as the kind has it."""

    @property
    def text(self) -> str:
        """The text of which `parse_mask` makes it."""
        numbers = f"={','.join(map(str, self.hidden))}" if self.hidden else ""
        return f"{self.kind}:{self.path}{numbers}" if self.path else self.kind

    @property
    def setting(self) -> str:
        """Its kind and what it hides, without its file; empty where nothing is chosen."""
        numbers = f"={','.join(map(str, self.hidden))}" if self.hidden else ""
        return "" if self.kind == BINARY else f"{self.kind}{numbers}"

    @property
    def layer(self) -> MaskLayer:
        """The mask in a file."""
        return MaskLayer(Raster(self.path), self._rule, self._title)

    @property
    def _rule(self) -> MaskRule:
        if self.kind == BINARY:
            return Zero()
        if self.kind == CLASSES:
            return Classes(self.hidden)
        return SCHEMES[self.kind].hiding(self.hidden).rule

    @property
    def _title(self) -> str:
        name = displayed(self.path)
        if self.kind == BINARY:
            return f"{name}: 0 and no data"
        if self.kind == CLASSES:
            return f"{name}: classes {', '.join(map(str, self.hidden))}"
        scheme = SCHEMES[self.kind].hiding(self.hidden)
        return f"{scheme.title} of {name}: {scheme.hides}"


def parse_mask(mask: PathText | None) -> tuple[NamedMask, ...]:
    """Return the masks that a user names; None names those of the product.

    Raises
    ------
    ConfigError
        When no file or class is named, or a name of a kind is unknown.

    Examples
    --------
    >>> parse_mask("classes:clouds.tif=3,8,9")
    (NamedMask(kind='classes', path='clouds.tif', hidden=(3, 8, 9)),)
    >>> [one.text for one in parse_mask("auto,scl:SCL.jp2=3,9,binary:a,b.tif")]
    ['auto', 'scl:SCL.jp2=3,9', 'binary:a,b.tif']
    """
    if mask is None:
        return (NamedMask(AUTO),)
    text = as_path(mask)
    if text.lower() not in {AUTO, NONE} and os.path.exists(text):
        return (NamedMask(BINARY, text),)
    if not text.strip():
        raise ConfigError("mask is empty: name a file, auto or none.")
    parts = [part.strip() for part in _BETWEEN.split(text)]
    if len(parts) > 1 and NONE in {part.lower() for part in parts}:
        raise ConfigError(f"mask = {text!r} names masks, and none: leave one of them out.")
    return tuple(named for part in parts for named in _named(part))


def absolute_mask(mask: str | None) -> str | None:
    """Return the same masks with absolute paths."""
    return None if mask is None else with_paths(mask, absolute_uri)


def with_paths(mask: str, changed: Callable[[str], str]) -> str:
    """Return the same masks with other paths, as ``changed`` returns them."""
    named = [replace(one, path=changed(one.path)) if one.path else one for one in parse_mask(mask)]
    if len(named) == 1 and named[0].kind == BINARY:
        return named[0].path
    return ",".join(one.text for one in named) or NONE


def mask_files(mask: PathText | None) -> list[str]:
    """Return the files of the masks that a user names."""
    return [one.path for one in parse_mask(mask) if one.path]


def checked_mask(mask: PathText | None) -> str | None:
    """Return the text of masks that `parse_mask` reads; raise `ConfigError` as it does."""
    parse_mask(mask)
    return None if mask is None else as_path(mask)


def checked_dilation(pixels: int) -> int:
    """Return the pixels by which masks grow; raise `ConfigError` where they cannot."""
    if isinstance(pixels, bool) or not isinstance(pixels, int) or not 0 <= pixels <= MOST_DILATED:
        raise ConfigError(
            f"mask_dilate = {pixels!r}: expected a whole number of pixels from 0 to {MOST_DILATED}."
        )
    return pixels


def _named(text: str) -> tuple[NamedMask, ...]:
    if text.lower() == NONE:
        return ()
    if text.lower() == AUTO:
        return (NamedMask(AUTO),)
    found = _NAMED.fullmatch(text)
    if found is None:
        _require_no_typo(text)
        return (NamedMask(BINARY, text),)
    kind, path = found[1].lower(), found[2]
    numbered = None if kind == BINARY or os.path.exists(path) else _NUMBERED.fullmatch(path)
    hidden: tuple[int, ...] = ()
    if numbered is not None:
        path, hidden = numbered[1], tuple(map(int, numbered[2].split(",")))
    _require_known(text, kind, hidden)
    return (NamedMask(kind, path, hidden),)


def _require_known(text: str, kind: str, hidden: tuple[int, ...]) -> None:
    if kind == CLASSES and not hidden:
        raise ConfigError(
            f"mask = {text!r} names no class: give those to hide, as in classes:FILE=3,8,9."
        )
    known = SCHEMES[kind].meanings if kind in SCHEMES else range(LARGEST)
    unknown = [number for number in hidden if number not in known]
    if unknown:
        what = "bit" if kind in SCHEMES and SCHEMES[kind].bitwise else "class"
        raise ConfigError(f"mask = {text!r}: {kind} has no {what} {unknown[0]}. Leave it out.")


def _require_no_typo(text: str) -> None:
    """Refuse a kind that is misspelt, where what follows is a file."""
    kind, _, path = text.partition(":")
    near = difflib.get_close_matches(kind.lower(), KINDS, n=1)
    if near and os.path.exists(_NUMBERED.sub(r"\1", path) if path else path):
        raise ConfigError(f"{kind!r} is no kind of mask. Did you mean {near[0]}:FILE?")
