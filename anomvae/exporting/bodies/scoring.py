"""Spectra of a raster to scores and flags, a window at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from ...program.numpy_engine import padded
from ...raster.values import physical_values

LAYERS = ("score", "reconstruction", "kl", "linear")
NORMAL, ANOMALOUS, NO_DATA = 0, 1, 255
VALUES = 2**22
"""Values of all bands that are read at a time."""
SIDE = 512
"""Least width of a window of a file of small blocks, pixels."""
OF_ALL_BANDS, ALPHA = 2, 6
"""GDAL's flag of a mask of all bands, and its number of an alpha band."""


class Model(NamedTuple):
    """A model, as the script holds it."""

    facts: dict[str, str]
    """What is known of it, which files of results have as tags."""
    bands: list[SimpleNamespace]
    """Its bands as the training files store them: index, name, scale, offset, nodata."""
    named: bool
    """Whether the training files name their bands."""
    source: int
    """Bands of a training file, whether the model takes them or not."""
    threshold: float
    """Scores above this are anomalous."""
    rows: int
    """Spectra that `terms` takes."""
    terms: Callable[[Any], tuple[Any, ...]]
    """Reconstruction, KL and linear term of spectra (n, band), nats."""


class ScriptError(Exception):
    """What stops the script, in one line."""


def score(model: Model, values: Any) -> Any:  # noqa: ANN401 - arrays of any type of numpy
    """Return the score and its terms of pixels (row, col, band), float32, NaN = no data.

    They follow each other on the first axis.
    """
    spectra = values.reshape(-1, len(model.bands))
    known = np.isfinite(spectra).all(axis=1)
    given, layers = spectra[known], np.full((len(LAYERS), len(spectra)), np.nan, np.float32)
    found = np.empty((3, len(given)), np.float32)
    with np.errstate(all="ignore"):
        for start in range(0, len(given), model.rows):
            some = given[start : start + model.rows]
            for layer, term in zip(found, model.terms(padded(some, model.rows))):  # noqa: B905 - Python 3.9
                layer[start : start + model.rows] = term[: len(some)]
    layers[0, known] = found[0] + found[1] + found[2]
    layers[1:, known] = found
    return layers.reshape(len(LAYERS), *values.shape[:-1])


def flags_of(scores: Any, threshold: float) -> Any:  # noqa: ANN401
    """Return 0 for normal, 1 for anomalous, 255 for no data, of scores."""
    flags = np.where(scores > np.float32(threshold), ANOMALOUS, NORMAL).astype(np.uint8)
    flags[~np.isfinite(scores)] = NO_DATA
    return flags


def bands_in(
    model: Model,
    dataset: Any,  # noqa: ANN401 - GDAL's
    numbers: Sequence[int],
    as_trained: bool,
) -> list[SimpleNamespace]:
    """Return the bands of the model as a raster stores them.

    ``numbers`` are those in the raster, from 1; without any, bands are found by their names, else
    by their places.  ``as_trained``: scale, offset and no data are those of the training files.
    """
    count, needed = dataset.RasterCount, len(model.bands)
    found = numbers or _numbers_in(model, dataset)
    if len(found) != needed or not all(1 <= number <= count for number in found):
        names = [band.name for band in model.bands[:20]] + ["..."] * (needed > 20)
        which = f"of which {len(numbers)} are chosen" if numbers else "not known as those"
        raise ScriptError(
            f"The raster has {count} bands, {which}, and the model takes {needed}: "
            f"{', '.join(names)}. Give their numbers in this order, as in 1,2,5-8."
        )
    return [
        _stored(dataset.GetRasterBand(number), number, band, as_trained)
        for number, band in zip(found, model.bands)  # noqa: B905
    ]


def _numbers_in(model: Model, dataset: Any) -> list[int]:  # noqa: ANN401
    """Return the numbers of the bands of the model in a raster; empty: not known."""
    count = dataset.RasterCount
    names = [dataset.GetRasterBand(number).GetDescription() for number in range(1, count + 1)]
    if all(names.count(band.name) == 1 for band in model.bands):
        return [names.index(band.name) + 1 for band in model.bands]
    if model.named and all(names):  # these are other bands
        return []
    if count == model.source:
        return [band.index for band in model.bands]
    return list(range(1, count + 1)) if count == len(model.bands) else []


def _stored(
    held: Any,  # noqa: ANN401
    number: int,
    band: SimpleNamespace,
    as_trained: bool,
) -> SimpleNamespace:
    """Return how a band of a raster is stored."""
    if as_trained:
        return SimpleNamespace(**{**vars(band), "index": number})
    scale, offset = held.GetScale(), held.GetOffset()
    return SimpleNamespace(
        index=number,
        scale=1.0 if scale is None else scale,
        offset=0.0 if offset is None else offset,
        nodata=held.GetNoDataValue(),
    )


def windows(dataset: Any, bands: int) -> Iterator[tuple[int, int, int, int]]:  # noqa: ANN401
    """Cut a raster into windows (column, row, width, height) of whole blocks of its file."""
    across, down = dataset.GetRasterBand(1).GetBlockSize()
    columns, rows = dataset.RasterXSize, dataset.RasterYSize
    width = min(columns, max(across, SIDE // across * across))
    height = max(1, VALUES // (width * bands))
    height -= height % down if height > down else 0
    for row in range(0, rows, height):
        for column in range(0, columns, width):
            yield column, row, min(width, columns - column), min(height, rows - row)


def read(
    dataset: Any,  # noqa: ANN401
    bands: Any,  # noqa: ANN401 - as `Bands`
    window: tuple[int, int, int, int],
) -> Any:  # noqa: ANN401
    """Read a window as physical values (row, col, band), float32, NaN = no data."""
    held = [dataset.GetRasterBand(band.index) for band in bands]
    stored = [band.ReadAsArray(*window) for band in held]
    if any(array is None for array in stored):
        raise ScriptError(f"The raster cannot be read at column, row {window[:2]}. Copy it again.")
    types = {array.dtype.name for array in stored}
    values = physical_values(np.stack(stored, axis=-1), bands, types)
    is_data = any(band.GetColorInterpretation() == ALPHA for band in held)
    if held[0].GetMaskFlags() & OF_ALL_BANDS and not is_data:
        values[held[0].GetMaskBand().ReadAsArray(*window) == 0] = np.nan
    return values
