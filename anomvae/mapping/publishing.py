"""The last files of a scored scene, and its publication: styles, quick look, item and summary."""

from __future__ import annotations

import time
from collections.abc import Set
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..files import Staging, side_car, writing
from ..identity import require_unchanged
from .deliverables import Deliverables
from .layer_styles import styles_of
from .qml import is_own
from .quicklook import drawn
from .result import MapResult
from .stac_item import SceneFacts, item_text

if TYPE_CHECKING:
    from .open_deliverables import OpenDeliverables

HEAD = 2000
"""Bytes of a style that are read to recognise it."""


def published(
    out: OpenDeliverables,
    result: MapResult,
    facts: SceneFacts,
    *,
    map_stays: bool,
    before: Path | None,
) -> MapResult:
    """Make the last files, and publish all; see `OpenDeliverables.publish`."""
    stage, files = out.stage, out.files
    png = None
    if out.options.picture:
        objects = stage.path(files.objects.name)
        png = drawn(files.stem, out.quicklook, result.threshold, objects)
    result = replace(result, drawn=png is not None, seconds=time.perf_counter() - out.start)
    if png is not None:
        with writing(files.quicklook):
            stage.path(files.quicklook.name).write_bytes(png)
    for path, style in styles_of(result, _made(stage, files.explanation)).items():
        _write(stage, path, style)
    _write(stage, files.summary, result.to_json())
    if result.item:
        with writing(files.item):
            about = replace(facts, model=facts.model or out.options.model_path)
            text = item_text(result, about, lambda path: _made(stage, path), before)
        _write(stage, files.item, text)
    require_unchanged(out.inputs)
    kept = _styles_of_users(files)
    for path in set(files.all) - set(result.written) - kept:
        with writing(path):
            path.unlink(missing_ok=True)  # it would be of an earlier run
            side_car(path).unlink(missing_ok=True)
    stay = {files.scores, files.explanation} if map_stays else set()
    stage.publish(*(path.name for path in result.written if path not in stay | kept))
    return result


def _write(stage: Staging, path: Path, text: str) -> None:
    with writing(path):
        stage.path(path.name).write_text(text, encoding="utf-8", newline="\n")


def _made(stage: Staging, path: Path) -> Path:
    """Return where a deliverable lies: a map that stays is published already."""
    made = stage.path(path.name)
    return made if made.exists() else path


def _styles_of_users(files: Deliverables) -> Set[Path]:
    """Return the styles that a user has saved in place of those of anomvae: they stay."""
    return {path for path in files.styles if path.is_file() and not is_own(_head(path))}


def _head(path: Path) -> bytes:
    with writing(path), path.open("rb") as file:
        return file.read(HEAD)
