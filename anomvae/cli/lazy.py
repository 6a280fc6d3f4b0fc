"""A group of commands that are imported when they are called, and what they import then."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """A group whose commands are functions in modules of their names."""

    def __init__(
        self,
        *arguments: Any,  # noqa: ANN401 - click's signature
        commands: tuple[str, ...] = (),
        package: str | None = None,
        shared: Mapping[str, str] | None = None,
        **options: Any,  # noqa: ANN401
    ) -> None:
        """Take the names of commands of a ``package``, in the order of their use.

        ``shared`` are the modules of those that share one.
        """
        super().__init__(*arguments, **options)
        self.names, self.package, self.shared = commands, package, shared or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of their use."""
        return list(self.names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command from its module."""
        if cmd_name not in self.names:
            return None
        module = import_module(f".{self.shared.get(cmd_name, cmd_name)}", self.package)
        command: click.Command = getattr(module, cmd_name)
        return command


@contextmanager
def importing() -> Iterator[None]:
    """Collect no garbage while a command imports, nor look for any in what it has imported.

    Modules stay until the end: looking for garbage in them takes a sixth of the time of importing
    torch.
    """
    if not gc.isenabled():
        yield
        return
    before = len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > before:
            gc.freeze()
        gc.enable()
