"""Layers of pixels as arrays of xarray, with the coordinates of the array that was scored."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from ..detector import Detector
from ..pixels.flag_classes import ANOMALOUS, NO_DATA, NORMAL
from ..raster.data_array_bands import Axes
from ..stats.thresholds import Threshold

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

NOT_KEPT = {
    *("_FillValue", "missing_value", "scale_factor", "add_offset", "scales", "offsets", "dtype"),
    *("long_name", "standard_name", "units", "wavelength", "wavelength_units", "fwhm"),
    *("band_names", "descriptions", "bandwidth"),
}
"""Attributes of numbers and bands, which scores do not have."""
MEANINGS = {
    "score": "anomaly score, higher is more anomalous",
    "reconstruction": "reconstruction term of the anomaly score",
    "kl": "KL term of the anomaly score",
    "linear": "linear term of the anomaly score",
}


def dataset_of(
    array: DataArray,
    axes: Axes,
    detector: Detector,
    layers: Mapping[str, Any],
    threshold: Threshold | None = None,
) -> Dataset:
    """Return layers, arrays of axes (row, col), as variables with the coordinates of an array.

    Dimensions keep their order; of several dates, the newest gives its time.  ``threshold`` is by
    default the detector's.
    """
    from xarray import DataArray, Dataset

    template = _template(array, axes)
    chosen = detector.card.threshold if threshold is None else threshold
    unit = {} if detector.card.weighting is not None else {"units": "nats"}
    attributes = _kept(array) | _provenance(detector.id, chosen)
    variables = {}
    for name, values in layers.items():
        about = attributes | {"long_name": MEANINGS.get(name, name), **unit}
        one = DataArray(values, template.coords, (axes.row, axes.col), name, about)
        one.encoding = {"_FillValue": np.float32(np.nan), **_mapping(array)}
        variables[name] = one.transpose(*(dim for dim in array.dims if dim in one.dims))
    return Dataset(variables, attrs=attributes)


def flagged(array: DataArray, flags: DataArray, identity: str, threshold: Threshold) -> DataArray:
    """Describe classes of pixels of an array; ``identity`` is that of the detector."""
    about = {
        "long_name": "flags of anomalous pixels",
        "flag_values": np.array([NORMAL, ANOMALOUS, NO_DATA], np.uint8),
        "flag_meanings": "normal anomalous no_data",
    }
    found = flags.rename("flags").transpose(*(dim for dim in array.dims if dim in flags.dims))
    found.attrs = _kept(array) | _provenance(identity, threshold) | about
    found.encoding = {"_FillValue": np.uint8(NO_DATA), **_mapping(array)}
    return found


def classes_of(scores: Any, anomalous: Any) -> Any:  # noqa: ANN401 - arrays of numpy or Dask
    """Return the classes of pixels, uint8: 0 normal, 1 anomalous, 255 no data."""
    from xarray import where

    classes = where(anomalous, np.uint8(ANOMALOUS), np.uint8(NORMAL))
    return where(np.isfinite(scores), classes, np.uint8(NO_DATA)).astype(np.uint8)


def _template(array: DataArray, axes: Axes) -> DataArray:
    """Return one band of the newest date, with the coordinates that all layers have."""
    newest = {} if axes.time is None else {axes.time: -1}
    of_bands = [name for name, one in array.coords.items() if axes.band in one.dims]
    one = array.isel({axes.band: 0, **newest}).drop_vars(of_bands)
    return one.transpose(axes.row, axes.col)


def _kept(array: DataArray) -> dict[Hashable, Any]:
    """Return the attributes of an array that are not about numbers or bands."""
    return {name: value for name, value in array.attrs.items() if name not in NOT_KEPT}


def _mapping(array: DataArray) -> dict[str, Any]:
    """Return the name of the coordinate that holds the coordinate reference system."""
    name = array.encoding.get("grid_mapping")
    return {} if name is None else {"grid_mapping": name}


def _provenance(identity: str, threshold: Threshold | None) -> dict[Hashable, Any]:
    about: dict[Hashable, Any] = {"anomvae": __version__, "anomvae_model": identity}
    if threshold is not None:
        about |= {"anomvae_threshold_rule": threshold.rule}
        if np.isfinite(threshold.value):
            about |= {"anomvae_threshold": threshold.value}
    return about
