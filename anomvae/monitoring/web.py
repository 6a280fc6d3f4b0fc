"""HTTP calls with a time-out and without redirects, so that a secret stays with its address."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from ..files import without_query

MOST_BYTES = 65_536  # of an answer that are read


class DeliveryFailed(Exception):
    """A receiver could not be reached, or refused; the message is the reason, without secrets."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401
        """Make a redirect an error."""


def call(
    url: str, *, timeout: float, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> None:
    """Call an address, by POST if there is a body, else by GET.

    Raises `DeliveryFailed` if it does not answer in time with 2xx.
    """
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        request = urllib.request.Request(url, data=body, headers=dict(headers or {}))
        with opener.open(request, timeout=timeout) as answer:
            answer.read(MOST_BYTES)
    except urllib.error.HTTPError as error:
        raise DeliveryFailed(_status(error)) from error
    except urllib.error.URLError as error:
        raise DeliveryFailed(str(error.reason)) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DeliveryFailed(str(error) or type(error).__name__) from error


def _status(error: urllib.error.HTTPError) -> str:
    with error:
        if 300 <= error.code < 400:
            to = without_query(error.headers.get("Location", "nowhere"))
            return f"it redirects to {to}; give the address that answers itself"
        return f"it answers {error.code} {error.reason}"
