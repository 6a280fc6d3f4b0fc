"""What the source of a site offers now, whatever kind of source it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from ..errors import ConfigError
from .config import SiteConfig
from .folder import scan_folder
from .local import digest_of_file
from .records import FileRecord
from .sources import Listing, listed_urls


def listed_source(
    site: SiteConfig,
    known: Callable[[], Mapping[str, FileRecord]],
    now: datetime,
    aside: Sequence[Path],
    digest: Callable[[Path], str] = digest_of_file,
) -> Listing:
    """List the scenes of a site, each once; those of a folder are a `Scan`.

    Parameters
    ----------
    site : SiteConfig
        The site.
    known : callable
        Returns the records of the files of a folder by their paths.
    now : datetime
        The time, with a zone.
    aside : sequence of Path
        Folders of results, which hold no scenes.
    digest : callable
        Identifies the content of a file.

    Raises
    ------
    FileError
        If nothing of the source can be read.
    ConfigError
        If the site has no source.
    """
    if site.urls is not None:
        listing = listed_urls(site.urls)
    elif site.stac is not None:
        from .catalogue import catalogued

        listing = catalogued(site.stac, now)
    elif site.folder is not None:
        listing = scan_folder(site.folder, known(), now, aside=aside, digest=digest)
    else:
        raise ConfigError(f"{site.name!r} has no source.")
    return listing.each_once
