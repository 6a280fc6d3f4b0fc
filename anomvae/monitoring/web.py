"""Calls of servers with a deadline.

HTTP follows no redirects, so that a secret stays with its address.
"""

from __future__ import annotations

import http.client
import urllib.error
from collections.abc import Mapping
from functools import partial

from ..addresses import concealed
from ..calls import answer_of, within

MOST_BYTES = 65_536  # of an answer that are read


class DeliveryFailed(Exception):
    """A receiver could not be reached, or refused; the message is the reason, without secrets."""

    def __init__(self, reason: str) -> None:
        """Take the reason, which may quote an address."""
        super().__init__(concealed(reason))


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
    try:
        with answer_of(url, timeout=timeout, body=body, headers=headers) as answer:
            answer.read(MOST_BYTES)
    except urllib.error.HTTPError as error:
        raise DeliveryFailed(_status(error)) from error
    except TimeoutError:
        raise
    except urllib.error.URLError as error:
        raise DeliveryFailed(str(error.reason)) from error
    except (ValueError, http.client.InvalidURL) as error:  # the text may quote the address
        raise DeliveryFailed("its address is no valid URL") from error
    except (OSError, http.client.HTTPException) as error:
        raise DeliveryFailed(str(error) or type(error).__name__) from error


def _status(error: urllib.error.HTTPError) -> str:
    with error:
        if 300 <= error.code < 400:
            # The target is as secret as the address.
            return "it redirects to another address; give the address that answers itself"
        return f"it answers {error.code} {error.reason}"
