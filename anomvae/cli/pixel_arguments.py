"""Options of commands about one pixel, object or file."""

from __future__ import annotations

import click


def row_col(
    ctx: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[int, int] | None:
    """Read a pixel, as in 120,45: a callback of options."""
    if value is None:
        return None
    parts = value.split(",")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise click.BadParameter(
            f"{value!r} is no pixel. Give row and column from 0, as in 120,45.", ctx, parameter
        )
    row, col = map(int, parts)
    return row, col


def rows_cols(
    ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[int, int] | None, ...]:
    """Read the pixels of an option that may be given several times."""
    return tuple(row_col(ctx, parameter, value) for value in values)


model_opt = click.option("-m", "--model", required=True, metavar="FILE", help="Model file.")
at_opt = click.option(
    "--at",
    metavar="ROW,COL",
    callback=row_col,
    help="Pixel: row and column from 0, from the top left corner.",
)
object_opt = click.option(
    "--object",
    "number",
    type=click.IntRange(min=1),
    metavar="ID",
    help="Object: its id in the objects file of the scene's results.",
)
results_opt = click.option(
    "--results", metavar="DIR", help="Folder of the scene's results, for --object."
)


def require_folder(number: int | None, results: str | None) -> None:
    """Require that an object is named with the folder of the results that list it."""
    if (number is None) != (results is None):
        raise click.UsageError("--object and --results go together: the id, and where it lies.")
