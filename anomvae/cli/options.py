"""Arguments and options that commands share, with progress and workers.

Paths are plain text here: the library checks them, so that a missing file is exit code 3.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .logs import log_to_stderr

if TYPE_CHECKING:
    from ..config import Config
    from ..files import PathText
    from ..parallel import Mapper, Progress

Command = Callable[..., Any]


verbose_opt = click.option(
    "-v",
    "--verbose",
    count=True,
    expose_value=False,
    is_eager=True,
    callback=log_to_stderr,
    help="Log more to stderr; -vv logs most.",
)
scenes_arg = click.argument("scenes", nargs=-1, required=True)
scene_arg = click.argument("scene")
folder_opt = click.option(
    "-o", "--out", "folder", required=True, metavar="DIR", help="Folder for the results."
)
config_opt = click.option(
    "-c",
    "--config",
    "config",
    default="default",
    show_default=True,
    metavar="NAME|FILE",
    help="A shipped configuration, or a TOML file.",
)
set_opt = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key of the configuration, as in model.latent=8.",
)
seed_opt = click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    metavar="INTEGER",
    default=0,
    show_default=True,
    help="Same seed, same result.",
)
device_opt = click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), help="Where to compute.  [default: cpu]"
)
engine_opt = click.option(
    "--engine",
    type=click.Choice(["auto", "native", "numpy", "torch"]),
    help="What computes the scores.  [default: auto, the fastest that there is]",
)
bands_opt = click.option(
    "--bands",
    help="Bands to read: names, numbers, ranges, good, as in B2,red,5-8,450-900nm; a minus "
    "leaves out, as in -1340-1460nm.  [default: all good ones]",
)
mask_opt = click.option(
    "--mask",
    metavar="MASK",
    help="Pixels to ignore: FILE (0 = ignore), scl:FILE, qa_pixel:FILE, qa_radsat:FILE, "
    "fmask:FILE, classes:FILE=3,8,9, auto (masks of the product) or none; several by commas, as in "
    "auto,binary:FILE.  [default: auto]",
)
mask_dilate_opt = click.option(
    "--mask-dilate",
    type=click.IntRange(0, 1000),
    default=0,
    metavar="PIXELS",
    help="Hide what lies within so many pixels of what the masks hide, too.",
)
resolution_opt = click.option(
    "--resolution",
    type=click.FloatRange(0, min_open=True),
    metavar="METRES",
    help="Side of a pixel of a product that has several grids, such as Sentinel-2.",
)
band_axis_opt = click.option(
    "--band-axis",
    metavar="NAME",
    help="Axis of the bands in a cube of netCDF or HDF5.  [default: found by its wavelengths]",
)


def _numbers(ctx: click.Context, parameter: click.Parameter, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not a list of numbers, as in 0,-9999.") from error


nodata_opt = click.option(
    "--nodata",
    default="",
    metavar="VALUE[,VALUE]",
    callback=_numbers,
    help="Stored values of SCENES that are no data, beyond those that the files declare.",
)
radiometry_opt = click.option(
    "--radiometry",
    type=click.Choice(["auto", "as-stored"]),
    default="auto",
    show_default=True,
    help="Read values as files state, or convert them where these lack a scale or an offset and "
    "the data of the model, or of the other SCENES, leave one answer.",
)
covariates_opt = click.option(
    "--covariates",
    multiple=True,
    metavar="[KIND:]FILE|day",
    help="Covariate for cvae: [continuous:]FILE, categorical:FILE, day or day:2024-06-01.",
)
normal_opt = click.option(
    "--normal",
    multiple=True,
    help="Normal pixels: raster (non-zero) or polygons; one for all scenes, or one for each.",
)
threshold_opt = click.option(
    "--threshold",
    "rule",
    metavar="RULE",
    help=(
        "sigma:K, log-sigma:K, gaussian:K, sigma-clip:K, mad:K, quantile:FPR, fixed:VALUE, "
        "conformal:FPR, fdr:RATE or budget:N[km2], each with +local:K or without."
    ),
)
fail_on_anomaly_opt = click.option(
    "--fail-on-anomaly", is_flag=True, help="Exit with 10 if a pixel is flagged."
)
replace_opt = click.option(
    "--overwrite", is_flag=True, help="Replace what is to be written if it exists."
)
dates_opt = click.option(
    "--dates",
    default="",
    metavar="DATES|as-listed",
    help="Dates of SCENES for a family that compares them, as in 2024-06-01,2024-06-11; as-listed: "
    "SCENES are oldest first.  [default: from their names]",
)
allow_driver_opt = click.option(
    "--allow-driver",
    "drivers",
    multiple=True,
    metavar="NAME",
    help="Open files of this GDAL driver, too, although it may fetch what a file names; VRT allows "
    "any source of a VRT.",
)
no_limits_opt = click.option(
    "--no-limits", is_flag=True, help="Open rasters of any size, number of bands and block size."
)
json_opt = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")


def access_options(command: Command) -> Command:
    """Add the options of every command that opens rasters; it takes them as ``access``."""

    @wraps(command)
    def with_access(
        *arguments: Any,  # noqa: ANN401 - click's
        drivers: tuple[str, ...],
        no_limits: bool,
        **chosen: Any,  # noqa: ANN401 - click's
    ) -> Any:  # noqa: ANN401 - click's
        from ..raster import Access

        access = Access.of(drivers, unlimited=no_limits)
        return command(*arguments, access=access, **chosen)

    return allow_driver_opt(no_limits_opt(with_access))


def pixel_options(command: Command) -> Command:
    """Add the options that select pixels of scenes: fields of a `Selection`."""
    products = (band_axis_opt, resolution_opt)
    for option in (covariates_opt, nodata_opt, *products, mask_dilate_opt, mask_opt):
        command = option(command)
    return command


def fitting_options(command: Command) -> Command:
    """Add the options of every command that fits a detector."""
    fitting = (device_opt, seed_opt, set_opt, config_opt, radiometry_opt, pixel_options, bands_opt)
    for option in (verbose_opt, access_options, *fitting):
        command = option(command)
    return command


def resolved(config: str, settings: tuple[str, ...], **values: str | None) -> Config:
    """Resolve a configuration; ``values`` are options that stand for a key, ``settings`` --set."""
    from ..config import resolve_config

    given = [f'{key}="{value}"' for key, value in values.items() if value is not None]
    return resolve_config(config, [*settings, *given]).config


def baseline_names(text: str) -> list[str]:
    """Return the names of baselines in a list with commas; none of ``none``."""
    return [name.strip() for name in text.split(",") if name.strip() not in {"", "none"}]


def require_apart(*paths: str | None) -> None:
    """Require that each result of a command is a file of its own, however its name is written."""
    from ..errors import ConfigError

    files = [os.path.realpath(path) for path in paths if path is not None]
    if len(set(files)) < len(files):
        raise ConfigError(
            f"{paths[0]} is to hold two results, of which one would replace the other. Give each a "
            f"file of its own."
        )


def require_writable(path: str, overwrite: bool, read: Iterable[PathText | None]) -> None:
    """Require before the work that its result can be written, and replaces no file that is read.

    Raises FileError when its folder is not writable, OutputExists without ``overwrite``, and
    ConfigError when it is one of the files that are read.
    """
    from ..errors import ConfigError, FileError, OutputExists
    from ..files import require_file

    file = Path(path)
    for name in read:
        if name and file.exists() and Path(name).exists() and file.samefile(name):
            raise ConfigError(
                f"{path} is read for this and would be replaced. Choose another name."
            )
    if file.is_dir() or path.endswith(("/", os.sep)):
        raise FileError(f"{path} is a folder. Give the name of a file.")
    require_file(file)
    if file.exists() and not overwrite:
        raise OutputExists(f"{path} exists. Give --overwrite to replace it, or another name.")
    folder = next(folder for folder in file.absolute().parents if folder.exists())
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise FileError(f"{path} cannot be written in {folder}. Choose a folder that is writable.")


@contextmanager
def open_workers(workers: int | None, address: str | None) -> Iterator[Mapper]:
    """Start processes or a cluster that score; by default this process scores."""
    from ..parallel import dask, processes, serial

    if workers is not None and address is not None:
        raise click.UsageError("Give either --workers or --dask, not both.")
    if workers is None and address is None:
        yield serial
        return
    with processes(workers) if workers is not None else dask(str(address)) as mapper:
        yield mapper


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Show progress if stderr is a terminal."""
    from ..parallel import quiet

    if not sys.stderr.isatty():
        yield quiet
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=total)
            bar.update(tasks[step], completed=done, total=total)

        yield show
