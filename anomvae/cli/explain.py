"""``anomvae explain``: why a pixel or an object is unusual."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from . import options
from .lazy import importing
from .opening import dates_arg, one_scene
from .output import echo
from .pictures import picture_opt, require_picture
from .pixel_arguments import at_opt, model_opt, object_opt, require_folder, results_opt

if TYPE_CHECKING:
    from ..explaining import Explanation

LEADING = 10
"""Bands that are printed."""


@click.command()
@dates_arg
@model_opt
@at_opt
@object_opt
@results_opt
@picture_opt("-o", "--out", "picture")
@click.option(
    "--neighbours",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    metavar="N",
    help="How many of the nearest normal pixels are found.",
)
@options.pixel_options
@options.radiometry_opt
@options.dates_opt
@options.replace_opt
@options.json_opt
@options.device_opt
@options.access_options
@options.verbose_opt
def explain(  # noqa: PLR0913 - one argument per option
    scenes: tuple[str, ...],
    model: str,
    at: tuple[int, int] | None,
    number: int | None,
    results: str | None,
    picture: str | None,
    neighbours: int,
    dates: str,
    overwrite: bool,
    as_json: bool,
    device: str | None,
    **chosen: Any,  # noqa: ANN401 - the options of a Selection
) -> None:
    """Explain why a pixel or an object of SCENE is unusual.

    It prints the terms of the score, the bands that add most to it, what each latent unit adds, and
    the nearest normal pixels by their codes: those of a sample of the scene with scores up to the
    threshold.  Of an object, all numbers are means over its pixels.  For a family of dates, SCENE
    is all dates, and the newest is explained.

    Contributions of bands and units add up to the score.  A whitened residual is in units of the
    noise; its square is the share of its band in the reconstruction term (corr-max, Garthwaite &
    Koch 2016).  Bands share one half of the linear term likewise, the other by what it loses when
    the most outlying of them are replaced by their expectation given the others.

    \b
    Examples:
        anomvae explain scene.tif -m coast.safetensors --at 120,45
        anomvae explain scene.tif -m coast.safetensors --at 120,45 -o why.png
        anomvae explain scene.tif -m coast.safetensors --object 3 --results maps/ -o why.pdf
    """
    with importing():
        from ..detector import Detector
        from ..explaining import explain as explained_by
        from ..raster import Selection

    _require_target(at, number, results)
    select = Selection(dates=dates, **chosen)
    if picture is not None:
        require_picture(picture, overwrite, [*scenes, model, *select.files])
    with options.progress_bar() as progress:
        detector = Detector.load(model, device=device)
        explanation = explained_by(
            detector,
            one_scene(detector, scenes, select),
            at,
            object_id=number,
            results=results,
            neighbours=neighbours,
            progress=progress,
        )
    if picture is not None:
        from ..figures import explanation_figure, save

        save(explanation_figure(explanation), picture)
    echo(_json(explanation) if as_json else _text(explanation))
    if picture is not None and not as_json:
        echo(f"\n{picture}")


def _require_target(at: tuple[int, int] | None, number: int | None, results: str | None) -> None:
    if (at is None) == (number is None):
        raise click.UsageError("Give either --at ROW,COL or --object ID.")
    require_folder(number, results)


def _text(explanation: Explanation) -> str:
    terms, above = explanation.terms, "above" if explanation.anomalous else "not above"
    shares = (
        f"{name} {value:.4g} ({_percent(value, terms.score)})"
        for name, value in zip(terms._fields[1:], terms[1:], strict=True)
    )
    lines = [
        f"{explanation.name} of {explanation.scene}",
        f"score {terms.score:.4g}, {above} the threshold {explanation.threshold:.4g} "
        f"({explanation.rule}): {', '.join(shares)}",
    ]
    if explanation.factor is not None:
        mean = "" if explanation.object_id is None else " on average"
        factor = f"{explanation.factor:.4g}{mean}"
        lines.append(f"every term is multiplied by {factor} (local contrast)")
    if not explanation.whole:
        lines.append("the object is so large that only its pixels around the peak count")
    return "\n".join([*lines, "", *_bands(explanation), *_units(explanation), *_near(explanation)])


def _percent(part: float, score: float) -> str:
    share = part / score if score else 0.0
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"


def _bands(explanation: Explanation) -> list[str]:
    if not explanation.contributions.any():
        return ["no band adds anything to the score"]
    table = explanation.table()
    if table["wavelength_nm"].isna().all():
        table = table.drop(columns="wavelength_nm")
    text = table.head(LEADING).to_string(
        index=False,
        float_format="{:.4g}".format,
        formatters={"wavelength_nm": "{:.6g}".format},
        na_rep="",
    )
    rest = table["contribution"][LEADING:]
    return [text, *([f"{len(rest)} other bands add {rest.sum():.4g}"] if len(rest) else [])]


def _units(explanation: Explanation) -> list[str]:
    pairs = zip(explanation.unit_names, explanation.kl_units, strict=True)
    units = ", ".join(f"{name} {value:.4g}" for name, value in pairs)
    return ["", f"KL term per unit: {units}"] if units else []


def _near(explanation: Explanation) -> list[str]:
    if not explanation.neighbours:
        return []
    import pandas as pd

    table = pd.DataFrame(map(_neighbour, explanation.neighbours)).dropna(axis=1, how="all")
    formats = dict.fromkeys(("lon", "lat"), "{:.6f}".format)
    text = table.to_string(index=False, float_format="{:.4g}".format, formatters=formats)
    return ["", "Nearest normal pixels, by latent distance, then spectral distance:", text]


def _neighbour(near: Any) -> dict[str, Any]:  # noqa: ANN401
    lon, lat = near.lon_lat or (None, None)
    return {
        "row": near.row,
        "col": near.col,
        "lon": lon,
        "lat": lat,
        "score": near.score,
        "distance": near.distance,
        "spectral": near.spectral,
    }


def _json(explanation: Explanation) -> str:
    from ..documents import to_json

    data = {
        "scene": explanation.scene,
        "object": explanation.object_id,
        "pixels": explanation.pixels.tolist(),
        **explanation.terms._asdict(),
        "local_contrast": explanation.factor,
        "threshold": explanation.threshold,
        "rule": explanation.rule,
        "anomalous": explanation.anomalous,
        "bands": explanation.table().to_dict("records"),
        "kl_units": dict(zip(explanation.unit_names, explanation.kl_units, strict=True)),
        "neighbours": list(map(_neighbour, explanation.neighbours)),
    }
    return to_json(data)
