"""``anomvae export``: write a model for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from . import options
from .lazy import importing
from .output import echo


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
@click.option("--threshold", "rule", metavar="RULE", help="As for score.  [default: of MODEL]")
@options.replace_opt
@options.verbose_opt
def export(
    model: str,
    onnx: str | None,
    layout: str,
    qgis: str | None,
    rule: str | None,
    overwrite: bool,
) -> None:
    """Write MODEL for programs that know nothing of anomvae.

    Both take the numbers of a raster and return score, reconstruction, KL, linear term and flag; a
    pixel with a band that lacks data has none.  The graph is for onnxruntime (nchw: also for the
    plugin Deepness); the script is for the Processing toolbox and a shell, with numpy and GDAL
    alone.  Models whose score depends on surroundings, dates, covariates or draws are refused.

    \b
    Examples:
        anomvae export coast.safetensors --onnx coast.onnx
        anomvae export coast.safetensors --qgis coast.py --threshold sigma:4
    """
    with importing():
        from ..detector import Detector
        from ..exporting import Exported, onnx_bytes, qgis_script
        from ..files import write_atomically

    files = [file for file in (onnx, qgis) if file is not None]
    if not files:
        raise click.UsageError("Give --onnx FILE or --qgis FILE.py, or both.")
    if len({Path(file).absolute() for file in files}) < len(files):
        raise click.UsageError("--onnx and --qgis name one file. Give two names.")
    for file in files:
        options.require_writable(file, overwrite, [model])
    exported = Exported.of(Detector.load(model, threshold=rule))
    contents = [
        *([] if onnx is None else [onnx_bytes(exported, layout)]),
        *([] if qgis is None else [qgis_script(exported)]),
    ]
    for file, content in zip(files, contents, strict=True):
        write_atomically(file, content)
        echo(f"{file}  {len(content):,} bytes, {len(exported.bands)} bands, {exported.meaning}")
