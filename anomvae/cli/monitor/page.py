"""``anomvae monitor page``: a watch as a folder of pages."""

from __future__ import annotations

import click

from .. import options
from ..lazy import importing
from ..output import echo
from .arguments import config_arg


@click.command()
@config_arg
@click.option("-o", "--out", "folder", required=True, metavar="DIR", help="Folder of the pages.")
@options.verbose_opt
def page(config: str, folder: str) -> None:
    """Write what CONFIG has found as a folder of pages; open its index.html.

    Sites, events and scenes have a page each.  Pages need no server and no network.  Called again,
    it writes only what has changed since; `[pages]` of CONFIG does so after each run.

    \b
    Example:
        anomvae monitor page watch.toml -o site
    """
    with importing():
        from ...monitoring.config import read_monitoring
        from ...monitoring.pages import write_pages

    watch = read_monitoring(config)
    with options.progress_bar() as progress:
        done = write_pages(watch, folder, progress=progress)
    removed = f", {done.removed} removed" if done.removed else ""
    echo(f"{done.index}")
    echo(f"{done.written} written, {done.kept} as they were{removed}")
