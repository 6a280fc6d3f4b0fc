"""The standard streams of a command: closed, full, without a reader, or of another encoding.

What a command prints is less than what it writes: a stream that does not work never ends a run that
works, and leaves no traceback.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper

import click

from .output import terminal_line

log = logging.getLogger(__name__)

READER_GONE = 141
"""Exit code of a program whose reader has gone, as after ``| head``: 128 + SIGPIPE."""


def prepare_streams() -> None:
    """Open the standard streams that are closed, and let the others take any text.

    A file that is opened later would get the number of a closed stream, and with it whatever a
    library prints there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - stays open
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def undecoded_messages_logged() -> Iterator[None]:
    """Log the messages of GDAL that rasterio cannot decode; Python would print a traceback each."""
    before = sys.unraisablehook

    def log_or_print(unraisable: sys.UnraisableHookArgs) -> None:
        if "rasterio" in str(unraisable.object) and unraisable.exc_type is UnicodeDecodeError:
            log.debug("a message of GDAL is not encoded in UTF-8")
        else:
            before(unraisable)

    sys.unraisablehook = log_or_print
    try:
        yield
    finally:
        sys.unraisablehook = before


def drop_unwritten() -> None:
    """Drop what a stream did not take: Python would try again at its end, and fail."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sys.stdout.fileno())
            os.close(null)


def note(message: str) -> None:
    """Print a message as one line on stderr, if stderr takes it."""
    with suppress(OSError, ValueError):
        click.echo(terminal_line(message), err=True)
