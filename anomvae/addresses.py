"""Names of sources: paths, addresses, and how to show them without secrets.

A name opens a source as the user gave it.  Messages, logs, files and databases hold what
`displayed` makes of a name, and `concealed` of a text such as a message of GDAL that quotes one:
addresses without log-in and query, however often they are encoded or wrapped.
"""

from __future__ import annotations

import os
import re
from pathlib import PurePath
from urllib.parse import parse_qs, unquote

SCHEME = re.compile(r"(?P<address>/vsi|\w{2,}://)|<|\w{2,}:")
"""Start of a name that is no path: an address, a VRT as text, or a subdataset of a container."""
CURL = re.compile(r"/vsicurl(?:_streaming)?(?=[/?])")
HTTP = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
FILE_URI = re.compile(r"file:(?://(?:localhost)?)?(?=/)(?!//)", re.IGNORECASE)
"""Start of the URI of a file on this machine."""
AUTHORITY = re.compile(
    r"(https?)://([^/?#@]*@)?([^/?#:\[\]]+|\[[^\]]*\])(:\d*)?(?=[/?#]|$)", re.IGNORECASE
)
"""Scheme, log-in, host and port of an address."""
DEFAULT_PORTS = {"http": {":", ":80"}, "https": {":", ":443"}}
ENCODED_BYTE = re.compile(r"%[0-9A-Fa-f]{2}")
UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
ARCHIVE = re.compile(r"/vsi(zip|tar|gzip|7z|rar)/")
SIGNATURE = re.compile(
    r"x-(amz|goog|oss|ms|cos)-.*|sig|\w*signature|expires|policy|key-pair-id|\w*accessk?e?y?id|"
    r"[\w-]*token|\w*secret|api[-_]?key|[\w-]*subscription-key|auth|authorization|"
    r"pass|passwd|password|pwd|jwt",
    re.IGNORECASE,
)
"""Query parameters by which a URL is signed, or its reader identified."""
BESIDE_SIG = re.compile(
    r"s[eprtv]|spr|sip|sdd|ss|srt|sk[esv]|skt|skoid|sktid|saoid|suoid|scid", re.IGNORECASE
)
"""Query parameters that belong to a signature only where there is a ``sig``, too (Azure)."""

ENCODED = r"%(?:25)*"
"""Start of a character that is percent-encoded, once or more often."""
SEPARATOR = rf"(?::|{ENCODED}3A)(?:/|{ENCODED}2F){{2}}"
STARTED = rf"(?:/vsi\w+[/?]|(?<![\w+.-])[\w+.-]+{SEPARATOR})"
ADDRESS = re.compile(
    rf"(?<='){STARTED}[^'\n]*|(?<=\"){STARTED}[^\"\n]*|{STARTED}[^\s'\"<>]*", re.IGNORECASE
)
"""An address in a text: between quotes, or up to a space."""
ENCODED_ADDRESS = re.compile(rf"{SEPARATOR}(?<!://)", re.IGNORECASE)
LOGIN = re.compile(r"://(?:[^/?#\s]*@|(?!\[)[^/\s@:]*:(?!\d*(?:[/?#]|$))[^\s]*@)")
"""User and password of a URL; the password may hold characters that should be encoded."""
RELATIVE_QUERY = re.compile(rf"(?:[?#]|{ENCODED}3F)(?=[\w.~-]+(?:=|{ENCODED}3D))[^\s'\"<>()]*")
SECRET_VALUE = re.compile(
    rf"((?<![\w-])(?:[\w-]*(?:password|passwd|pwd|secret|token|signature|credential)|sig|jwt|"
    rf"[\w-]*api[-_]?key|[\w-]*access[-_]?key|\w*session_?id)(?:=|{ENCODED}3D))[^\s&;,'\"<>]+",
    re.IGNORECASE,
)
AUTHORIZATION = re.compile(r"\b((?:Authorization: *)?(?:Bearer|Basic)) +[\w.~+/=-]{8,}")


def is_local(name: str) -> bool:
    """Return whether a name is a path: no URI, no virtual file of GDAL, no VRT as text."""
    return not SCHEME.match(name)


def local_path(name: str) -> str:
    """Return the path of a URI of a file on this machine; any other name stays.

    Examples
    --------
    >>> local_path("file:///maps/high%20tide.tif"), local_path("maps/100%25.tif")
    ('/maps/high tide.tif', 'maps/100%25.tif')
    """
    found = FILE_URI.match(name)
    if found is None:
        return name
    from urllib.request import url2pathname  # with all of HTTP

    return url2pathname(re.split(r"[?#]", name[found.end() :], maxsplit=1)[0])


def existing_path(href: str) -> str:
    """Return the path that the link of a document leads to; any other name stays.

    A path in a document may be one, or a part of a URI, in which a space is ``%20`` (RFC 3986,
    2005): what exists counts.
    """
    path = local_path(href)
    if "%" not in path or not is_local(path) or os.path.exists(path):
        return path
    decoded = unquote(path)
    return decoded if os.path.exists(decoded) else path


