"""Names of pages: letters and digits that need no escape in an address, and differ everywhere."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote

MOST = 60
"""Letters of a name before its digest."""
PLAIN = re.compile(r"[a-z0-9_]([a-z0-9._-]{0,58}[a-z0-9_-])?")
"""Names that are those of folders as they are, also where the case of letters does not count."""


def page_name(text: str, digest: str) -> str:
    """Return a name for a file, of what people call it and a digest that makes it unique.

    Examples
    --------
    >>> page_name("Bay <1>.2025", "0a1b2c3d")
    'bay-1-.2025-0a1b2c3d'
    """
    plain = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-.")[:MOST]
    return f"{plain or 'x'}-{digest}"


def address_of(target: Path, folder: Path) -> str | None:
    """Return the address of a file relative to a page in a folder.

    None where none leads there, as on another drive.
    """
    try:
        path = os.path.relpath(target, folder)
    except ValueError:
        return None
    parts = path.split(os.sep)
    return "/".join(quote(part.encode(errors="surrogateescape")) for part in parts)
