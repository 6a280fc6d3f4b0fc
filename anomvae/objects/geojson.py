"""Write the objects of a scene as GeoJSON while it is scored.

Memory holds 36 bytes for each object that has ended (`ranking`), and 25 to 40 for each corner of an
open outline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice, zip_longest
from json import loads
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..files import writing
from ..raster import Georeference
from .explanations import ObjectExplanations
from .features import explained_parts, features, pixel_outlines
from .geopackage import PackageFile, PackageWriter, package
from .georeferencing import Georeferencer, georeferencer_of
from .items import DEGREES, PIXELS, Provenance
from .labelling import ObjectTable, connected
from .ranking import AT_ONCE, Listing, RankedTexts
from .strips import ScoredTile, strips_of

Explain = Callable[[NDArray[np.int64]], ObjectExplanations]
"""Explains the objects of the given peaks, axes (object, coordinate): row, col; in order of rank.
It may explain the first of them only."""
APART = "\0"
"""Parts a feature from its outline in pixels while both wait for their rank."""


def write_objects(
    path: Path,
    tiles: Iterable[ScoredTile],
    where: Georeference,
    tags: Mapping[str, str],
    listing: Listing,
    *,
    explain: Explain | None = None,
    also: PackageFile | None = None,
) -> int:
    """Write the connected anomalies of a scene in order of rank, the largest margin first.

    Parameters
    ----------
    path : path
        The file to make, in a staging folder (see `anomvae.files.staging`).
    tiles : iterable of ScoredTile
        The tiles of the scene, row by row.
    where : Georeference
        Shape and location of the scene.
    tags : mapping
        The tags of its maps: how it was scored.
    listing : Listing
        Which objects are listed, and the threshold that flagged them.
    explain : callable, optional
        Explains the objects that are listed; called once all tiles have passed.
    also : PackageFile, optional
        A GeoPackage of the same objects, which is written meanwhile.

    Returns
    -------
    int
        Number of objects written.

    Raises
    ------
    NotWritten
        If the file cannot be written.
    """
    georeferencer, shape = georeferencer_of(where), where.grid.shape
    with (
        _opened(path) as write,
        RankedTexts(path.parent, listing.top) as ranked,
        ExitStack() as packages,
    ):
        texts_of = partial(features, georeferencer=georeferencer, width=shape[1], listing=listing)
        if also is not None:
            texts_of = partial(_with_outlines, texts_of=texts_of)
        for table in connected(strips_of(tiles, shape[1]), shape):
            ranked.add(table.only(table.objects["area"] >= listing.min_area), texts_of)
        peaks = np.stack(np.divmod(ranked.peaks(), shape[1]), axis=-1)
        explained = None if explain is None else explain(peaks)
        provenance = _provenance(tags, listing, georeferencer, explained)
        write(provenance.to_json())
        packed = None
        if also is not None:
            packed = packages.enter_context(package(also, where, provenance, len(peaks)))
        explanations = iter(()) if explained is None else explained.texts()
        lines = _lines(ranked.in_order(), explanations, packed)
        while some := "".join(islice(lines, AT_ONCE)):
            write(some)
        write("\n]}\n")
        return len(peaks)


def _with_outlines(
    table: ObjectTable, texts_of: Callable[[ObjectTable], Iterator[str]]
) -> Iterator[str]:
    """Write each object as a feature, and behind it its outline in pixels."""
    return map(APART.join, zip(texts_of(table), pixel_outlines(table), strict=True))


def _lines(
    texts: Iterator[str], explanations: Iterator[str], packed: PackageWriter | None
) -> Iterator[str]:
    """Write the features of objects in order of rank, each from behind the one before."""
    for rank, (text, explanation) in enumerate(zip_longest(texts, explanations), start=1):
        feature, _, outline = text.partition(APART)
        properties, rest = explained_parts(feature, explanation)
        properties = f'{{"id": {rank}, "rank": {rank}, {properties}'
        if packed is not None:
            packed.add(loads(properties), loads(outline))
        comma = "," if rank > 1 else ""
        yield f'{comma}\n{{"type": "Feature", "id": {rank}, "properties": {properties}{rest}'


@contextmanager
def _opened(path: Path) -> Iterator[Callable[[str], None]]:
    """Open a file to write; errors of the tiles, scored between writes, are none of writing."""
    with writing(path):
        file = path.open("w", encoding="utf-8", newline="")

    def write(text: str) -> None:
        with writing(path):
            file.write(text)

    try:
        yield write
    finally:
        with writing(path):
            file.close()


def _provenance(
    tags: Mapping[str, str],
    listing: Listing,
    georeferencer: Georeferencer,
    explained: ObjectExplanations | None,
) -> Provenance:
    bands = () if explained is None else tuple(explained.bands)
    return Provenance(
        version=__version__,
        digest=tags.get("ANOMVAE_DIGEST", ""),
        scene=tags.get("ANOMVAE_SCENE", ""),
        detector=tags.get("ANOMVAE_DETECTOR", ""),
        threshold=listing.threshold,
        threshold_rule=tags.get("ANOMVAE_THRESHOLD_RULE", ""),
        min_area=listing.min_area,
        coordinates=DEGREES if georeferencer.located else PIXELS,
        top=listing.top,
        explained=0 if explained is None else explained.count,
        bands=tuple(band.name for band in bands),
        wavelengths=tuple(band.wavelength for band in bands),
    )
