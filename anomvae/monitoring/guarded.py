"""Documents of a catalogue, which may lead to others: not into the machine that reads them."""

from __future__ import annotations

from typing import Any

from pystac_client.stac_api_io import StacApiIO
from requests import Response

from ..hosts import require_allowed, require_redirect


class GuardedIO(StacApiIO):
    """Reads a catalogue; links and redirects of one on a server lead to servers only."""

    def __init__(self, catalogue: str, timeout: float) -> None:
        """Set the address of the catalogue, and the longest wait for an answer, s."""
        super().__init__(timeout=timeout)
        self.catalogue = catalogue
        self.session.hooks["response"].append(self._require_safe)

    def read_text(self, source: Any, *args: Any, **kwargs: Any) -> str:  # noqa: ANN401 - pystac's
        """Read a document; raise `FileError` if the catalogue may not name it."""
        require_allowed(str(getattr(source, "href", source)), self.catalogue)
        return str(super().read_text(source, *args, **kwargs))

    def _require_safe(self, response: Response, **_options: Any) -> None:  # noqa: ANN401
        target = self.session.get_redirect_target(response)
        if target is not None:
            require_redirect(str(response.url), target)
