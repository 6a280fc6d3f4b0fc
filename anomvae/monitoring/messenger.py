"""Messages to chats and phones by Apprise (Slack, Teams, Telegram, Matrix, ntfy and others).

The addresses of Apprise hold secrets, so they come from an environment variable alone.  Apprise
takes a message for all of them or reports that one failed, not which: a failure sends it to all
again, as the title and the key in the text show.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..calls import within
from .alerts import picture_of, plain_text, title_of
from .channels import Environment, secret_of
from .receivers import AppriseConfig
from .records import Alert
from .web import DeliveryFailed


@dataclass(frozen=True)
class Messenger:
    """Addresses that get alerts by Apprise."""

    config: AppriseConfig
    environment: Environment

    @property
    def name(self) -> str:
        """Its name in the state."""
        return self.config.name

    def send(self, alert: Alert) -> None:
        """Send the message; raises `DeliveryFailed` if one of the addresses does not take it."""
        addresses = secret_of(self.environment, self.config.urls_env).split()
        try:
            with _quiet():
                services = self._services(addresses)
                picture = picture_of(alert)
                work = partial(
                    services.notify,
                    title=title_of(alert),
                    body=plain_text(alert),
                    attach=None if picture is None else [str(picture)],
                )
                taken = within(self.config.timeout, work)
        except DeliveryFailed:
            raise
        except Exception as error:  # a service raises anything; its text may hold the address
            raise DeliveryFailed(f"Apprise fails ({type(error).__name__})") from error
        if not taken:
            raise DeliveryFailed(
                f"a service of {self.config.urls_env} does not take it: check the addresses with "
                f"`apprise -vv`"
            )

    def _services(self, addresses: Sequence[str]) -> Any:  # noqa: ANN401 - optional
        try:
            from apprise import Apprise
        except ImportError as error:
            raise DeliveryFailed('Apprise is missing: run pip install "anomvae[alerts]"') from error
        services = Apprise()
        for position, address in enumerate(addresses, start=1):
            if not services.add(address):  # named by its position: its text is a secret
                raise DeliveryFailed(
                    f"address {position} of {self.config.urls_env} is none that Apprise knows: "
                    f"give it as in 'slack://...', see the services of Apprise"
                )
        return services


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the log of Apprise from naming addresses, and its services from warning at import."""
    log = logging.getLogger("apprise")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
