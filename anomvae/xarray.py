"""Scores of DataArrays of xarray: ``import anomvae.xarray`` gives them ``da.anomvae``.

>>> from anomvae import VAEDetector
>>> pixels = np.random.default_rng(0).normal(size=(20, 25, 6)).astype("float32")
>>> detector = VAEDetector(max_steps=20, random_state=0).fit(pixels.reshape(-1, 6)).detector_
>>> found = xarray.DataArray(pixels, dims=("y", "x", "band")).anomvae.score(detector)
>>> found.score.dims, found.score.shape
(('y', 'x'), (20, 25))

An array has the dimensions band, y, x, or time, band, y, x, in any order.  Scores are, to the bit,
those of ``anomvae score`` for the same numbers in a file.  Where the array has chunks of Dask they
are computed when they are needed; workers need no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import ConfigError
from .mapping.labelled_arrays import classes_of, dataset_of, flagged
from .names import one_line
from .raster.data_array_bands import Axes, axes_of, bands_of, unit_of_values
from .raster.georeference import Georeference
from .raster.products.data_array import DataArrayProduct, LazyNumbers
from .raster.scene import Scene
from .stats.radiometry import AUTO

try:
    import xarray
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        'xarray is needed for this. Run: pip install "anomvae[xarray]".', name="xarray"
    ) from error

if TYPE_CHECKING:
    from .config import Config
    from .detector import Detector
    from .files import PathText
    from .mapping.arrays import ArrayResult
    from .pixels.bands import Bands
    from .stats.thresholds import Threshold

__all__ = ["Anomvae"]


@xarray.register_dataarray_accessor("anomvae")
class Anomvae:
    """What anomvae computes of a DataArray of pixels, as ``da.anomvae``."""

    def __init__(self, array: xarray.DataArray) -> None:
        """Take the array; nothing is computed."""
        self._array = array

    @property
    def bands(self) -> Bands:
        """Its bands, as a detector looks for them: names, wavelengths, scales, no data.

        Raises
        ------
        ConfigError
            When the array has other dimensions than band, y, x, or time, band, y, x.
        """
        return bands_of(self._array, axes_of(self._array))

    def score(
        self,
        detector: Detector | PathText,
        *,
        nodata: float | Sequence[float] | None = None,
        radiometry: str = AUTO,
    ) -> xarray.Dataset:
        """Score each pixel.

        Parameters
        ----------
        detector : Detector or path
            A detector, or its model file.
        nodata : float or sequence of float, optional
            Values of the array that are no data, beyond NaN and those of its attributes.
        radiometry : {"auto", "as-stored"}
            As the option of ``anomvae score``.

        Returns
        -------
        xarray.Dataset
            ``score`` and its terms, float32 with the dimensions y, x; NaN = no data.  In chunks of
            Dask if the array has chunks.  Of an array with time, a detector that compares dates
            scores the newest date, given those before; any other scores each date.

        Raises
        ------
        ConfigError
            When the array has other dimensions or no date, or when dates that are compared are not
            oldest first.
        BandMismatch, CovariateMismatch
            When its bands do not fit, or the detector has covariates.
        """
        loaded = _detector(detector)
        axes = axes_of(self._array)
        if _each_date_alone(axes, loaded):
            return self._of_each_date(
                axes, lambda one: one.score(loaded, nodata=nodata, radiometry=radiometry)
            )
        closed = self._scene(axes, nodata, radiometry, to_score=True)
        loaded.require_dates(len(closed.dates))
        if self._array.chunks is None:
            layers = _terms(_in_memory(loaded, closed))
        else:
            from .mapping.lazy_scores import lazy_layers

            with closed.open(loaded.bands, loaded.covariates) as opened:
                planes = lazy_layers(loaded, opened, self._numbers(axes))
            layers = dict(zip(loaded.layers, planes, strict=True))
        return dataset_of(self._array, axes, loaded, layers)

    def flags(
        self,
        detector: Detector | PathText,
        *,
        nodata: float | Sequence[float] | None = None,
        radiometry: str = AUTO,
    ) -> xarray.DataArray:
        """Flag each pixel: 0 normal, 1 anomalous, 255 no data, as in the map of flags.

        In chunks of Dask if the array has chunks and the threshold is known before.  A rule that
        is chosen on the scene (``fdr``, ``budget``), and ``+local:K``, which compares with the
        whole of it, compute the scores when this is called.  Parameters and errors are those of
        `score`.
        """
        loaded = _detector(detector)
        axes, threshold = axes_of(self._array), loaded.threshold
        if _each_date_alone(axes, loaded):
            return self._of_each_date(
                axes, lambda one: one.flags(loaded, nodata=nodata, radiometry=radiometry)
            )
        scores = self.score(loaded, nodata=nodata, radiometry=radiometry)["score"]
        scores = scores.transpose(axes.row, axes.col)
        if _is_known(threshold):
            anomalous = scores.data > np.float32(threshold.value)
        else:
            from .mapping.arrays import decided_scores

            scores = scores.compute()
            anomalous, threshold = decided_scores(loaded, scores.values, self._where(axes))
        classes = scores.copy(data=classes_of(scores.data, anomalous))
        return flagged(self._array, classes, loaded.id, threshold)

    def fit(
        self,
        config: str | Config | None = None,
        seed: int = 0,
        *,
        nodata: float | Sequence[float] | None = None,
    ) -> Detector:
        """Fit a detector to the array itself, its anomalies included.

        The array is read in parts, several times: load a lazy one that fits into memory first
        (``da.load()``).  Parameters and errors are those of `anomvae.detect`, but for the array.
        """
        from .fitting import Selection, detect

        axes = axes_of(self._array)
        products = list(self._scene(axes, nodata, AUTO).dates)
        return detect(products, config, seed, select=Selection(nodata=_numbers(nodata)))

    def detect(
        self,
        config: str | Config | None = None,
        seed: int = 0,
        *,
        nodata: float | Sequence[float] | None = None,
    ) -> xarray.Dataset:
        """Find what is unusual in the array, without a model: `fit`, then score and flag.

        Returns
        -------
        xarray.Dataset
            The layers of `score`, and ``flags``; all are computed, as fitting reads the array.  Of
            an array with time, what changed at the newest date.
        """
        axes = axes_of(self._array)
        detector = self.fit(config, seed, nodata=nodata)
        closed = _in_common_units(self._scene(axes, nodata, AUTO))
        from .mapping.arrays import score_in_memory

        result = score_in_memory(detector, closed)
        found = dataset_of(self._array, axes, detector, _terms(result), result.threshold)
        scores = found["score"].transpose(axes.row, axes.col)
        flags = scores.copy(data=classes_of(scores.values, result.flags))
        return found.assign(flags=flagged(self._array, flags, detector.id, result.threshold))

    def _of_each_date(self, axes: Axes, compute: Callable[[Anomvae], Any]) -> Any:  # noqa: ANN401
        """Return what is computed of each date alone, along the axis of time."""
        dates = range(self._array.sizes[axes.time])
        if not dates:
            raise ConfigError("The array has no date. Select one or more of them (da.isel).")
        found = [compute(self._array.isel({axes.time: one}).anomvae) for one in dates]
        return xarray.concat(found, axes.time, combine_attrs="override")

    def _scene(
        self,
        axes: Axes,
        nodata: float | Sequence[float] | None,
        radiometry: str,
        *,
        to_score: bool = False,
    ) -> Scene:
        """Return the array as a closed scene."""
        bands, where = bands_of(self._array, axes), self._where(axes)
        if to_score and self._array.dtype.kind == "f" and bands.items[0].nodata is None:
            bands = bands.with_nodata(np.nan)  # as xarray has it, whatever training had
        ordered = self._array.transpose(*axes.order)
        name = _name(self._array)
        dates = [ordered]
        if axes.time is not None:
            _require_ascending(ordered[axes.time])
            dates = list(ordered)
        unit = unit_of_values(self._array)
        products = [
            DataArrayProduct(name, LazyNumbers(date, _block(date)), bands, where, unit)
            for date in dates
        ]
        return Scene.of(products, nodata=_numbers(nodata), radiometry=radiometry)

    def _numbers(self, axes: Axes) -> Any:  # noqa: ANN401 - Dask's
        """Return its numbers as an array of Dask, axes (time, band, row, col)."""
        numbers = self._array.transpose(*axes.order).data
        return numbers if axes.time is not None else numbers[np.newaxis]

    def _where(self, axes: Axes) -> Georeference:
        """Return what locates its pixels, as rioxarray reads it; nothing without rioxarray."""
        from .raster.data_array_place import place_of

        return place_of(self._array, axes)


def _detector(detector: Detector | PathText) -> Detector:
    from .detector import Detector

    return detector if isinstance(detector, Detector) else Detector.load(detector)


def _name(array: xarray.DataArray) -> str:
    """Return the name of an array in messages; Dask's own name says nothing."""
    given = array.name
    # The data of an array without chunks may be a file, which this would read.
    unnamed = given is None or (array.chunks is not None and given == array.data.name)
    return "the array" if unnamed else one_line(str(given))


