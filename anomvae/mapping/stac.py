"""What STAC items have in common, whether of scenes or of models: extensions, files, times.

Items are plain JSON (STAC 1.1), without times of the run, so that a run repeats to the bit.
"""

from __future__ import annotations

import hashlib
import os
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..addresses import displayed, is_local, local_path

VERSION = "1.1.0"
_SCHEMAS = "https://stac-extensions.github.io"
FILE = f"{_SCHEMAS}/file/v2.1.0/schema.json"
PROCESSING = f"{_SCHEMAS}/processing/v1.2.0/schema.json"
PROJECTION = f"{_SCHEMAS}/projection/v2.0.0/schema.json"
RASTER = f"{_SCHEMAS}/raster/v2.0.0/schema.json"
CLASSIFICATION = f"{_SCHEMAS}/classification/v2.0.0/schema.json"
MODEL = f"{_SCHEMAS}/mlm/v1.4.0/schema.json"
"""Extensions."""
JSON, GEOJSON = "application/json", "application/geo+json"
UNBOUNDED = ("1900-01-01T00:00:00Z", "9999-12-31T23:59:59Z")
"""The interval of what has no date: STAC demands one, and none is invented (the convention of the
extension for models)."""
SHA_256 = "1220"
"""Begin of a multihash: SHA2-256, 32 bytes."""
AT_ONCE = 2**22


def times_of(day: date | None) -> dict[str, Any]:
    """Return the times of an item of a day: only the day is known, so the day is the interval."""
    start, end = UNBOUNDED
    if day is not None:
        start, end = f"{day.isoformat()}T00:00:00Z", f"{day.isoformat()}T23:59:59Z"
    return {"datetime": None, "start_datetime": start, "end_datetime": end}


def file_facts(path: Path) -> dict[str, Any]:
    """Return the size and the checksum of a file, as the extension ``file`` names them."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while content := file.read(AT_ONCE):
            digest.update(content)
    return {"file:size": path.stat().st_size, "file:checksum": SHA_256 + digest.hexdigest()}


def href_of(name: str, folder: Path, *, existing: bool = True) -> str | None:
    """Return how an item in a folder refers to a file or an address; None: it cannot.

    A local file, which is to exist unless ``existing`` is false, is named relative to the folder,
    and an address without log-in and query.
    """
    if not is_local(local_path(name)):
        address = displayed(name)
        return address if "://" in address and not address.startswith("<") else None
    path = Path(local_path(name))
    if existing and not path.exists():
        return None
    try:
        relative = os.path.relpath(path.absolute(), folder.absolute())
    except ValueError:  # on another drive
        return path.absolute().as_uri()
    return quoted(Path(relative).as_posix())


def quoted(path: str) -> str:
    """Return a path as a reference of an URI; letters of other languages stay."""
    return "".join(quote(c, safe="/~") if ord(c) < 128 else c for c in path)
