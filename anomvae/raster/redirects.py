"""Redirects of a server, followed before GDAL follows them: GDAL follows any, to any host."""

from __future__ import annotations

import http.client
import os
import urllib.request
from threading import Thread
from typing import Any
from urllib.error import HTTPError

from rasterio.env import getenv, hasenv

from ..addresses import displayed
from ..errors import FileError, RasterError
from ..hosts import require_redirect

MOST = 10
"""Redirects that are followed, as GDAL does."""
TIMEOUT = 10.0
"""Seconds for all of them."""
PROXIES = ("GDAL_HTTP_PROXY", "GDAL_HTTPS_PROXY")
METHODS: dict[str, dict[str, str]] = {"HEAD": {}, "GET": {"Range": "bytes=0-0"}}
"""What GDAL sends, with headers."""


class _Unfollowed(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401
        """Make a redirect an error, which has its target."""


def require_safe_redirects(path: str) -> None:
    """Require that an address redirects to no other scheme, and not into this machine.

    A server that fails is left to GDAL, which tries again.

    Raises
    ------
    RasterError
        When it does.
    """
    url = path.removeprefix("/vsicurl/")
    chosen = {*os.environ, *(getenv() if hasenv() else ())}
    # Behind a proxy of GDAL alone, this has no way out.
    if not url.startswith(("http://", "https://")) or not chosen.isdisjoint(PROXIES):
        return
    problems: list[FileError] = []
    thread = Thread(target=_follow, args=(url, problems), name="anomvae-redirects", daemon=True)
    thread.start()
    thread.join(TIMEOUT)  # the time-out of a socket begins anew with every byte
    for problem in problems:
        raise RasterError(str(problem)) from problem
    if thread.is_alive():
        raise RasterError(
            f"{displayed(path)} does not answer within {TIMEOUT:g} s. Try again later."
        )


def _follow(url: str, problems: list[FileError]) -> None:
    for method in METHODS:
        try:
            _follow_method(url, method)
        except FileError as error:
            problems.append(error)
            return
        except (OSError, http.client.HTTPException, ValueError):
            continue  # GDAL meets it again, and reports it


def _follow_method(url: str, method: str) -> None:
    opener = urllib.request.build_opener(_Unfollowed)
    for _ in range(MOST):
        request = urllib.request.Request(url, headers=METHODS[method], method=method)
        try:
            with opener.open(request, timeout=TIMEOUT):
                return
        except HTTPError as error:
            with error:
                target = error.headers.get("Location")
                if not 300 <= error.code < 400 or target is None:
                    return
        url = require_redirect(url, target)
