"""Documents of servers, read within limits: their length, the time of the answer, redirects."""

from __future__ import annotations

from functools import partial
from http.client import HTTPException
from urllib.error import HTTPError

from .calls import answer_of, within
from .documents import DocumentError
from .errors import FileError
from .hosts import require_redirect

REDIRECTS = 5
"""Redirects that are followed, one after the other."""
REDIRECTED = frozenset({301, 302, 303, 307, 308})


def fetched_document(url: str, *, timeout: float, most: int) -> bytes:
    """Return the document at an address, complete within ``timeout`` seconds.

    Redirects are followed to servers only (see `hosts`).

    Raises
    ------
    DocumentError
        When it is longer than ``most`` bytes.
    OSError, ValueError
        When there is no address, no connection, no answer in time, or one of another status.
    """
    return within(timeout, partial(_fetch, url, timeout, most))


def _fetch(url: str, timeout: float, most: int) -> bytes:
    for _ in range(REDIRECTS + 1):
        try:
            with answer_of(url, timeout=timeout) as answer:
                content = answer.read(most + 1)
        except HTTPError as error:
            target = error.headers.get("Location") if error.code in REDIRECTED else None
            error.close()
            if target is None:
                raise OSError(f"the server answers {error.code} {error.reason}") from error
            url = require_redirect(url, target)
            continue
        except HTTPException as error:
            raise OSError(f"the server's answer is no HTTP ({error})") from error
        if len(content) > most:
            raise DocumentError(f"it has more than {most} bytes")
        return content
    raise FileError(f"more than {REDIRECTS} redirects. Give the address of the document itself.")
