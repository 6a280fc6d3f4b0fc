"""``anomvae export``: write a model for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options
from .lazy import importing
from .output import echo

if TYPE_CHECKING:
    from ..detector import Detector


@click.command()
@click.argument("model")
@click.option("--onnx", metavar="FILE", help="Graph of ONNX to write; needs the extra onnx.")
@click.option(
    "--layout",
    type=click.Choice(["rows", "nchw"]),
    default="rows",
    show_default=True,
    help="Input of the graph: spectra (pixel, band), or images (batch, band, 256, 256).",
)
@click.option("--qgis", metavar="FILE.py", help="Processing script of QGIS to write.")
@click.option(
    "--stac", metavar="FILE.json", help="STAC item of the model (extension MLM) to write."
)
@click.option("--threshold", "rule", metavar="RULE", help="As for score.  [default: of MODEL]")
@options.replace_opt
@options.verbose_opt
def export(
    model: str,
    onnx: str | None,
    layout: str,
    qgis: str | None,
    stac: str | None,
    rule: str | None,
    overwrite: bool,
) -> None:
    """Write MODEL for programs that know nothing of anomvae.

    Graph and script take the numbers of a raster and return score, reconstruction, KL, linear term
    and flag; a pixel with a band that lacks data has none.  The graph is for onnxruntime (nchw:
    also for the plugin Deepness); the script is for the Processing toolbox and a shell, with numpy
    and GDAL alone.  Models whose score depends on surroundings, dates, covariates or draws are
    refused there.

    The STAC item is a card of any model for catalogues, with its checksum.

    \b
    Examples:
        anomvae export coast.safetensors --onnx coast.onnx
        anomvae export coast.safetensors --qgis coast.py --threshold sigma:4
        anomvae export coast.safetensors --stac coast.stac.json
    """
    with importing():
        from ..detector import Detector
        from ..files import write_atomically

    files = [file for file in (onnx, qgis, stac) if file is not None]
    if not files:
        raise click.UsageError("Give --onnx FILE, --qgis FILE.py or --stac FILE.json.")
    if len({Path(file).absolute() for file in files}) < len(files):
        raise click.UsageError("Two options name one file. Give each a name of its own.")
    for file in files:
        options.require_writable(file, overwrite, [model])
    detector = Detector.load(model, threshold=rule)
    contents = _programs(detector, onnx, layout, qgis)
    if stac is not None:
        from ..exporting import model_item

        contents[stac] = model_item(detector, Path(model), Path(stac).parent)
    for file, content in contents.items():
        write_atomically(file, content)
        bands = f"{len(detector.bands)} bands"
        echo(f"{file}  {len(content):,} bytes, {bands}, {detector.meaning}")


def _programs(
    detector: Detector, onnx: str | None, layout: str, qgis: str | None
) -> dict[str, bytes]:
    """Return the contents of the files of programs that are asked for."""
    if onnx is None and qgis is None:
        return {}
    from ..exporting import Exported, onnx_bytes, qgis_script

    exported, contents = Exported.of(detector), {}
    if onnx is not None:
        contents[onnx] = onnx_bytes(exported, layout)
    if qgis is not None:
        contents[qgis] = qgis_script(exported)
    return contents