def normalised(address: str) -> str:
    """Return one spelling of an address by HTTP (RFC 3986, 6.2.2 and 6.2.3); other names stay.

    Examples
    --------
    >>> normalised("HTTPS://EO.example:443/a%7eb/high tide.tif?sig=A")
    'https://eo.example/a~b/high%20tide.tif?sig=A'
    """
    found = AUTHORITY.match(address)
    if found is None:
        return address
    scheme, login, host, port = (part or "" for part in found.groups())
    port = "" if port in DEFAULT_PORTS[scheme.lower()] else port
    path, mark, query = address[found.end() :].partition("?")
    path = ENCODED_BYTE.sub(_plain, path.partition("#")[0]).replace(" ", "%20")
    return f"{scheme.lower()}://{login}{host.lower()}{port}{path or '/'}{mark}{query}"


def _plain(match: re.Match[str]) -> str:
    """Return a character that needs no encoding as it is."""
    letter = unquote(match[0])
    return letter if UNRESERVED.fullmatch(letter) else match[0].upper()


def file_name(name: str) -> str:
    """Return the displayed name of a file without its folder."""
    return PurePath(displayed(name)).name


def displayed(name: object) -> str:
    """Return a name as messages and files may hold it: an address without log-in and query.

    Examples
    --------
    >>> displayed("https://user:word@eo.example/coast.tif?sig=s")
    'https://eo.example/coast.tif'
    >>> displayed("maps/what?.tif")
    'maps/what?.tif'
    """
    text = str(name)
    scheme = SCHEME.match(text)
    if scheme is not None and scheme["address"]:
        return _displayed(text)
    if scheme is not None:
        return concealed(text)
    return ADDRESS.sub(_displayed_match, text)


def concealed(text: str) -> str:
    """Return a text without the secrets of the addresses, queries and parameters in it.

    Examples
    --------
    >>> concealed("'/vsicurl/https://eo.example/a.tif?sig=s' does not exist.")
    "'/vsicurl/https://eo.example/a.tif' does not exist."
    """
    text = ADDRESS.sub(_displayed_match, text)
    text = RELATIVE_QUERY.sub("", text)
    text = SECRET_VALUE.sub(r"\1...", text)
    return AUTHORIZATION.sub(r"\1 ...", text)


def unsigned(name: str) -> str:
    """Return what identifies the source of a name: without log-in and signature.

    Other parameters of a query stay, so the result may hold secrets of unknown names.
    """
    scheme = SCHEME.match(name)
    if scheme is not None and scheme["address"]:
        return _unsigned(name)
    return ADDRESS.sub(lambda match: _unsigned(match[0]), name)


def fetched(name: str) -> list[str]:
    """Return the addresses that GDAL may ask for by HTTP when it opens a name of its own.

    There are several where the name goes on inside a file: GDAL finds out where that file ends.

    Examples
    --------
    >>> fetched("/vsicurl?max_retry=2&url=https%3A%2F%2Feo.example%2Fa.tif")
    ['https://eo.example/a.tif']
    >>> fetched("/vsizip//vsicurl/https://eo.example/a.zip/b.tif")
    ['https://eo.example/a.zip', 'https://eo.example/a.zip/b.tif']
    """
    start = CURL.search(name)
    if start is None:
        return []
    around, inner = name[: start.start()], name[start.start() :]
    for opening, closing in ("{}", '""'):
        inner = inner.partition(closing)[0] if opening in around else inner
    url, _, query = inner.partition("?")
    address = _address_in_options(url, query) or inner[len(start[0]) + 1 :]
    host = HTTP.match(address)
    if host is None:
        return []
    ends = {len(address)}
    if around and "{" not in around:
        parts = re.compile(r"\.[^/:]+(?=[/:])").finditer(address, host.end())
        ends |= {part.end() for part in parts}
    return [address[:end] for end in sorted(ends)]


def _displayed_match(match: re.Match[str]) -> str:
    address = match[0].rstrip(".,:;)]")
    return _displayed(address) + match[0][len(address) :]


def _displayed(address: str) -> str:
    url, query = _split_query(address)
    if query and ARCHIVE.match(url):  # a query may hold slashes, too
        return f"{url}/{query.rpartition('/')[2]}" if "/" in query else url
    return RELATIVE_QUERY.sub("", url)


def _unsigned(address: str) -> str:
    url, query = _split_query(address)
    if query and ARCHIVE.match(url):
        return url + re.sub(r"^[^/]*", "", query)
    keys = [(part, unquote(part.partition("=")[0])) for part in query.split("&") if part]
    signed = any(key.lower() == "sig" for _, key in keys)
    kept = [
        part
        for part, key in keys
        if not (SIGNATURE.fullmatch(key) or (signed and BESIDE_SIG.fullmatch(key)))
    ]
    return f"{url}?{'&'.join(kept)}" if kept else url


def _split_query(name: str) -> tuple[str, str]:
    """Split a URL without its log-in into address and query; one in GDAL's options is unwrapped.

    The path inside an archive follows the query, and is a part of it here.
    """
    url, mark, query = LOGIN.sub("://", name).partition("?")
    inner = _address_in_options(url, query)
    if inner:
        return _split_query(f"{url}/{inner}")
    if not mark and ENCODED_ADDRESS.search(url):
        return _split_query(unquote(url))
    return url, query


def _address_in_options(url: str, query: str) -> str | None:
    """Return the address in GDAL's options, as in ``/vsicurl?url=...``."""
    values = parse_qs(query).get("url") if re.fullmatch(r"/vsi\w+", url) else None
    return values[0] if values else None
