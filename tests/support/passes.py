"""Scored scenes of a site without a detector: maps of flags, and the passes that they are."""

import json
from datetime import date, timedelta
from types import SimpleNamespace

import numpy as np
import rasterio
from affine import Affine

from anomvae.monitoring.config import SiteConfig
from anomvae.monitoring.decisions.map_file import LAYERS
from anomvae.monitoring.decisions.passes import ScenePass
from anomvae.monitoring.decisions.persistence import stage
from anomvae.monitoring.records import Key
from anomvae.raster.gdal import unwarned

from .scene_files import make

START = date(2024, 6, 1)
EVERYWHERE = {"min_area_px": 1}
"""Rules by which each flagged pixel is a candidate."""


def site_of(folder, **keys):
    """Configure a site whose results lie in a folder."""
    own = {"name": "harbour", "model": "m", "out": str(folder), "folder": {"path": "in"}}
    return SiteConfig.read({**own, "alert": EVERYWHERE, **keys})


def placed_at(row=0, col=0, side=10.0, crs="EPSG:32633"):
    """Return the profile of a grid that begins so many pixels of 10 m from a corner."""
    return {"crs": crs, "transform": Affine(side, 0, 5e5 + 10 * col, 0, -side, 5e6 - 10 * row)}


def scored(folder, name, flags, *, day=0, model="m", recorded=None, **where):
    """Write the map of flags of a scene of some day; return its pass."""
    place = folder / f"{name}-{model}"
    place.mkdir(parents=True, exist_ok=True)
    tags = {"ANOMVAE_DIGEST": f"{name} {model} {np.asarray(flags).tobytes().hex()}"}
    values = np.asarray(flags, np.uint8)[np.newaxis]
    profile = {"nodata": 255, "compress": "deflate", **(where or placed_at())}
    make(
        place / f"{name}.flags.tif",
        values,
        describe=lambda dataset: dataset.update_tags(**tags),
        **profile,
    )
    taken = None if day is None else START + timedelta(days=day)
    return ScenePass(
        Key("harbour", f"{name}", model, "s"),
        name,
        taken,
        recorded or f"2024-07-{1 + (day or 0):02d}T00:00:00.000+00:00",
        place / f"{name}.anomaly.tif",
    )


def published(site, recorded, new=None, **more):
    """Stage and publish the map of a site; return what was staged."""
    with stage(site, recorded, new, **more) as staged:
        staged.publish()
    return staged


def one_by_one(site, passes):
    """Publish the map after each pass, as they arrive; return what was staged last."""
    for number, one in enumerate(passes):
        staged = published(site, passes[:number], one)
    return staged


def read_map(path):
    """Return the layers of a map by name, and its tags, as ``layers`` and ``tags``."""
    with unwarned(), rasterio.open(path) as dataset:
        assert dataset.descriptions == LAYERS
        layers = dict(zip(LAYERS, dataset.read(), strict=True))
        return SimpleNamespace(layers=layers, tags=dataset.tags(), transform=dataset.transform)


def write_polygons(path, *rings, **members):
    """Write polygons as GeoJSON."""
    polygons = [{"type": "Polygon", "coordinates": [ring]} for ring in rings]
    features = [{"type": "Feature", "properties": {}, "geometry": one} for one in polygons]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **members}))
    return str(path)
