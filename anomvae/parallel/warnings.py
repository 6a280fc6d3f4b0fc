"""Warnings of work that another process does."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class _Collector(logging.Handler):
    """Keeps the messages of warnings and errors."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextmanager
def captured_warnings() -> Iterator[list[str]]:
    """Collect the warnings of anomvae instead of logging them.

    A worker's own log goes nowhere, or to the standard error of another machine; so its warnings
    are returned with its results, or dropped where the process that waits has logged them already.
    The list grows until the end of the block.
    """
    log, messages = logging.getLogger("anomvae"), list[str]()
    handler, propagate = _Collector(messages), log.propagate
    log.addHandler(handler)
    log.propagate = False
    try:
        yield messages
    finally:
        log.propagate = propagate
        log.removeHandler(handler)
