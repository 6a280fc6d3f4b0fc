"""Calls of servers with a deadline.

HTTP follows no redirects, so that a secret stays with its address.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

from ..addresses import concealed, displayed

MOST_BYTES = 65_536  # of an answer that are read


Result = TypeVar("Result")


class DeliveryFailed(Exception):
    """A receiver could not be reached, or refused; the message is the reason, without secrets."""

    def __init__(self, reason: str) -> None:
        """Take the reason, which may quote an address."""
        super().__init__(concealed(reason))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401
        """Make a redirect an error."""


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


def call(
    url: str, *, timeout: float, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> None:
    """Call an address, by POST if there is a body, else by GET.

    Raises `DeliveryFailed` if it has not answered with 2xx after ``timeout`` seconds in all.
    """
    try:
        within(timeout, partial(_call, url, timeout, body, headers))
    except TimeoutError as error:
        raise DeliveryFailed(str(error)) from error


def _call(url: str, timeout: float, body: bytes | None, headers: Mapping[str, str] | None) -> None:
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        address, login = _login_of(url)
        request = urllib.request.Request(address, data=body, headers={**(headers or {}), **login})
        with opener.open(request, timeout=timeout) as answer:
            answer.read(MOST_BYTES)
    except urllib.error.HTTPError as error:
        raise DeliveryFailed(_status(error)) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise error.reason from error
        raise DeliveryFailed(str(error.reason)) from error
    except TimeoutError:
        raise
    except ValueError as error:  # its text may quote a part of the address
        raise DeliveryFailed("its address is no valid URL") from error
    except (OSError, http.client.HTTPException) as error:
        raise DeliveryFailed(str(error) or type(error).__name__) from error


def _login_of(url: str) -> tuple[str, dict[str, str]]:
    """Split a URL into its address and the header for the user and password in it."""
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    encoded = b64encode(unquote(login).encode()).decode()
    return urlunsplit(parts._replace(netloc=host)), {"Authorization": f"Basic {encoded}"}


def _status(error: urllib.error.HTTPError) -> str:
    with error:
        if 300 <= error.code < 400:
            to = displayed(error.headers.get("Location", "nowhere"))
            return f"it redirects to {to}; give the address that answers itself"
        return f"it answers {error.code} {error.reason}"
