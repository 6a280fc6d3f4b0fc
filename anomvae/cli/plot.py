"""``anomvae plot``: pictures of a model, as PNG, SVG or PDF."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

from . import options
from .lazy import importing
from .opening import only, scenes_for
from .pictures import picture_opt, require_picture, save_picture
from .pixel_arguments import model_opt, rows_cols

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from matplotlib.figure import Figure

    from ..detector import Detector
    from ..explaining import Marking
    from ..raster import Scene, Selection

MOST_GENERATED = 1_000_000
MOST_PANELS = 12
SAMPLED = 10_000
"""Real spectra beside generated ones."""

out_opt = picture_opt("-o", "--out", required=True)
scene_options = (
    options.pixel_options,
    options.radiometry_opt,
    options.dates_opt,
    options.replace_opt,
    options.access_options,
    options.verbose_opt,
)


def _of_scenes(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(scene_options):
        command = option(command)
    return command


@click.group()
def plot() -> None:
    """Draw pictures of a model: latent space, spectra, training, latent units.

    They are made for print: axes with units, wavelengths, gaps where bands were removed, and
    readable without colour vision.

    \b
    Examples:
        anomvae plot latent scene.tif -m coast.safetensors -o latent.png
        anomvae plot spectra scene.tif -m coast.safetensors --at 120,45 -o spectra.pdf
        anomvae plot history -m coast.safetensors -o history.png
        anomvae plot traversal -m coast.safetensors -o units.svg
    """


@plot.command()
@options.scenes_arg
@model_opt
@out_opt
@click.option(
    "--method",
    type=click.Choice(["pca", "tsne"]),
    default="pca",
    show_default=True,
    help="Principal components of the codes, or t-SNE.",
)
@click.option(
    "--colour",
    type=click.Choice(["score", "labels", "object", "scene"]),
    default="score",
    show_default=True,
    help="What colours the pixels.",
)
@click.option("--labels", metavar="FILE", help="Labels of SCENE: above 0 = anomalous, 0 = normal.")
@click.option("--results", metavar="DIR", help="Results of SCENE, with its objects and flags.")
@click.option(
    "--pixels",
    "count",
    type=click.IntRange(4, 100_000),
    default=2000,
    show_default=True,
    metavar="N",
    help="Pixels to draw.",
)
@options.seed_opt
@_of_scenes
def latent(  # noqa: PLR0913 - one argument per option
    scenes: tuple[str, ...],
    model: str,
    out: str,
    method: str,
    colour: str,
    labels: str | None,
    results: str | None,
    count: int,
    seed: int,
    dates: str,
    overwrite: bool,
    **chosen: Any,  # noqa: ANN401 - the options of a Selection
) -> None:
    """Draw the codes of pixels of SCENES in a plane.

    Pixels are drawn at random, up to a quarter of them among the anomalous ones, which lie on top:
    those above the threshold, those with a label (--labels), or those of the objects of finished
    results (--results).

    \b
    Examples:
        anomvae plot latent scene.tif -m coast.safetensors -o latent.png
        anomvae plot latent scene.tif -m coast.safetensors --method tsne --colour labels \\
            --labels labels.tif -o latent.pdf
        anomvae plot latent scene.tif -m coast.safetensors --colour object --results maps/ \\
            -o objects.png
        anomvae plot latent 2024.tif 2025.tif -m coast.safetensors --colour scene -o years.png
    """
    with importing():
        from ..explaining import sample_latent
        from ..figures import latent_figure
        from ..raster import Selection

    select = Selection(dates=dates, **chosen)
    require_picture(out, overwrite, [*scenes, model, labels, *select.files])
    with options.progress_bar() as progress:
        detector, closed = _opened(scenes, model, select)
        with _marking(colour, labels, results, closed) as marking:
            sample = sample_latent(
                detector, closed, marking=marking, count=count, seed=seed, progress=progress
            )
        progress("draw", 0, 1)
        kind = colour if colour in {"score", "scene"} else "mark"
        save_picture(latent_figure(sample, method, kind, seed=seed), out)
        progress("draw", 1, 1)


@plot.command()
@options.scenes_arg
@model_opt
@out_opt
@click.option(
    "--at",
    "places",
    multiple=True,
    metavar="ROW,COL",
    callback=rows_cols,
    help="Pixel to draw with its reconstruction; several times for several panels.",
)
@click.option(
    "--generated",
    type=click.IntRange(2, MOST_GENERATED),
    metavar="N",
    help="Draw N spectra of the model beside those of SCENE, instead of pixels.",
)
@options.seed_opt
@_of_scenes
def spectra(  # noqa: PLR0913 - one argument per option
    scenes: tuple[str, ...],
    model: str,
    out: str,
    places: tuple[tuple[int, int], ...],
    generated: int | None,
    seed: int,
    dates: str,
    overwrite: bool,
    **chosen: Any,  # noqa: ANN401 - the options of a Selection
) -> None:
    """Draw spectra of SCENE beside what a model makes of them.

    With --at the spectra of pixels and their reconstructions; with --generated the spectra of the
    scene and of N draws from the model, each as their mean and the range from 5 to 95 %.

    \b
    Examples:
        anomvae plot spectra scene.tif -m coast.safetensors --at 120,45 --at 8,300 -o spectra.png
        anomvae plot spectra scene.tif -m coast.safetensors --generated 2000 -o generated.pdf
    """
    from ..raster import Selection

    if bool(places) == (generated is not None):
        raise click.UsageError("Give either pixels (--at) or --generated N.")
    if len(places) > MOST_PANELS:
        raise click.UsageError(f"{len(places)} pixels do not fit. Give {MOST_PANELS} at most.")
    select = Selection(dates=dates, **chosen)
    require_picture(out, overwrite, [*scenes, model, *select.files])
    with options.progress_bar() as progress:
        detector, closed = _opened(scenes, model, select)
        scene = only(closed)
        progress("draw", 0, 1)
        if generated is None:
            figure = _pixels(detector, scene, places)
        else:
            figure = _generated(detector, scene, generated, seed)
        save_picture(figure, out)
        progress("draw", 1, 1)


@plot.command()
@model_opt
@out_opt
@options.replace_opt
@options.verbose_opt
def history(model: str, out: str, overwrite: bool) -> None:
    """Draw how the training of a model went: ELBO, reconstruction and KL over the steps.

    \b
    Example:
        anomvae plot history -m coast.safetensors -o history.png
    """
    with importing():
        from ..detector.modelfile import read_card
        from ..figures import history_figure

    require_picture(out, overwrite, [model])
    save_picture(history_figure(read_card(model).training), out)


@plot.command()
@model_opt
@out_opt
@click.option(
    "--unit",
    "units",
    type=click.IntRange(min=0),
    multiple=True,
    metavar="K",
    help="Latent unit from 1, or code of vq-vae from 0; several times for several.  [default: the "
    "most active]",
)
@options.replace_opt
@options.verbose_opt
def traversal(model: str, out: str, units: tuple[int, ...], overwrite: bool) -> None:
    """Draw what each latent unit of a model does to a spectrum.

    A panel per unit, the most active first, has the spectra from -3 to 3 standard deviations of
    its prior.  Of vq-vae, the spectra of the most frequent codes are drawn.

    \b
    Examples:
        anomvae plot traversal -m coast.safetensors -o units.png
        anomvae plot traversal -m coast.safetensors --unit 3 --unit 5 -o units.svg
    """
    with importing():
        from ..detector import Detector
        from ..figures import traversal_figure

    if len(units) > MOST_PANELS:
        raise click.UsageError(f"{len(units)} units do not fit. Give {MOST_PANELS} at most.")
    require_picture(out, overwrite, [model])
    save_picture(traversal_figure(Detector.load(model), units), out)


def _opened(scenes: tuple[str, ...], model: str, select: Selection) -> tuple[Detector, list[Scene]]:
    with importing():
        from ..detector import Detector

    detector = Detector.load(model)
    return detector, scenes_for(detector, scenes, select)


def _marking(
    colour: str, labels: str | None, results: str | None, scenes: list[Scene]
) -> AbstractContextManager[Marking | None]:
    """Return what marks pixels: labels, objects, or, as None, the threshold."""
    with importing():
        from ..explaining import labelled, objects_of

    if colour == "labels" and labels is None:
        raise click.UsageError("--colour labels needs --labels FILE.")
    if colour == "object" and results is None:
        raise click.UsageError("--colour object needs the results of the scene: --results DIR.")
    if labels is not None and results is not None:
        raise click.UsageError("Give either --labels or --results.")
    if labels is not None:
        return labelled(labels, only(scenes))
    return nullcontext() if results is None else objects_of(results, only(scenes))


def _pixels(detector: Detector, scene: Scene, places: tuple[tuple[int, int], ...]) -> Figure:
    import numpy as np

    with importing():
        from ..explaining import open_for, pick
        from ..figures import spectra_figure

    with open_for(detector, scene) as (opened, adapted):
        picked = [pick(adapted, opened, *place) for place in places]
    bands = len(detector.bands)
    made = [detector.reconstruct(each.example).reshape(-1, bands)[-1] for each in picked]
    titles = [f"row {each.row}, column {each.col}" for each in picked]
    originals = np.stack([each.spectrum for each in picked])
    return spectra_figure(detector.bands, originals, np.stack(made), titles)


def _generated(detector: Detector, scene: Scene, count: int, seed: int) -> Figure:
    with importing():
        from ..explaining import open_for, sample_spectra
        from ..figures import generated_figure

    made = detector.sample(count, seed)
    with open_for(detector, scene) as (opened, _):
        return generated_figure(detector.bands, sample_spectra(opened, SAMPLED), made)
