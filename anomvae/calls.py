"""Calls of servers by HTTP: with a deadline, with the log-in of an address, without redirects."""

from __future__ import annotations

import http.client
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from threading import Thread
from typing import Any, TypeVar, cast
from urllib.error import URLError
from urllib.parse import unquote, urlsplit, urlunsplit

Result = TypeVar("Result")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401
        """Make a redirect an error, which has its target."""


def within(seconds: float, work: Callable[[], Result]) -> Result:
    """Return the result of ``work``; raise `TimeoutError` when it takes longer than ``seconds``.

    The time-out of a socket begins anew with every byte, and looking up a name has none.  A thread
    that is late is left behind: it keeps no program from ending.
    """
    outcome: Future[Result] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # the caller raises it
            outcome.set_exception(error)

    Thread(target=run, name="anomvae-call", daemon=True).start()
    try:
        return outcome.result(timeout=seconds)
    except TimeoutError as error:  # of the caller, or of a socket
        raise TimeoutError(f"no complete answer within {seconds:g} s") from error


def answer_of(
    url: str,
    *,
    timeout: float,
    method: str | None = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> http.client.HTTPResponse:
    """Call an address, with the user and password in it; return the answer, not read yet.

    Raises
    ------
    HTTPError
        When the server answers with another status than 2xx, a redirect included.
    TimeoutError
        When it is silent for ``timeout`` seconds.
    OSError, HTTPException, ValueError
        When there is no connection, no answer of HTTP, or no address.
    """
    address, login = _login_of(url)
    request = urllib.request.Request(
        address, data=body, headers={**(headers or {}), **login}, method=method
    )
    try:
        answer = urllib.request.build_opener(_NoRedirect).open(request, timeout=timeout)
    except URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise error.reason from error
        raise
    return cast(http.client.HTTPResponse, answer)


def _login_of(url: str) -> tuple[str, dict[str, str]]:
    """Split a URL into its address and the header for the user and password in it."""
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    encoded = b64encode(unquote(login).encode()).decode()
    return urlunsplit(parts._replace(netloc=host)), {"Authorization": f"Basic {encoded}"}
