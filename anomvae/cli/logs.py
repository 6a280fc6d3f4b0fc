"""What commands log to stderr: each warning once, and more with ``-v``."""

from __future__ import annotations

import logging

import click

from .output import LineFormatter


def log_to_stderr(ctx: click.Context, parameter: click.Parameter, value: int) -> int:
    """Log warnings to stderr, and more for each ``-v``: the callback of an option.

    Each ``-v`` of a program that the commands are a part of counts, too: ``rio -v anomvae score``.
    """
    outer = ctx.find_root().obj
    verbosity = value + (outer.get("verbosity", 0) if isinstance(outer, dict) else 0)
    level = max(logging.DEBUG, logging.WARNING - 10 * verbosity)
    logging.basicConfig(level=logging.WARNING, force=True)
    logging.getLogger("anomvae").setLevel(level)
    for handler in logging.root.handlers:
        handler.setFormatter(LineFormatter())
        handler.addFilter(_is_relevant)
        handler.addFilter(_NewOnly())
    return value


def _is_relevant(record: logging.LogRecord) -> bool:
    """Drop the routine records of Dask, which sets its own log levels."""
    return record.levelno >= logging.WARNING or record.name.startswith("anomvae")


class _NewOnly(logging.Filter):
    """Drops a warning that was written before: files are opened several times in one command."""

    def __init__(self) -> None:
        super().__init__()
        self.written: set[tuple[int, str]] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        line = record.levelno, record.getMessage()
        is_new = line not in self.written
        self.written.add(line)
        return is_new
