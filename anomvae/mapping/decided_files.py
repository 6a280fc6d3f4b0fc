"""The files that follow from the scores of a whole map: flags, p-values and objects."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..objects import Listing, PackageFile, write_objects
from ..parallel import ahead
from ..pixels.flag_classes import NO_DATA
from ..raster import Layout, MapWriter
from .flagging import FLAGS, Counted, Decision, ScoredMap, WindowWriter
from .layer_styles import objects_style
from .stored import stored

if TYPE_CHECKING:
    from .object_explanations import Explainer
    from .open_deliverables import OpenDeliverables


def write_decision(
    out: OpenDeliverables,
    scored: ScoredMap,
    decision: Decision,
    tags: Mapping[str, str],
    explainer: Explainer | None,
) -> tuple[int, int]:
    """Write flags, p-values and objects; return the flagged pixels and the objects listed.

    One thread decides and writes the maps; the caller's thread finds objects in the windows that
    are decided.
    """
    stage, files, options = out.stage, out.files, out.options
    classes = Layout("uint8", NO_DATA, ("flags",), tags, FLAGS, "mode", predictor=False)
    shares = Layout("float32", math.nan, ("p_value",), tags, overviews="minimum")
    p_values = None if decision.p_values is None else decision.p_values.of
    listing = Listing(decision.threshold.value, p_values, options.min_area, options.top)
    shape = scored.where.grid.shape
    with stored(shape, np.bool_, stage.hidden) as flagged, ExitStack() as maps:

        def opened(path: Path, layout: Layout) -> MapWriter:
            return maps.enter_context(MapWriter(stage.path(path.name), scored.where, layout))

        p_map = opened(files.p_values, shares) if options.p_values else None
        flags = opened(files.flags, classes)
        write = WindowWriter(decision, scored, flags, p_map, out.quicklook)
        with closing(ahead(write, scored.windows(decision.radius))) as decided:
            counted = Counted(decided, shape, out.progress, flagged)
            path = stage.path(files.objects.name)
            explain = None if explainer is None else explainer(flagged.read)
            objects = write_objects(
                *(path, counted, scored.where, tags, listing),
                explain=explain,
                also=_package(out, tags) if options.gpkg else None,
            )
    return counted.flagged, objects


def _package(out: OpenDeliverables, tags: Mapping[str, str]) -> PackageFile:
    """Return the GeoPackage of the objects that is to be written."""
    title = f"anomalies of {tags.get('ANOMVAE_SCENE') or out.files.stem}"
    path = out.stage.path(out.files.package.name)
    return PackageFile(path, title, objects_style(profiles=True), out.progress)