def _each_date_alone(axes: Axes, detector: Detector) -> bool:
    return axes.time is not None and not detector.compares_dates


def _block(array: xarray.DataArray) -> tuple[int, int]:
    """Return rows and columns of the chunks of a date, axes (band, row, col)."""
    if array.chunks is None:
        return array.shape[1], array.shape[2]
    return max(array.chunks[1]), max(array.chunks[2])


def _in_memory(detector: Detector, closed: Scene) -> ArrayResult:
    """Score a scene as ``anomvae score`` does, and keep the result in memory."""
    from .mapping.arrays import score_in_memory
    from .mapping.tiles import in_units_of_training

    with closed.open(detector.bands, detector.covariates) as opened:
        closed = in_units_of_training(detector, opened).scene
    return score_in_memory(detector, closed)


def _in_common_units(closed: Scene) -> Scene:
    from .parallel import captured_warnings
    from .raster.radiometry import in_common_units

    with captured_warnings():  # fitting logs them
        (common,), _ = in_common_units([closed])
    return common


def _terms(result: ArrayResult) -> dict[str, Any]:
    from .detector.state import LAYERS

    return dict(zip(LAYERS, result.terms, strict=True))


def _is_known(threshold: Threshold) -> bool:
    """Return whether a threshold flags a pixel by its score alone, and is chosen."""
    from .stats.rule_text import condition_of

    return not (threshold.provisional or threshold.pending or condition_of(threshold.rule))


def _numbers(nodata: float | Sequence[float] | None) -> tuple[float, ...]:
    if nodata is None:
        return ()
    return tuple(nodata) if isinstance(nodata, Sequence) else (nodata,)


def _require_ascending(times: xarray.DataArray) -> None:
    values = times.values
    if len(values) > 1 and not (values[:-1] < values[1:]).all():
        raise ConfigError(
            f"The dates of the array are not oldest first. Sort it: da.sortby({times.name!r})."
        )
