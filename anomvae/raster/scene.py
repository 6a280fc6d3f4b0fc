"""A scene as a user names it: the only way to the pixels of a product.

A `Scene` is closed: it holds names only, so a worker receives it pickled and opens it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from ..errors import ConfigError
from ..files import PathText, SceneText, as_path
from ..identity import FileIdentity, identify
from ..names import MAX_STEM, fitted
from ..notebooks import short
from ..pixels.bands import Bands
from ..pixels.covariates import DAY, Covariates, CovariateSpec, parse_covariates, require_covariates
from ..stats.radiometry import AUTO, Conversion
from .access import DEFAULT, Access
from .bands_in_use import bands_in_use
from .covariates import open_layer
from .dataset import Dataset
from .decisions import log_guesses
from .gdal import absolute_uri
from .layer_masks import open_masks
from .mask_choice import absolute_mask, checked_dilation, checked_mask, mask_files
from .masks import open_flags, open_normal
from .open_scene import OpenDate, OpenScene
from .products import Product, ProductOptions
from .products.named import named_products
from .products.product import open_dates
from .selection import Selection, checked_nodata, checked_radiometry
from .warped_date import Placement, WarpedDate, placement_on


@dataclass(frozen=True)
class Scene:
    """One raster, or the dates of one site, with masks and covariates; closed."""

    dates: tuple[Product, ...]
    """The rasters, oldest first; the newest date gives the scene its name and its grid."""
    bands: str | None = None
    """Bands to use, in the syntax of `Bands.choose`; None: all good ones, or a detector's."""
    mask: str | None = None
    """Masks of pixels to ignore, in the syntax of `parse_mask`; None: those of the product."""
    mask_dilate: int = 0
    """Pixels by which what is hidden grows: radius of a circle."""
    normal: str | None = None
    """Normal pixels: a raster or polygons, see `open_normal`; None: all pixels."""
    covariates: tuple[CovariateSpec, ...] = ()
    """Covariates of every pixel, in the order of their values after the bands."""
    access: Access = DEFAULT
    """Drivers and limits of every file that is opened."""
    nodata: tuple[float, ...] = ()
    """Stored values that are no data in any band, beyond those that the files declare."""
    radiometry: str = AUTO
    """Whether the data may decide how values are stored, see `Selection.radiometry`."""
    conversions: tuple[Conversion | None, ...] = ()
    """How the bands in use of each date are stored by the data; None: as their files state."""
    hidden: tuple[str | None, ...] = ()
    """Flags of each date, rasters on its grid or None: where an older date shows a pixel that is
    not flagged, a pixel of value 1 is no data when a newer date is compared with it."""
    warp: bool = False
    """Whether a date on another grid is warped to that of the newest, see `warped_date`; otherwise
    it is refused."""

    def __repr__(self) -> str:
        """Return one line: its name, the number of dates, and the bands and masks chosen."""
        parts = [short(self.name)]
        if len(self.dates) > 1:
            parts.append(f"{len(self.dates)} dates")
        chosen = {"bands": self.bands, "mask": self.mask, "normal": self.normal}
        parts += [f"{key}={short(value)}" for key, value in chosen.items() if value]
        return f"Scene({', '.join(parts)})"

    @classmethod
    def of(  # noqa: PLR0913 - one argument per field
        cls,
        path: SceneText | Product | Sequence[Product] | Scene,
        *,
        dates: str | None = None,
        bands: str | None = None,
        mask: PathText | None = None,
        mask_dilate: int = 0,
        normal: PathText | None = None,
        covariates: Sequence[PathText] = (),
        access: Access = DEFAULT,
        nodata: Sequence[float] = (),
        resolution: float | None = None,
        band_axis: str | None = None,
        radiometry: str = AUTO,
    ) -> Scene:
        """Make a scene of what a user names.

        Parameters
        ----------
        path : path, sequence of path, Product or Scene
            A product, a raster that GDAL opens, a folder that holds one of them, or one for each
            date of a site; a `Scene` is returned as it is, and takes no options.
        dates : str, optional
            Dates of the rasters, in the syntax of `order_of_dates`; empty: those of the products;
            None: they are listed oldest first.
        bands, mask, mask_dilate, normal, access, radiometry
            See the fields of `Scene`.
        covariates : sequence of path, optional
            Covariates, in the syntax of `parse_covariates`.
        nodata : sequence of float, optional
            See the field of `Scene`; values as they are stored, before scale and offset.
        resolution, band_axis
            See `ProductOptions`.

        Raises
        ------
        ConfigError
            When no raster is given, or a folder of none or several, a date is unknown, a covariate
            names no file, a nodata value is not finite, a `Scene` has options, or a `Product`
            dates.

        Examples
        --------
        >>> scene = Scene.of("maps/coast.tif", covariates=["dem.tif", "day"])
        >>> scene.stem, [spec.kind for spec in scene.covariates]
        ('coast', ['continuous', 'day'])
        """
        if isinstance(path, Scene):
            options = (dates is not None, bands, mask, mask_dilate, normal, covariates, nodata)
            given = any((*options, resolution, band_axis)) or radiometry != AUTO
            if given or access != DEFAULT:
                raise ConfigError(
                    f"{path.name} is a Scene with options of its own: give dates, bands, masks, "
                    f"covariates, nodata, radiometry and access to Scene.of when you make it."
                )
            return path
        if isinstance(path, Product) and dates is not None:
            raise ConfigError(f"{path.name} is one product: leave dates={dates!r} out.")
        return cls(
            dates=(
                (path,)
                if isinstance(path, Product)
                else named_products(path, dates, ProductOptions(resolution, band_axis))
            ),
            bands=bands,
            mask=checked_mask(mask),
            mask_dilate=checked_dilation(mask_dilate),
            normal=None if normal is None else as_path(normal),
            covariates=parse_covariates(covariates),
            access=access,
            nodata=checked_nodata(nodata),
            radiometry=checked_radiometry(radiometry),
        )

    @classmethod
    def selected(
        cls,
        path: SceneText | Sequence[Product] | Scene,
        select: Selection,
        *,
        normal: PathText | None = None,
    ) -> Scene:
        """Make a scene of what a user names, and selects of the scenes of a call."""
        options = {**vars(select), "normal": normal}
        return cls.of(path, **options)

    @property
    def name(self) -> str:
        """The name of the newest date."""
        return self.dates[-1].name

    @property
    def stem(self) -> str:
        """The stem of the names of its deliverables; a long one is cut, and ends in a digest."""
        return fitted(self.dates[-1].stem, MAX_STEM)

    @property
    def identity(self) -> tuple[FileIdentity, ...]:
        """Name, size and time of change of every file; none is opened."""
        rasters = [path for date in self.dates for path in date.paths]
        layers = [spec.source for spec in self.covariates if spec.kind != DAY]
        masks = [*mask_files(self.mask), *([] if self.normal is None else [self.normal])]
        flags = [path for path in self.hidden if path is not None]
        return tuple(map(identify, [*rasters, *masks, *layers, *flags]))

    def without_newest(self, count: int) -> Scene:
        """Return the scene without its newest ``count`` dates."""
        return replace(
            self,
            dates=self.dates[:-count],
            conversions=self.conversions[:-count],
            hidden=self.hidden[:-count],
        )

    def newest(self, count: int) -> Scene:
        """Return the scene with its newest ``count`` dates alone."""
        return replace(
            self,
            dates=self.dates[-count:],
            conversions=self.conversions[-count:],
            hidden=self.hidden[-count:],
        )

    def absolute(self) -> Scene:
        """Return the scene with absolute paths."""
        return replace(
            self,
            dates=tuple(date.absolute() for date in self.dates),
            mask=absolute_mask(self.mask),
            normal=None if self.normal is None else absolute_uri(self.normal),
            covariates=tuple(
                spec if spec.kind == DAY else replace(spec, source=absolute_uri(spec.source))
                for spec in self.covariates
            ),
            hidden=tuple(path if path is None else absolute_uri(path) for path in self.hidden),
        )

    @contextmanager
    def open(
        self, bands: Bands | None = None, covariates: Covariates | None = None
    ) -> Iterator[OpenScene]:
        """Open every file for reading; the context closes all.

        Parameters
        ----------
        bands : Bands, optional
            Bands of a detector, found in the scene; by default those of the scene.
        covariates : Covariates, optional
            Covariates of a detector; a scene with others is refused.

        Raises
        ------
        RasterError
            When a file does not exist, is no raster of an allowed format, exceeds a limit, or holds
            no band of real numbers.
        GridMismatch
            When a date is on another grid (with ``warp``: lies elsewhere), or a mask is, or a
            covariate cannot be warped to it.
        BandMismatch
            When a band is missing, or names and wavelengths contradict each other.
        CovariateMismatch
            When the covariates differ from those of the detector, or a day is unknown.
        ConfigError
            When the ``bands`` of the scene name an unknown band.
        """
        with ExitStack() as stack:
            datasets = stack.enter_context(open_dates(self.dates, self.access))
            for one in {(one.name, one.facts.guessed): one for one in datasets}.values():
                log_guesses(one.name, one.facts)
            hidden = self.hidden or (None,) * len(datasets)
            pairs = zip(datasets, hidden, strict=True)
            dates = [self._open_date(stack, each, flags, datasets[-1]) for each, flags in pairs]
            newest = dates[-1]
            wanted = bands_in_use(newest.bands, newest.name, bands, named=self.bands is not None)
            used = [date.using(wanted.find_in(date.bands, date.name)) for date in dates]
            normal = None
            if self.normal is not None:
                mask = open_normal(self.normal, newest.georeference, newest.name, self.access)
                normal = stack.enter_context(mask)
            if covariates is not None:
                require_covariates(newest.covariates, covariates, newest.name)
            opened = OpenScene(self, tuple(used), normal).converted(self.conversions)
            opened.prepare_cache()
            yield opened

    def _open_date(
        self, stack: ExitStack, opened: Dataset, flags: str | None, newest: Dataset
    ) -> OpenDate:
        dataset = replace(opened, nodata=(*opened.nodata, *self.nodata))
        placement = self._placement(dataset, newest)
        grid = newest.grid if placement else dataset.grid
        opening = open_masks(self.mask, dataset, self.access, dilate=self.mask_dilate)
        masks = stack.enter_context(opening)
        bands = dataset.bands if self.bands is None else dataset.bands.choose(self.bands)
        if self.nodata:  # a detector's bands recall that empty pixels had a number
            bands = bands.with_nodata(self.nodata[0])
        with dataset.describing():
            georeference = dataset.georeference
            dataset.log_decisions()
        covariates = tuple(
            stack.enter_context(open_layer(spec, dataset.name, grid, self.access))
            for spec in self.covariates
        )
        hidden = None
        if flags is not None:
            hidden = stack.enter_context(open_flags(flags, dataset.grid, dataset.name, self.access))
        date = OpenDate(dataset, bands, georeference, masks, covariates, hidden)
        return WarpedDate.of(date, placement) if placement else date

    def _placement(self, date: Dataset, newest: Dataset) -> Placement | None:
        if self.warp:
            return placement_on(newest.grid, newest.name, date.grid, date.name)
        newest.grid.require_same(date.grid, newest.name, date.name)
        return None
