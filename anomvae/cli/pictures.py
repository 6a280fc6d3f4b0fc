"""What commands share that write pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from . import options
from .output import echo

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..files import PathText

    Files = Sequence[PathText | None]


def picture_opt(
    *names: str, what: str = "Picture to write", required: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return an option that names a picture to write."""
    return click.option(
        *names, required=required, metavar="FILE", help=f"{what}: .png, .svg or .pdf."
    )


def require_picture(path: str, overwrite: bool, read: Files) -> None:
    """Require before the work that a picture has a known format and can be written.

    Raises what `options.require_writable` does, and ConfigError for another suffix.
    """
    from ..figures.axes import require_format

    require_format(path)
    options.require_writable(path, overwrite, read)


def require_results(out: str | None, picture: str | None, overwrite: bool, read: Files) -> None:
    """Require before the work that results can be written, each to a file of its own.

    ``out`` is the file of ``-o``, ``picture`` the other; either may be missing.
    """
    options.require_apart(out, picture)
    if out is not None:
        options.require_writable(out, overwrite, read)
    if picture is not None:
        require_picture(picture, overwrite, read)


def save_picture(figure: Figure, path: str, dpi: float | None = None) -> None:
    """Write a picture, and print its name; ``dpi`` is dots per inch, by default 300."""
    from ..figures import save

    save(figure, path, dpi)
    echo(path)
