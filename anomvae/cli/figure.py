"""``anomvae figure``: results as a figure for print."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import options
from .lazy import importing
from .pictures import picture_opt, require_picture, save_picture

if TYPE_CHECKING:
    from ..raster import Access


@click.command()
@click.argument("results", metavar="DIR|MAP")
@click.option("--scene", "is_scene", is_flag=True, help="Draw the whole map.  [default]")
@click.option(
    "--object",
    "number",
    type=click.IntRange(min=1),
    metavar="ID",
    help="Draw this object: its id in the objects file.",
)
@picture_opt("-o", "--out", what="Figure to write", required=True)
@click.option(
    "--input",
    "scene",
    metavar="SCENE",
    help="The scene, where it is not where it was when it was scored.",
)
@click.option(
    "--top",
    type=click.IntRange(0, 10_000),
    default=20,
    show_default=True,
    metavar="N",
    help="Objects of a whole map that are outlined and numbered.",
)
@click.option(
    "--width", type=float, default=180.0, show_default=True, metavar="MM", help="Width in mm."
)
@click.option(
    "--dpi", type=float, default=300.0, show_default=True, metavar="DPI", help="Dots per inch."
)
@options.replace_opt
@options.access_options
@options.verbose_opt
def figure(  # noqa: PLR0913 - one argument per option
    results: str,
    is_scene: bool,
    number: int | None,
    out: str,
    scene: str | None,
    top: int,
    width: float,
    dpi: float,
    overwrite: bool,
    access: Access,
) -> None:
    """Draw finished results for print: PNG, SVG or PDF.

    Of a whole map: the scene with its strongest objects outlined and numbered, the score with its
    threshold, and the flags.  With --object: what is around an object, its spectrum, its
    reconstruction, its surroundings, and the bands that lead.  Where the map lies on Earth, there
    are coordinates, a scale bar and an arrow to true north.

    A MAP is a <scene>.anomaly.tif, a DIR a folder that holds one.  The scene is read where the
    summary says that it is; if it has gone, its image in the quick look is shown instead.

    \b
    Examples:
        anomvae figure maps/ -o scene.png
        anomvae figure maps/scene.anomaly.tif --top 5 --width 85 -o column.pdf
        anomvae figure maps/ --object 3 -o object3.svg
    """
    with importing():
        from ..figures.printed_maps import Print, map_figure, object_figure
        from ..mapping.finished import finished
        from ..raster import Scene

    if is_scene and number is not None:
        raise click.UsageError("Give either --scene or --object ID.")
    size = Print(width, dpi)
    require_picture(out, overwrite, [results, scene])
    given = None if scene is None else Scene.of(scene, access=access)
    with options.progress_bar() as progress:
        result = finished(results, access)
        result.files.require_other(out)
        if number is None:
            made = map_figure(
                result, scene=given, top=top, size=size, access=access, progress=progress
            )
        else:
            made = object_figure(
                result, number, scene=given, size=size, access=access, progress=progress
            )
    save_picture(made, out, dpi)
