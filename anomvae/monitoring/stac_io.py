"""Documents of a STAC catalogue, read within limits: their length, depth and numbers, and the time.

pystac reads what a server sends, for as long as it sends, and goes where it leads.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from pystac.utils import make_absolute_href
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO
from requests import Response, Session

from ..addresses import concealed, displayed, existing_path, is_local
from ..calls import within
from ..documents import DocumentError, checked, content_of, read_parts, text_of, to_json
from ..errors import FileError
from ..hosts import require_allowed, require_redirect
from ..names import one_line
from .source_tables import StacConfig

MAX_ANSWER = 32_000_000
"""Length of the longest answer; a page of a hundred items has 2 MB."""
CHUNK = 65_536  # bytes
LEADING = frozenset({"child", "item", "next", "search"})
"""Relations of the links that lead to items."""
MOST_CHARACTERS = 10_000
"""Length of the longest address of a link."""


class BoundedIO(StacApiIO):
    """Reads documents of a catalogue; each answer is complete after ``timeout`` seconds in all.

    Links and redirects of a catalogue on a server lead to servers only (see `hosts`).
    """

    def __init__(self, config: StacConfig) -> None:
        """Set the address of the catalogue, and the longest time of an answer, and of all."""
        super().__init__(timeout=config.timeout)
        self.faults: dict[str, FileError] = {}
        """What is wrong with the links of a document, by its address."""
        self.catalogue, self.start = config.url, time.monotonic()
        self.longest, self.total = config.timeout, config.max_seconds
        self.session.hooks["response"].append(_require_safe_redirect)

    def require_time(self) -> None:
        """Raise `TimeoutError` when the time of all answers is used up."""
        if time.monotonic() - self.start > self.total:
            raise TimeoutError(
                f"its items are not listed within {self.total:g} s; give a collection, a box or "
                f"fewer days, or more max_seconds"
            )

    def read_text(self, source: Any, *args: Any, **kwargs: Any) -> str:  # noqa: ANN401 - pystac's
        """Read a file, an address or a link; raise `FileError` if the catalogue may not name it."""
        require_allowed(str(getattr(source, "href", source)), self.catalogue)
        path = existing_path(source) if isinstance(source, str) else ""
        if path and is_local(path):
            return text_of(content_of(path), errors="surrogateescape")
        return str(super().read_text(source, *args, **kwargs))

    def request(
        self,
        href: str,
        method: str | None = None,
        headers: dict[str, str] | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> str:
        """Return the text of an answer; raise `TimeoutError` if it takes too long."""
        verb = (method or "GET").upper()
        body = {"params" if verb == "GET" else "json": parameters}
        return within(self.longest, partial(self._fetch, verb, href, headers=headers, **body))

    def read_json(self, source: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401
        """Read a document, of which links that are none are left out."""
        document: dict[str, Any] = super().read_json(source, *args, **kwargs)
        if document.get("type") != "Feature" and "links" in document:
            self._leave_out(document, str(getattr(source, "href", source)))
        return document

    def _leave_out(self, document: dict[str, Any], href: str) -> None:
        """Leave out the links of a document that are none; a fault names those that might lead."""
        links = document["links"]
        if not isinstance(links, list):
            document["links"] = []
            self.faults[href] = FileError(
                f"{displayed(href)}: its links are {_shown(links)}, expected a list. Correct the "
                f"catalogue."
            )
            return
        document["links"] = [link for link in links if _is_link(link, href)]
        if wrong := [link for link in links if _may_lead(link) and not _is_link(link, href)]:
            more = f" (so do {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            self.faults[href] = FileError(
                f"{displayed(href)}: the link {_shown(wrong[0])} leads nowhere{more}; expected an "
                f"object with rel and href. It is skipped; correct the catalogue."
            )

    def json_loads(self, txt: str, *_args: Any, **_kwargs: Any) -> dict[str, Any]:  # noqa: ANN401
        """Read a document, which is a table of JSON; its parts are checked where they are used."""
        document = read_parts(txt)
        if not isinstance(document, dict):
            raise DocumentError("it is no object of JSON")
        return document

    def _fetch(self, method: str, href: str, **options: Any) -> str:  # noqa: ANN401 - requests'
        options |= {"timeout": self.longest, "stream": True}
        with self.session.request(method, href, **options) as answer:
            if not answer.ok:
                raise APIError(f"{href} answers {answer.status_code} {answer.reason}")
            content = bytearray()
            for chunk in answer.iter_content(CHUNK):
                content += chunk
                if len(content) > MAX_ANSWER:
                    raise DocumentError(f"an answer is longer than {MAX_ANSWER} bytes")
        return text_of(bytes(content), errors="surrogateescape")


def _is_link(link: Any, base: str) -> bool:  # noqa: ANN401 - JSON
    """Return whether a link has a relation and an address that can be completed."""
    if not isinstance(link, dict) or not isinstance(link.get("rel"), str):
        return False
    href = link.get("href")
    if not isinstance(href, str) or not 0 < len(href) <= MOST_CHARACTERS:
        return False
    try:
        make_absolute_href(href, base)
    except ValueError:
        return False
    return True


def _shown(link: Any) -> str:  # noqa: ANN401 - JSON
    try:
        return one_line(concealed(to_json(checked(link))))[:100]
    except DocumentError as error:
        return f"that cannot be shown ({error})"


def _may_lead(link: Any) -> bool:  # noqa: ANN401 - JSON
    rel = link.get("rel") if isinstance(link, dict) else None
    return not isinstance(rel, str) or rel in LEADING


def _require_safe_redirect(response: Response, **_options: Any) -> None:  # noqa: ANN401 - requests'
    target = Session().get_redirect_target(response)
    if target is None:
        return
    try:
        require_redirect(str(response.url), target)
    except FileError:
        response.close()
        raise
