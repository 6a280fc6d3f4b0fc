"""Where addresses lead: a list that a server sends must not lead into the machine that reads it.

Names are looked up; a name that has no address is left to whoever opens it.  A server may answer
the next look-up differently: this is no firewall.
"""

from __future__ import annotations

import re
import socket
from enum import Enum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urljoin, urlsplit

from .addresses import displayed, is_local
from .errors import FileError

SCHEMES = frozenset({"https", "http", "s3", "gs", "az", "adls", "oss", "swift"})
"""Schemes of files on servers."""
STORE = re.compile(r"/vsi(s3|gs|az|adls|oss|swift)(_streaming)?/[^/]")
METADATA = frozenset(
    map(ip_address, ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"))
)
"""Addresses at which clouds give credentials to a machine, beyond the link-local ones."""
UNCLEAR = re.compile(r"[\\\s\x00-\x20\x7f]")
"""Characters that programs read differently in an address."""


class Reach(Enum):
    """From where a host is reached."""

    NETWORK = "network"
    MACHINE = "this machine"
    LINK = "the local link"


def reach_of(host: str) -> Reach:
    """Return from where a host is reached; the nearest of all its addresses counts.

    Examples
    --------
    >>> reach_of("127.1"), reach_of("169.254.169.254"), reach_of("8.8.8.8")
    (<Reach.MACHINE: 'this machine'>, <Reach.LINK: 'the local link'>, <Reach.NETWORK: 'network'>)
    """
    found = {_reach(address) for address in _addresses(host.rstrip("."))}
    return next((one for one in (Reach.LINK, Reach.MACHINE) if one in found), Reach.NETWORK)


def require_allowed(href: str, catalogue: str) -> None:
    """Require that a catalogue, or a list, may name an address.

    One on this machine may name anything.  One on a server may name files on servers, but not on
    this machine or the local link, unless it lies there itself.

    Raises
    ------
    FileError
        When it may not.
    """
    if is_local(catalogue) or catalogue.startswith("file:"):
        return
    address = href.removeprefix("/vsicurl/")
    if STORE.match(href):
        return
    if UNCLEAR.search(address) or _scheme(address) not in SCHEMES:
        raise FileError(
            f"{_shown(href)} is not read: a catalogue on a server may name only "
            f"addresses of {', '.join(sorted(SCHEMES))}. Copy the catalogue, to name local files."
        )
    _require_reach(address, catalogue)


def require_redirect(url: str, target: str) -> str:
    """Return the address that ``url`` redirects to, if it may.

    Raises
    ------
    FileError
        When it has another scheme (but https), or lies on this machine or the local link while
        ``url`` does not.
    """
    address = urljoin(url, target)
    if _scheme(address) not in {"https", _scheme(url)}:
        raise FileError(
            f"{_shown(url)} redirects to {_shown(address)}, which has another "
            f"scheme. Give the address of the file itself."
        )
    _require_reach(address, url)
    return address


def _require_reach(address: str, origin: str) -> None:
    host, own = _host(address), _host(origin)
    if not host:
        raise FileError(f"{_shown(address)} names no server. Correct the address.")
    reach = Reach.NETWORK if _is_bucket(address) else reach_of(host)
    if reach is Reach.NETWORK or host == own:
        return
    if reach is Reach.MACHINE and reach_of(own) is Reach.MACHINE:
        return
    raise FileError(
        f"{_shown(address)} is not read: it lies on {reach.value}, and "
        f"{_shown(origin)}, which names it, does not. Check who wrote it."
    )


def _is_bucket(address: str) -> bool:
    return _scheme(address) not in {"https", "http"}


def _scheme(address: str) -> str:
    return address.partition(":")[0].lower() if "://" in address else ""


def _host(address: str) -> str:
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:  # no address at all, such as http://[
        return ""
    return "" if "%" in host else host  # which some programs decode before they look it up


def _shown(address: str) -> str:
    return UNCLEAR.sub("?", displayed(address))[:200]


@lru_cache(maxsize=1024)
def _addresses(host: str) -> tuple[IPv4Address | IPv6Address, ...]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(ip_address(str(address[4][0]).partition("%")[0]) for address in found)


def _reach(address: IPv4Address | IPv6Address) -> Reach:
    inner = (address.ipv4_mapped or address.sixtofour) if address.version == 6 else None
    address = inner or address
    if address.is_link_local or address.is_multicast or address in METADATA:
        return Reach.LINK
    inside = address.is_loopback or address.is_unspecified or _is_own(address)
    return Reach.MACHINE if inside else Reach.NETWORK


def _is_own(address: IPv4Address | IPv6Address) -> bool:
    """Return whether an address is one of this machine: only to those a socket can be bound."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
