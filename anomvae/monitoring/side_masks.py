"""Masks in files that lie beside local scenes, by the stems of their names."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePath

from ..raster.mask_choice import NamedMask, parse_mask
from ..raster.products.masked import Masked
from .checks import STEM
from .local import LocalScene


@dataclass(frozen=True)
class SideMasks:
    """The masks that `FolderConfig.mask_pattern` names; none where it is None."""

    pattern: str | None

    @cached_property
    def named(self) -> tuple[NamedMask, ...]:
        """The masks, whose paths hold the stem of any scene."""
        return () if self.pattern is None else parse_mask(self.pattern)

    def is_mask(self, path: PurePath) -> bool:
        """Return whether a file has the name of a mask: it is no scene."""
        return any(pattern.search(f"/{path.as_posix()}") for pattern in self._names)

    def beside(self, scene: LocalScene) -> LocalScene:
        """Return a scene with its masks; those that are not there yet are ``awaited``."""
        if not self.named or scene.product is None:
            return scene
        masks = tuple(
            replace(one, path=one.path and self._path(one.path, scene)) for one in self.named
        )
        awaited = tuple(one.path for one in masks if one.path and not os.path.isfile(one.path))
        product = Masked(scene.product.name, scene.product, masks)
        return replace(scene, product=product, awaited=awaited)

    def _path(self, name: str, scene: LocalScene) -> str:
        stem = scene.path.stem if scene.product is None else scene.product.stem
        return os.path.normpath(scene.path.parent / name.replace(STEM, stem))

    @cached_property
    def _names(self) -> tuple[re.Pattern[str], ...]:
        """Patterns of the ends of their paths, from the folder in which scenes lie."""
        paths = [os.path.normpath(one.path) for one in self.named if one.path]
        ends = [re.sub(r"^(\.\./)+", "", Path(path).as_posix()) for path in paths]
        return tuple(
            re.compile(f"/{re.escape(end.lstrip('/')).replace(re.escape(STEM), '[^/]+')}$")
            for end in ends
        )
