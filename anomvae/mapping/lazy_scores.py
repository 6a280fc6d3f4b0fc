"""Layers of an array in chunks as a graph of Dask: nothing is computed before they are.

Numbers have axes (time, band, row, col), layers (layer, row, col).  Layers are, to the bit, those
of the same pixels in a file, whatever the chunks::

    numbers --sampled--> Prepared: how values are stored, and the noise of the scene
    numbers, Prepared --a chunk with its halo--> layers

What the whole scene decides is decided from samples first, in a pass of its own: the second pass
reads the numbers again, so that no chunk waits in memory for the last one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..detector import Detector
from ..detector.scene_noise import (
    SampledResiduals,
    has_scene_noise,
    sampled_residuals,
    with_noise_of,
)
from ..parallel.threads import alone
from ..pixels.tiling import Tile, fitting_size, tile_at, tiles, within
from ..raster import OpenScene
from ..raster.products.data_array import with_pieces, without_numbers
from ..raster.radiometry import is_stated, sampled_windows
from ..stats.radiometry import AS_STORED
from .scorer import layers_of
from .second_pass import computed_again
from .tiles import in_units_of_training, reference_of

Numbers = NDArray[Any]
MOST_BYTES = 128 * 2**20
"""Bytes of a chunk above which it is divided: all bands of a pixel are in one chunk."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """What scores the chunks of a scene."""

    detector: Detector
    """With the noise of the scene, if its score has one."""
    opened: OpenScene
    """The scene, whose numbers are elsewhere, with what the data decided about them."""


@dataclass(frozen=True)
class Chunks:
    """Where the chunks of a scene lie."""

    rows: tuple[int, ...]
    """Rows of each."""
    cols: tuple[int, ...]
    """Columns of each."""

    def tile(self, row: int, col: int, halo: int) -> Tile:
        """Return a chunk by its place among the others, with a halo cut at the edge."""
        keep = tuple(
            slice(sum(sizes[:place]), sum(sizes[: place + 1]))
            for sizes, place in ((self.rows, row), (self.cols, col))
        )
        return tile_at((keep[0], keep[1]), (sum(self.rows), sum(self.cols)), halo)


def lazy_layers(detector: Detector, opened: OpenScene, numbers: Any) -> Any:  # noqa: ANN401 - Dask's
    """Return the layers of the newest date of a scene as an array of Dask.

    Parameters
    ----------
    detector : Detector
        Scores the scene.
    opened : OpenScene
        The scene, of DataArrays.
    numbers : dask.array.Array
        Their numbers, axes (time, band, row, col).

    Returns
    -------
    dask.array.Array of float32
        Axes (layer, row, col): `Detector.layers`.  A chunk holds all layers; chunks of rows and
        columns are those of ``numbers``, unless these are narrower than the receptive radius, or
        so large that they are divided.
    """
    from dask.delayed import delayed

    numbers = _chunked(numbers, detector.radius)
    chunks = Chunks(numbers.chunks[2], numbers.chunks[3])
    start = delayed(Prepared(detector, without_numbers(opened)), pure=False, traverse=False)
    in_units = _in_units(detector, opened, start, numbers)
    prepared = _with_noise(detector, in_units, _after(numbers, in_units, start), chunks)
    around = _with_halo(_after(numbers, prepared, start), detector.radius)
    names = detector.layers
    return around.map_blocks(
        _score_chunk,
        prepared=prepared,
        chunks_of=chunks,
        halo=detector.radius,
        dtype=np.float32,
        drop_axis=0,
        chunks=((len(names),), chunks.rows, chunks.cols),
        meta=np.empty((0, 0, 0), np.float32),
    )


def _chunked(numbers: Any, radius: int) -> Any:  # noqa: ANN401 - Dask's
    """Return an array with all dates and bands of a pixel in one chunk, none of them too small."""
    from dask.array.overlap import ensure_minimum_chunksize

    numbers = numbers.rechunk({0: -1, 1: -1})
    pixel = numbers.shape[0] * numbers.shape[1] * max(4, numbers.dtype.itemsize)
    rows, cols = (max(sizes) for sizes in numbers.chunks[2:])
    if rows * cols * pixel > MOST_BYTES:
        numbers = numbers.rechunk({2: "auto", 3: "auto"}, block_size_limit=MOST_BYTES)
    if not radius:
        return numbers
    least = [ensure_minimum_chunksize(min(radius, sum(one)), one) for one in numbers.chunks[2:]]
    return numbers.rechunk({2: least[0], 3: least[1]})


def _after(numbers: Any, decided: Any, start: Any) -> Any:  # noqa: ANN401 - Dask's
    """Return an array that is computed again once something is decided from it."""
    return numbers if decided is start else computed_again(numbers, decided)


def _with_halo(numbers: Any, radius: int) -> Any:  # noqa: ANN401 - Dask's
    from dask.array.overlap import overlap

    if not radius:
        return numbers
    return overlap(numbers, depth={2: radius, 3: radius}, boundary="none", allow_rechunk=False)


def _in_units(detector: Detector, opened: OpenScene, start: Any, numbers: Any) -> Any:  # noqa: ANN401
    """Return what scores chunks, with the units of training; the same where nothing is open."""
    from dask.delayed import delayed

    reference = reference_of(detector)
    if reference is None or opened.scene.radiometry == AS_STORED:
        return start
    if all(is_stated(reference, date) for date in opened.dates):
        return start
    windows = sampled_windows(opened.newest)
    parts = [numbers[:, :, rows, cols] for rows, cols in windows]
    return delayed(_decide_units, pure=False, traverse=False)(start, windows, *parts)


def _with_noise(detector: Detector, prepared: Any, numbers: Any, chunks: Chunks) -> Any:  # noqa: ANN401
    """Return what scores chunks, with the noise of the scene, if the score has one."""
    from dask.delayed import delayed

    if not has_scene_noise(detector):
        return prepared
    halo = detector.view.radius
    blocks = _with_halo(numbers, halo).to_delayed()[0, 0]
    sample: Any = delayed(_sample_chunk, pure=False, traverse=False)
    parts = [
        sample(prepared, block, chunks.tile(row, col, halo))
        for row, beside in enumerate(blocks)
        for col, block in enumerate(beside)
    ]
    return delayed(_fit_noise, pure=False)(prepared, parts)


def _decide_units(prepared: Prepared, windows: Sequence[Any], *parts: Numbers) -> Prepared:
    held = [(window, np.asarray(part)) for window, part in zip(windows, parts, strict=True)]
    with alone():
        decided = in_units_of_training(prepared.detector, with_pieces(prepared.opened, held))
    return Prepared(prepared.detector, without_numbers(decided))


def _sample_chunk(prepared: Prepared, block: Numbers, tile: Tile) -> SampledResiduals:
    opened = with_pieces(prepared.opened, [(tile.read, block)])
    with alone():
        return sampled_residuals(prepared.detector, opened, tile)


def _fit_noise(prepared: Prepared, parts: Sequence[SampledResiduals]) -> Prepared:
    with alone():
        adapted = with_noise_of(prepared.detector, parts, prepared.opened.names[-1])
    return Prepared(adapted, prepared.opened)


def _score_chunk(
    numbers: Numbers,
    prepared: Prepared,
    chunks_of: Chunks,
    halo: int,
    block_info: Any = None,  # noqa: ANN401 - Dask's
) -> NDArray[np.float32]:
    """Return the layers of a chunk, given its numbers with their halo."""
    *_, row, col = block_info[0]["chunk-location"]
    chunk, opened = chunks_of.tile(row, col, halo), prepared.opened
    reading = with_pieces(opened, [(chunk.read, numbers)])
    layers = np.empty((len(prepared.detector.layers), *chunk.shape), np.float32)
    with alone():
        for tile in _tiles_in(chunk, opened, halo):
            parts = layers_of(prepared.detector, tile, reading.read(tile.read))
            for layer, part in zip(layers, parts, strict=True):
                layer[within(tile.keep, chunk.keep)] = part[-1]
    return layers


def _tiles_in(chunk: Tile, opened: OpenScene, halo: int) -> Iterator[Tile]:
    """Cut a chunk into tiles of bounded bytes: what is computed of one takes many times as much."""
    rows, cols = chunk.keep
    size = fitting_size(chunk.shape, (1, 1), opened.values_per_pixel)
    for part in tiles(chunk.shape, size):
        keep = tuple(
            slice(start + one.start, start + one.stop)
            for start, one in zip((rows.start, cols.start), part.keep, strict=True)
        )
        yield tile_at((keep[0], keep[1]), opened.grid.shape, halo)
