"""Redirects of a server, followed before GDAL follows them: GDAL follows any, to any host.

A server may answer GDAL otherwise: this is no firewall.
"""

from __future__ import annotations

import http.client
from functools import partial
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit, urlunsplit

from ..addresses import displayed, fetched, is_local
from ..calls import answer_of, within
from ..errors import FileError, RasterError
from ..hosts import require_redirect
from .gdal import NETWORK, chosen_settings, virtual_name

MOST = 10
"""Redirects that are followed, as GDAL does."""
SILENCE = float(NETWORK["GDAL_HTTP_LOW_SPEED_TIME"])
"""Seconds without a byte after which an answer is abandoned, as GDAL does."""
LONGEST = (1 + int(NETWORK["GDAL_HTTP_MAX_RETRY"])) * SILENCE
"""Seconds for all redirects of an address: as long as GDAL tries.  Not to check a late server would
allow its redirects."""
PROXIES = ("GDAL_HTTP_PROXY", "GDAL_HTTPS_PROXY")
METHODS: dict[str, dict[str, str]] = {"HEAD": {}, "GET": {"Range": "bytes=0-0"}}
"""What GDAL sends, with headers."""
MISSING = (404, 410)
"""Answers to HEAD after which GDAL sends no GET."""
KEPT = "%/:=&?~#+!$,;'@()*[]"
"""Characters of a URL that are sent as they are."""


def require_safe_redirects(name: str) -> None:
    """Require that no address in a name redirects to another scheme, or into this machine.

    A server that fails is left to GDAL, which tries again.

    Raises
    ------
    RasterError
        When one does, is no valid address, or does not answer in time.
    """
    # Behind a proxy of GDAL alone, this has no way out.
    if is_local(name) or not chosen_settings().isdisjoint(PROXIES):
        return
    try:
        for url in fetched(_file_of(name)):
            within(LONGEST, partial(_follow, url))
    except FileError as error:
        raise RasterError(str(error)) from error
    except TimeoutError as error:
        raise RasterError(f"{displayed(name)} does not answer in time. Try again later.") from error
    except ValueError as error:  # its text may quote a part of the address
        raise RasterError(f"{displayed(name)} is no valid address. Correct it.") from error


def _file_of(name: str) -> str:
    """Return GDAL's name of a file; options follow that of ``vrt://``."""
    if name.startswith("vrt://"):
        return name.removeprefix("vrt://").partition("?")[0]
    return virtual_name(name)


def _follow(url: str) -> None:
    for method in METHODS:
        try:
            if not _exists(url, method):
                return
        except (FileError, TimeoutError):
            raise
        except http.client.InvalidURL as error:
            raise ValueError from error
        except (OSError, http.client.HTTPException):
            continue  # GDAL meets it again, and reports it


def _exists(url: str, method: str) -> bool:
    """Follow the redirects of an address; return whether a file may be there."""
    for _ in range(MOST):
        try:
            with answer_of(_quoted(url), timeout=SILENCE, method=method, headers=METHODS[method]):
                return True
        except HTTPError as error:
            with error:
                target = error.headers.get("Location")
                if not 300 <= error.code < 400 or target is None:
                    return error.code not in MISSING
        url = require_redirect(url, target)
    return True


def _quoted(url: str) -> str:
    """Return a URL as it is sent: a path may hold spaces and letters beyond ASCII."""
    parts = urlsplit(url)
    return urlunsplit(
        parts._replace(path=quote(parts.path, KEPT), query=quote(parts.query, KEPT), fragment="")
    )
